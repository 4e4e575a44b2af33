//! The link `reports/<scenario>/latest`.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Why `latest` does not lead to a report that is otherwise whole.
#[derive(Debug, thiserror::Error)]
#[error("cannot point {} at this report: {source}", path.display())]
pub struct NotLatest {
    pub path: PathBuf,
    pub source: io::Error,
}

impl NotLatest {
    /// What to do about it. The text fits after "help: ".
    pub fn advice(&self) -> String {
        match self.source.kind() {
            ErrorKind::AlreadyExists => {
                format!("the report is whole; move {} away, and the next run makes the link", self.path.display())
            }
            _ => "the report is whole; only the link is not new".to_owned(),
        }
    }
}

/// Replaces the link in one step.
pub(super) fn point_latest(home: &Path, place: &Path) -> Result<(), NotLatest> {
    let Some(name) = place.file_name() else { return Ok(()) };
    let latest = home.join("latest");
    let fresh = home.join(format!(".latest-{}", std::process::id()));
    let linked = if latest.symlink_metadata().is_ok_and(|found| !found.is_symlink()) {
        Err(io::Error::new(ErrorKind::AlreadyExists, "something that is no link is in its place"))
    } else {
        let _ = fs::remove_file(&fresh);
        symlink(name, &fresh).and_then(|()| fs::rename(&fresh, &latest))
    };
    linked.map_err(|source| {
        let _ = fs::remove_file(&fresh);
        NotLatest { path: latest, source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_named_latest_is_not_overwritten() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("latest"), "mine").unwrap();
        let refused = point_latest(home.path(), &home.path().join("place")).unwrap_err();
        assert!(refused.advice().contains("move"), "{}", refused.advice());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(home.path().join("latest")).unwrap(), "mine");
    }
}
