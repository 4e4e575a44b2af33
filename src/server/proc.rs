//! Whether `/proc` is that of the processes around this one: in a PID namespace of its own it may still show the numbers of
//! outside, which mean others here.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// runner itself, also if its file was replaced meanwhile.
pub(super) const THIS_PROGRAM: &str = "/proc/self/exe";

/// What to do about a `/proc` that is of no use.
pub(super) const REMEDY: &str =
    "mount the own one (`unshare --mount-proc`, `bwrap --proc /proc`, `mount -t proc proc /proc`)";

/// Why processes cannot be looked at here, if they cannot.
pub(super) fn unusable() -> Option<&'static str> {
    static WHY: OnceLock<Option<&'static str>> = OnceLock::new();
    *WHY.get_or_init(|| why(fs::read_link("/proc/self").ok().as_deref(), std::process::id()))
}

fn why(myself: Option<&Path>, pid: u32) -> Option<&'static str> {
    match myself.map(|path| path.to_string_lossy().parse() == Ok(pid)) {
        None => Some("there is no /proc"),
        Some(false) => Some("/proc is that of another PID namespace"),
        Some(true) => None,
    }
}

/// How to start runner once more.
pub(super) fn this_program() -> PathBuf {
    let path = PathBuf::from(THIS_PROGRAM);
    // A link that leads to nothing that has a name is one all the same.
    match path.symlink_metadata() {
        Ok(_) => path,
        Err(_) => called(std::env::args_os().next(), std::env::var_os("PATH")),
    }
}

/// The program of a command line, as a shell finds it.
fn called(name: Option<OsString>, path: Option<OsString>) -> PathBuf {
    let name = PathBuf::from(name.unwrap_or_default());
    if name.components().count() > 1 {
        return name;
    }
    let path = path.unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(&name));
    places.find(|path| path.is_file()).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_only_where_they_are_the_own() {
        assert_eq!(why(Some(Path::new("42")), 42), None);
        assert_eq!(why(Some(Path::new("4711")), 42), Some("/proc is that of another PID namespace"));
        assert_eq!(why(None, 42), Some("there is no /proc"));
        assert_eq!(unusable(), None, "here it is the own");
    }

    #[test]
    fn without_proc_this_program_is_found_as_a_shell_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("runner"), "").unwrap();
        let path = std::env::join_paths(["/nowhere".as_ref(), folder.path()]).unwrap();
        assert_eq!(called(Some("runner".into()), Some(path.clone())), folder.path().join("runner"));
        assert_eq!(called(Some("./runner".into()), Some(path)), Path::new("./runner"));
        assert_eq!(this_program(), Path::new(THIS_PROGRAM));
    }
}
