//! The keeper: a process between runner and a foreign server, so that nothing of that server can get lost.
//!
//! It is a subreaper: whatever the server forks, also a daemon that has left its parent and its session behind, stays
//! below it and is found. Its standard output is a channel to runner: a plan comes in as one line, then orders; events go
//! out, a line of JSON each. When the channel ends, runner is gone, however it went, and everything below is killed.

use std::io::{BufRead as _, BufReader, PipeWriter, Read, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, set_child_subreaper, wait};
use serde::{Deserialize, Serialize};

use super::lines::Lines;
use super::{inherited, proc, starter, tree};

/// The argument with which runner starts itself as a keeper.
pub const ARGUMENT: &str = "__keeper";
/// The number of the first socket that systemd's protocol hands down.
const LISTEN_FD: i32 = 3;
/// What a server says beyond this is not kept.
const LONGEST_LOG: usize = 16 * 1024 * 1024;
/// How the log says that it goes no further, in the middle of a line, if need be.
pub const NOT_KEPT: &str = "\n... the rest is not kept: the log is longer than 16 MiB\n";
/// How long to go on killing. What survives this is beyond any signal.
const KILL_FOR: Duration = Duration::from_secs(10);
/// How long the last words of processes that have ended may take to reach the log.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(5);

/// What to start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Plan {
    pub command: Vec<String>,
    pub cwd: PathBuf,
    pub env: Vec<(String, String)>,
    /// A line of its output that is to be told, a text or a regular expression.
    pub wanted: Option<String>,
    /// Whether the standard input is a socket that the program is handed.
    pub handed: bool,
}

/// Stands for the number of the socket that the program is handed; no argument can hold it.
pub(super) const FD: &str = "\0fd\0";

/// What runner orders.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Order {
    /// Send a signal, by its number, to everything below; what is stopped goes on, so that it can obey.
    Signal(i32),
    /// Kill everything below, however long its tree.
    Kill,
}

/// What happened below.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Event {
    /// The program is started.
    Started {
        pid: u32,
        /// The keeper's own number.
        keeper: u32,
    },
    /// The program could not be started.
    NotStarted { why: String, advice: String },
    /// The line that is wanted has come.
    Said,
    /// What the server says is not kept any more.
    NotLogged { why: String },
    /// A process ended: the program itself, or one that had lost its parent.
    Ended { pid: u32, how: String, well: bool },
    /// Nothing is left.
    Empty,
}

/// The whole life of a keeper.
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
    inherited::mend()?;
    let channel = UnixStream::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    let mut orders = BufReader::new(channel.try_clone()?);
    let say = Arc::new(Mutex::new(channel));
    let mut line = String::new();
    orders.read_line(&mut line)?;
    let plan: Plan = serde_json::from_str(&line)?;
    let (main, copied, input) = match prepare(orders, &say, plan.wanted.clone()) {
        Ok(prepared) => prepared,
        Err(error) => return refuse(&say, &error, "check the limits on processes and threads (`ulimit -a`)"),
    };
    let started = starter::start(&hand_down(plan.clone(), &handed)?, input);
    drop(handed);
    let_go_of_the_input()?;
    match started {
        Ok(child) => {
            main.store(child.id(), Ordering::Relaxed);
            tell(&say, &Event::Started { pid: child.id(), keeper: std::process::id() });
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
fn hand_down(mut plan: Plan, socket: &OwnedFd) -> std::io::Result<Plan> {
    if plan.handed {
        let number = socket.as_raw_fd();
        fcntl_setfd(socket, FdFlags::empty())?;
        let texts = plan.command.iter_mut().chain(plan.env.iter_mut().map(|(_, value)| value));
        texts.for_each(|text| *text = text.replace(FD, &number.to_string()));
        plan.handed = number == LISTEN_FD;
    }
    Ok(plan)
}

/// A socket that the keeper, or its warden, held as well would take connections although the program has ended.
pub(super) fn let_go_of_the_input() -> std::io::Result<()> {
    Ok(rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?)
}

fn refuse(say: &Mutex<UnixStream>, why: &dyn std::fmt::Display, advice: &str) -> std::io::Result<()> {
    tell(say, &Event::NotStarted { why: why.to_string(), advice: advice.to_owned() });
    Ok(())
}

/// The number of the program, once it is started; a channel that ends when all of its output is in the log; the output's
/// other end.
type Prepared = (Arc<AtomicU32>, Receiver<()>, PipeWriter);

/// Starts what a server needs around it, before there is one.
fn prepare(
    orders: BufReader<UnixStream>,
    say: &Arc<Mutex<UnixStream>>,
    wanted: Option<String>,
) -> std::io::Result<Prepared> {
    let (output, input) = std::io::pipe()?;
    let (copying, copied) = mpsc::channel::<()>();
    let teller = Arc::clone(say);
    std::thread::Builder::new().name("log".to_owned()).spawn(move || {
        // Dropped at the end, and so a signal.
        let _copying = copying;
        copy_log(output, wanted.map(Lines::new), &|event| tell(&teller, &event));
    })?;
    let main = Arc::new(AtomicU32::new(0));
    let ordered = Arc::clone(&main);
    std::thread::Builder::new().name("orders".to_owned()).spawn(move || obey(orders, &ordered))?;
    Ok((main, copied, input))
}

/// Says what is wrong with a command that cannot be started, and what to do.
fn why(error: &std::io::Error, plan: &Plan) -> (String, &'static str) {
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
    tell(say, &Event::Empty);
}

fn ended(pid: Pid, status: WaitStatus) -> Event {
    let how = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => super::show_exit(Some(code), None),
        (None, signal) => super::show_exit(None, signal),
    };
    Event::Ended { pid: pid.as_raw_nonzero().get().unsigned_abs(), how, well: status.exit_status() == Some(0) }
}

/// Carries out orders until runner is gone; then nothing may be left.
fn obey(orders: BufReader<UnixStream>, main: &AtomicU32) {
    for line in orders.lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Order::Signal(number)) => {
                if let Some(signal) = Signal::from_named_raw(number) {
                    signal_all(signal, main.load(Ordering::Relaxed));
                }
            }
            Ok(Order::Kill) => kill_all(main.load(Ordering::Relaxed)),
            Err(_) => {}
        }
    }
    kill_all(main.load(Ordering::Relaxed));
    std::process::exit(1);
}

/// Where the processes below cannot be seen, the group of the program `main` stands for them.
fn signal_all(signal: Signal, main: u32) {
    if proc::unusable().is_some() {
        tree::signal_group(main, signal);
        tree::signal_group(main, Signal::CONT);
        return;
    }
    let pids = tree::descendants(std::process::id());
    tree::signal(&pids, signal);
    tree::signal(&pids, Signal::CONT);
}

/// Kills until nothing is left: a tree that forks while it is read gets another round.
pub(super) fn kill_all(main: u32) {
    let began = Instant::now();
    while began.elapsed() < KILL_FOR {
        let pids = tree::descendants(std::process::id());
        let is_over = match proc::unusable() {
            Some(_) => !tree::signal_group(main, Signal::KILL),
            None => pids.is_empty(),
        };
        if is_over {
            return;
        }
        tree::signal(&pids, Signal::KILL);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// runner may be gone; the thread that reads orders sees to that.
fn tell(say: &Mutex<UnixStream>, event: &Event) {
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    let _ = say.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
}

/// Copies the server's output into the log, up to a length; beyond it is read, so that the server does not block, and
/// thrown away. Tells of the line that is looked for, wherever it comes, and once of what cannot be written.
fn copy_log(mut output: impl Read, mut lines: Option<Lines>, tell: &dyn Fn(Event)) {
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
            tell(Event::NotLogged { why: error.to_string() });
            (room, told) = (0, true);
        }
        if lines.as_mut().is_some_and(|lines| lines.take(&buffer[..read])) {
            tell(Event::Said);
        }
    }
}
