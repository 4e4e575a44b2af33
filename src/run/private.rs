//! A file that nobody else can open, and that is gone with the program, however that ends: for what may hold secrets.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::server::scratch::Scratch;

/// A file without a name, or, where the system knows none, in a folder of its owner alone.
#[derive(Debug)]
pub(super) struct Private {
    /// Open as long as this is there, and gone with it.
    _file: File,
    path: PathBuf,
    _folder: Option<Scratch>,
}

impl Private {
    /// In the folder for temporary files.
    pub fn new() -> io::Result<Private> {
        Private::inside(&std::env::temp_dir())
    }

    /// On the disk of `folder`.
    pub fn inside(folder: &Path) -> io::Result<Private> {
        let file = tempfile::tempfile_in(folder)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        if File::options().append(true).open(&path).is_ok() {
            return Ok(Private { _file: file, path, _folder: None });
        }
        let folder = Scratch::for_a_log(folder)?;
        let path = folder.path().join("log");
        let file = File::options().read(true).append(true).create(true).open(&path)?;
        Ok(Private { _file: file, path, _folder: Some(folder) })
    }

    /// Where this process, and no other, can open it.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn it_can_be_opened_by_its_path_and_stands_in_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let private = Private::inside(folder.path()).unwrap();
        File::options().create(true).append(true).open(private.path()).unwrap().write_all(b"a line").unwrap();
        assert_eq!(std::fs::read_to_string(private.path()).unwrap(), "a line");
        assert_eq!(std::fs::metadata(private.path()).unwrap().len(), 6);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
