//! The warden: a process between runner and a keeper, so that the server is not left when both are killed at once.
//!
//! It is a subreaper, too: what a dead keeper leaves comes to it, and is killed. Its standard input is a channel that ends
//! with runner. It looks after nothing else, and says nothing.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper, wait};

use super::{inherited, keeper, proc};

/// The argument with which runner starts itself as a warden.
pub const ARGUMENT: &str = "__warden";

/// The whole life of a warden.
pub fn main() -> ExitCode {
    match watch() {
        Ok(code) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn watch() -> std::io::Result<ExitCode> {
    set_child_subreaper(Some(getpid()))?;
    inherited::mend()?;
    // First, so that no keeper is left where there is no thread.
    std::thread::Builder::new().name("runner".to_owned()).spawn(|| {
        // It never sends anything: this is its end.
        let _ = std::io::stdin().read(&mut [0]);
        keeper::kill_all(0);
        std::process::exit(1);
    })?;
    let child = Command::new(proc::this_program())
        .arg(keeper::ARGUMENT)
        .stdin(Stdio::null())
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .process_group(0)
        .spawn()?;
    let Some(status) = wait_for(child.id()) else { return Ok(ExitCode::FAILURE) };
    if status.exit_status() == Some(0) {
        return Ok(ExitCode::SUCCESS);
    }
    keeper::kill_all(0);
    if let Some(signal) = status.terminating_signal().and_then(Signal::from_named_raw) {
        // Ends as the keeper did, so that it is told so.
        kill_process(getpid(), signal)?;
    }
    Ok(ExitCode::FAILURE)
}

/// How the keeper ended. Others may come and end meanwhile.
fn wait_for(keeper: u32) -> Option<WaitStatus> {
    let is_keeper = |pid: Pid| pid.as_raw_nonzero().get().unsigned_abs() == keeper;
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if is_keeper(pid) => return Some(status),
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}
