//! A server that a command line starts: owned from its first process to its last.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command as Program, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use super::keeper::{self, Event, Order, Plan};
use super::sampler::Sampler;
use super::{Death, Endpoint, Happening, StartError, ready, setup, tree};
use crate::scenario::template::Placeholder;
use crate::scenario::{Command, Listen};
use crate::units::show_duration;

/// How long the last processes may take to vanish once killed.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// A server with its keeper. Dropping it kills everything that the command has started.
#[derive(Debug)]
pub(super) struct Kept {
    keeper: Child,
    orders: UnixStream,
    events: Receiver<Event>,
    begun: Instant,
    /// The program itself.
    main: u32,
    main_ended: Option<(String, bool)>,
    empty: bool,
    stop: crate::scenario::Stop,
    pub sampler: Sampler,
    pub happenings: Vec<Happening>,
    /// Holds the Unix socket; removed with the server.
    socket_folder: Option<TempDir>,
}

impl Kept {
    /// Runs the set-up if it has not run yet, starts the command and waits until it is ready.
    pub fn launch(plan: &Command, log: &Path, log_file: &File) -> Result<(Kept, Endpoint), StartError> {
        if let Some(command) = &plan.setup {
            setup::run(command, &plan.cwd, &plan.env, log_file)?;
        }
        let (endpoint, folder) = choose_endpoint(plan.listen)?;
        let command = fill(plan, &endpoint);
        let shown = command.join(" ");
        let mut kept = Kept::spawn(plan, command, log_file).map_err(|error| {
            StartError::new(format!("cannot start `{shown}`: {error}"), "check the limits on processes")
        })?;
        kept.wait_for_start(&shown)?;
        let waited = Instant::now();
        ready::wait(&plan.ready, &endpoint, log, &mut |_| kept.early_end()).map_err(|why| {
            let waited = show_duration(Duration::from_millis(waited.elapsed().as_millis() as u64));
            StartError::new(format!("`{shown}` {}", why.after(&waited)), why.advice(&endpoint))
        })?;
        kept.sample();
        kept.socket_folder = folder;
        Ok((kept, endpoint))
    }

    fn spawn(plan: &Command, command: Vec<String>, log: &File) -> std::io::Result<Kept> {
        let (mut orders, theirs) = UnixStream::pair()?;
        let keeper = Program::new(std::env::current_exe()?)
            .arg(keeper::ARGUMENT)
            .stdin(Stdio::null())
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::from(log.try_clone()?))
            .process_group(0)
            .spawn()?;
        let plan_line = serde_json::to_string(&Plan { command, cwd: plan.cwd.clone(), env: plan.env.clone() })?;
        writeln!(orders, "{plan_line}")?;
        let (sender, events) = channel();
        let reader = BufReader::new(orders.try_clone()?);
        std::thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            let events = reader.lines().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok());
            // Ends with the channel, at the latest when the keeper does.
            let _ = events.map(|event| sender.send(event)).take_while(Result::is_ok).count();
        })?;
        Ok(Kept {
            keeper,
            orders,
            events,
            begun: Instant::now(),
            main: 0,
            main_ended: None,
            empty: false,
            stop: plan.stop.clone(),
            sampler: Sampler::default(),
            happenings: Vec::new(),
            socket_folder: None,
        })
    }

    fn wait_for_start(&mut self, shown: &str) -> Result<(), StartError> {
        match self.events.recv_timeout(GONE_WITHIN) {
            Ok(Event::Started { pid }) => {
                self.main = pid;
                Ok(())
            }
            Ok(Event::NotStarted { why }) => Err(StartError::new(
                format!("cannot start `{shown}`: {why}"),
                "name it as a shell in `server.cwd` would find it: on the PATH, or with a path from there",
            )),
            _ => Err(StartError::new(format!("cannot start `{shown}`: its keeper ended"), "try again")),
        }
    }

    /// Takes in what the keeper has told.
    fn listen(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.note(event);
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Ended { pid, how, well } => {
                self.happenings.push(Happening { after: self.begun.elapsed(), what: format!("process {pid} {how}") });
                if pid == self.main {
                    self.main_ended = Some((how, well));
                }
            }
            Event::Empty => self.empty = true,
            Event::Started { .. } | Event::NotStarted { .. } => {}
        }
    }

    /// How the server ended unasked, if it has. A program that ends well and leaves others running has daemonised.
    fn early_end(&mut self) -> Option<String> {
        self.listen();
        match &self.main_ended {
            Some((how, well)) if !well || self.empty => Some(how.clone()),
            None if self.empty => Some("ended".to_owned()),
            _ => None,
        }
    }

    fn sample(&mut self) {
        let pids = tree::descendants(self.keeper.id());
        let gone = self.sampler.sample(&pids, self.begun.elapsed());
        for pid in gone.into_iter().filter(|pid| *pid != self.main) {
            let told = self.happenings.iter().any(|known| known.what.starts_with(&format!("process {pid} ")));
            if !told {
                self.happenings.push(Happening { after: self.begun.elapsed(), what: format!("process {pid} ended") });
            }
        }
    }

    /// Reads what its processes use; tells if it has died or was stopped.
    pub fn watch(&mut self) -> Option<Death> {
        let after = self.begun.elapsed();
        if let Some(how) = self.early_end() {
            return Some(Death { message: format!("the server (process {}) {how}", self.main), after });
        }
        self.sample();
        let stopped = self.sampler.stopped()?;
        Some(Death { message: format!("process {stopped} of the server was stopped by a signal (state T)"), after })
    }

    /// Asks everything to end, kills what has not after the grace, and says how it went.
    pub fn stop(&mut self) -> String {
        if let Some(how) = self.early_end() {
            self.kill();
            return how;
        }
        self.sample();
        let number = match self.stop.signal.as_str() {
            "INT" => Signal::INT,
            "QUIT" => Signal::QUIT,
            "HUP" => Signal::HUP,
            _ => Signal::TERM,
        };
        self.order(Order::Signal(number.as_raw()));
        if self.wait_until_empty(self.stop.grace) {
            return "stopped".to_owned();
        }
        let left = tree::descendants(self.keeper.id()).len();
        self.kill();
        let plural = if left == 1 { "process" } else { "processes" };
        format!("{left} {plural} killed after the grace of {}", show_duration(self.stop.grace))
    }

    fn order(&mut self, order: Order) {
        // A keeper that is gone is dealt with by `kill`.
        let _ = serde_json::to_string(&order).map(|line| writeln!(self.orders, "{line}"));
    }

    fn wait_until_empty(&mut self, within: Duration) -> bool {
        let end = Instant::now() + within;
        while !self.empty {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) => self.note(event),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        self.empty
    }

    /// Ends everything, whatever state it is in.
    fn kill(&mut self) {
        if !self.empty {
            self.order(Order::Kill);
            self.wait_until_empty(GONE_WITHIN);
        }
        // A keeper that was itself killed leaves its processes to runner, which is a subreaper too.
        let orphans = if self.empty { Vec::new() } else { self.sampler.pids() };
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
        let ours = tree::descendants(std::process::id());
        let lost: Vec<u32> = orphans.into_iter().filter(|pid| ours.contains(pid)).collect();
        tree::signal(&lost, Signal::KILL);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A Unix socket in a folder of its own, or a port.
fn choose_endpoint(listen: Listen) -> Result<(Endpoint, Option<TempDir>), StartError> {
    match listen {
        Listen::Tcp { port } => Ok((Endpoint::Tcp(choose_port(port)?), None)),
        Listen::Unix => {
            // A short path: the kernel takes about a hundred bytes.
            let folder = tempfile::Builder::new().prefix("runner-").tempdir().map_err(|error| {
                StartError::new(
                    format!("cannot make a folder for the socket: {error}"),
                    "check TMPDIR and its free space",
                )
            })?;
            Ok((Endpoint::Unix(folder.path().join("socket")), Some(folder)))
        }
    }
}

/// A free port of this machine, or the one that the scenario asks for, if it is free.
fn choose_port(port: Option<u16>) -> Result<SocketAddr, StartError> {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
    let taken = |error| super::launcher::cannot_listen(wanted, &error);
    // Closed at once: the command binds it itself.
    TcpListener::bind(wanted).and_then(|listener| listener.local_addr()).map_err(taken)
}

fn fill(plan: &Command, endpoint: &Endpoint) -> Vec<String> {
    let word = |template: &crate::scenario::Template| {
        let mut text = Vec::new();
        template.fill(
            &mut |placeholder, out| {
                let value = match (placeholder, endpoint) {
                    (Placeholder::Host, Endpoint::Tcp(address)) => address.ip().to_string(),
                    (Placeholder::Port, Endpoint::Tcp(address)) => address.port().to_string(),
                    (Placeholder::Socket, Endpoint::Unix(path)) => path.display().to_string(),
                    (Placeholder::Workers, _) => plan.workers.to_string(),
                    // The scenario was checked: a command holds no others.
                    _ => String::new(),
                };
                out.extend_from_slice(value.as_bytes());
            },
            &mut text,
        );
        String::from_utf8_lossy(&text).into_owned()
    };
    plan.command.iter().map(word).collect()
}
