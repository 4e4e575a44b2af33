//! What one process measured of a load that several drive: written, sent, read again and merged without loss.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::measurement::Measurement;
use super::snapshot::Snapshot;
use super::stall_monitor::{ResponseGap, StallMonitor};
use super::{Results, conclude};
use crate::scenario;

/// What a process measured of its slice of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadPart {
    pub measured: Measurement,
    /// How long the process stood still within the measured part.
    pub stopped: Duration,
    /// The longest while in which nothing of this slice was answered.
    pub longest_lull: Option<ResponseGap>,
    /// Whether TLS was spoken.
    pub tls: bool,
    /// Sockets that its connections have left in TIME_WAIT, where that is known.
    pub time_wait: Option<u64>,
    /// Why the script's `teardown` failed, if it did.
    pub teardown_error: Option<String>,
}

impl LoadPart {
    /// Of a load that has come to its end here.
    pub fn of(results: Results) -> Self {
        LoadPart {
            stopped: results.watch.stopped,
            longest_lull: results.watch.longest_lull,
            tls: results.handshakes_resumed.is_some(),
            time_wait: results.time_wait,
            teardown_error: None,
            measured: results.measured,
        }
    }

    /// Nothing yet.
    pub fn empty(load: &scenario::LoadSpec) -> Self {
        LoadPart {
            measured: Measurement::new(load),
            stopped: Duration::ZERO,
            longest_lull: None,
            tls: false,
            time_wait: None,
            teardown_error: None,
        }
    }

    /// Adds what another process measured of the same load. Of a while without responses nothing is known any more but where both had
    /// one.
    pub fn merge(&mut self, other: &LoadPart) {
        self.measured.merge(&other.measured);
        self.stopped = self.stopped.max(other.stopped);
        self.longest_lull = self.longest_lull.zip(other.longest_lull).and_then(|(one, other)| overlap(&[one, other]));
        self.tls |= other.tls;
        self.time_wait = self.time_wait.zip(other.time_wait).map(|(one, other)| one + other);
        self.teardown_error = self.teardown_error.take().or_else(|| other.teardown_error.clone());
    }

    /// Of a load that is under way: what is in flight counts as unanswered, as if it were ended now.
    pub fn so_far(load: &scenario::LoadSpec, snapshots: Vec<Snapshot>) -> Self {
        let mut part = LoadPart::empty(load);
        snapshots.into_iter().map(Snapshot::cut_off).for_each(|measured| part.measured.merge(&measured));
        part
    }
}

impl Results {
    /// Those of a load whose parts other processes measured.
    pub fn of_parts(load: &scenario::LoadSpec, parts: &[LoadPart]) -> Results {
        let all = parts.iter().cloned().reduce(|mut all, part| {
            all.merge(&part);
            all
        });
        let all = all.unwrap_or_else(|| LoadPart::empty(load));
        let watch = StallMonitor::seen(load.warmup, load.warmup.saturating_add(load.duration), all.stopped)
            .with_lull(all.longest_lull);
        let results = conclude(load, &[&all.measured], watch);
        let resumed = results.measured.connections.resumed;
        Results { handshakes_resumed: all.tls.then_some(resumed), time_wait: all.time_wait, ..results }
    }
}

/// The while in which nobody was answered: what lies within the lull of each. `None` where each was answered when another was not.
fn overlap(lulls: &[ResponseGap]) -> Option<ResponseGap> {
    let from = lulls.iter().map(|lull| lull.from).max()?;
    let until = lulls.iter().map(|lull| lull.from + lull.lasting).min()?;
    let waiting = lulls.iter().map(|lull| lull.waiting).sum();
    (until > from).then(|| ResponseGap { from, lasting: until - from, waiting })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Exchange, Outcome};
    use crate::load::tests::plan;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn part(load: &scenario::LoadSpec, waits: impl Iterator<Item = u64>) -> LoadPart {
        let mut part = LoadPart::empty(load);
        waits.for_each(|wait| {
            let exchange = Exchange {
                intended: ms(10),
                sent: Some(ms(10)),
                first_byte: None,
                done: ms(10 + wait),
                outcome: Outcome::Answered(200),
            };
            part.measured.record(0, &exchange, 1);
        });
        part
    }

    #[test]
    fn parts_that_were_written_and_read_again_merge_to_what_one_process_measured() {
        let load = scenario::LoadSpec { duration: Duration::from_secs(5), ..plan() };
        let whole = part(&load, 0..1000);
        let parts = [part(&load, 0..10), part(&load, 10..400), part(&load, 400..1000)].map(|part| {
            let text = serde_json::to_string(&part).unwrap();
            serde_json::from_str::<LoadPart>(&text).unwrap()
        });
        let merged = Results::of_parts(&load, &parts).measured;
        assert_eq!(merged, Results::of_parts(&load, &[whole]).measured);
        assert_eq!(merged.whole.completed, 1000);
    }

    #[test]
    fn only_where_nobody_is_answered_a_load_is_silent() {
        let lull = |from, until, waiting| ResponseGap { from: ms(from), lasting: ms(until - from), waiting };
        assert_eq!(overlap(&[lull(100, 900, 3), lull(200, 1200, 4)]), Some(lull(200, 900, 7)));
        assert_eq!(overlap(&[lull(100, 200, 3), lull(200, 1200, 4)]), None);
    }
}
