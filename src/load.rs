//! The load: who sends when, over which connections, and what is kept of it.
//!
//! Each load thread runs its own event loop with its own users, connections and histograms; nothing is shared but
//! counters for the progress line, and all is merged at the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::net::target::Target;
use crate::scenario;
use crate::script::heartbeat::Heartbeat;
use crate::session::Session;
use crate::units::counted;

mod arrival_queue;
pub mod client_script;
mod closed;
mod cpu_meter;
mod deadline;
pub mod error_samples;
pub mod hook_watchdog;
mod load_thread;
pub mod login;
pub mod measurement;
mod multiplexed;
mod open;
pub mod part;
mod pipelined;
mod progress;
pub mod recorder;
mod request_source;
mod requests_from;
mod rng;
pub mod schedule;
pub mod slice;
pub mod slowest;
pub mod snapshot;
pub mod stall_monitor;
pub mod start;
pub mod system_limits;
#[cfg(test)]
pub(crate) mod tests;
mod thread_group;
mod thread_plan;
mod thread_state;
mod timer_queue;
mod timerfd;
mod virtual_user;

use client_script::ClientScript;
use hook_watchdog::{HookWatchdog, HungHook};
use load_thread::LoadThread;
use measurement::Measurement;
pub use progress::{LiveCounters, LoadProgress};
use requests_from::RequestsFrom;
use stall_monitor::StallMonitor;
use thread_plan::ThreadPlan;

/// All of a load's figures, merged.
#[derive(Debug)]
pub struct Results {
    pub measured: Measurement,
    /// The measured part, warm-up and drain left out; shorter than planned if it was cut short.
    pub duration: Duration,
    /// Requests in flight, and arrivals that wait to be sent, on average over the measured part.
    pub in_flight_mean: f64,
    /// Connections that took up an earlier session of TLS; `None` without TLS.
    pub handshakes_resumed: Option<u64>,
    /// Sockets that connections to the server have left in TIME_WAIT; `None` where nobody knows, and without TCP.
    pub time_wait: Option<u64>,
    /// What happened to all of it at once.
    pub watch: StallMonitor,
    /// A hook that did not come back. What its thread measured is not in here.
    pub hung: Option<HungHook>,
}

/// A load thread makes this many arrivals a second with ease. One that makes fewer still stays awake for its arrivals.
const EASY_RATE: f64 = 20_000.0;

/// How many load threads a load gets: half of the cores if the scenario does not say, the other half is for the server.
/// Then never more than are of use, or than there are connections.
pub fn threads(load: &scenario::LoadSpec) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    load.threads.unwrap_or_else(|| (cores / 2).clamp(1, useful_threads(load).max(1))).min(load.connections())
}

/// How many load threads a load has use for: one for every 32 users, or for every 20,000 arrivals a second of the open model.
pub fn useful_threads(load: &scenario::LoadSpec) -> u32 {
    match load.model {
        scenario::Model::Closed => load.users().div_ceil(32),
        // Each thread has users of its own: few of them would be busy in one thread and idle in another.
        scenario::Model::Open { max_concurrency, .. } => {
            ((load.peak() / EASY_RATE).ceil() as u32).min(max_concurrency.div_ceil(32))
        }
    }
}

/// Drives the load to its end or until `cancel`; blocks meanwhile. `live` says which load threads it gets; `client` is the
/// load's script, if it has one; `users` are the sessions of its users, if they have logged in.
pub fn run(
    load: &scenario::LoadSpec,
    client: Option<&ClientScript>,
    users: &[Session],
    target: &Target,
    seed: u64,
    cancel: &CancellationToken,
    live: &Arc<LiveCounters>,
) -> std::io::Result<Results> {
    let slice = live.slice();
    let pulses: Arc<[Arc<Heartbeat>]> = slice.indices().map(|_| Arc::default()).collect();
    let mut watchdogs: Vec<HookWatchdog> = pulses.iter().map(|_| HookWatchdog::default()).collect();
    let mut hangs = |index: u32| {
        let why = watchdogs[(index - slice.first) as usize]
            .look(&pulses[(index - slice.first) as usize], cancel.is_cancelled())?;
        let lost = live.of_thread(index).completed.load(Ordering::Relaxed);
        Some(format!("{why}; what its load thread measured, {}, is lost", counted(lost, "response")))
    };
    let prepare = {
        // Of the threads' own, as one that hangs outlives this.
        let (load, client, users) = (Arc::new(load.clone()), client.cloned(), users.to_vec());
        let (target, pulses, live) = (target.clone(), Arc::clone(&pulses), Arc::clone(live));
        move |index: u32| {
            let plan = ThreadPlan::new(&load, &target, (index, slice.of), seed).of_users(&users);
            // It compiled before, and all that it imports was there then.
            let hooks = client.as_ref().map(|client| client.hooks(Arc::clone(&pulses[(index - slice.first) as usize])));
            let hooks = hooks.transpose().map_err(std::io::Error::other)?;
            LoadThread::new(Arc::clone(&load), plan, RequestsFrom::of(hooks), Arc::clone(&live))
        }
    };
    let watch = StallMonitor::new(load.warmup, load.warmup.saturating_add(load.duration));
    std::thread::scope(|scope| {
        let (is_under_way, over) = std::sync::mpsc::channel();
        let watcher = std::thread::Builder::new().name("watch".to_owned());
        let watcher = watcher.spawn_scoped(scope, move || watch.until(&over, live))?;
        let came = thread_group::run(slice.indices(), live.start(), cancel, prepare, LoadThread::run, &mut hangs);
        drop(is_under_way);
        let watch = watcher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let came = came?;
        let results = conclude(load, &came.outputs.iter().collect::<Vec<_>>(), watch);
        let resumed = results.measured.connections.resumed;
        Ok(Results {
            handshakes_resumed: target.dialer.speaks_tls().then_some(resumed),
            time_wait: target.dialer.tcp_address().and_then(system_limits::time_wait),
            hung: came.hung.map(HungHook),
            ..results
        })
    })
}

fn conclude(load: &scenario::LoadSpec, parts: &[&Measurement], watch: StallMonitor) -> Results {
    let mut measured = Measurement::new(load);
    parts.iter().for_each(|part| measured.merge(part));
    let generator = measured.generator;
    let duration = generator.ended.saturating_sub(load.warmup).min(load.duration);
    Results {
        duration,
        in_flight_mean: generator.in_flight.as_secs_f64() / duration.as_secs_f64().max(1e-9),
        handshakes_resumed: None,
        time_wait: None,
        measured,
        watch,
        hung: None,
    }
}
