//! The supervisor: a process between runner and a foreign server, so that nothing of that server can get lost.
//!
//! It is a subreaper: whatever the server forks, also a daemon that has left its parent and its session behind, stays
//! below it and is found. Its standard output is a channel to runner: a plan comes in as one line, then orders; events go
//! out, a line of JSON each. When the channel ends, runner is gone, however it went: everything below is asked to end, and
//! killed after the grace.

use std::io::{BufRead as _, BufReader, PipeWriter, Read, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, set_child_subreaper, wait};

use super::log_lines::Lines;
use super::supervision::{FD, LaunchPlan, Order, StopOrder, SupervisorEvent};
use super::{inherited_signals, process_tree, starter};
use crate::process_end::ExitStatus;

/// The number of the first socket that systemd's protocol hands down.
const LISTEN_FD: i32 = 3;
/// What a server says beyond this is not kept.
const LONGEST_LOG: usize = 16 * 1024 * 1024;
/// How the log says that it goes no further, in the middle of a line, if need be.
pub const NOT_KEPT: &str = "\n... the rest is not kept: the log is longer than 16 MiB\n";
/// How long the last words of processes that have ended may take to reach the log.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(5);

/// The whole life of a supervisor.
pub fn main() -> ExitCode {
    match keep() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn keep() -> std::io::Result<()> {
    // First, so that the number is the one that `LISTEN_FDS` means, if nobody has left that open.
    let handed = fcntl_dupfd_cloexec(std::io::stdin(), LISTEN_FD)?;
    set_child_subreaper(Some(getpid()))?;
    inherited_signals::mend()?;
    let channel = UnixStream::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    let mut orders = BufReader::new(channel.try_clone()?);
    let say = Arc::new(Mutex::new(channel));
    let mut line = String::new();
    orders.read_line(&mut line)?;
    let plan: LaunchPlan = serde_json::from_str(&line)?;
    let (main, copied, input) = match prepare(orders, &say, &plan) {
        Ok(prepared) => prepared,
        Err(error) => return refuse(&say, &error, "check the limits on processes and threads (`ulimit -a`)"),
    };
    let started = starter::start(&hand_down(plan.clone(), &handed)?, input);
    drop(handed);
    inherited_signals::let_go_of_the_input()?;
    match started {
        Ok(child) => {
            main.store(child.id(), Ordering::Relaxed);
            tell(&say, &SupervisorEvent::Started { pid: child.id(), supervisor: std::process::id() });
        }
        Err(error) => {
            let (why, advice) = why(&error, &plan);
            return refuse(&say, &why, advice);
        }
    }
    reap(&say, &copied);
    Ok(())
}

/// The plan with the number of the socket, where there is one, which the program then has open.
fn hand_down(mut plan: LaunchPlan, socket: &OwnedFd) -> std::io::Result<LaunchPlan> {
    if plan.handed {
        let number = socket.as_raw_fd();
        fcntl_setfd(socket, FdFlags::empty())?;
        let texts = plan.command.iter_mut().chain(plan.env.iter_mut().map(|(_, value)| value));
        texts.for_each(|text| *text = text.replace(FD, &number.to_string()));
        plan.handed = number == LISTEN_FD;
    }
    Ok(plan)
}

fn refuse(say: &Mutex<UnixStream>, why: &dyn std::fmt::Display, advice: &str) -> std::io::Result<()> {
    tell(say, &SupervisorEvent::NotStarted { why: why.to_string(), advice: advice.to_owned() });
    Ok(())
}

/// The number of the program, once it is started; a channel that ends when all of its output is in the log; the output's
/// other end.
type Prepared = (Arc<AtomicU32>, Receiver<()>, PipeWriter);

/// Starts what a server needs around it, before there is one.
fn prepare(
    orders: BufReader<UnixStream>,
    say: &Arc<Mutex<UnixStream>>,
    plan: &LaunchPlan,
) -> std::io::Result<Prepared> {
    let (output, input) = std::io::pipe()?;
    let (copying, copied) = mpsc::channel::<()>();
    let (teller, wanted, stop) = (Arc::clone(say), plan.wanted.clone(), plan.stop);
    std::thread::Builder::new().name("log".to_owned()).spawn(move || {
        // Dropped at the end, and so a signal.
        let _copying = copying;
        copy_log(output, wanted.map(Lines::new), &|event| tell(&teller, &event));
    })?;
    let main = Arc::new(AtomicU32::new(0));
    let ordered = Arc::clone(&main);
    std::thread::Builder::new().name("orders".to_owned()).spawn(move || obey(orders, &ordered, stop))?;
    Ok((main, copied, input))
}

/// Says what is wrong with a command that cannot be started, and what to do.
fn why(error: &std::io::Error, plan: &LaunchPlan) -> (String, &'static str) {
    let program = &plan.command[0];
    let path = plan.cwd.join(program);
    let is_there = program.contains('/') && path.is_file();
    let (why, advice) = match error.kind() {
        _ if !plan.cwd.is_dir() => {
            return (format!("its folder {} is not there", plan.cwd.display()), "correct or make `server.cwd`");
        }
        std::io::ErrorKind::NotFound if is_there => {
            ("the program that its first line (#!) names is not there", "install that program, or correct the line")
        }
        std::io::ErrorKind::NotFound => (
            "there is no such program",
            "name it as a shell in `server.cwd` would find it: on the PATH, or with a path from there",
        ),
        std::io::ErrorKind::PermissionDenied if path.is_dir() => ("it is a folder", "name a program in it"),
        std::io::ErrorKind::PermissionDenied => {
            ("it is not executable", "`chmod +x` it, or name its interpreter first, as in [\"python3\", \"server.py\"]")
        }
        _ if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => (
            "it is neither a program nor a script whose first line (#!) names one",
            "give it such a line, or name its interpreter first, as in [\"sh\", \"server.sh\"]",
        ),
        _ => return (error.to_string(), "run it by hand in `server.cwd`; check the limits on processes (`ulimit -a`)"),
    };
    (why.to_owned(), advice)
}

/// Reaps whatever ends below, until nothing is left and all that was said is in the log.
fn reap(say: &Mutex<UnixStream>, copied: &Receiver<()>) {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) => tell(say, &ended(pid, status)),
            Ok(None) | Err(Errno::INTR) => {}
            Err(_) => break,
        }
    }
    // Somebody outside may have been handed the output: no reason to wait for ever.
    let _ = copied.recv_timeout(LAST_WORDS_WITHIN);
    tell(say, &SupervisorEvent::Empty);
}

fn ended(pid: Pid, status: WaitStatus) -> SupervisorEvent {
    SupervisorEvent::Ended {
        pid: pid.as_raw_nonzero().get().unsigned_abs(),
        exit: ExitStatus::new(status.exit_status(), status.terminating_signal()),
    }
}

/// Carries out orders until runner is gone; then nothing may be left. Once nothing is, this process has ended.
fn obey(orders: BufReader<UnixStream>, main: &AtomicU32, stop: StopOrder) {
    let signal_all = |number: i32| {
        if let Some(signal) = Signal::from_named_raw(number) {
            process_tree::signal_all(signal, main.load(Ordering::Relaxed));
        }
    };
    for line in orders.lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Order::Signal(number)) => signal_all(number),
            Ok(Order::Kill) => process_tree::kill_all(main.load(Ordering::Relaxed)),
            Err(_) => {}
        }
    }
    signal_all(stop.signal);
    std::thread::sleep(stop.grace);
    process_tree::kill_all(main.load(Ordering::Relaxed));
    std::process::exit(1);
}

/// runner may be gone; the thread that reads orders sees to that.
fn tell(say: &Mutex<UnixStream>, event: &SupervisorEvent) {
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    let _ = say.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
}

/// Copies the server's output into the log, up to a length; beyond it is read, so that the server does not block, and
/// thrown away. Tells of the line that is looked for, wherever it comes, and once of what cannot be written.
fn copy_log(mut output: impl Read, mut lines: Option<Lines>, tell: &dyn Fn(SupervisorEvent)) {
    let mut room = LONGEST_LOG;
    let mut told = false;
    let mut buffer = [0; 64 * 1024];
    while let Ok(read @ 1..) = output.read(&mut buffer) {
        let fits = room.min(read);
        let written = std::io::stderr().write_all(&buffer[..fits]);
        room -= fits;
        if fits < read && !told {
            told = true;
            let _ = std::io::stderr().write_all(NOT_KEPT.as_bytes());
        }
        if let Err(error) = written {
            tell(SupervisorEvent::NotLogged { why: error.to_string() });
            (room, told) = (0, true);
        }
        if lines.as_mut().is_some_and(|lines| lines.take(&buffer[..read])) {
            tell(SupervisorEvent::Said);
        }
    }
}
