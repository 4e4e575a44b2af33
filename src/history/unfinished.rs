//! A night under way: which scenarios it is of, and which are done, so that it can be taken up where it was cut off.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::output::write_whole;

/// In the folder of reports; gone once a night has come to its end.
const NAME: &str = ".unfinished-night.json";

/// A night of several scenarios.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedNight {
    /// When it began: UTC, RFC 3339.
    pub night: String,
    /// All its scenarios, in their order.
    pub scenarios: Vec<String>,
    /// Those that are done, each with its exit code.
    pub done: Vec<(String, u8)>,
}

impl UnfinishedNight {
    /// The one that was cut off, if it is of these scenarios.
    pub fn left(reports: &Path, scenarios: &[String]) -> Option<Self> {
        let text = fs::read(path(reports)).ok()?;
        let left: UnfinishedNight = serde_json::from_slice(&text).ok()?;
        (left.scenarios == scenarios).then_some(left)
    }

    /// The exit code of a scenario that is done.
    pub fn exit_of(&self, scenario: &str) -> Option<u8> {
        self.done.iter().find(|(name, _)| name == scenario).map(|(_, code)| *code)
    }

    /// Keeps it as it is now.
    pub fn keep(&self, reports: &Path) -> io::Result<()> {
        fs::create_dir_all(reports)?;
        write_whole(&path(reports), serde_json::to_vec(self)?)
    }

    /// It came to its end.
    pub fn remove(reports: &Path) {
        // One that stays is of other scenarios, or is taken up with nothing left to do.
        let _ = fs::remove_file(path(reports));
    }
}

fn path(reports: &Path) -> PathBuf {
    reports.join(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_is_taken_up_by_the_same_scenarios_only() {
        let folder = tempfile::tempdir().unwrap();
        let reports = folder.path().join("reports");
        let names = ["a".to_owned(), "b".to_owned()];
        let night =
            UnfinishedNight { night: "n".to_owned(), scenarios: names.to_vec(), done: vec![("a".to_owned(), 1)] };
        night.keep(&reports).unwrap();
        assert_eq!(UnfinishedNight::left(&reports, &names), Some(night.clone()));
        assert_eq!((night.exit_of("a"), night.exit_of("b")), (Some(1), None));
        assert_eq!(UnfinishedNight::left(&reports, &names[..1]), None);
        UnfinishedNight::remove(&reports);
        assert_eq!(UnfinishedNight::left(&reports, &names), None);
    }
}
