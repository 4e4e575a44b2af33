//! What the page of the morning says: of each variant how it is, since when, and whether that is real.

use jiff::Timestamp;
use serde::Serialize;

use super::conditions::NewSeries;
use super::entry::{DirtyEntry, HistoryEntry};
use super::regression::{Regression, WATCHED, regression};
use super::series::{VariantHistory, variants};
use crate::analysis::records::better;
use crate::record::Status;
use crate::rule::Metric;
use crate::scenario::RegressionPolicy;
use crate::stats::interval::median;

/// So many nights are drawn and counted.
pub(super) const SHOWN: usize = 30;
/// So many figures of a series are looked at, the last ones: what was before is no longer news.
const LOOKED_AT: usize = 150;
/// What ran longer than this before the last run is not of that night, in seconds.
const NIGHT: i64 = 36 * 3600;

/// All variants, problems first.
#[derive(Debug, Default, Serialize)]
pub struct Index {
    /// When the last run began: UTC, RFC 3339; empty without any.
    pub night: String,
    pub rows: Vec<IndexRow>,
    pub tonight: TonightCounts,
    /// How many lines of the history could not be read.
    pub unread: usize,
}

/// How the scenarios of the last night came out; of each the worst of its variants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TonightCounts {
    pub scenarios: usize,
    pub passed: usize,
    pub failed: usize,
    pub inconclusive: usize,
    pub could_not_run: usize,
    pub interrupted: usize,
    /// Variants with a regression that is told.
    pub regressions: usize,
}

/// One variant.
#[derive(Debug, Serialize)]
pub struct IndexRow {
    pub scenario: String,
    pub variant: String,
    pub status: Status,
    /// It did not run in the last night.
    pub stale: bool,
    /// When it last ran: the night of it.
    pub night: String,
    /// Since when it has been as it is, if it did not pass.
    pub since: Option<Since>,
    pub problems: Vec<String>,
    pub headline: Option<Headline>,
    pub dirty: Option<DirtyEntry>,
    /// Regressions, by metric.
    pub regressions: Vec<MetricRegression>,
    pub policy: RegressionPolicy,
    /// Whether its figures begin a series in the last nights, and why.
    pub new_series: Vec<NewSeries>,
    /// How many nights there are since then.
    pub comparable: usize,
    pub report: Option<String>,
    pub tags: Vec<String>,
    pub took_s: f64,
}

/// Since when a variant has not passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Since {
    pub night: String,
    /// Nights in a row.
    pub nights: usize,
    /// Nights that did not pass, of the last so many.
    pub of_last: (usize, usize),
}

/// The metric that a variant is about, over the last nights.
#[derive(Debug, Clone, Serialize)]
pub struct Headline {
    pub metric: String,
    /// Of the last night, in the metric's base unit.
    pub value: f64,
    /// Against the median of the comparable nights before, as a share; `None` without any.
    pub change: Option<f64>,
    /// Of the last nights, those of another series too; `None` for a night without.
    pub nights: Vec<Option<f64>>,
    /// Which of them is the first of the present series.
    pub series_from: usize,
    /// Which of them is the first after the last change that lasts, for the worse.
    pub changed_at: Option<usize>,
}

/// A regression of one metric.
#[derive(Debug, Clone, Serialize)]
pub struct MetricRegression {
    pub metric: String,
    /// The first night that was worse.
    pub night: String,
    #[serde(flatten)]
    pub regression: Regression,
}

impl IndexRow {
    /// Whether somebody should look at it.
    pub fn needs_a_look(&self) -> bool {
        self.status != Status::Passed || !self.regressions.is_empty()
    }

    /// Whether a regression of it fails the night.
    pub fn fails_by_regression(&self) -> bool {
        self.policy == RegressionPolicy::Fail && !self.regressions.is_empty()
    }

    /// Of two rows that with the higher one stands first.
    fn urgency(&self) -> u8 {
        let by_status = match self.status {
            Status::CouldNotRun => 6,
            Status::Failed => 5,
            Status::Interrupted | Status::NotStarted => 4,
            Status::Inconclusive => 3,
            Status::Passed => 0,
        };
        let by_regression = match (self.regressions.is_empty(), self.policy) {
            (true, _) => 0,
            (false, RegressionPolicy::Fail) => 5,
            (false, _) => 2,
        };
        if self.stale { 0 } else { by_status.max(by_regression) }
    }
}

/// The index of a history, as it is after its last night; `unread` lines could not be read.
pub fn index(entries: &[HistoryEntry], unread: usize) -> Index {
    let Some(night) = entries.iter().map(|entry| entry.night.as_str()).max() else {
        return Index { unread, ..Index::default() };
    };
    let mut rows: Vec<IndexRow> = variants(entries).iter().map(|variant| row(variant, night)).collect();
    // What is equally urgent stays in the order of the names.
    rows.sort_by_key(|row| std::cmp::Reverse(row.urgency()));
    rows.sort_by_key(|row| row.stale);
    Index { night: night.to_owned(), tonight: counts(&rows), rows, unread }
}

fn counts(rows: &[IndexRow]) -> TonightCounts {
    let mut counts = TonightCounts::default();
    let mut scenarios: std::collections::BTreeMap<&str, Status> = Default::default();
    for row in rows.iter().filter(|row| !row.stale) {
        let worst = scenarios.entry(&row.scenario).or_insert(row.status);
        *worst = Status::worst([*worst, row.status]).unwrap_or(row.status);
        counts.regressions += usize::from(!row.regressions.is_empty());
    }
    counts.scenarios = scenarios.len();
    for status in scenarios.values() {
        *match status {
            Status::Passed => &mut counts.passed,
            Status::Failed => &mut counts.failed,
            Status::Inconclusive => &mut counts.inconclusive,
            Status::CouldNotRun => &mut counts.could_not_run,
            Status::Interrupted | Status::NotStarted => &mut counts.interrupted,
        } += 1;
    }
    counts
}

fn row(variant: &VariantHistory<'_>, tonight: &str) -> IndexRow {
    let last = variant.last();
    let regressions = if last.regression == RegressionPolicy::Off { Vec::new() } else { regressions(variant) };
    IndexRow {
        scenario: variant.scenario.to_owned(),
        variant: variant.variant.to_owned(),
        status: last.status,
        stale: is_before(&last.night, tonight),
        night: last.night.clone(),
        since: since(&variant.nights),
        problems: last.problems.clone(),
        headline: headline(variant, &regressions),
        dirty: last.dirty,
        regressions,
        policy: last.regression,
        new_series: variant.new_series.clone(),
        comparable: variant.nights.len() - variant.comparable_from,
        report: last.report.clone(),
        tags: last.tags.clone(),
        took_s: last.took_s,
    }
}

/// Whether a run belongs to a night before that of another.
fn is_before(night: &str, other: &str) -> bool {
    match (night.parse::<Timestamp>(), other.parse::<Timestamp>()) {
        (Ok(night), Ok(other)) => other.as_second() - night.as_second() > NIGHT,
        _ => night < other,
    }
}

fn since(nights: &[&HistoryEntry]) -> Option<Since> {
    let is_well = |night: &&HistoryEntry| night.status == Status::Passed;
    if nights.last().is_none_or(is_well) {
        return None;
    }
    let unwell = nights.iter().rev().take_while(|night| !is_well(night)).count();
    let shown = &nights[nights.len().saturating_sub(SHOWN)..];
    let of_last = (shown.iter().filter(|night| !is_well(night)).count(), shown.len());
    Some(Since { night: nights[nights.len() - unwell].night.clone(), nights: unwell, of_last })
}

/// The regressions of all watched metrics, that of the metric which the variant is about first.
fn regressions(variant: &VariantHistory<'_>) -> Vec<MetricRegression> {
    let headline = variant.nights.iter().rev().find_map(|night| night.headline.as_deref());
    // A night in which it was not measured says nothing of its figures.
    let measured = |metric: &str| variant.last().metrics.contains_key(metric);
    let mut found: Vec<MetricRegression> = WATCHED
        .into_iter()
        .filter(|metric| measured(metric))
        .filter_map(|metric| {
            let series = variant.series(metric);
            let from = series.figures.len().saturating_sub(LOOKED_AT);
            let deciding = headline == Some(metric);
            let mut regression = regression(&series.figures[from..], better(Metric::parse(metric)?), deciding)?;
            regression.index += from;
            let night = variant.nights[series.nights[regression.index]].night.clone();
            Some(MetricRegression { metric: metric.to_owned(), night, regression })
        })
        .collect();
    found.sort_by_key(|of| headline != Some(of.metric.as_str()));
    found
}

fn headline(variant: &VariantHistory<'_>, regressions: &[MetricRegression]) -> Option<Headline> {
    let metric = variant.nights.iter().rev().find_map(|night| night.headline.clone())?;
    let value = *variant.last().metrics.get(&metric)?;
    let series = variant.series(&metric);
    let before = &series.figures[..series.figures.len().saturating_sub(1)];
    let before = median(&before[before.len().saturating_sub(SHOWN)..]).filter(|before| *before != 0.0);
    let from = variant.nights.len().saturating_sub(SHOWN);
    let shown = &variant.nights[from..];
    let regression = regressions.iter().find(|of| of.metric == metric);
    Some(Headline {
        value,
        change: before.map(|before| value / before - 1.0),
        nights: shown.iter().map(|night| night.metrics.get(&metric).copied()).collect(),
        series_from: variant.comparable_from.saturating_sub(from),
        changed_at: regression.and_then(|of| series.nights.get(of.regression.index)?.checked_sub(from)),
        metric,
    })
}

#[cfg(test)]
mod tests {
    use super::super::series::tests::entry;
    use super::*;

    fn nights(scenario: &str, figures: &[f64]) -> Vec<HistoryEntry> {
        figures.iter().enumerate().map(|(night, figure)| entry(scenario, night, *figure)).collect()
    }

    #[test]
    fn problems_come_first_and_say_since_when() {
        let mut all = nights("a", &[100.0; 20]);
        all.extend(nights("b", &[100.0; 20]));
        let mut c = nights("c", &[100.0; 20]);
        for night in [4, 18, 19] {
            c[night].status = Status::Failed;
            c[night].problems = vec!["latency.p99 < 1s: 2 s".to_owned()];
        }
        all.extend(c);
        let index = index(&all, 0);
        assert_eq!(index.rows.iter().map(|row| row.scenario.as_str()).collect::<Vec<_>>(), ["c", "a", "b"]);
        let since = index.rows[0].since.as_ref().unwrap();
        assert_eq!((since.night.as_str(), since.nights, since.of_last), ("2026-0018T02:00:00Z", 2, (3, 20)));
        assert_eq!(index.tonight, TonightCounts { scenarios: 3, passed: 2, failed: 1, ..TonightCounts::default() });
    }

    #[test]
    fn a_regression_is_told_as_the_scenario_wants() {
        let figures: Vec<f64> = (0..40).map(|n| if n < 30 { 100.0 + f64::from(n % 3) } else { 80.0 }).collect();
        let row = |policy| {
            let mut all = nights("a", &figures);
            all[39].regression = policy;
            index(&all, 0).rows.remove(0)
        };
        let told = row(RegressionPolicy::Fail);
        assert!(told.fails_by_regression() && told.needs_a_look());
        assert_eq!(
            (told.regressions[0].night.as_str(), told.regressions[0].regression.nights),
            ("2026-0030T02:00:00Z", 10)
        );
        assert_eq!(told.headline.as_ref().unwrap().changed_at, Some(20));
        assert!(!row(RegressionPolicy::Warn).fails_by_regression() && row(RegressionPolicy::Warn).needs_a_look());
        assert!(!row(RegressionPolicy::Off).needs_a_look());
    }

    #[test]
    fn another_machine_begins_a_series_so_that_nothing_is_said_of_the_change() {
        let mut all = nights("a", &(0..40).map(|n| if n < 30 { 100.0 } else { 60.0 }).collect::<Vec<_>>());
        all[30..].iter_mut().for_each(|entry| entry.conditions.machine = "2 x other".to_owned());
        let index = index(&all, 0);
        let row = &index.rows[0];
        assert!(row.regressions.is_empty());
        assert_eq!((row.comparable, row.new_series[0].of), (10, "machine"));
        assert_eq!(row.headline.as_ref().unwrap().series_from, 20);
    }

    #[test]
    fn what_has_not_run_for_two_days_is_not_of_the_night() {
        assert!(is_before("2026-11-01T02:00:00Z", "2026-11-03T02:00:00Z"));
        assert!(!is_before("2026-11-01T02:00:00Z", "2026-11-02T02:00:00Z"));
        assert_eq!(index(&[], 3).unread, 3);
    }
}
