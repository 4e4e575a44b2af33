//! A command's set-up: run once, and again only when it or the folder it runs in has changed.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash as _, Hasher as _};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::StartError;

/// Where it is remembered which set-up has run, in the folder that it ran in.
const STAMP: &str = ".runner-setup";
/// A larger file's length stands for its content.
const LARGE: u64 = 1024 * 1024;

/// Runs `command` by the shell in `cwd`, unless it has run there with the same content before. Its output goes to `log`.
pub(super) fn run(command: &str, cwd: &Path, env: &[(String, String)], log: &File) -> Result<(), StartError> {
    let failed = |why: String| {
        StartError::new(
            format!("the set-up `{command}` {why}"),
            format!("run it by hand in {} until it passes; server.log has what it said", cwd.display()),
        )
    };
    // Two runners at once would work in one folder: the second waits for the first, and finds all done.
    let stamp = File::options().read(true).write(true).create(true).truncate(false).open(cwd.join(STAMP)).ok();
    let _ = stamp.as_ref().map(File::lock);
    if fs::read_to_string(cwd.join(STAMP)).is_ok_and(|stamp| stamp == fingerprint(command, cwd)) {
        return Ok(());
    }
    let output =
        |log: &File| log.try_clone().map(Stdio::from).map_err(|error| failed(format!("cannot write its log: {error}")));
    let status = Command::new("sh")
        .args(["-c", command])
        .current_dir(cwd)
        .envs(env.iter().cloned())
        .stdin(Stdio::null())
        .stdout(output(log)?)
        .stderr(output(log)?)
        .process_group(0)
        .status()
        .map_err(|error| failed(format!("could not be started: {error}")))?;
    if !status.success() {
        return Err(failed(super::show_status(status)));
    }
    let mut log = log;
    let _ = log.seek(SeekFrom::End(0));
    let _ = writeln!(log, "set-up `{command}` done");
    // A folder that cannot be written has its set-up run every time.
    let _ = fs::write(cwd.join(STAMP), fingerprint(command, cwd));
    Ok(())
}

/// The command, the names and contents of the files directly in the folder, and the names of what is hidden there: a
/// `.venv` that was removed has to be made again, but what is in it is the set-up's own.
fn fingerprint(command: &str, cwd: &Path) -> String {
    let mut entries: Vec<_> = fs::read_dir(cwd).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    let mut hasher = DefaultHasher::new();
    command.hash(&mut hasher);
    for path in entries {
        let Some(name) = path.file_name().filter(|name| *name != STAMP) else { continue };
        let hidden = name.as_encoded_bytes().starts_with(b".");
        if hidden || path.is_file() {
            name.hash(&mut hasher);
        }
        if hidden || !path.is_file() {
            continue;
        }
        match fs::metadata(&path).map(|metadata| metadata.len()) {
            Ok(length) if length > LARGE => length.hash(&mut hasher),
            _ => fs::read(&path).unwrap_or_default().hash(&mut hasher),
        }
    }
    format!("{:016x}\n", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_once_until_something_changes() {
        let folder = tempfile::tempdir().unwrap();
        let log = tempfile::tempfile().unwrap();
        let runs = || fs::read_to_string(folder.path().join(".count")).unwrap_or_default().len();
        let setup = |command: &str| run(command, folder.path(), &[], &log);
        setup("printf x >> .count").unwrap();
        setup("printf x >> .count").unwrap();
        assert_eq!(runs(), 1);
        fs::write(folder.path().join("requirements.txt"), "a==1").unwrap();
        setup("printf x >> .count").unwrap();
        assert_eq!(runs(), 2);
        setup("printf x >> .count; true").unwrap();
        assert_eq!(runs(), 3);
        fs::create_dir(folder.path().join(".venv")).unwrap();
        setup("printf x >> .count; true").unwrap();
        fs::remove_dir(folder.path().join(".venv")).unwrap();
        setup("printf x >> .count; true").unwrap();
        assert_eq!(runs(), 5, "what it had made is gone");
    }

    #[test]
    fn a_set_up_that_fails_says_how_and_runs_again() {
        let folder = tempfile::tempdir().unwrap();
        let log = tempfile::tempfile().unwrap();
        for _ in 0..2 {
            let error = run("exit 3", folder.path(), &[], &log).unwrap_err();
            assert!(error.message.contains("`exit 3` exited with status 3"), "{}", error.message);
        }
    }
}
