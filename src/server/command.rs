//! A server that a command line starts.

use std::cell::Cell;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use super::port_owner::{self, PortOwner};
use super::probe::Probe;
use super::ready::{NotReady, ReadySigns};
use super::sampler::Sampler;
use super::scratch::Scratch;
use super::supervised_tree::{LOST, SupervisedTree};
use super::supervision::{FD, LaunchPlan, StopOrder};
use super::{Cancelled, Death, Endpoint, StartError, Starting, process_tree, ready, setup};
use crate::net::local_ports;
use crate::net::tls::Tls;
use crate::process_end::{ServerEnd, ServerEvent};
use crate::scenario::template::Placeholder;
use crate::scenario::{CommandSpec, ListenSpec, ReadyCheck, StopSpec, Template};
use crate::units::show_duration;

/// How often to look, while a server gets ready, what its processes are at.
const SAMPLE: Duration = Duration::from_millis(200);

/// A launched server. Dropping it ends everything that the command has started, as `stop` does.
#[derive(Debug)]
pub(super) struct LaunchedServer {
    owned: SupervisedTree,
    stop: StopSpec,
    pub sampler: Sampler,
    /// Holds the Unix socket; removed with the server.
    _socket_folder: Option<Scratch>,
}

impl LaunchedServer {
    /// Runs the set-up if it has not run yet, starts the command and waits until it is ready.
    pub fn launch(
        plan: &CommandSpec,
        log_file: &File,
        probe: Option<&Probe>,
        cancelled: Cancelled<'_>,
    ) -> Result<(LaunchedServer, Endpoint, Option<Tls>), StartError> {
        if let Some(command) = &plan.setup {
            setup::run((command, plan.setup_within), plan, &before_listening(plan), log_file, cancelled)?;
        }
        let Place { endpoint, folder: socket_folder, socket } = Place::choose(plan.listen)?;
        let host = match &endpoint {
            Endpoint::Tcp(address) => address.ip().to_string(),
            Endpoint::Unix(_) => endpoint.authority(),
        };
        let tls = plan.tls.as_ref().map(|tls| Tls::new(tls, &host)).transpose()?;
        let command = fill(plan, &endpoint);
        let shown = command.join(" ").replace(FD, "{fd}");
        tracing::debug!(%endpoint, "command starts: {shown}");
        let env = environment(plan, &endpoint, probe);
        let owned = start((plan, command, env), &shown, log_file, socket)?;
        let mut kept = LaunchedServer {
            owned,
            stop: plan.stop.clone(),
            sampler: Sampler::default(),
            _socket_folder: socket_folder,
        };
        let waited = Instant::now();
        kept.wait_until_ready(plan, (&endpoint, tls.as_ref()), cancelled).map_err(|why| {
            let waited = show_duration(Duration::from_millis(waited.elapsed().as_millis() as u64));
            let advice = if kept.owned.is_lost() { LOST.to_owned() } else { why.advice(&endpoint) };
            StartError::new(format!("`{shown}` {}", why.after(&waited)), advice)
        })?;
        kept.sample();
        Ok((kept, endpoint, tls))
    }

    fn wait_until_ready(
        &mut self,
        plan: &CommandSpec,
        server: (&Endpoint, Option<&Tls>),
        cancelled: Cancelled<'_>,
    ) -> Result<(), NotReady> {
        let (said, supervisor) = (Cell::new(false), self.owned.supervisor());
        let owner = || match server.0 {
            Endpoint::Tcp(address) if !plan.ready.foreign => {
                port_owner::of(*address, &process_tree::descendants(supervisor))
            }
            // The folder of a Unix socket is the own.
            _ => PortOwner::Ours,
        };
        let (mut looked, mut states, mut stopped) = (Instant::now(), Sampler::default(), None);
        let mut look = || {
            if let Some(end) = self.owned.ended() {
                return Some(NotReady::Ended(end));
            }
            said.set(self.owned.said);
            if looked.elapsed() >= SAMPLE {
                looked = Instant::now();
                states.sample(&self.owned.pids(), self.owned.begun.elapsed());
                // Once is not enough: what stops itself for a moment goes on.
                let before = std::mem::replace(&mut stopped, states.stopped());
                if let Some(pid) = stopped.filter(|pid| before == Some(*pid)) {
                    return Some(NotReady::Stopped(pid));
                }
            }
            cancelled(Starting::Server).then_some(NotReady::Cancelled)
        };
        ready::wait(&plan.ready, server, ReadySigns { said: &said, owner: &owner, look: &mut look })
    }

    fn sample(&mut self) {
        let pids = self.owned.pids();
        for pid in self.sampler.sample(&pids, self.owned.begun.elapsed()) {
            self.owned.missed(pid);
        }
    }

    /// Reads what its processes use; tells if it has died or was stopped.
    pub fn watch(&mut self) -> Option<Death> {
        if let Some(end) = self.owned.ended() {
            let advice = if self.owned.is_lost() { LOST } else { Death::ASK_THE_LOG };
            return Some(Death { end, advice });
        }
        self.sample();
        let pid = self.sampler.stopped()?;
        let (process, after_s) = (self.owned.kind_of(pid), self.owned.begun.elapsed().as_secs_f64());
        Some(Death { end: ServerEnd::Suspended { pid, process, after_s }, advice: Death::STOPPED })
    }

    /// Asks everything to end, kills what has not after the grace, and says how it went. A program that has ended by itself
    /// may have left others.
    pub fn stop(&mut self) -> ServerEnd {
        let died = self.owned.ended();
        if died.is_none() {
            self.sample();
        }
        let all_ended = self.owned.ask_to_end();
        let killed = self.owned.pids().len() as u64;
        self.owned.kill();
        match died {
            Some(end) => end,
            None if all_ended => ServerEnd::Stopped,
            None => ServerEnd::KilledAfterGrace { killed, of: None, grace_s: self.stop.grace.as_secs_f64() },
        }
    }

    pub fn take_events(&mut self) -> Vec<ServerEvent> {
        self.owned.take_events()
    }
}

fn start(
    (plan, command, env): (&CommandSpec, Vec<String>, Vec<(String, String)>),
    shown: &str,
    log: &File,
    socket: Option<TcpListener>,
) -> Result<SupervisedTree, StartError> {
    let wanted = match &plan.ready.check {
        ReadyCheck::Log(wanted) => Some(wanted.clone()),
        _ => None,
    };
    let launch = LaunchPlan {
        command,
        cwd: plan.cwd.clone(),
        env,
        wanted,
        handed: socket.is_some(),
        stop: StopOrder::from(&plan.stop),
    };
    SupervisedTree::start(&launch, &plan.scenario, log, socket)
        .map_err(|StartError { message, advice }| StartError::new(format!("cannot start `{shown}`: {message}"), advice))
}

/// What the command finds in its environment beside what runner has itself.
fn environment(plan: &CommandSpec, endpoint: &Endpoint, probe: Option<&Probe>) -> Vec<(String, String)> {
    let own = plan.env.iter().map(|(name, text)| (name.clone(), word(text, plan, Some(endpoint))));
    let mut own: Vec<(String, String)> = own.collect();
    let known = |name: &str| {
        let given = own.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        given.or_else(|| std::env::var(name).ok())
    };
    let of_probe = probe.map(|probe| probe.environment(plan, &known)).unwrap_or_default();
    own.retain(|(name, _)| !of_probe.iter().any(|(of_probe, _)| of_probe == name));
    own.into_iter().chain(of_probe).collect()
}

/// Where a command is to listen: a Unix socket in a folder of its own, or a port.
struct Place {
    endpoint: Endpoint,
    folder: Option<Scratch>,
    /// What it is handed, listening already, so that nobody else can take the port.
    socket: Option<TcpListener>,
}

impl Place {
    fn choose(listen: ListenSpec) -> Result<Place, StartError> {
        match listen {
            ListenSpec::Tcp { port, handed: true } => {
                let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
                let (socket, address) = super::launcher::listen(wanted)?;
                let cannot = |error: std::io::Error| super::launcher::cannot_listen(wanted, &error);
                socket.set_nonblocking(false).map_err(cannot)?;
                // What it accepts inherits that. Many servers set it on what they bind themselves, and take what they are
                // handed for a Unix socket: without it, a response in two pieces would wait 40 ms for the client's ACK.
                rustix::net::sockopt::set_tcp_nodelay(&socket, true).map_err(|error| cannot(error.into()))?;
                Ok(Place { endpoint: Endpoint::Tcp(address), folder: None, socket: Some(socket) })
            }
            ListenSpec::Tcp { port, handed: false } => {
                Ok(Place { endpoint: Endpoint::Tcp(choose_port(port)?), folder: None, socket: None })
            }
            ListenSpec::Unix => Place::of_its_own(),
        }
    }

    fn of_its_own() -> Result<Place, StartError> {
        // A short path: the kernel takes about a hundred bytes.
        let folder = Scratch::for_a_socket(&std::env::temp_dir()).map_err(|error| {
            StartError::new(format!("cannot make a folder for the socket: {error}"), "check TMPDIR and its free space")
        })?;
        let endpoint = Endpoint::Unix(folder.path().join("socket"));
        Ok(Place { endpoint, folder: Some(folder), socket: None })
    }
}

/// A free port of this machine, or the one that the scenario asks for, if it is free.
fn choose_port(port: Option<u16>) -> Result<SocketAddr, StartError> {
    let host = Ipv4Addr::LOCALHOST;
    let wanted = SocketAddr::from((host, port.unwrap_or(0)));
    // Closed at once: the command binds it itself.
    let chosen = match port {
        Some(_) => TcpListener::bind(wanted).and_then(|listener| listener.local_addr()),
        None => local_ports::unused(host.into()),
    };
    chosen.map_err(|error| super::launcher::cannot_listen(wanted, &error))
}

/// The words of the command.
fn fill(plan: &CommandSpec, endpoint: &Endpoint) -> Vec<String> {
    plan.command.iter().map(|template| word(template, plan, Some(endpoint))).collect()
}

/// The environment of a set-up: it is not known yet where the server will listen, and what says so is left out.
fn before_listening(plan: &CommandSpec) -> Vec<(String, String)> {
    let known = |template: &Template| template.holes().all(|hole| *hole == Placeholder::Workers);
    let variables = plan.env.iter().filter(|(_, template)| known(template));
    variables.map(|(name, template)| (name.clone(), word(template, plan, None))).collect()
}

fn word(template: &Template, plan: &CommandSpec, endpoint: Option<&Endpoint>) -> String {
    let mut text = Vec::new();
    template.fill(
        &mut |placeholder, out| {
            let value = match (placeholder, endpoint) {
                (Placeholder::Host, Some(Endpoint::Tcp(address))) => address.ip().to_string(),
                (Placeholder::Port, Some(Endpoint::Tcp(address))) => address.port().to_string(),
                (Placeholder::Socket, Some(Endpoint::Unix(path))) => path.display().to_string(),
                (Placeholder::Workers, _) => plan.workers.to_string(),
                (Placeholder::Fd, Some(_)) => FD.to_owned(),
                // The scenario was checked: a command holds no others.
                _ => String::new(),
            };
            out.extend_from_slice(value.as_bytes());
        },
        &mut text,
    );
    String::from_utf8_lossy(&text).into_owned()
}
