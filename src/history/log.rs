//! The file of the history: lines of JSON, one an entry, added at the end and never changed.
//!
//! Runs may add at once: each holds a lock, and writes its lines in one go. A run that is killed in the middle of that leaves
//! part of a line; whoever adds next takes it away. Git merges two of them line by line (`*.jsonl merge=union`).

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::entry::HistoryEntry;

/// In the folder of reports.
const NAME: &str = "history.jsonl";
/// No line is longer than this, in bytes.
const LONGEST_LINE: u64 = 1 << 20;

/// Why the history cannot be read or written. The text fits after "error: ".
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} the history {}: {source}", path.display())]
pub struct HistoryError {
    doing: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

impl HistoryError {
    /// What to do about it. The text fits after "help: ".
    pub fn advice(&self) -> String {
        let path = self.path.display();
        match self.source.kind() {
            ErrorKind::IsADirectory => format!("{path} is a folder: move it away"),
            ErrorKind::PermissionDenied => format!("`ls -l {path}` shows who may write it"),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full: make room".to_owned(),
            _ => {
                "the reports themselves are whole; `runner index` adds to the history what it lacks of them".to_owned()
            }
        }
    }
}

/// The lines of a history.
#[derive(Debug, Default)]
pub struct RunHistory {
    /// In the order of the nights; no two are the same.
    pub entries: Vec<HistoryEntry>,
    /// How many lines are no entries: of a merge that failed, or of a later version.
    pub unread: usize,
}

/// Adds entries to the history in a folder of reports: all of them, or none.
pub fn append(reports: &Path, entries: &[HistoryEntry]) -> Result<(), HistoryError> {
    if entries.is_empty() {
        return Ok(());
    }
    let path = reports.join(NAME);
    append_to(&path, entries).map_err(|source| HistoryError { doing: "write", path, source })
}

/// Adds those entries that the history lacks; says how many they are.
pub fn append_new(reports: &Path, entries: Vec<HistoryEntry>) -> Result<usize, HistoryError> {
    let mut known: HashSet<String> = read(reports)?.entries.iter().map(key).collect();
    let new: Vec<HistoryEntry> = entries.into_iter().filter(|entry| known.insert(key(entry))).collect();
    append(reports, &new)?;
    Ok(new.len())
}

fn append_to(path: &Path, entries: &[HistoryEntry]) -> io::Result<()> {
    let mut text = String::new();
    for entry in entries {
        text += &serde_json::to_string(entry)?;
        text.push('\n');
    }
    let mut file = File::options().read(true).append(true).create(true).open(path)?;
    // A file system without locks is one that no two runs share.
    let _locked = file.lock();
    mend_end(&mut file)?;
    file.write_all(text.as_bytes())
}

/// Ends a last line that has no end: a whole one by a line break, and part of one by its removal.
fn mend_end(file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LONGEST_LINE);
    if length == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::Start(length - 1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    io::Read::by_ref(file).take(LONGEST_LINE).read_to_end(&mut end)?;
    let start = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if serde_json::from_slice::<HistoryEntry>(&end[start..]).is_ok() {
        return file.write_all(b"\n");
    }
    file.set_len(from + start as u64)
}

/// The identity of an entry, as one text.
fn key(entry: &HistoryEntry) -> String {
    let (night, scenario, variant, started) = entry.identity();
    [night, scenario, variant, started].join("\n")
}

/// Reads the history in a folder of reports; it is empty where there is none.
pub fn read(reports: &Path) -> Result<RunHistory, HistoryError> {
    let path = reports.join(NAME);
    let failed = |source| HistoryError { doing: "read", path: path.clone(), source };
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(RunHistory::default()),
        opened => opened.map_err(failed)?,
    };
    let (mut history, mut seen) = (RunHistory::default(), HashSet::new());
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(failed)?;
        match serde_json::from_slice::<HistoryEntry>(&line) {
            // Two branches that were merged may both have it.
            Ok(entry) => {
                if seen.insert(key(&entry)) {
                    history.entries.push(entry);
                }
            }
            Err(_) if line.iter().all(u8::is_ascii_whitespace) => {}
            Err(_) => history.unread += 1,
        }
    }
    history.entries.sort_by(|one, other| (&one.night, &one.started).cmp(&(&other.night, &other.started)));
    Ok(history)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::history::series::tests::entry;

    /// Set in a process that adds entries until it has added this many, or is killed.
    const ADDS: &str = "RUNNER_TEST_HISTORY_ADDS";

    #[test]
    fn what_was_added_is_read_in_the_order_of_the_nights_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (entry("a", 3, 1.0), entry("b", 2, 2.0));
        append(folder.path(), std::slice::from_ref(&one)).unwrap();
        append(folder.path(), &[other.clone(), one.clone()]).unwrap();
        assert_eq!(read(folder.path()).unwrap().entries, [other, one]);
        assert!(read(&folder.path().join("none")).unwrap().entries.is_empty());
    }

    #[test]
    fn what_a_history_has_is_not_added_again() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (entry("a", 3, 1.0), entry("b", 2, 2.0));
        append(folder.path(), std::slice::from_ref(&one)).unwrap();
        let more = vec![one.clone(), other.clone(), other.clone()];
        assert_eq!(append_new(folder.path(), more.clone()).unwrap(), 1);
        assert_eq!(append_new(folder.path(), more).unwrap(), 0);
        assert_eq!(std::fs::read_to_string(folder.path().join(NAME)).unwrap().lines().count(), 2);
    }

    #[test]
    fn part_of_a_line_goes_and_a_whole_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(NAME);
        append(folder.path(), &[entry("a", 1, 1.0)]).unwrap();
        let whole = fs::read_to_string(&file).unwrap();
        for (left, kept) in [(&whole[..40], 0), (whole.trim_end(), 1)] {
            fs::write(&file, format!("{whole}{}", left.replace("\"a\"", "\"left\""))).unwrap();
            append(folder.path(), &[entry("b", 2, 1.0)]).unwrap();
            let history = read(folder.path()).unwrap();
            assert_eq!((history.entries.len(), history.unread), (2 + kept, 0));
        }
    }

    #[test]
    fn lines_that_are_none_are_counted_and_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        append(folder.path(), &[entry("a", 1, 1.0)]).unwrap();
        let file = folder.path().join(NAME);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("<<<<<<< HEAD\n{text}=======\n\n{{\"night\": 3}}\n{text}>>>>>>> b\n")).unwrap();
        let history = read(folder.path()).unwrap();
        assert_eq!((history.entries.len(), history.unread), (1, 4));
    }

    #[test]
    fn no_line_is_lost_or_broken_by_two_who_write_at_once_and_are_killed() {
        if let Ok(asked) = std::env::var(ADDS) {
            let (folder, name, from) = asked
                .split_once('|')
                .and_then(|(folder, rest)| {
                    rest.split_once('|')
                        .map(|(name, from)| (folder.to_owned(), name.to_owned(), from.parse::<u32>().unwrap()))
                })
                .unwrap();
            for number in from.. {
                append(Path::new(&folder), &[entry(&name, number as usize, f64::from(number))]).unwrap();
                // Only what was added is told of: the last one may be there besides.
                let mut told = File::options().append(true).create(true).open(Path::new(&folder).join(&name)).unwrap();
                told.write_all(format!("{number}\n").as_bytes()).unwrap();
                if number == 999 {
                    return;
                }
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let start = |name: &str, from: u32| {
            let asked = format!("{}|{name}|{from}", folder.path().display());
            let mut test = Command::new(std::env::current_exe().unwrap());
            test.args([
                "--exact",
                "history::log::tests::no_line_is_lost_or_broken_by_two_who_write_at_once_and_are_killed",
            ]);
            test.env(ADDS, asked).stdout(Stdio::null()).spawn().unwrap()
        };
        let told = |name: &str| {
            let text = fs::read_to_string(folder.path().join(name)).ok()?;
            text.lines().last()?.parse::<u32>().ok()
        };
        let began = std::time::Instant::now();
        std::thread::scope(|scope| {
            for name in ["one", "other"] {
                scope.spawn(move || {
                    let mut next = 0;
                    while next < 1000 {
                        let mut child = start(name, next);
                        // Killed once it has added fifty more, wherever it is then.
                        while told(name).is_none_or(|number| number < (next + 50).min(999)) {
                            assert!(
                                began.elapsed().as_secs() < 120,
                                "{name} added nothing more after {:?}",
                                told(name)
                            );
                            std::thread::sleep(std::time::Duration::from_micros(200));
                        }
                        let _ = child.kill();
                        child.wait().unwrap();
                        next = told(name).unwrap() + 1;
                    }
                });
            }
        });
        let history = read(folder.path()).unwrap();
        assert_eq!(history.unread, 0);
        for name in ["one", "other"] {
            let nights: HashSet<&str> = history
                .entries
                .iter()
                .filter(|entry| entry.scenario == name)
                .map(|entry| entry.night.as_str())
                .collect();
            assert_eq!(nights.len(), 1000, "{name}");
        }
    }
}
