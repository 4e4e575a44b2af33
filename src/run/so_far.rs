//! What can be said of a load while it is under way, for those who look.

use std::time::Duration;

use crate::analysis::caveats;
use crate::load::snapshot::{Snapshot, SnapshotRequest};
use crate::load::stall_monitor::StallMonitor;
use crate::load::{LiveCounters, Results};
use crate::record::{Caveat, Quantiles};
use crate::scenario::LoadSpec;

use super::facts;

/// How often the load threads are asked.
const EVERY: Duration = Duration::from_secs(1);
/// Of a shorter time hardly anything can be said: rates go by chance, and a busy moment is no busy second.
const SHORTEST: Duration = Duration::from_secs(2);

/// What is known of a load under way.
#[derive(Debug, Clone, Default)]
pub struct LoadSoFar {
    /// Requests of the measured part that were started.
    pub started: u64,
    /// Over all of them: one that waits still counts with what it has waited.
    pub latency_us: Quantiles,
    pub caveats: Vec<Caveat>,
}

/// Asks the load threads for copies of what they have, while somebody looks.
#[derive(Debug, Default)]
pub(super) struct LoadWatch {
    asked: Option<SnapshotRequest>,
    last: Option<Duration>,
}

impl LoadWatch {
    /// To be called now and then, with the time since the load began. Does not wait: what was asked for comes at a later call.
    pub fn look(&mut self, plan: &LoadSpec, live: &LiveCounters, now: Duration, wanted: bool) -> Option<LoadSoFar> {
        if let Some(asked) = &mut self.asked {
            let came = asked.poll()?;
            self.asked = None;
            return so_far(plan, came);
        }
        let is_time = self.last.is_none_or(|last| now.saturating_sub(last) >= EVERY);
        if wanted && is_time && now > plan.warmup {
            self.last = Some(now);
            self.asked = Some(live.ask_for_snapshots());
        }
        None
    }
}

fn so_far(plan: &LoadSpec, came: Vec<Snapshot>) -> Option<LoadSoFar> {
    let at = came.iter().map(|snapshot| snapshot.at).min()?;
    let measured = came.into_iter().map(Snapshot::cut_off).reduce(|mut all, one| {
        all.merge(&one);
        all
    })?;
    let duration = at.saturating_sub(plan.warmup).min(plan.duration);
    let results = Results {
        duration,
        in_flight_mean: measured.generator.in_flight.as_secs_f64() / duration.as_secs_f64().max(1e-9),
        measured,
        handshakes_resumed: None,
        time_wait: None,
        watch: StallMonitor::new(plan.warmup, plan.warmup + plan.duration),
        hung: None,
    };
    let record = facts::load(plan, &results);
    let caveats = if duration < SHORTEST { Vec::new() } else { caveats::so_far(&record) };
    Some(LoadSoFar { started: record.started, latency_us: record.latency_us, caveats })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Exchange, Outcome};
    use crate::load::measurement::Measurement;
    use crate::load::snapshot::PendingRequest;
    use crate::load::tests::plan;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn those_who_wait_still_count_and_are_no_caveat() {
        let plan = LoadSpec { duration: ms(5_000), ..plan() };
        let of_thread = |thread| {
            let mut measured = Measurement::new(&plan);
            for due in (0..3_000).step_by(10) {
                let (intended, done, outcome) = (ms(due), ms(due + 5), Outcome::Answered(200));
                measured.record(0, &Exchange { intended, sent: Some(intended), first_byte: None, done, outcome }, 1);
            }
            let pending = vec![PendingRequest { kind: 0, intended: ms(1_000), sent: Some(ms(1_000)) }];
            Snapshot { thread, at: ms(3_000), measured, pending, queued: Vec::new() }
        };
        let told = so_far(&plan, vec![of_thread(0), of_thread(1)]).unwrap();
        assert_eq!(told.started, 602);
        let [p50, max] = [told.latency_us.p50, told.latency_us.max].map(|value| value.unwrap().likely());
        assert!((p50 / 5e3 - 1.0).abs() < 0.01 && (max / 2e6 - 1.0).abs() < 0.01, "{p50} {max}");
        let kinds: Vec<_> = told.caveats.iter().map(|caveat| caveat.kind.as_str()).collect();
        assert_eq!(kinds, ["few_samples"]);
    }

    #[test]
    fn threads_are_asked_at_most_once_a_second_and_only_while_somebody_looks() {
        let (plan, live) = (plan(), LiveCounters::new(1));
        let mut watch = LoadWatch::default();
        assert!(watch.look(&plan, &live, ms(100), false).is_none() && watch.asked.is_none());
        assert!(watch.look(&plan, &live, ms(200), true).is_none() && watch.asked.is_some());
        let mut watch = LoadWatch { last: Some(ms(200)), asked: None };
        assert!(watch.look(&plan, &live, ms(1_100), true).is_none() && watch.asked.is_none());
        watch.look(&plan, &live, ms(1_200), true);
        assert!(watch.asked.is_some());
    }
}
