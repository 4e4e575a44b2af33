//! The server under test: started, watched and stopped, whatever it is.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::net::endpoint::Endpoint;
use crate::net::tls::{self, SetupError, Tls};
use crate::process_end::{ServerEnd, ServerEvent, Unmeasured};
use crate::scenario;

pub mod allowed_hosts;
mod attached;
mod builtin;
mod command;
mod deadline_stream;
mod guard;
pub mod inherited_signals;
mod launcher;
mod listener;
mod log_lines;
mod port_owner;
pub mod probe;
mod proc;
mod process_tree;
mod ready;
mod role;
mod sampler;
pub mod scratch;
mod setup;
mod starter;
mod supervised_tree;
mod supervision;
mod supervisor;
mod worker;
mod worker_channel;

use attached::AttachedServer;
pub use builtin::app::COMES_WITH_RUNNER;
pub use builtin::gauges::OF_THIS_PROCESS;
use command::LaunchedServer;
use launcher::Workers;
pub use listener::{ListenerUse, ListenerView};
use probe::Probe;
pub use role::ProcessRole;
pub use sampler::{Usage, UsageRow, UsedNow};
pub use supervisor::NOT_KEPT;

/// Why a server could not be started. The text fits after "error: "; `advice` says what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct StartError {
    pub message: String,
    pub advice: String,
}

impl StartError {
    fn new(message: impl Into<String>, advice: impl Into<String>) -> Self {
        StartError { message: message.into(), advice: advice.into() }
    }
}

impl From<SetupError> for StartError {
    fn from(error: SetupError) -> Self {
        StartError::new(error.to_string(), tls::ADVICE)
    }
}

/// What a start is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starting {
    /// The command's set-up runs, or is waited for.
    SetUp,
    /// The server gets ready.
    Server,
}

/// Told what the start is at, says whether nobody wants it any more.
type Cancelled<'a> = &'a dyn Fn(Starting) -> bool;

/// The file that takes what a server says, from where one server's part begins.
#[derive(Debug, Clone, Copy)]
pub struct Log<'a> {
    pub path: &'a Path,
    /// In bytes.
    pub from: u64,
    /// Whether built-in servers log each request as it comes and as it ends.
    pub requests: bool,
}

impl<'a> Log<'a> {
    /// The part that is still to be written.
    pub fn from_here(path: &'a Path) -> Self {
        let from = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        Log { path, from, requests: false }
    }
}

/// A server that is up. Dropping it kills whatever runner started for it.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    endpoint: Endpoint,
    tls: Option<Tls>,
    authority: String,
    ready_after: Duration,
}

#[derive(Debug)]
enum Kind {
    Workers(Workers),
    Kept(Box<LaunchedServer>),
    Attached(AttachedServer),
}

/// How a server's life went.
#[derive(Debug, Clone)]
pub struct Life {
    pub endpoint: Endpoint,
    /// From the start to the first sign that it is ready.
    pub ready_after: Duration,
    pub usage: Usage,
    /// Why nothing is known of what it used, where that can be told.
    pub unmeasured: Option<Unmeasured>,
    /// What happened to its processes, in order.
    pub events: Vec<ServerEvent>,
    pub end: ServerEnd,
    /// How it died unasked, if it did.
    pub death: Option<Death>,
}

/// A server that ended unasked.
#[derive(Debug, Clone)]
pub struct Death {
    pub end: ServerEnd,
    /// What to do.
    pub advice: &'static str,
}

impl Death {
    const ASK_THE_LOG: &str = "server.log shows what it said before it ended";
    const STOPPED: &str =
        "nothing in runner stops a process: see who does (a debugger, a job control shell, a container)";
}

impl Server {
    /// Starts a server and waits until it is ready. Its output, and the scripts' logs, go to the file `log`.
    /// `allowed_hosts` are those that may be attached to, and fetched from by handlers, although they are not this
    /// machine. Fails soon after `cancelled` says so.
    pub fn start(
        plan: &scenario::ServerSpec,
        log: Log<'_>,
        allowed_hosts: &[String],
        cancelled: Cancelled<'_>,
    ) -> Result<Server, StartError> {
        Server::start_with(plan, log, allowed_hosts, None, cancelled)
    }

    /// The same with a probe in its processes, if there is one for them; it must stay until the server has stopped.
    pub fn start_with(
        plan: &scenario::ServerSpec,
        log: Log<'_>,
        allowed_hosts: &[String],
        probe: Option<&Probe>,
        cancelled: Cancelled<'_>,
    ) -> Result<Server, StartError> {
        let begun = Instant::now();
        let log_file = File::options().create(true).append(true).open(log.path).map_err(|error| {
            StartError::new(format!("cannot write {}: {error}", log.path.display()), "check the reports folder")
        })?;
        let mut tls = None;
        let (kind, endpoint) = match plan {
            scenario::ServerSpec::Builtin(plan) => {
                let wanted = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), plan.port.unwrap_or(0));
                let (listener, address) = launcher::listen(wanted)?;
                (
                    Kind::Workers(Workers::launch(
                        plan,
                        &listener,
                        (&log_file, log.requests),
                        allowed_hosts,
                        probe.map(Probe::of_workers),
                        cancelled,
                    )?),
                    Endpoint::Tcp(address),
                )
            }
            scenario::ServerSpec::Command(plan) => {
                let (kept, endpoint, spoken) = LaunchedServer::launch(plan, &log_file, probe, cancelled)?;
                tls = spoken;
                (Kind::Kept(Box::new(kept)), endpoint)
            }
            scenario::ServerSpec::Attached(plan) => {
                tls = plan.tls.as_ref().map(|tls| Tls::new(tls, plan.name())).transpose()?;
                let (attached, endpoint) = AttachedServer::to(plan, tls.as_ref(), allowed_hosts, cancelled)?;
                (Kind::Attached(attached), endpoint)
            }
        };
        let authority = match plan {
            scenario::ServerSpec::Attached(plan) => plan.authority(),
            _ => endpoint.authority(),
        };
        Ok(Server { kind, endpoint, tls, authority, ready_after: begun.elapsed() })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How TLS is spoken with it, if it is.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// What the `host` header of requests to it says.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// From the start to the first sign that it is ready.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Looks after the server: call it every 100 ms or so. Reads what its processes use; tells if it has died.
    pub fn watch(&mut self) -> Option<Death> {
        match &mut self.kind {
            Kind::Workers(workers) => workers.watch(),
            Kind::Kept(kept) => kept.watch(),
            Kind::Attached(attached) => attached.watch(),
        }
    }

    /// What its processes have used so far, as far as they were looked at.
    pub fn usage(&self) -> Usage {
        match &self.kind {
            Kind::Workers(workers) => workers.usage(),
            Kind::Kept(kept) => kept.sampler.usage(),
            Kind::Attached(attached) => attached.sampler.usage(),
        }
    }

    /// What its processes use at the moment, where they are looked at.
    pub fn used_now(&self) -> Option<UsedNow> {
        match &self.kind {
            Kind::Workers(workers) => workers.used_now(),
            Kind::Kept(kept) => kept.sampler.now(),
            Kind::Attached(attached) => attached.sampler.now(),
        }
    }

    /// Asks the server to finish what it is at, and kills what has not after the grace. A server that was up before stays.
    pub fn stop(mut self) -> Life {
        let death = self.watch();
        let (end, usage, events) = match &mut self.kind {
            Kind::Workers(workers) => (workers.stop(), workers.usage(), Vec::new()),
            Kind::Kept(kept) => (kept.stop(), kept.sampler.usage(), kept.take_events()),
            Kind::Attached(attached) => (ServerEnd::LeftRunning, attached.sampler.usage(), Vec::new()),
        };
        let unmeasured = match &self.kind {
            Kind::Attached(attached) if !attached.is_watched() => None,
            _ => proc::unusable().map(|why| Unmeasured { why: why.to_owned(), remedy: proc::REMEDY.to_owned() }),
        };
        Life { endpoint: self.endpoint, ready_after: self.ready_after, usage, unmeasured, events, end, death }
    }
}

/// The whole life of a process that runner has started of itself.
pub fn run_as(role: ProcessRole) -> ExitCode {
    role.name_process();
    match role {
        ProcessRole::Worker => worker::main(),
        ProcessRole::Guard => guard::main(),
        ProcessRole::Supervisor => supervisor::main(),
        ProcessRole::Starter => starter::main(),
    }
}
