//! The lines of a server's output as they come, each looked at once, until one is what is waited for.

use regex::Regex;

/// Of a line without an end no more than its last this many bytes are kept.
const LONGEST_LINE: usize = 1 << 20;

/// Looks for a line that holds a text, or matches it as a regular expression.
#[derive(Debug)]
pub(super) struct Lines {
    wanted: String,
    pattern: Option<Regex>,
    /// The last line, whose end has not come yet.
    unfinished: Vec<u8>,
    found: bool,
}

impl Lines {
    pub fn new(wanted: String) -> Lines {
        Lines { pattern: Regex::new(&wanted).ok(), wanted, unfinished: Vec::new(), found: false }
    }

    /// Takes more of the output; whether the line has come for the first time.
    pub fn take(&mut self, more: &[u8]) -> bool {
        if self.found {
            return false;
        }
        self.unfinished.extend_from_slice(more);
        let text = String::from_utf8_lossy(&self.unfinished);
        let matches =
            |line: &str| line.contains(&self.wanted) || self.pattern.as_ref().is_some_and(|p| p.is_match(line));
        self.found = text.lines().any(matches);
        let done = memchr::memrchr(b'\n', &self.unfinished).map_or(0, |at| at + 1);
        let too_long = self.unfinished.len().saturating_sub(LONGEST_LINE);
        self.unfinished.drain(..done.max(too_long));
        if self.found {
            self.unfinished = Vec::new();
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_come_in_pieces_and_is_told_once() {
        let mut lines = Lines::new("listening on [0-9]+".to_owned());
        let told = ["a line\nlist", "ening o", "n 80", " listening on 81\n"].map(|more| lines.take(more.as_bytes()));
        assert_eq!(told, [false, false, true, false]);
    }

    #[test]
    fn a_line_comes_after_any_amount_of_others_and_none_without_end_is_kept() {
        let mut lines = Lines::new("ready (".to_owned());
        for _ in 0..40 {
            assert!(!lines.take(&[b'x'; 64 * 1024]));
        }
        assert!(lines.unfinished.len() <= LONGEST_LINE);
        assert!(!lines.take("\nwarming up\n".repeat(1_000).as_bytes()) && lines.take(b"it is ready (at last)"));
    }
}
