//! The load: who sends when, over which connections, and what is kept of it.
//!
//! Each load thread runs its own event loop with its own users, connections and histograms; nothing is shared but
//! counters for the progress line, and all is merged at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::scenario;
use crate::scenario::template::Placeholder;
use crate::server::Endpoint;

pub mod clock;
pub mod connection;
mod deadline;
mod lane;
pub mod recorder;
pub mod request;
pub mod script;
mod source;
#[cfg(test)]
mod tests;
mod threads;
mod user;

use clock::Clock;
use recorder::Recorder;
use request::show_sleep;
use script::{Client, Findings};
use source::scripted::Scripts;

/// Where requests go.
#[derive(Debug, Clone)]
pub struct Target {
    pub endpoint: Endpoint,
    /// For the `host` header.
    pub authority: String,
    /// What fills `{host}` and `{port}`.
    pub host: String,
    pub port: String,
    /// What fills `{workers}`, where it is known.
    pub workers: Option<u32>,
}

impl Target {
    /// `authority` is what the `host` header says.
    pub fn new(endpoint: Endpoint, authority: &str, workers: Option<u32>) -> Self {
        let (host, port) = match &endpoint {
            Endpoint::Tcp(address) => (address.ip().to_string(), address.port().to_string()),
            Endpoint::Unix(_) => (authority.to_owned(), String::new()),
        };
        Target { endpoint, authority: authority.to_owned(), host, port, workers }
    }

    /// A server that listens on a port and has no better name.
    #[cfg(test)]
    pub(crate) fn tcp(address: std::net::SocketAddr, workers: Option<u32>) -> Self {
        let endpoint = Endpoint::Tcp(address);
        let authority = endpoint.authority();
        Target::new(endpoint, &authority, workers)
    }

    /// What fills a placeholder in every request alike; `None` for one that varies. `sleep` is given where it does not.
    pub fn fixed(&self, placeholder: &Placeholder, sleep: Option<Duration>) -> Option<String> {
        match placeholder {
            Placeholder::Sleep => sleep.map(show_sleep),
            Placeholder::Host => Some(self.host.clone()),
            Placeholder::Port => Some(self.port.clone()),
            Placeholder::Workers => self.workers.map(|workers| workers.to_string()),
            Placeholder::Canary
            | Placeholder::User
            | Placeholder::Seq
            | Placeholder::Socket
            | Placeholder::Random(..)
            | Placeholder::Data(_)
            | Placeholder::Identity(_)
            | Placeholder::Token => None,
        }
    }
}

/// All of a load's figures, merged.
#[derive(Debug)]
pub struct Results {
    pub recorder: Recorder,
    /// The measured part, warm-up and drain left out; shorter than planned if it was cut short.
    pub duration: Duration,
    pub threads: u32,
    /// Warm-up included, as for `retried`.
    pub connections_opened: u64,
    /// Requests sent once more because the server had closed their connection while it was idle.
    pub retried: u64,
    /// CPU time of each load thread over its whole life, and how long that was.
    pub cpu: Vec<Duration>,
    pub wall: Duration,
    /// What the hooks found, if the load has any.
    pub findings: Option<Findings>,
}

/// What a load thread has done so far. One writer, so that plain stores suffice.
#[derive(Debug, Default)]
pub struct Counters {
    started: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    error_status: AtomicU64,
}

/// A reading of [`Counters`], summed over the threads. Warm-up included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub started: u64,
    pub completed: u64,
    pub failed: u64,
    /// Responses of 400 and above among the completed.
    pub error_status: u64,
}

impl Counters {
    fn count(counter: &AtomicU64) {
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// The sum over `counters`; each is read at a slightly different moment.
    pub fn sum(counters: &[Counters]) -> Progress {
        let sum = |pick: fn(&Counters) -> &AtomicU64| counters.iter().map(|c| pick(c).load(Ordering::Relaxed)).sum();
        Progress {
            started: sum(|c| &c.started),
            completed: sum(|c| &c.completed),
            failed: sum(|c| &c.failed),
            error_status: sum(|c| &c.error_status),
        }
    }
}

/// How many load threads a load gets if the scenario does not say: half of the cores, the other half is for the server;
/// never more than one for every 32 users.
pub fn default_threads(concurrency: u32) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    (cores / 2).clamp(1, concurrency.div_ceil(32).max(1))
}

/// Drives the load to its end or until `cancel`; blocks meanwhile. `counters` has one entry per load thread; `client` is
/// the load's script, if it has one.
pub fn run(
    load: &scenario::Load,
    client: Option<&Client<'_>>,
    target: &Target,
    seed: u64,
    cancel: &CancellationToken,
    counters: &Arc<[Counters]>,
) -> std::io::Result<Results> {
    let scenario::Model::Closed { concurrency } = load.model;
    let clock = Clock::start();
    let threads = counters.len() as u32;
    let share = |n: u32| (u64::from(concurrency) * u64::from(n) / u64::from(threads)) as u32;
    let lanes = threads::run(threads, cancel, |index, stop| {
        let plan = lane::Plan::new(load, target, clock, share(index)..share(index + 1), seed);
        // It compiled before, and all that it imports was there then.
        let hooks = client.map(Client::hooks).transpose().map_err(std::io::Error::other)?;
        lane::run(plan, hooks.map(Scripts::new), stop, Arc::clone(counters), index as usize)
    })?;
    Ok(merge(load, clock, lanes))
}

fn merge(load: &scenario::Load, clock: Clock, lanes: Vec<lane::Outcome>) -> Results {
    let wall = clock.now();
    let mut recorder = Recorder::new(load.warmup, load.warmup + load.duration);
    let mut findings: Option<Findings> = None;
    for lane in &lanes {
        recorder.merge(&lane.recorder);
        if let Some(found) = &lane.findings {
            findings.get_or_insert_default().merge(found.clone());
        }
    }
    let ended = lanes.iter().map(|lane| lane.ended).max().unwrap_or_default();
    Results {
        recorder,
        duration: ended.saturating_sub(load.warmup).min(load.duration),
        threads: lanes.len() as u32,
        connections_opened: lanes.iter().map(|lane| lane.connections_opened).sum(),
        retried: lanes.iter().map(|lane| lane.retried).sum(),
        cpu: lanes.iter().map(|lane| lane.cpu).collect(),
        wall,
        findings,
    }
}
