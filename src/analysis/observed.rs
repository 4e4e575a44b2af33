//! What a trial shows of a metric.

use std::collections::BTreeMap;

use super::server_use::server_use;
use crate::measured_value::{Bounds, MeasuredValue};
use crate::record::{self, CapacityRecord, Quantiles, Trial};
use crate::rule::Metric;
use crate::stats::Latencies;

/// What a trial shows of a metric; `None` without samples.
pub fn observe(metric: Metric, trial: &Trial) -> Option<MeasuredValue> {
    let load = || trial.load.as_ref().filter(|load| load.started > 0);
    let count = |value: u64| Some(MeasuredValue::Exactly(value as f64));
    let exactly = |value: f64| Some(MeasuredValue::Exactly(value));
    match metric {
        Metric::Throughput => exactly(load()?.throughput),
        Metric::Started => count(load()?.started),
        Metric::Completed => count(load()?.completed),
        Metric::Failed => count(load()?.failed),
        Metric::Unanswered => count(load()?.unanswered),
        Metric::LatencyMin => trial.load.as_ref()?.latency_us.min.map(seconds),
        Metric::LatencyMean => trial.load.as_ref()?.latency_us.mean.map(seconds),
        Metric::LatencyMax => trial.load.as_ref()?.latency_us.max.map(seconds),
        Metric::LatencyPercentile(percentile) => {
            let load = trial.load.as_ref()?;
            quantile(&load.latency_us, percentile.quantile(), || load.histogram.latencies())
        }
        Metric::ServiceTimeMin => trial.load.as_ref()?.service_time_us.min.map(seconds),
        Metric::ServiceTimeMean => trial.load.as_ref()?.service_time_us.mean.map(seconds),
        Metric::ServiceTimeMax => trial.load.as_ref()?.service_time_us.max.map(seconds),
        Metric::ServiceTimePercentile(percentile) => {
            let load = trial.load.as_ref()?;
            quantile(&load.service_time_us, percentile.quantile(), || load.histogram.service_times())
        }
        Metric::ErrorCount => count(errors(load()?)),
        Metric::ErrorRate => Some(error_rate(load()?)),
        Metric::ErrorsOf(kind) => count(of(&load()?.errors, kind.0.name())),
        Metric::ErrorStatus => count(of(&load()?.errors, "status")),
        Metric::Status(code) => count(of(&load()?.status, &code.to_string())),
        Metric::RetryCount => count(load()?.generator.retries),
        Metric::RetryRate => load().and_then(|load| exactly(load.generator.retries as f64 / load.started as f64)),
        Metric::Unsolicited => count(load()?.unsolicited),
        Metric::ChecksPassed => count(checks(trial)?.passed),
        Metric::ChecksFailed => count(checks(trial)?.failed),
        Metric::CheckRate => {
            let (passed, failed) = (checks(trial)?.passed as f64, checks(trial)?.failed as f64);
            exactly(passed / (passed + failed))
        }
        Metric::CapacityRate => capacity(trial.capacity.as_ref()?),
        Metric::DirtyLeaks => count(dirty(trial)?.leaks),
        Metric::DirtyExposures => count(dirty(trial)?.exposures),
        Metric::DirtyBound => exactly(dirty(trial)?.bound),
        Metric::DirtyFindings => count(sweep(trial)?.findings.len() as u64),
        // Known also where nothing else could be concluded.
        Metric::DirtyExercised => exactly(trial.dirty.as_ref()?.sweep.as_ref()?.exercised),
        Metric::DirtyPairs => exactly(trial.dirty.as_ref()?.sweep.as_ref()?.pairs),
        Metric::DirtyBoundWorst => exactly(sweep(trial)?.bound_worst),
        Metric::TriggerLeaks(trigger) => count(exercised(trial, trigger.name())?.leaks),
        Metric::TriggerExposures(trigger) => count(exercised(trial, trigger.name())?.exposures),
        // An idle server's is zero.
        Metric::ServerCpuMean => server_use(trial)?.cpu_mean.and_then(exactly),
        Metric::ServerRssMax => count(server_use(trial)?.rss_peak_bytes),
        Metric::ServerThreadsMax => count(server_use(trial)?.threads_max),
    }
}

/// A percentile that the record holds; else one that its histogram tells, which takes long to read.
fn quantile(quantiles: &Quantiles, q: f64, histogram: impl FnOnce() -> Option<Latencies>) -> Option<MeasuredValue> {
    let from_histogram = || Some(histogram()?.quantile(q)?.map(|nanos| nanos / 1e3));
    quantiles.written(q).or_else(from_histogram).map(seconds)
}

/// Where the search ran out of time, it is known only between which rates the capacity lies.
fn capacity(found: &CapacityRecord) -> Option<MeasuredValue> {
    if found.rate.is_none() && found.high.is_none() {
        return None;
    }
    let least = found.rate.unwrap_or(0.0);
    let between = Bounds { at_most: found.high, ..Bounds::between(least, least) };
    Some(if found.confirmed { MeasuredValue::Exactly(least) } else { MeasuredValue::Within(between) })
}

fn of(counts: &BTreeMap<String, u64>, name: &str) -> u64 {
    counts.get(name).copied().unwrap_or(0)
}

/// Failed requests, and responses of 400 or above.
fn errors(load: &record::LoadRecord) -> u64 {
    load.failed.saturating_add(of(&load.errors, "status"))
}

/// Of a request that was never answered nobody knows whether it would have been an error.
fn error_rate(load: &record::LoadRecord) -> MeasuredValue {
    let share = |count: u64| count as f64 / load.started as f64;
    let errors = errors(load);
    match load.unanswered {
        0 => MeasuredValue::Exactly(share(errors)),
        unanswered => MeasuredValue::Within(Bounds::between(share(errors), share(errors.saturating_add(unanswered)))),
    }
}

fn seconds(micros: MeasuredValue) -> MeasuredValue {
    micros.map(|micros| micros / 1e6)
}

/// What the script checked, if anything.
fn checks(trial: &Trial) -> Option<&record::Checks> {
    trial.load.as_ref()?.checks.as_ref().filter(|checks| checks.passed > 0 || checks.failed > 0)
}

/// A leak is a leak, but its absence means nothing where the check itself could not be trusted.
fn dirty(trial: &Trial) -> Option<&record::DirtyRecord> {
    let told = |dirty: &&record::DirtyRecord| dirty.leaks > 0 || (dirty.exposures > 0 && dirty.inconclusive.is_none());
    trial.dirty.as_ref().filter(told)
}

/// What a sweep found, if it could be trusted.
fn sweep(trial: &Trial) -> Option<&record::SweepRecord> {
    dirty(trial)?.sweep.as_ref()
}

/// The counts of a trigger that was exercised.
fn exercised<'a>(trial: &'a Trial, name: &str) -> Option<&'a record::TriggerRecord> {
    dirty(trial)?.triggers.get(name).filter(|trigger| trigger.leaks > 0 || trigger.not_exercised.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured_value::Comparison;

    #[test]
    fn a_capacity_that_was_not_confirmed_lies_between_what_kept_the_rules_and_what_broke_them() {
        let at_least = |limit: f64, rate, high, confirmed| {
            let found = CapacityRecord { rate, high, confirmed, ..CapacityRecord::default() };
            let trial = Trial { capacity: Some(found), ..Trial::default() };
            observe(Metric::CapacityRate, &trial)?.compare(Comparison::GreaterOrEqual, limit)
        };
        assert_eq!(at_least(390.0, Some(396.0), Some(404.0), true), Some(true));
        assert_eq!(at_least(400.0, Some(396.0), Some(404.0), true), Some(false));
        assert_eq!(at_least(400.0, Some(350.0), Some(404.0), false), None);
        assert_eq!(at_least(300.0, Some(350.0), None, false), Some(true));
        assert_eq!(at_least(400.0, Some(350.0), None, false), None);
        assert_eq!(at_least(10.0, None, Some(5.0), true), Some(false), "no rate keeps the rules");
        assert_eq!(at_least(10.0, None, None, false), None, "no rate was tried to its end");
    }
}
