//! All that was measured of a load, as one value: of the whole load, its stages and its kinds of requests, each alike.
//!
//! A load thread measures one. Those of threads, of trials and of machines are merged by the same function, and written and
//! read again they are the same.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::client_script::HookFindings;
use super::error_samples::ErrorSamples;
use super::recorder::Recorder;
use super::slowest::SlowestRequests;
use crate::exchange::Exchange;
use crate::scenario;

/// A send that is later than this after its request was due is late.
pub const LATE: Duration = Duration::from_millis(1);

/// How late the load threads themselves were: arrivals of the open model that found a free user, or that were missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lateness {
    pub arrivals: u64,
    /// Of these, those later than [`LATE`].
    pub late: u64,
    pub sum: Duration,
    pub max: Duration,
}

impl Lateness {
    fn add(&mut self, other: Lateness) {
        self.arrivals += other.arrivals;
        self.late += other.late;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }
}

/// What became of connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionCounters {
    /// Warm-up included.
    pub opened: u64,
    /// Of these, those that took up an earlier session of TLS.
    pub resumed: u64,
    /// How often a measured request was sent once more: its connection, used before, had ended before a byte of its response
    /// came, or the server had refused it unseen.
    pub retried: u64,
    /// Connections on which something came that no request had asked for, warm-up included.
    pub unsolicited: u64,
}

impl ConnectionCounters {
    fn add(&mut self, other: ConnectionCounters) {
        self.opened += other.opened;
        self.resumed += other.resumed;
        self.retried += other.retried;
        self.unsolicited += other.unsolicited;
    }
}

/// What the load threads themselves took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorUsage {
    pub threads: u32,
    /// CPU time of all load threads over their whole lives, without that spent awake before arrivals.
    pub cpu: Duration,
    /// CPU time spent awake before arrivals, for the sake of their times.
    pub spun: Duration,
    /// CPU time of the busiest load thread as a share of its busiest second, 0 to 1, without that spent awake. Of a load of
    /// less than half a second, a share of the thread's whole life.
    pub busiest: f64,
    /// Requests in flight, those that wait for a user included, summed over the measured time.
    pub in_flight: Duration,
    /// When the last thread stopped starting requests.
    pub ended: Duration,
}

impl GeneratorUsage {
    fn add(&mut self, other: GeneratorUsage) {
        self.threads += other.threads;
        self.cpu += other.cpu;
        self.spun += other.spun;
        self.busiest = self.busiest.max(other.busiest);
        self.in_flight += other.in_flight;
        self.ended = self.ended.max(other.ended);
    }
}

/// A fold over exchanges, as [`Recorder`], which it is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    pub whole: Recorder,
    /// By the stage that a request was due in; empty where there is only one.
    pub stages: Vec<Recorder>,
    /// In the order of the scenario; empty where there is only one.
    pub kinds: Vec<Recorder>,
    pub lateness: Lateness,
    /// Arrivals for which all users were busy.
    pub queued: u64,
    /// Arrivals for which none was free before the end.
    pub never_sent: u64,
    /// Arrivals that the load threads themselves came to only when the load was over, and did not send. They count as late.
    pub missed: u64,
    /// Why requests failed and what errors said, warm-up included.
    pub samples: ErrorSamples,
    /// Of those that carried a trace id.
    pub slowest: SlowestRequests,
    pub connections: ConnectionCounters,
    pub generator: GeneratorUsage,
    /// What the hooks found, if the load has any.
    pub findings: Option<HookFindings>,
    /// When each stage ends.
    ends: Vec<Duration>,
}

impl Measurement {
    /// Nothing measured yet, with the stages and kinds of a load.
    pub fn new(load: &scenario::LoadSpec) -> Self {
        let mut end = load.warmup;
        let stages: Vec<(Duration, Duration)> = load
            .levels
            .iter()
            .map(|level| {
                let begin = end;
                end += level.lasting;
                (begin, end)
            })
            .collect();
        let several = |count: usize| if count > 1 { count } else { 0 };
        let whole = || Recorder::new(load.warmup, load.warmup + load.duration);
        let each = stages.iter().take(several(stages.len()));
        Measurement {
            whole: whole(),
            stages: each.map(|(begin, end)| Recorder::new(*begin, *end)).collect(),
            kinds: (0..several(load.kinds.len())).map(|_| whole()).collect(),
            lateness: Lateness::default(),
            queued: 0,
            never_sent: 0,
            missed: 0,
            samples: ErrorSamples::default(),
            slowest: SlowestRequests::default(),
            connections: ConnectionCounters::default(),
            generator: GeneratorUsage::default(),
            findings: None,
            ends: stages.into_iter().map(|(_, end)| end).collect(),
        }
    }

    /// A copy of one of the stages, or of the kinds after them.
    pub(super) fn copied_part(&self, index: usize) -> Option<Recorder> {
        self.stages.iter().chain(&self.kinds).nth(index).cloned()
    }

    /// A copy with these stages and kinds, which were copied before.
    pub(super) fn copied_with(&self, mut parts: Vec<Recorder>) -> Measurement {
        let kinds = parts.split_off(self.stages.len().min(parts.len()));
        Measurement {
            whole: self.whole.clone(),
            stages: parts,
            kinds,
            samples: self.samples.clone(),
            slowest: self.slowest.clone(),
            findings: self.findings.clone(),
            ends: self.ends.clone(),
            ..*self
        }
    }

    /// Takes an exchange of a kind, as [`Recorder::record`] does.
    pub fn record(&mut self, kind: usize, exchange: &Exchange, bytes: u64) {
        self.whole.record(exchange, bytes);
        if let Some(recorder) = self.kinds.get_mut(kind) {
            recorder.record(exchange, bytes);
        }
        let stage = self.ends.partition_point(|end| *end <= exchange.intended);
        if let Some(recorder) = self.stages.get_mut(stage) {
            recorder.record(exchange, bytes);
        }
    }

    /// A free user sent a request so long after it was due.
    pub fn sent_after(&mut self, delay: Duration) {
        let late = u64::from(delay > LATE);
        self.lateness.add(Lateness { arrivals: 1, late, sum: delay, max: delay });
    }

    /// Adds what another load thread, trial or machine measured of the same load.
    pub fn merge(&mut self, other: &Measurement) {
        self.whole.merge(&other.whole);
        let parts = self.stages.iter_mut().zip(&other.stages).chain(self.kinds.iter_mut().zip(&other.kinds));
        parts.for_each(|(mine, theirs)| mine.merge(theirs));
        self.lateness.add(other.lateness);
        self.queued += other.queued;
        self.never_sent += other.never_sent;
        self.missed += other.missed;
        self.samples.merge(&other.samples);
        self.slowest.merge(&other.slowest);
        self.connections.add(other.connections);
        self.generator.add(other.generator);
        if let Some(found) = &other.findings {
            self.findings.get_or_insert_default().merge(found);
        }
    }
}

#[cfg(test)]
mod tests;
