//! Files that a person names. Only such as have an end are read: a pipe nobody writes to, a device or a terminal would be
//! waited for, or read, without one.

use std::fs::{self, File};
use std::io::{Error, Read as _, Result};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// Bytes of a file at most. It is held in memory, more than once.
const LONGEST: u64 = 1 << 30;

/// Where a shell keeps the pipes that it writes to itself, `<(...)` and `|`.
const OF_A_SHELL: [&str; 3] = ["/dev/fd/", "/dev/stdin", "/proc/self/fd/"];

/// The text of a regular file, or of a pipe that a shell has made.
pub fn read(path: &Path) -> Result<String> {
    let kind = fs::metadata(path)?.file_type();
    let is_a_shells = kind.is_fifo() && OF_A_SHELL.iter().any(|place| path.to_string_lossy().starts_with(place));
    // A folder is told as the system does it.
    if !kind.is_file() && !kind.is_dir() && !is_a_shells {
        let what = match () {
            () if kind.is_fifo() => "a named pipe",
            () if kind.is_socket() => "a socket",
            () => "a device",
        };
        return Err(Error::other(format!("it is {what}, not a file")));
    }
    let mut text = String::new();
    match File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)? as u64 {
        ..=LONGEST => Ok(text),
        _ => Err(Error::other("it is longer than 1 GiB")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for (path, what) in [
            (pipe.as_path(), "a named pipe"),
            (&socket, "a socket"),
            (Path::new("/dev/zero"), "a device"),
            (Path::new("/dev/tty"), "a device"),
        ] {
            assert_eq!(read(path).unwrap_err().to_string(), format!("it is {what}, not a file"), "{path:?}");
        }
        let file = folder.path().join("file");
        fs::write(&file, "text").unwrap();
        assert_eq!(read(&file).unwrap(), "text");
        assert_eq!(read(folder.path()).unwrap_err().kind(), std::io::ErrorKind::IsADirectory);
        assert_eq!(read(&folder.path().join("none")).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    }
}
