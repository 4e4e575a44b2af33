//! Folders for a run's own use, among everybody's temporary files. One that a killed run has left is removed by the next.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use tempfile::TempDir;

/// What their names begin with; some letters and digits follow.
const PREFIXES: [&str; 4] = ["runner-", ".runner-", "runner-probe-", "runner-agent-"];
const RANDOM: usize = 6;
/// What may stand in them.
const SOCKET: &str = "socket";
const LOG: &str = "log";
/// What a probe is given: the folders of its events, of its scripts, and of the code that it has rewritten, and the values that it
/// looks for.
pub(super) const PROBE_FOLDERS: [&str; 4] = ["events", "cache", "python", "node"];
pub(super) const PROBE_MARKS: &str = "marks";
/// How long the names of the folders are that an agent has: SHA-256 in hexadecimal. Those that are not whole begin otherwise.
const DIGEST: usize = 64;
const NOT_WHOLE: &str = ".tmp";

/// A folder that only its owner can open. Removed with this; it stays where the program is killed.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    /// Held as long as the folder is in use; it ends with the process, however that ends.
    _lock: File,
}

impl Scratch {
    /// For a Unix socket of the name `socket`.
    pub fn for_a_socket(parent: &Path) -> io::Result<Scratch> {
        Scratch::new(PREFIXES[0], parent)
    }

    /// For a file of the name `log`.
    pub fn for_a_log(parent: &Path) -> io::Result<Scratch> {
        Scratch::new(PREFIXES[1], parent)
    }

    /// For probes and their events.
    pub(super) fn for_probes(parent: &Path) -> io::Result<Scratch> {
        Scratch::new(PREFIXES[2], parent)
    }

    /// For the files of scenarios that an agent works on, each in a folder by its digest.
    pub fn for_an_agent(parent: &Path) -> io::Result<Scratch> {
        Scratch::new(PREFIXES[3], parent)
    }

    fn new(prefix: &str, parent: &Path) -> io::Result<Scratch> {
        let owners = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let folder =
            tempfile::Builder::new().prefix(prefix).rand_bytes(RANDOM).permissions(owners).tempdir_in(parent)?;
        let lock = File::open(folder.path())?;
        // Where the file system knows no locks nobody can take the folder for left behind, either.
        let _ = lock.try_lock();
        Ok(Scratch { folder, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes what killed runs have left in a folder: nothing but what runner itself makes, and what nobody holds any more.
pub fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|entry| is_named_so(&entry.file_name().to_string_lossy())) {
        let path = entry.path();
        if is_left(&path) && File::open(&path).is_ok_and(|folder| folder.try_lock().is_ok()) {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

fn is_named_so(name: &str) -> bool {
    let is_random = |rest: &str| rest.len() == RANDOM && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    PREFIXES.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(is_random))
}

/// Whether this is a folder as runner makes them, of this user, with nothing else in it.
fn is_left(path: &Path) -> bool {
    let mine = |metadata: fs::Metadata| {
        metadata.is_dir() && metadata.mode() & 0o777 == 0o700 && metadata.uid() == rustix::process::geteuid().as_raw()
    };
    let expected = |entry: &fs::DirEntry| {
        let (name, kind) = (entry.file_name(), entry.file_type());
        kind.is_ok_and(|kind| {
            let text = name.to_string_lossy();
            let is_digest = text.len() == DIGEST && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let of_an_agent = (is_digest || text.starts_with(NOT_WHOLE)) && kind.is_dir();
            let of_a_probe = PROBE_FOLDERS.iter().any(|folder| name == *folder) && kind.is_dir();
            let file = [LOG, PROBE_MARKS].iter().any(|file| name == *file) && kind.is_file();
            name == SOCKET && kind.is_socket() || file || of_a_probe || of_an_agent
        })
    };
    path.symlink_metadata().is_ok_and(mine)
        && fs::read_dir(path).is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| expected(&entry))))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn folder(parent: &Path, name: &str, mode: u32) -> std::path::PathBuf {
        let path = parent.join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path();
        let left = [
            ("runner-aB3dEf", "socket"),
            (".runner-000000", "log"),
            ("runner-zzzzzz", ""),
            ("runner-probe-aB3dEf", "events"),
        ];
        for (name, holds) in left {
            let path = folder(parent, name, 0o700);
            match holds {
                "socket" => drop(UnixListener::bind(path.join(holds)).unwrap()),
                "events" => fs::create_dir(path.join(holds)).unwrap(),
                "" => {}
                _ => fs::write(path.join(holds), "").unwrap(),
            }
        }
        let others =
            [("runner-aB3dEg", "work"), ("runner-aB3dEh", "socket"), (".runner-00000", "log"), ("runnerXaB3dEf", "")];
        for (name, holds) in others {
            let path = folder(parent, name, 0o700);
            if !holds.is_empty() {
                fs::write(path.join(holds), "").unwrap();
            }
        }
        folder(parent, "runner-open00", 0o755);
        std::os::unix::fs::symlink("runner-aB3dEg", parent.join("runner-linked")).unwrap();
        let used = Scratch::for_a_socket(parent).unwrap();
        sweep(parent);
        let is_there = |name: &str| parent.join(name).symlink_metadata().is_ok();
        assert!(left.iter().all(|(name, _)| !is_there(name)));
        assert!(
            others.iter().all(|(name, _)| is_there(name)) && is_there("runner-open00") && is_there("runner-linked")
        );
        assert!(used.path().is_dir());
    }
}
