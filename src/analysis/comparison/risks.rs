//! What speaks against each alternative.

use std::collections::BTreeSet;

use crate::analysis::exposures::dirty_totals;
use crate::analysis::median_trial::median_trial;
use crate::analysis::server_use::server_use;
use crate::record::{ConditionRecord, LoadRecord, RiskKind, RiskRecord, VariantRecord};

/// A 99th percentile that is no more than this many times the median is no tail worth a word.
const LONG_TAIL: f64 = 5.0;
/// A smaller share of requests without a good response is not worth a word.
const SHARE: f64 = 0.001;

/// The risks of each alternative, in the order of the alternatives.
pub(super) fn risks(
    variants: &[VariantRecord],
    conditions: &[ConditionRecord],
    alternatives: usize,
) -> Vec<RiskRecord> {
    let of = |alternative: usize| {
        let of_it = conditions.iter().enumerate().filter_map(move |(index, condition)| {
            let variant = condition.variants.get(alternative).copied().flatten()?;
            Some((index, variants.get(variant)?))
        });
        let of_it: Vec<(usize, &VariantRecord)> = of_it.collect();
        let found = [leaks(&of_it), errors(&of_it), unanswered(&of_it), tail(&of_it), memory(&of_it)];
        found.into_iter().flatten().map(move |kind| RiskRecord { alternative, kind })
    };
    (0..alternatives).flat_map(of).collect()
}

type OfConditions<'a> = [(usize, &'a VariantRecord)];

fn leaks(variants: &OfConditions<'_>) -> Option<RiskKind> {
    let totals: Vec<_> = variants.iter().filter_map(|(_, variant)| dirty_totals(variant)).collect();
    let (leaks, exposures) = (totals.iter().map(|of| of.leaks).sum(), totals.iter().map(|of| of.exposures).sum());
    if leaks == 0 {
        let bound = totals
            .iter()
            .map(|of| of.bound)
            .fold(None, |most: Option<f64>, bound| Some(most.map_or(bound, |most| most.max(bound))))?;
        return Some(RiskKind::LeaksBound { exposures, bound });
    }
    let classes = variants.iter().flat_map(|(_, variant)| variant.distinct_leaks());
    let classes: BTreeSet<String> = classes.map(|(_, leak)| leak.class.name().to_owned()).collect();
    Some(RiskKind::Leaks { leaks, exposures, classes: classes.into_iter().collect() })
}

/// The condition under which a figure of the typical trial is largest.
fn worst<T>(variants: &OfConditions<'_>, figure: impl Fn(usize, &VariantRecord) -> Option<(f64, T)>) -> Option<T> {
    let all = variants.iter().filter_map(|(condition, variant)| figure(*condition, variant));
    all.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, kind)| kind)
}

fn of_load<T>(variant: &VariantRecord, figure: impl Fn(&LoadRecord) -> Option<T>) -> Option<T> {
    figure(median_trial(variant)?.1.load.as_ref().filter(|load| load.started > 0)?)
}

fn errors(variants: &OfConditions<'_>) -> Option<RiskKind> {
    let share = |load: &LoadRecord| {
        let refused = load.errors.get("status").copied().unwrap_or(0);
        Some(load.failed.saturating_add(refused) as f64 / load.started as f64)
    };
    worst(variants, |condition, variant| {
        let share = of_load(variant, share).filter(|share| *share > SHARE)?;
        Some((share, RiskKind::Errors { condition, share }))
    })
}

fn unanswered(variants: &OfConditions<'_>) -> Option<RiskKind> {
    worst(variants, |condition, variant| {
        let share = of_load(variant, |load| Some(load.unanswered as f64 / load.started as f64));
        let share = share.filter(|share| *share > SHARE)?;
        Some((share, RiskKind::Unanswered { condition, share }))
    })
}

fn tail(variants: &OfConditions<'_>) -> Option<RiskKind> {
    let times = |load: &LoadRecord| {
        let (p50, p99) = (load.latency_us.p50?.likely(), load.latency_us.p99?.likely());
        Some((p99 / p50, p99 / 1e6)).filter(|(times, _)| times.is_finite() && *times > LONG_TAIL)
    };
    worst(variants, |condition, variant| {
        let (times, p99_s) = of_load(variant, times)?;
        Some((times, RiskKind::Tail { condition, times, p99_s }))
    })
}

/// Of the condition with the most requests in flight; among equals that with the most memory.
fn memory(variants: &OfConditions<'_>) -> Option<RiskKind> {
    worst(variants, |condition, variant| {
        let (_, trial) = median_trial(variant)?;
        let bytes = server_use(trial)?.rss_peak_bytes as f64;
        let load = trial.load.as_ref()?;
        let in_flight = load.open.as_ref().map_or(f64::from(load.concurrency), |open| open.in_flight_mean);
        Some((in_flight * 1e15 + bytes, RiskKind::Memory { condition, bytes, in_flight }))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::compare;
    use super::super::grid::tests::variant;
    use super::*;
    use crate::measured_value::MeasuredValue;
    use crate::record::{DirtyRecord, Quantiles};

    #[test]
    fn each_risk_is_that_of_the_condition_under_which_it_shows_most() {
        let at = |sleep: &str, failed: u64, p99: f64| {
            let mut of = variant(json!({ "server": "a", "load.sleep": sleep }), &[100.0]);
            let load = of.trials[0].load.as_mut().unwrap();
            load.failed = failed;
            let [p50, p99] = [1000.0, p99].map(|micros| Some(MeasuredValue::Exactly(micros)));
            load.latency_us = Quantiles { p50, p99, ..Quantiles::default() };
            of.trials[0].dirty = Some(DirtyRecord { exposures: 100, bound: 0.03, ..DirtyRecord::default() });
            of
        };
        let other = variant(json!({ "server": "b", "load.sleep": "1ms" }), &[100.0]);
        let comparison = compare(&[at("1ms", 10, 2e3), at("2ms", 20, 9e3), other]).unwrap();
        let risks: Vec<_> = comparison.risks.iter().map(|risk| (risk.alternative, risk.kind.clone())).collect();
        let expected = [
            RiskKind::LeaksBound { exposures: 200, bound: 0.03 },
            RiskKind::Errors { condition: 1, share: 0.2 },
            RiskKind::Tail { condition: 1, times: 9.0, p99_s: 0.009 },
        ];
        assert_eq!(risks, expected.map(|kind| (0, kind)));
    }
}
