//! The trials of a variant taken together, as if they were one load: what only few requests took shows in more of them.

use crate::record::{PooledRecord, Quantiles, Trial};
use crate::stats::Latencies;

/// How long the requests of all trials took, from when they were due; `None` if fewer than two have a load whose histogram can be
/// read.
pub fn latencies(trials: &[Trial]) -> Option<Latencies> {
    merged(trials.iter().filter_map(|trial| trial.load.as_ref()?.histogram.latencies()))
}

/// The figures of all trials together; `None` if fewer than two have a load whose histograms can be read.
pub fn pooled(trials: &[Trial]) -> Option<PooledRecord> {
    let loads = || trials.iter().filter_map(|trial| trial.load.as_ref());
    let latencies = latencies(trials)?;
    let service_times = merged(loads().filter_map(|load| load.histogram.service_times()))?;
    Some(PooledRecord {
        trials: loads().count() as u32,
        started: latencies.len(),
        latency_us: Quantiles::of(&latencies),
        service_time_us: Quantiles::of(&service_times),
    })
}

/// Merged by the function that merges those of load threads and of machines.
fn merged(mut each: impl Iterator<Item = Latencies>) -> Option<Latencies> {
    let (mut all, second) = (each.next()?, each.next()?);
    std::iter::once(second).chain(each).for_each(|one| all.merge(&one));
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured_value::MeasuredValue;
    use crate::record::{Histograms, LoadRecord};
    use crate::stats::Half;

    /// A trial whose requests took so many milliseconds, and one that nobody answered within 9 s.
    fn trial(millis: std::ops::Range<u64>) -> Trial {
        let mut waits = Latencies::default();
        millis.for_each(|wait| waits.answered(Half::First, wait * 1_000_000));
        waits.failed(9_000_000_000);
        let load = LoadRecord { histogram: Histograms::of(&waits, &waits), ..LoadRecord::default() };
        Trial { load: Some(load), ..Trial::default() }
    }

    #[test]
    fn trials_are_taken_together_as_one_load_would_have_been() {
        let pooled = pooled(&[trial(1..51), Trial::default(), trial(51..101)]).unwrap();
        let mut whole = Latencies::default();
        (1..101).for_each(|wait| whole.answered(Half::First, wait * 1_000_000));
        (0..2).for_each(|_| whole.failed(9_000_000_000));
        assert_eq!((pooled.trials, pooled.started), (2, 102));
        assert_eq!((&pooled.latency_us, &pooled.service_time_us), (&Quantiles::of(&whole), &Quantiles::of(&whole)));
        assert!(matches!(pooled.latency_us.p99, Some(MeasuredValue::MoreThan(_))), "{:?}", pooled.latency_us);
    }

    #[test]
    fn one_trial_is_not_told_twice() {
        assert!(pooled(&[trial(1..51)]).is_none() && pooled(&[trial(1..51), Trial::default()]).is_none());
    }
}
