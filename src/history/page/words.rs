//! What the page says, in words.

use crate::analysis::records::better;
use crate::history::WATCHED;
use crate::history::index::{Index, IndexRow, MetricRegression};
use crate::record::{Better, Status};
use crate::report::status_in_words;
use crate::rule::{Metric, Unit, quantity};
use crate::units::{counted, show_count, show_percentage};

/// So likely is a thing by chance that there is no use in saying it more exactly.
const LEAST_CHANCE: f64 = 1e-6;

/// How the night came out, in a sentence.
pub(super) fn answer(index: &Index) -> String {
    let of = index.tonight;
    let parts = [
        (of.failed, "failed"),
        (of.could_not_run, "could not run"),
        (of.interrupted, "interrupted"),
        (of.inconclusive, "inconclusive"),
        (of.passed, "passed"),
    ];
    let told: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{} {word}", show_count(*n as u64))).collect();
    let scenarios = counted(of.scenarios as u64, "scenario");
    let regressions = match of.regressions {
        0 => String::new(),
        n => format!("; {}", counted(n as u64, "regression")),
    };
    match (of.scenarios, of.passed == of.scenarios) {
        (0, _) => "no scenario has run".to_owned(),
        (1, true) => format!("the scenario passed{regressions}"),
        (_, true) => format!("all {scenarios} passed{regressions}"),
        _ => format!("of {scenarios}: {}{regressions}", told.join(", ")),
    }
}

/// Scenario and variant; of one variant of the scenario's name only that.
pub(super) fn name(row: &IndexRow) -> String {
    if row.variant.is_empty() || row.variant == row.scenario {
        row.scenario.clone()
    } else {
        format!("{}: {}", row.scenario, row.variant)
    }
}

/// One word: how it is.
pub(super) fn state(row: &IndexRow) -> &'static str {
    match row.status {
        Status::Passed if row.fails_by_regression() => "got worse",
        Status::Passed if !row.regressions.is_empty() => "passed, got worse",
        status => status_in_words(status),
    }
}

/// Since when it has not passed, and how often that happens; `None` where it did.
pub(super) fn since(row: &IndexRow) -> Option<String> {
    let since = row.since.as_ref()?;
    let (unwell, shown) = since.of_last;
    let often = if shown > since.nights { format!(", {unwell} of the last {shown} nights") } else { String::new() };
    Some(match since.nights {
        1 => format!("new tonight{often}"),
        nights => format!("since {}, {nights} nights in a row{often}", day(&since.night)),
    })
}

/// A regression as a line: what, from what to what, since when, and how likely it is by chance.
pub(super) fn regression(of: &MetricRegression) -> String {
    let found = &of.regression;
    let change = signed(found.relative());
    let (before, after) = (figure(&of.metric, found.before), figure(&of.metric, found.after));
    let chance = match found.p_value {
        p if p < LEAST_CHANCE => "less than once in a million".to_owned(),
        p => format!("once in {}", show_count((1.0 / p).round() as u64)),
    };
    let nights = counted(found.nights as u64, "night");
    format!("{} {change}: {before} before, {after} since {} ({nights}; by chance {chance})", of.metric, day(&of.night))
}

/// A value of a metric with its unit.
pub(super) fn figure(metric: &str, value: f64) -> String {
    quantity(value, Metric::parse(metric).map_or(Unit::Number, |metric| metric.unit())).text()
}

/// `+3.1 %`, `−11 %`; less than half a percent is `±0 %`.
pub(super) fn signed(share: f64) -> String {
    let percent = share * 100.0;
    match percent.abs() {
        size if size < 0.05 => "±0 %".to_owned(),
        size => format!("{}{size:.*} %", if percent > 0.0 { "+" } else { "−" }, usize::from(size < 10.0)),
    }
}

/// Whether a change of a metric is for the better; `None` where that is not known.
pub(super) fn is_better(metric: &str, change: f64) -> Option<bool> {
    let watched = WATCHED.contains(&metric).then(|| Metric::parse(metric)).flatten()?;
    Some(match better(watched) {
        Better::Higher => change > 0.0,
        Better::Lower => change < 0.0,
    })
}

/// What a dirty check found: `3 leaks in 40 exposures`, or the bound. A scenario may be there to show a leak.
pub(super) fn leaks(row: &IndexRow) -> Option<String> {
    let dirty = row.dirty?;
    Some(match dirty.leaks {
        0 => format!("none, at most {}", show_percentage(dirty.bound)),
        leaks => {
            let allowed = if row.status == Status::Passed { ", as its scenario allows" } else { "" };
            format!("{} in {}{allowed}", counted(leaks, "leak"), counted(dirty.exposures, "exposure"))
        }
    })
}

/// Why the figures before are not compared with; `None` where all are.
pub(super) fn new_series(row: &IndexRow) -> Option<String> {
    if row.new_series.is_empty() {
        return None;
    }
    let of: Vec<String> = row
        .new_series
        .iter()
        .map(|new| match new.of {
            "configuration" => "configuration".to_owned(),
            of => format!("{of} ({} before)", new.before),
        })
        .collect();
    let nights = counted(row.comparable as u64, "night");
    Some(format!("a new series of {nights}: other {}", of.join(", other ")))
}

/// The day of a night, and its time.
pub(super) fn day(night: &str) -> String {
    let date = night.get(..10).unwrap_or(night);
    match night.get(11..16) {
        Some(time) => format!("{date} {time}"),
        None => date.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_their_sign() {
        assert_eq!([0.0312, -0.111, 0.0001, 1.5].map(signed), ["+3.1 %", "−11 %", "±0 %", "+150 %"]);
        assert_eq!(day("2026-11-29T02:00:07Z"), "2026-11-29 02:00");
        assert_eq!(is_better("latency.p99", -0.1), Some(true));
        assert_eq!(is_better("errors.rate", 0.1), None);
    }
}
