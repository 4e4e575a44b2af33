//! The decision as sentences: which alternative where, by how much, on what grounds, and what speaks against it.

use crate::record::{
    BandRecord, Better, ComparisonRecord, ConditionRecord, CrossoverRecord, KeyRecord, Outcome, RiskKind, RiskRecord,
    VariantRecord,
};
use crate::rule::{Metric, Unit, quantity};
use crate::stats::interval::Interval;
use crate::units::{Quantity, show_count, show_percentage, show_size, show_time};

use super::format::list;

/// Looks that differ by more than this show a machine that changed.
const DRIFT: f64 = 0.1;

/// What is recommended: `below 580 us (520 to 640) of sleep: threaded; above: async`; `None` where there is nothing to decide.
pub(super) fn recommendation(comparison: &ComparisonRecord) -> Option<String> {
    if comparison.alternatives.len() < 2 {
        return None;
    }
    match comparison.bands.as_slice() {
        [] => None,
        [only] => Some(format!("{}{}", everywhere(comparison, only), margins(comparison, only))),
        bands => {
            let parts: Vec<String> = bands
                .iter()
                .enumerate()
                .map(|(index, band)| format!("{}: {}", where_is(comparison, index), alternatives(comparison, band)))
                .collect();
            let last = bands.last().map(|band| margins(comparison, band)).unwrap_or_default();
            Some(format!("{}{last}", parts.join("; ")))
        }
    }
}

/// One alternative under all conditions.
fn everywhere(comparison: &ComparisonRecord, band: &BandRecord) -> String {
    let which = alternatives(comparison, band);
    let (Some(first), Some(last)) = (comparison.conditions.get(band.first), comparison.conditions.get(band.last))
    else {
        return which;
    };
    if first.name.is_empty() {
        which
    } else if first.name == last.name {
        format!("{which} at {}", first.name)
    } else {
        format!("{which} everywhere from {} to {}", first.name, last.name)
    }
}

/// `async`; `async or threaded (no difference seen)`.
fn alternatives(comparison: &ComparisonRecord, band: &BandRecord) -> String {
    let names: Vec<&str> =
        band.alternatives.iter().filter_map(|index| comparison.alternatives.get(*index)).map(String::as_str).collect();
    match names.as_slice() {
        [only] => (*only).to_owned(),
        several => format!("{} (no difference seen)", several.join(" or ")),
    }
}

/// Where a band of several is: `below 580 us (520 to 640) of sleep`, `from sleep=1ms to sleep=10ms`, `above`.
fn where_is(comparison: &ComparisonRecord, index: usize) -> String {
    let band = &comparison.bands[index];
    let name = |condition: usize| comparison.conditions.get(condition).map(|of| of.name.clone()).unwrap_or_default();
    if comparison.key.is_none() {
        return format!("at {}", name(band.first));
    }
    let found = |end: usize| comparison.crossovers.iter().find(|place| place.between.0 == end).and_then(|p| p.at);
    let before = index.checked_sub(1).and_then(|before| found(comparison.bands[before].last));
    let is_last = index + 1 == comparison.bands.len();
    let after = found(band.last).filter(|_| !is_last);
    match (before, after) {
        (None, Some(at)) => format!("below {}", at_value(comparison, at)),
        (Some(_), None) if is_last => "above".to_owned(),
        (Some(_), Some(at)) => format!("from there to {}", at_value(comparison, at)),
        _ if index == 0 => format!("up to {}", name(band.last)),
        _ if is_last => format!("from {}", name(band.first)),
        _ => format!("from {} to {}", name(band.first), name(band.last)),
    }
}

/// `580 us (520 to 640) of sleep`.
fn at_value(comparison: &ComparisonRecord, at: Interval) -> String {
    let Some(key) = &comparison.key else { return String::new() };
    format!("{} of {}", interval(at, key.unit), short(key))
}

fn short(key: &KeyRecord) -> &str {
    key.path.rsplit('.').next().unwrap_or(&key.path)
}

/// A figure with its interval, as far as it has one.
pub(super) fn interval(of: Interval, unit: Unit) -> String {
    let shown = quantity(of.value, unit);
    of.ends().map_or_else(|| shown.text(), |(low, high)| shown.with_ends(low, high))
}

/// By how much the recommended one of a band is ahead of the others, under its last condition.
fn margins(comparison: &ComparisonRecord, band: &BandRecord) -> String {
    let Some(condition) = comparison.conditions.get(band.last) else { return String::new() };
    let recommended = band.alternatives.first().copied();
    if condition.best.is_none() || condition.best != recommended {
        return String::new();
    }
    let ahead: Vec<String> = condition
        .versus
        .iter()
        .filter(|versus| versus.outcome.differs())
        .filter_map(|versus| {
            Some(format!("{} {}", times(versus.ratio), comparison.alternatives.get(versus.alternative)?))
        })
        .collect();
    if ahead.is_empty() {
        return String::new();
    }
    let name = recommended.and_then(|index| comparison.alternatives.get(index)).cloned().unwrap_or_default();
    let at = if condition.name.is_empty() { String::new() } else { format!("at {} ", condition.name) };
    format!(". {at}{name} {} {}", does(comparison), list(&ahead))
}

/// `46 (44 to 48) times`.
fn times(ratio: Interval) -> String {
    let digits = Quantity::number(ratio.value);
    let text = match ratio.ends() {
        Some((low, high)) => digits.with_ends(low, high),
        None => format!("{:.*}", if ratio.value < 10.0 { 1 } else { 0 }, ratio.value),
    };
    format!("{text} times")
}

fn does(comparison: &ComparisonRecord) -> &'static str {
    match (comparison.metric.as_str(), comparison.better) {
        ("throughput", _) => "has, by throughput,",
        ("capacity.rate", _) => "has, by capacity,",
        (_, Better::Lower) => "is faster, by p99,",
        (_, Better::Higher) => "is better,",
    }
}

/// What the decision rests on, a sentence each.
pub(super) fn grounds(comparison: &ComparisonRecord, variants: &[VariantRecord]) -> Vec<String> {
    let trials = variants.iter().map(|variant| variant.trials.len()).max().unwrap_or(0);
    let mut all = vec![match trials {
        0 | 1 => "one trial each: only those that are 25 % apart or more are said to differ; `repeats` in [matrix] tells more".to_owned(),
        n => format!(
            "{n} trials each, in turns and compared in pairs: two differ where the interval of their ratio (99 %, Student's t over its logarithms) leaves 1 out"
        ),
    }];
    all.extend(comparison.conditions.iter().flat_map(|condition| no_difference(comparison, condition)));
    all.extend(comparison.crossovers.iter().filter_map(|place| crossover(comparison, place)));
    let key = comparison.key.as_ref().filter(|_| comparison.bands.len() == 1 && comparison.conditions.len() > 1);
    all.extend(key.map(|key| format!("there is no crossover in the range of {} that was tried", short(key))));
    all.extend(drift(comparison));
    all
}

fn no_difference(comparison: &ComparisonRecord, condition: &ConditionRecord) -> Vec<String> {
    let Some(best) = condition.best.and_then(|best| comparison.alternatives.get(best)) else { return Vec::new() };
    let at = if condition.name.is_empty() { String::new() } else { format!("at {}: ", condition.name) };
    let of = |versus: &crate::record::VersusRecord| {
        let other = comparison.alternatives.get(versus.alternative)?;
        match versus.outcome {
            Outcome::NoDifference { at_most } => Some(format!(
                "{at}no difference seen between {best} and {other} (at most {})",
                show_percentage(round(at_most))
            )),
            Outcome::NotTold => Some(format!("{at}{best} and {other} are too close for one trial")),
            Outcome::Differ | Outcome::DifferInOneTrial => None,
        }
    };
    condition.versus.iter().filter_map(of).collect()
}

/// Two significant digits.
fn round(share: f64) -> f64 {
    let grain = 10f64.powi(share.max(1e-9).log10().floor() as i32 - 1);
    (share / grain).ceil() * grain
}

fn crossover(comparison: &ComparisonRecord, place: &CrossoverRecord) -> Option<String> {
    let name = |index: usize| comparison.alternatives.get(index).cloned().unwrap_or_default();
    let pairs: usize = place.points.iter().map(|point| point.ratios.len()).sum();
    Some(format!(
        "{} and {} are equal at {} (95 %, from {} pairs of trials)",
        name(place.below),
        name(place.above),
        at_value(comparison, place.at?),
        show_count(pairs as u64)
    ))
}

/// How much the machine itself changed, where that is worth a word.
fn drift(comparison: &ComparisonRecord) -> Option<String> {
    let rates: Vec<f64> = comparison.drift.as_ref()?.looks.iter().map(|look| look.per_second).collect();
    let (least, most) =
        rates.iter().fold((f64::MAX, 0.0f64), |(least, most), rate| (least.min(*rate), most.max(*rate)));
    (most > least * (1.0 + DRIFT)).then(|| {
        let by = show_percentage(((most / least - 1.0) * 100.0).round() / 100.0);
        format!("the machine itself was up to {by} faster at one time of this run than at another (the same work at its start, middle and end): compare only trials of one round")
    })
}

/// What speaks against an alternative, a sentence each, those that matter most first.
pub(super) fn risks(comparison: &ComparisonRecord) -> Vec<(usize, Vec<String>)> {
    let of = |index: usize| {
        let all = comparison.risks.iter().filter(|risk| risk.alternative == index);
        (index, all.map(|risk| in_words(comparison, risk)).collect())
    };
    (0..comparison.alternatives.len()).map(of).collect()
}

/// Whether what is recommended somewhere leaks.
pub(super) fn leaking(comparison: &ComparisonRecord) -> Option<String> {
    let recommended = |index: usize| comparison.bands.iter().any(|band| band.alternatives.first() == Some(&index));
    let leaks = comparison.risks.iter().filter(|risk| matches!(risk.kind, RiskKind::Leaks { .. }));
    let names: Vec<String> = leaks
        .filter(|risk| recommended(risk.alternative))
        .filter_map(|risk| comparison.alternatives.get(risk.alternative).cloned())
        .collect();
    (!names.is_empty())
        .then(|| format!("not before its leaks are mended: {} shows one request's data to another", list(&names)))
}

fn in_words(comparison: &ComparisonRecord, risk: &RiskRecord) -> String {
    let at = |condition: usize| {
        let name = comparison.conditions.get(condition).map(|of| of.name.as_str()).unwrap_or_default();
        if name.is_empty() { String::new() } else { format!(" at {name}") }
    };
    match &risk.kind {
        RiskKind::Leaks { leaks, exposures, classes } => {
            format!("leaks: {} in {} exposures ({})", show_count(*leaks), show_count(*exposures), classes.join(", "))
        }
        RiskKind::LeaksBound { exposures, bound } => {
            format!("no leak in {} exposures: at most {} leak (95 %)", show_count(*exposures), show_percentage(*bound))
        }
        RiskKind::Tail { condition, times, p99_s } => {
            format!("long tail: p99 {} is {times:.0} times the median{}", show_time(*p99_s), at(*condition))
        }
        RiskKind::Memory { condition, bytes, in_flight } => {
            format!("{} of memory with {in_flight:.0} requests in flight{}", show_size(*bytes as u64), at(*condition))
        }
        RiskKind::Errors { condition, share } => {
            format!("{} of requests failed or were refused{}", show_percentage(round(*share)), at(*condition))
        }
        RiskKind::Unanswered { condition, share } => {
            format!(
                "{} of requests had no response when the load ended{}",
                show_percentage(round(*share)),
                at(*condition)
            )
        }
    }
}

/// The name of the comparison's metric in a heading: `throughput`, `latency.p99`; and its unit.
pub(super) fn metric(comparison: &ComparisonRecord) -> Option<(&str, Unit)> {
    Metric::parse(&comparison.metric).map(|metric| (comparison.metric.as_str(), metric.unit()))
}
