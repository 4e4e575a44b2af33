//! The guard: a process between runner and a supervisor, so that the server is not left when both are killed at once.
//!
//! It is a subreaper, too: what a dead supervisor leaves comes to it, and is killed. Where only runner has died, it leaves the
//! supervisor the time to end the server in order. The supervisor's channel is its own standard
//! output as well, on which it waits for the end of runner. It says nothing.

use std::os::unix::process::CommandExt as _;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper, wait};

use super::role::{self, ProcessRole};
use super::{inherited_signals, process_tree};

/// How often to look whether the supervisor is at work.
const LOOK: Duration = Duration::from_millis(5);

/// The whole life of a guard.
pub fn main() -> ExitCode {
    match watch() {
        Ok(code) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn watch() -> std::io::Result<ExitCode> {
    set_child_subreaper(Some(getpid()))?;
    inherited_signals::mend()?;
    // First, so that no supervisor is left where there is no thread.
    let supervisor = Arc::new(AtomicU32::new(0));
    let watched = Arc::clone(&supervisor);
    std::thread::Builder::new().name("runner".to_owned()).spawn(move || {
        wait_for_the_end_of_runner();
        let supervisor = watched.load(Ordering::Relaxed);
        process_tree::signal(&[supervisor], Signal::CONT);
        // It ends after the grace at the latest, and then this process does too.
        while process_tree::is_at_work(supervisor) {
            std::thread::sleep(LOOK);
        }
        process_tree::kill_all(0);
        std::process::exit(1);
    })?;
    let child = ProcessRole::Supervisor
        .command(&role::what())
        .stdin(Stdio::inherit())
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .process_group(0)
        .spawn()?;
    inherited_signals::let_go_of_the_input()?;
    supervisor.store(child.id(), Ordering::Relaxed);
    let Some(status) = wait_for(child.id()) else { return Ok(ExitCode::FAILURE) };
    if status.exit_status() == Some(0) {
        return Ok(ExitCode::SUCCESS);
    }
    process_tree::kill_all(0);
    if let Some(signal) = status.terminating_signal().and_then(Signal::from_named_raw) {
        // Ends as the supervisor did, so that it is told so.
        kill_process(getpid(), signal)?;
    }
    Ok(ExitCode::FAILURE)
}

/// What comes through the channel is the supervisor's to read; its other end is runner.
fn wait_for_the_end_of_runner() {
    let channel = std::io::stdout();
    loop {
        let mut end = [PollFd::new(&channel, PollFlags::empty())];
        match poll(&mut end, None) {
            Ok(_) if end[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) => return,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// How the supervisor ended. Others may come and end meanwhile.
fn wait_for(supervisor: u32) -> Option<WaitStatus> {
    let is_supervisor = |pid: Pid| pid.as_raw_nonzero().get().unsigned_abs() == supervisor;
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if is_supervisor(pid) => return Some(status),
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}
