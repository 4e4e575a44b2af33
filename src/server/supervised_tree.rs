//! What a command line has started, down to its last process: runner's side of a supervisor.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::{Duration, Instant};

use super::role::ProcessRole;
use super::supervision::{LaunchPlan, Order, StopOrder, SupervisorEvent};
use super::{StartError, process_tree};
use crate::process_end::{EndedBy, ExitStatus, Happening, ProcessEnd, ServerEnd, ServerEvent, ServerProcess};

/// How long the last processes may take to vanish once killed, and a supervisor to answer.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// How often to ask whether to go on.
const LOOK: Duration = Duration::from_millis(20);
/// How often to look whether a guard has ended.
const ENDING: Duration = Duration::from_millis(1);
/// What to do about a supervisor that is gone.
pub(super) const LOST: &str =
    "a supervisor is runner's own process: see who killed it (`dmesg` tells if memory ran out), and run again";
/// A server that starts a process for each request must not fill the memory.
const MOST_EVENTS: usize = 200;
/// What a program may be asked to end with, and may ask its own to end with: HUP, INT, QUIT and TERM.
const ASKING: [i32; 4] = [1, 2, 3, 15];
const KILL: i32 = 9;

/// A tree of processes with its supervisor. Dropping it asks them to end, and kills what is left after the grace.
#[derive(Debug)]
pub(super) struct SupervisedTree {
    guard: Child,
    /// The supervisor's number.
    supervisor: u32,
    orders: UnixStream,
    events: Receiver<SupervisorEvent>,
    pub begun: Instant,
    /// The program itself.
    pub main: u32,
    main_ended: Option<ProcessEnd>,
    last_ended: Option<ProcessEnd>,
    /// The line that was wanted has come.
    pub said: bool,
    /// Nothing is left.
    empty: bool,
    /// How the supervisor ended, or its guard, before its processes did.
    lost: Option<ProcessEnd>,
    channel_ended: bool,
    happened: Vec<ServerEvent>,
    stop: StopOrder,
    ordered: Ordered,
}

/// What runner has told the processes to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ordered {
    Nothing,
    ToEnd,
    /// They are killed.
    Killed,
}

impl Ordered {
    /// Whether a process ended as it was told to.
    fn explains(self, exit: ExitStatus) -> bool {
        let as_asked =
            self >= Ordered::ToEnd && (exit.is_success() || ASKING.into_iter().any(|asked| exit.is_by(asked)));
        as_asked || self == Ordered::Killed && exit.is_by(KILL)
    }

    /// Who ended a process that ended like this.
    fn ended_by(self, exit: ExitStatus) -> EndedBy {
        if self.explains(exit) { EndedBy::Runner } else { EndedBy::unasked(exit) }
    }
}

impl SupervisedTree {
    /// Starts the program of `plan`, and hands it a socket, if any; its output goes to `log`. `scenario` is what the file is
    /// called. `Err` says why it could not be started.
    pub fn start(
        plan: &LaunchPlan,
        scenario: &str,
        log: &File,
        socket: Option<TcpListener>,
    ) -> Result<SupervisedTree, StartError> {
        let no_supervisor = |why: String| StartError::new(format!("its supervisor {why}"), LOST);
        let mut owned = SupervisedTree::spawn(plan, scenario, log, socket)
            .map_err(|error| no_supervisor(format!("could not be started: {error}")))?;
        match owned.events.recv_timeout(GONE_WITHIN) {
            Ok(SupervisorEvent::Started { pid, supervisor }) => {
                (owned.main, owned.supervisor) = (pid, supervisor);
                Ok(owned)
            }
            Ok(SupervisorEvent::NotStarted { why, advice }) => {
                owned.empty = true;
                Err(StartError::new(why, advice))
            }
            Ok(_) | Err(_) => Err(no_supervisor("ended".to_owned())),
        }
    }

    fn spawn(
        plan: &LaunchPlan,
        scenario: &str,
        log: &File,
        socket: Option<TcpListener>,
    ) -> std::io::Result<SupervisedTree> {
        let (mut orders, theirs) = UnixStream::pair()?;
        let guard = ProcessRole::Guard
            .command(&format!("of {scenario}"))
            .stdin(socket.map_or_else(Stdio::null, |socket| Stdio::from(OwnedFd::from(socket))))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::from(log.try_clone()?))
            .process_group(0)
            .spawn()?;
        writeln!(orders, "{}", serde_json::to_string(plan)?)?;
        let (sender, events) = channel();
        let reader = BufReader::new(orders.try_clone()?);
        std::thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
            let events = reader.lines().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok());
            // Ends with the channel, at the latest when the supervisor does.
            let _ = events.map(|event| sender.send(event)).take_while(Result::is_ok).count();
        })?;
        Ok(SupervisedTree {
            guard,
            supervisor: 0,
            orders,
            events,
            begun: Instant::now(),
            main: 0,
            main_ended: None,
            last_ended: None,
            said: false,
            empty: false,
            lost: None,
            channel_ended: false,
            happened: Vec::new(),
            stop: plan.stop,
            ordered: Ordered::Nothing,
        })
    }

    /// How it ended unasked, if it has. A program that ends well and leaves others running has daemonised.
    pub fn ended(&mut self) -> Option<ServerEnd> {
        self.listen();
        if let Some(supervisor) = self.lost {
            return Some(ServerEnd::LostSupervisor { supervisor });
        }
        let first = self.main_ended?;
        match self.last_ended {
            _ if !first.exit.is_success() => Some(ServerEnd::Died { first, last: None }),
            _ if !self.empty => None,
            last => Some(ServerEnd::Died { first, last: last.filter(|last| last.pid != first.pid) }),
        }
    }

    /// Whether its supervisor ended before its processes did.
    pub fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Waits until the program itself has ended; `Err` says how, where that was not well. `None` if cancelled.
    pub fn wait_for_main(&mut self, cancelled: &dyn Fn() -> bool) -> Option<Result<(), ServerEnd>> {
        loop {
            match (self.lost, self.main_ended) {
                (Some(supervisor), _) => return Some(Err(ServerEnd::LostSupervisor { supervisor })),
                (None, Some(main)) if main.exit.is_success() => return Some(Ok(())),
                (None, Some(first)) => return Some(Err(ServerEnd::Died { first, last: None })),
                (None, None) if cancelled() => return None,
                (None, None) => self.listen_for(LOOK),
            }
        }
    }

    /// All processes below the supervisor.
    pub fn pids(&self) -> Vec<u32> {
        process_tree::descendants(self.supervisor())
    }

    /// The number of the supervisor.
    pub fn supervisor(&self) -> u32 {
        self.supervisor
    }

    /// A process was there and is not any more.
    pub fn missed(&mut self, pid: u32) {
        let told = self.happened.iter().any(|known| is_end_of(known, pid));
        if !told && pid != self.main {
            let end = self.end_of(pid, ExitStatus::Unknown);
            self.note_event(Happening::ProcessEnded(end));
        }
    }

    pub fn take_events(&mut self) -> Vec<ServerEvent> {
        std::mem::take(&mut self.happened)
    }

    fn end_of(&self, pid: u32, exit: ExitStatus) -> ProcessEnd {
        let after_s = self.begun.elapsed().as_secs_f64();
        ProcessEnd { pid, process: self.kind_of(pid), exit, by: self.ordered.ended_by(exit), after_s }
    }

    /// What a process of the tree is to the server.
    pub fn kind_of(&self, pid: u32) -> ServerProcess {
        if pid == self.main { ServerProcess::Main } else { ServerProcess::Child }
    }

    /// Asks everything to end; whether nothing is left after the grace.
    pub fn ask_to_end(&mut self) -> bool {
        self.expect(Ordered::ToEnd);
        self.order(Order::Signal(self.stop.signal));
        self.wait_until_empty(self.stop.grace)
    }

    /// Ends everything, whatever state it is in.
    pub fn kill(&mut self) {
        if !self.empty {
            self.expect(Ordered::Killed);
            // A supervisor that has lost its guard still obeys.
            self.order(Order::Kill);
            self.wait_until_empty(GONE_WITHIN);
        }
        self.end_guard();
        if !self.empty || self.lost.is_some() {
            // What dead supervisors and guards leave comes to runner, which is a subreaper too.
            process_tree::kill_adopted(GONE_WITHIN);
            self.empty = true;
        }
    }

    /// The guard ends by itself once its supervisor has; nobody reaps the supervisor of one that is killed before.
    fn end_guard(&mut self) {
        let end = Instant::now() + GONE_WITHIN;
        while self.empty && Instant::now() < end {
            match self.guard.try_wait() {
                Ok(None) => std::thread::sleep(ENDING),
                _ => return,
            }
        }
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }

    /// What ended until now did so unasked.
    fn expect(&mut self, ordered: Ordered) {
        self.listen();
        self.ordered = ordered;
    }

    fn listen(&mut self) {
        loop {
            match self.events.try_recv() {
                Ok(event) => self.note(event),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.channel_ended = true;
                    break;
                }
            }
        }
        // A supervisor without its guard keeps the server, but nobody would if it were killed as well.
        if self.channel_ended || self.guard.try_wait().is_ok_and(|status| status.is_some()) {
            self.note_loss();
        }
    }

    /// Waits for the next event, but not for long.
    fn listen_for(&mut self, longest: Duration) {
        match self.events.recv_timeout(longest) {
            Ok(event) => self.note(event),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                self.channel_ended = true;
                self.note_loss();
            }
        }
    }

    fn note(&mut self, event: SupervisorEvent) {
        match event {
            SupervisorEvent::Ended { pid, exit } => {
                let end = self.end_of(pid, exit);
                let known = self.happened.len();
                // How it went was not known until now.
                self.happened.retain(|known| !is_end_of(known, pid));
                if self.happened.len() < known || end.by != EndedBy::Runner {
                    self.note_event(Happening::ProcessEnded(end));
                }
                if pid == self.main {
                    self.main_ended = Some(end);
                }
                self.last_ended = Some(end);
            }
            SupervisorEvent::Said => self.said = true,
            SupervisorEvent::Empty => self.empty = true,
            SupervisorEvent::NotLogged { why } => self.note_event(Happening::LogNotKept { why }),
            SupervisorEvent::Started { .. } | SupervisorEvent::NotStarted { .. } => {}
        }
    }

    /// The channel has ended. A supervisor that has nothing left to keep may go.
    fn note_loss(&mut self) {
        if self.empty || self.lost.is_some() {
            return;
        }
        // It may have closed the channel only; then it is of no use any more.
        let _ = self.guard.kill();
        let exit = self.guard.wait().map_or(ExitStatus::Unknown, ExitStatus::from);
        let end = self.end_of(self.guard.id(), exit);
        self.lost = Some(ProcessEnd { process: ServerProcess::Supervisor, ..end });
    }

    fn note_event(&mut self, what: Happening) {
        let t_s = self.begun.elapsed().as_secs_f64();
        match self.happened.len() {
            ..MOST_EVENTS => self.happened.push(ServerEvent { t_s, what }),
            MOST_EVENTS => self.happened.push(ServerEvent { t_s, what: Happening::More }),
            _ => {}
        }
    }

    fn order(&mut self, order: Order) {
        // A supervisor that is gone is dealt with by `kill`.
        let _ = serde_json::to_string(&order).map(|line| writeln!(self.orders, "{line}"));
    }

    fn wait_until_empty(&mut self, within: Duration) -> bool {
        let end = Instant::now() + within;
        while !self.empty && !self.channel_ended {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.listen_for(left);
        }
        self.empty
    }
}

fn is_end_of(event: &ServerEvent, pid: u32) -> bool {
    matches!(&event.what, Happening::ProcessEnded(end) if end.pid == pid)
}

impl Drop for SupervisedTree {
    fn drop(&mut self) {
        if self.ordered == Ordered::Nothing && !self.empty {
            self.ask_to_end();
        }
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_was_asked_for_is_explained_unless_it_is_a_bad_one() {
        let (term, kill) = (ExitStatus::Signal(15), ExitStatus::Signal(9));
        let ends = [ExitStatus::Code(0), term, ExitStatus::Code(143), kill, ExitStatus::Code(3)];
        let explained = |ordered: Ordered| ends.map(|exit| ordered.explains(exit));
        assert_eq!(explained(Ordered::Nothing), [false; 5]);
        assert_eq!(explained(Ordered::ToEnd), [true, true, true, false, false]);
        assert_eq!(explained(Ordered::Killed), [true, true, true, true, false]);
        assert!(!Ordered::Killed.explains(ExitStatus::Signal(11)));
        assert_eq!(
            ends.map(|exit| Ordered::ToEnd.ended_by(exit))[2..],
            [EndedBy::Runner, EndedBy::Outside, EndedBy::Itself]
        );
    }
}
