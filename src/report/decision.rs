//! The decision as sentences: which alternative where, by how much, on what grounds, and what speaks against it.

use crate::record::{
    BandRecord, Better, ComparisonRecord, ConditionRecord, CrossoverRecord, FigureRecord, KeyRecord, RiskKind,
    RiskRecord, VariantRecord, VersusOutcome,
};
use crate::rule::{Metric, Unit, quantity};
use crate::stats::interval::Interval;
use crate::units::{Quantity, show_count, show_percentage, show_size, show_time};

use super::format::{amount, list};
use crate::analysis::exposures::dirty_totals;

/// Looks that differ by more than this show a machine that changed.
const DRIFT: f64 = 0.1;

/// So many others are named beside what is recommended.
const MOST_NAMED: usize = 3;
/// Those that are alike are named up to this number.
const MOST_ALIKE: usize = 3;
/// A difference that may be larger than this was not looked for in earnest.
const MEANINGLESS: f64 = 1.0;

/// What is recommended: `below 580 us (520 to 640) of sleep: threaded; above: async (at sleep=100ms 46 times the throughput of
/// sync)`; `None` where there is nothing to decide.
pub(super) fn recommendation(comparison: &ComparisonRecord) -> Option<String> {
    if comparison.alternatives.len() < 2 {
        return None;
    }
    let of = |(index, band): (usize, &BandRecord)| {
        let which = format!("{}{}", alternatives(comparison, band), margins(comparison, index));
        if comparison.bands.len() == 1 {
            format!("{which}{}", everywhere(comparison, band))
        } else {
            format!("{}: {which}", where_is(comparison, index))
        }
    };
    let parts: Vec<String> = comparison.bands.iter().enumerate().map(of).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Under which conditions the only band is: ` at sleep=1ms`, `, at every sleep from 0 ms to 100 ms`.
fn everywhere(comparison: &ComparisonRecord, band: &BandRecord) -> String {
    let [first, last] = [band.first, band.last].map(|index| comparison.conditions.get(index));
    match (first, last, &comparison.key) {
        (Some(first), _, _) if first.name.is_empty() => String::new(),
        (Some(first), Some(last), Some(key)) if band.first < band.last => {
            format!(", at every {} from {} to {}", short(key), of_key(key, first), of_key(key, last))
        }
        (Some(_), Some(_), None) if band.first < band.last => ", under every condition".to_owned(),
        (Some(first), ..) => format!(" at {}", first.name),
        _ => String::new(),
    }
}

/// `async`; `async or threaded (no difference seen)`.
fn alternatives(comparison: &ComparisonRecord, band: &BandRecord) -> String {
    let names: Vec<&str> =
        band.alternatives.iter().filter_map(|index| comparison.alternatives.get(*index)).map(String::as_str).collect();
    match names.as_slice() {
        [only] => (*only).to_owned(),
        several if several.len() > MOST_ALIKE + 1 => {
            let more = several.len() - MOST_ALIKE;
            format!("{} or {more} more (no difference seen)", several[..MOST_ALIKE].join(" or "))
        }
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

/// What a condition sets the key to, as the scenario wrote it.
fn of_key(key: &KeyRecord, condition: &ConditionRecord) -> String {
    let value = condition.settings.iter().find(|(path, _)| *path == key.path).map(|(_, value)| value);
    value.map_or_else(String::new, |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn short(key: &KeyRecord) -> &str {
    key.path.rsplit('.').next().unwrap_or(&key.path)
}

/// A figure with its interval, as far as it has one.
pub(super) fn interval(of: Interval, unit: Unit) -> String {
    let shown = quantity(of.value, unit);
    of.ends().map_or_else(|| shown.text(), |(low, high)| shown.with_ends(low, high))
}

/// By how much the recommended one of a band is ahead: of the first band under its first condition, else under its last.
fn margins(comparison: &ComparisonRecord, index: usize) -> String {
    let Some(band) = comparison.bands.get(index) else { return String::new() };
    let at = if index == 0 && comparison.bands.len() > 1 { band.first } else { band.last };
    let Some(condition) = comparison.conditions.get(at) else { return String::new() };
    let recommended = band.alternatives.first().copied();
    if condition.best.is_none() || condition.best != recommended {
        return String::new();
    }
    let mut differing: Vec<_> = condition.versus.iter().filter(|versus| versus.outcome.differs()).collect();
    differing.sort_by(|a, b| a.ratio.value.total_cmp(&b.ratio.value));
    // Of many, the nearest and the farthest.
    if differing.len() > MOST_NAMED {
        differing.drain(MOST_NAMED - 1..differing.len() - 1);
    }
    let ahead: Vec<String> = differing
        .into_iter()
        .enumerate()
        .filter_map(|(index, versus)| {
            let other = comparison.alternatives.get(versus.alternative)?;
            Some(format!("{} {} {other}", times(versus.ratio), by_metric(comparison, index == 0)))
        })
        .collect();
    if ahead.is_empty() {
        return String::new();
    }
    let at = if condition.name.is_empty() || comparison.conditions.len() == 1 {
        String::new()
    } else {
        format!("at {} ", condition.name)
    };
    format!(" ({at}{})", list(&ahead))
}

/// `46 (44 to 48) times`.
fn times(ratio: Interval) -> String {
    let text = match ratio.ends() {
        Some((low, high)) => Quantity::number(ratio.value).with_ends(low, high),
        None => format!("{:.*}", usize::from(ratio.value < 10.0), ratio.value),
    };
    format!("{text} times")
}

/// Whose many times it is, in full for the first of several.
fn by_metric(comparison: &ComparisonRecord, is_first: bool) -> &'static str {
    match (comparison.metric.as_str(), comparison.better) {
        _ if !is_first => "that of",
        ("throughput", _) => "the throughput of",
        ("capacity.rate", _) => "the capacity of",
        (_, Better::Lower) => "as fast, by p99, as",
        (_, Better::Higher) => "as good as",
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
    if comparison.conditions.iter().flat_map(|condition| &condition.versus).any(|versus| versus.undisturbed) {
        all.push("some trials were disturbed, so that whole trials did not tell: there the rates of undisturbed stretches were compared (what one 100 ms in ten exceeds; 99 %, Welch)".to_owned());
    }
    all.extend(comparison.conditions.iter().flat_map(|condition| no_difference(comparison, condition)));
    all.extend(comparison.crossovers.iter().filter_map(|place| crossover(comparison, place)));
    let key = comparison.key.as_ref().filter(|_| comparison.bands.len() == 1 && comparison.conditions.len() > 1);
    all.extend(key.map(|key| format!("there is no crossover in the range of {} that was tried", short(key))));
    all.extend(drift(comparison));
    all
}

/// What would change the answer, a sentence each.
pub(super) fn would_change(comparison: &ComparisonRecord, variants: &[VariantRecord]) -> Vec<String> {
    let mut all = Vec::new();
    if let (Some(key), [first, .., last]) = (&comparison.key, comparison.conditions.as_slice()) {
        // There is nothing below zero.
        let below = if first.value > Some(0.0) { format!("below {} or ", of_key(key, first)) } else { String::new() };
        all.push(format!("a {} {below}above {}, which was not tried", short(key), of_key(key, last)));
    }
    let loads = variants.iter().flat_map(|variant| &variant.trials).filter_map(|trial| trial.load.as_ref());
    let mut amounts: Vec<String> = loads.map(amount).collect();
    amounts.dedup();
    if let [only] = amounts.as_slice() {
        all.push(format!("another load than {only}: the more requests wait at once, the more it matters how many a server can let wait"));
    }
    if variants.iter().all(|variant| dirty_totals(variant).is_none()) {
        all.push("a leak: nothing here says whether one request's data turns up in another's response; add [dirty] before anything goes async".to_owned());
    }
    all
}

/// Those that are told apart from the best by nothing: each by itself, or all together where they are many.
fn no_difference(comparison: &ComparisonRecord, condition: &ConditionRecord) -> Vec<String> {
    let Some(best) = condition.best.and_then(|best| comparison.alternatives.get(best)) else { return Vec::new() };
    let at = if condition.name.is_empty() { String::new() } else { format!("at {}: ", condition.name) };
    let name = |versus: &crate::record::VersusRecord| comparison.alternatives.get(versus.alternative).cloned();
    let mut alike: Vec<(String, f64)> = Vec::new();
    let mut all = Vec::new();
    for versus in &condition.versus {
        let Some(other) = name(versus) else { continue };
        match versus.outcome {
            VersusOutcome::NoDifference { at_most } => alike.push((other, at_most)),
            VersusOutcome::NotTold => all.push(format!("{at}{best} and {other} are too close for one trial")),
            VersusOutcome::Differ | VersusOutcome::DifferInOneTrial => {}
        }
    }
    if alike.len() > MOST_ALIKE {
        let most = alike.iter().map(|(_, at_most)| *at_most).fold(0.0, f64::max);
        let names: Vec<String> = alike.into_iter().map(|(name, _)| name).collect();
        all.push(format!("{at}no difference seen between {best} and {} ({})", few(&names), how_far(most)));
        return all;
    }
    let each = alike.into_iter();
    all.extend(
        each.map(|(other, at_most)| {
            format!("{at}no difference seen between {best} and {other} ({})", how_far(at_most))
        }),
    );
    all
}

/// How large a difference could have stayed unseen.
fn how_far(at_most: f64) -> String {
    match at_most {
        most if most > MEANINGLESS => "too few trials to tell: raise `repeats` in [matrix]".to_owned(),
        most => format!("at most {}", show_percentage(round(most))),
    }
}

/// The first few names, and how many more there are.
fn few(names: &[String]) -> String {
    let shown = names.iter().take(MOST_ALIKE).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_ALIKE) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
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

/// The figures of a variant over its trials: `Over 3 trials, median and 95 % interval: throughput 810/s (770 to 850), ...`; `None`
/// for one trial.
pub(super) fn over_trials(figures: &[FigureRecord]) -> Option<String> {
    let trials = figures.iter().map(|figure| figure.trials).max().filter(|trials| *trials > 1)?;
    let shown = figures.iter().filter_map(|figure| {
        let metric = Metric::parse(&figure.metric)?;
        (figure.interval.value > 0.0).then(|| format!("{} {}", figure.metric, interval(figure.interval, metric.unit())))
    });
    Some(format!("Over {trials} trials, the median and its interval (95 %): {}", shown.collect::<Vec<_>>().join(", ")))
}

/// The name of the comparison's metric in a heading: `throughput`, `latency.p99`; and its unit.
pub(super) fn metric(comparison: &ComparisonRecord) -> Option<(&str, Unit)> {
    Metric::parse(&comparison.metric).map(|metric| (comparison.metric.as_str(), metric.unit()))
}
