//! A shell command that brings data back to where it was.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// It may take no longer.
const WITHIN: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);

/// Runs the command by the shell in a folder. The error says how it failed, as the end of a sentence.
pub(super) fn run(command: &str, folder: &Path) -> Result<(), String> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C is for runner, which still has to clean up.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("could not be started ({error})"))?;
    let end = Instant::now() + WITHIN;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("failed ({status})")),
            Ok(None) if Instant::now() < end => std::thread::sleep(LOOK),
            Ok(None) => {
                // Nothing more can be done than to try.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("did not end within {} s", WITHIN.as_secs()));
            }
            Err(error) => return Err(format!("could not be waited for ({error})")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_runs_in_its_folder_and_its_failure_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(run("touch done", folder.path()), Ok(()));
        assert!(folder.path().join("done").exists());
        assert!(run("exit 3", folder.path()).unwrap_err().contains('3'));
        assert!(run("true", Path::new("/no/such/folder")).unwrap_err().starts_with("could not be started"));
    }
}
