//! Process trees, read from `/proc`; of one that is not the own nothing is read.

use std::time::{Duration, Instant};

use procfs::process::Process;
use rustix::process::{Pid, Signal, WaitOptions, waitpid};

use super::proc;
use super::role::ProcessRole;

/// How long to go on killing. What survives this is beyond any signal.
const KILL_FOR: Duration = Duration::from_secs(10);

/// All live descendants of a process, nearest first. A tree that changes meanwhile may be caught halfway: ask again.
pub(super) fn descendants(pid: u32) -> Vec<u32> {
    let mut found = children(pid);
    let mut next = 0;
    while next < found.len() {
        for child in children(found[next]) {
            if !found.contains(&child) {
                found.push(child);
            }
        }
        next += 1;
    }
    found
}

/// The children of all threads of a process; none if it is gone.
fn children(pid: u32) -> Vec<u32> {
    if proc::unusable().is_some() {
        return Vec::new();
    }
    let tasks = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()?.tasks().ok());
    tasks.into_iter().flatten().filter_map(|task| task.ok()?.children().ok()).flatten().collect()
}

/// Whether a process is there, and neither stopped nor dead.
pub(super) fn is_at_work(pid: u32) -> bool {
    let stat = match proc::unusable() {
        Some(_) => None,
        None => i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()?.stat().ok()),
    };
    stat.is_some_and(|stat| !matches!(stat.state, 'T' | 't' | 'Z' | 'X'))
}

/// Sends a signal to each process; those that are gone need none.
pub(super) fn signal(pids: &[u32], signal: Signal) {
    for pid in pids {
        if let Some(pid) = known(*pid) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

/// Sends a signal to a process group; whether there was one.
pub(super) fn signal_group(leader: u32, signal: Signal) -> bool {
    known(leader).is_some_and(|leader| rustix::process::kill_process_group(leader, signal).is_ok())
}

/// Where the processes below cannot be seen, the group of the program `main` stands for them.
pub(super) fn signal_all(which: Signal, main: u32) {
    if proc::unusable().is_some() {
        signal_group(main, which);
        signal_group(main, Signal::CONT);
        return;
    }
    let pids = descendants(std::process::id());
    signal(&pids, which);
    signal(&pids, Signal::CONT);
}

/// Kills until nothing is left: a tree that forks while it is read gets another round.
pub(super) fn kill_all(main: u32) {
    let began = Instant::now();
    while began.elapsed() < KILL_FOR {
        let pids = descendants(std::process::id());
        let is_over = match proc::unusable() {
            Some(_) => !signal_group(main, Signal::KILL),
            None => pids.is_empty(),
        };
        if is_over {
            return;
        }
        signal(&pids, Signal::KILL);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills what runner did not start itself but has come to it, as from a supervisor that was killed, until nothing is left.
pub(super) fn kill_adopted(within: Duration) {
    let began = Instant::now();
    loop {
        let mut pids: Vec<u32> = children(std::process::id()).into_iter().filter(|pid| is_adopted(*pid)).collect();
        if pids.is_empty() || began.elapsed() > within {
            return;
        }
        pids.extend(pids.clone().into_iter().flat_map(descendants));
        signal(&pids, Signal::KILL);
        std::thread::sleep(Duration::from_millis(1));
        for pid in pids.iter().filter_map(|pid| known(*pid)) {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

/// What runner starts itself is runner again, in a role. A process that has ended names none, so that it counts as adopted
/// unless somebody else is to reap it.
fn is_adopted(pid: u32) -> bool {
    let arguments = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()?.cmdline().ok());
    arguments.is_none_or(|arguments| ProcessRole::of(&arguments).is_none())
}

fn known(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}
