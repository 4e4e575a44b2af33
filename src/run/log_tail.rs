//! The end of a log, for whoever wants to know why something failed.

/// The most lines that are kept.
const LINES: usize = 10;
/// A server may print megabytes in one line: this many characters of a line are kept.
const LONGEST_LINE: usize = 500;

/// The last lines of a log that say anything.
pub(super) fn of<'a>(log: impl Iterator<Item = &'a str>) -> Vec<String> {
    let lines: Vec<&str> = log.flat_map(str::lines).filter(|line| !line.trim().is_empty()).collect();
    let clip = |line: &&str| line.chars().take(LONGEST_LINE).collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(clip).collect()
}
