//! From the record of a run, or the reason why there is none, to its lines of the history.

use super::conditions::Conditions;
use super::entry::{DirtyEntry, HistoryEntry};
use crate::analysis::comparison::{Objective, figures};
use crate::analysis::exposures::dirty_totals;
use crate::record::{Record, Status, VariantRecord};
use crate::scenario::RegressionPolicy;

/// So many problems of a variant are kept, each of at most so many characters.
const MOST_PROBLEMS: usize = 5;
const LONGEST: usize = 300;

/// What a scenario says of its place among others.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// When the call began: UTC, RFC 3339.
    pub night: String,
    pub tags: Vec<String>,
    pub regression: RegressionPolicy,
    /// The report's folder, from the folder of reports.
    pub report: Option<String>,
}

/// Why a scenario left no record.
#[derive(Debug, Clone)]
pub struct NotMeasured {
    pub scenario: String,
    /// When it was tried: UTC, RFC 3339.
    pub started: String,
    pub why: String,
}

/// A line for each variant of a record.
pub fn entries(record: &Record, place: &Place) -> Vec<HistoryEntry> {
    record.variants.iter().map(|variant| entry(record, variant, place)).collect()
}

fn entry(record: &Record, variant: &VariantRecord, place: &Place) -> HistoryEntry {
    let figures = figures(variant).into_iter().map(|figure| (figure.metric, rounded(figure.interval.value)));
    let dirty = dirty_totals(variant);
    HistoryEntry {
        night: place.night.clone(),
        scenario: record.scenario.name.clone(),
        variant: variant.name.clone(),
        started: record.started.clone(),
        status: variant.status(),
        took_s: rounded(record.total_s),
        metrics: figures.filter(|(_, value)| value.is_finite()).collect(),
        headline: Objective::of(std::slice::from_ref(variant)).map(|objective| objective.metric.name()),
        dirty: dirty.map(|of| DirtyEntry { leaks: of.leaks, exposures: of.exposures, bound: rounded(of.bound) }),
        problems: problems(variant),
        report: place.report.clone(),
        conditions: Conditions::of(record, variant),
        regression: place.regression,
        tags: place.tags.clone(),
    }
}

/// The line of a scenario that could not run at all.
pub fn entry_without_record(of: &NotMeasured, place: &Place) -> HistoryEntry {
    HistoryEntry {
        night: place.night.clone(),
        scenario: of.scenario.clone(),
        variant: String::new(),
        started: of.started.clone(),
        status: Status::CouldNotRun,
        took_s: 0.0,
        metrics: Default::default(),
        headline: None,
        dirty: None,
        problems: vec![cut(&of.why)],
        report: None,
        conditions: Conditions::default(),
        regression: place.regression,
        tags: place.tags.clone(),
    }
}

/// What did not pass, in the order of how bad it is.
fn problems(variant: &VariantRecord) -> Vec<String> {
    let failures =
        variant.trials.iter().filter_map(|trial| trial.failure.as_ref()).map(|failure| failure.message.clone());
    let of = |status: Status| {
        let verdicts = variant.verdicts.iter().filter(move |verdict| verdict.status == status);
        verdicts.map(|verdict| format!("{}: {}", verdict.title(), verdict.observed))
    };
    let all = failures.chain(of(Status::Failed)).chain(of(Status::Inconclusive));
    let mut problems: Vec<String> = Vec::new();
    for problem in all.map(|problem| cut(&problem)) {
        if !problems.contains(&problem) && problems.len() < MOST_PROBLEMS {
            problems.push(problem);
        }
    }
    problems
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// To six digits: a line is read by people, too, and nights differ by more.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10f64.powi(5 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_six_digits() {
        assert_eq!(
            [rounded(123_456_789.0), rounded(0.001_234_567_8), rounded(0.0)],
            [123_457_000.0, 0.001_234_57, 0.0]
        );
        assert!(rounded(f64::INFINITY).is_infinite());
    }

    #[test]
    fn a_scenario_that_could_not_run_has_a_line() {
        let of = NotMeasured { scenario: "a".to_owned(), started: "2026".to_owned(), why: "x".repeat(999) };
        let entry = entry_without_record(&of, &Place::default());
        assert_eq!((entry.status, entry.problems[0].len()), (Status::CouldNotRun, LONGEST));
    }
}
