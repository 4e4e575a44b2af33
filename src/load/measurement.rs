//! All that a load thread keeps: the whole load, its stages and its kinds of requests, each measured alike.

use std::time::Duration;

use super::recorder::Recorder;
use crate::exchange::Exchange;
use crate::scenario;

/// A send that is later than this after its request was due is late.
pub const LATE: Duration = Duration::from_millis(1);

/// How late the load threads themselves were: arrivals of the open model that found a free user, or that were missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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

/// A fold over exchanges, as [`Recorder`], which it is made of.
#[derive(Debug)]
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
            ends: stages.into_iter().map(|(_, end)| end).collect(),
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

    /// Adds what another load thread measured of the same load.
    pub fn merge(&mut self, other: &Measurement) {
        self.whole.merge(&other.whole);
        let parts = self.stages.iter_mut().zip(&other.stages).chain(self.kinds.iter_mut().zip(&other.kinds));
        parts.for_each(|(mine, theirs)| mine.merge(theirs));
        self.lateness.add(other.lateness);
        self.queued += other.queued;
        self.never_sent += other.never_sent;
        self.missed += other.missed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Outcome;
    use crate::load::tests::plan;
    use crate::scenario::{Level, LoadSpec, WeightedRequest};

    #[test]
    fn every_request_counts_in_the_whole_in_its_stage_and_in_its_kind() {
        let level = |seconds| Level { from: 1.0, to: 1.0, lasting: Duration::from_secs(seconds) };
        let plan = plan();
        let kinds = ["a", "b"].map(|name| WeightedRequest { name: name.to_owned(), ..plan.kinds[0].clone() }).to_vec();
        let load = LoadSpec { levels: vec![level(1), level(2)], duration: Duration::from_secs(3), kinds, ..plan };
        let mut measured = Measurement::new(&load);
        for (kind, millis) in [(0, 0), (1, 999), (1, 1000), (1, 2500)] {
            let intended = Duration::from_millis(millis);
            let done = intended + Duration::from_millis(5);
            let outcome = Outcome::Answered(200);
            measured.record(kind, &Exchange { intended, sent: Some(intended), first_byte: None, done, outcome }, 1);
        }
        let started = |parts: &[Recorder]| parts.iter().map(Recorder::started).collect::<Vec<_>>();
        assert_eq!(
            (measured.whole.started(), started(&measured.stages), started(&measured.kinds)),
            (4, vec![2, 2], vec![1, 3])
        );
    }
}
