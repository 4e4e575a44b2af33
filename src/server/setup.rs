//! A command's set-up: run once, and again only when it or the folder it runs in has changed.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File, TryLockError};
use std::hash::{Hash as _, Hasher as _};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use tracing::{debug, info};

use super::supervised_tree::SupervisedTree;
use super::supervision::{LaunchPlan, StopOrder};
use super::{Cancelled, StartError, Starting};
use crate::input;
use crate::scenario::CommandSpec;
use crate::units::show_duration;

/// Where it is remembered which set-up has run, in the folder that it ran in.
const STAMP: &str = ".runner-setup";
/// How often to look whether another runner has done with the folder.
const LOOK: Duration = Duration::from_millis(20);
/// A larger file's length stands for its content.
const LARGE: u64 = 1024 * 1024;

/// Runs the plan's set-up `command` by the shell in its folder, unless it has run there with the same content before. Its output goes to `log`.
/// Nothing that it leaves running stays.
pub(super) fn run(
    (command, within): (&str, Duration),
    plan: &CommandSpec,
    env: &[(String, String)],
    log: &File,
    cancelled: Cancelled<'_>,
) -> Result<(), StartError> {
    let (cwd, end) = (plan.cwd.as_path(), Instant::now() + within);
    let late = || {
        StartError::new(
            format!("the set-up `{command}` did not end within {}", show_duration(within)),
            "its last lines, if any, show what it is at; `server.setup_within` gives it more time",
        )
    };
    // Also where another runner has the folder, and takes its time.
    let is_over = || cancelled(Starting::SetUp) || Instant::now() >= end;
    let folder = cwd.canonicalize().unwrap_or_else(|_| cwd.to_owned());
    let failed = |why: &str| {
        StartError::new(
            format!("the set-up `{command}` {why}"),
            format!("run it by hand in {} until it passes; its last lines, if any, should say why", folder.display()),
        )
    };
    // Two runners at once would work in one folder: the second waits for the first, and finds all done.
    let stamp = File::options().read(true).write(true).create(true).truncate(false).open(cwd.join(STAMP)).ok();
    while stamp.as_ref().is_some_and(|stamp| matches!(stamp.try_lock(), Err(TryLockError::WouldBlock))) {
        if is_over() {
            return Err(if Instant::now() >= end { late() } else { failed("was interrupted") });
        }
        std::thread::sleep(LOOK);
    }
    if has_run(command, cwd) {
        debug!("the set-up has run before: nothing in its folder has changed");
        return Ok(());
    }
    info!("set-up runs: {command}");
    let shell = ["sh", "-c", command].map(str::to_owned).to_vec();
    let stop = StopOrder::from(&plan.stop);
    let launch =
        LaunchPlan { command: shell, cwd: cwd.to_owned(), env: env.to_vec(), wanted: None, handed: false, stop };
    let mut owned = SupervisedTree::start(&launch, &plan.scenario, log, None)
        .map_err(|error| StartError::new(format!("cannot run the set-up `{command}`: {error}"), error.advice))?;
    let ended = owned.wait_for_main(&is_over);
    drop(owned);
    match ended {
        None if Instant::now() >= end => return Err(late()),
        None => return Err(failed("was interrupted")),
        Some(Err(end)) => return Err(failed(&end.predicate())),
        Some(Ok(())) => {}
    }
    info!("set-up done");
    let mut log = log;
    let _ = log.seek(SeekFrom::End(0));
    let _ = writeln!(log, "set-up `{command}` done");
    // A folder that cannot be written has its set-up run every time.
    if cwd.join(STAMP).symlink_metadata().is_ok_and(|stamp| stamp.is_file()) {
        let _ = fs::write(cwd.join(STAMP), fingerprint(command, cwd));
    }
    Ok(())
}

fn has_run(command: &str, cwd: &Path) -> bool {
    input::read(&cwd.join(STAMP)).is_ok_and(|stamp| stamp == fingerprint(command, cwd))
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
    fn it_has_run_until_the_command_or_a_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let command = "make venv";
        assert!(!has_run(command, folder.path()));
        fs::write(folder.path().join(STAMP), fingerprint(command, folder.path())).unwrap();
        assert!(has_run(command, folder.path()) && !has_run("make", folder.path()));
        fs::write(folder.path().join("requirements.txt"), "a==1").unwrap();
        assert!(!has_run(command, folder.path()));
        fs::create_dir(folder.path().join(".venv")).unwrap();
        fs::write(folder.path().join(STAMP), fingerprint(command, folder.path())).unwrap();
        assert!(has_run(command, folder.path()));
        fs::remove_dir(folder.path().join(".venv")).unwrap();
        assert!(!has_run(command, folder.path()), "what it had made is gone");
    }
}
