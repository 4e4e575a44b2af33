//! Two records beside each other: whether they may be compared, and what changed from one to the other.

use std::collections::BTreeMap;

use serde::Serialize;

use super::comparison::{Objective, value_of};
use super::exposures::dirty_totals;
use crate::record::{Better, ComparisonRecord, Record, VariantRecord};
use crate::rule::{Metric, Unit};
use crate::stats::interval::{Interval, OF_A_RATIO, median, unpaired_ratio};

/// What records may differ in without being asked about: none of it is measured.
const NO_MATTER: [&str; 6] = ["name", "about", "seed", "assert", "tags", "regression"];
/// What is shown beside the metric that decides.
const SHOWN: [&str; 7] =
    ["capacity.rate", "throughput", "latency.p50", "latency.p99", "errors.rate", "server.cpu.mean", "server.rss.max"];

/// Something in which two records differ, apart from what they measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordDifference {
    /// `load.concurrency`, `environment.cpu`, `runner.version`.
    pub key: String,
    /// As the records have it; `None` where one has no such thing.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Whether a figure changed, beyond a tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The interval of the ratio lies within the tolerance as a whole.
    Within,
    /// It lies outside as a whole, on the better side.
    Better,
    /// On the worse side.
    Worse,
    /// Neither.
    CannotBeTold,
}

/// A metric of one variant in two records, in its base unit.
#[derive(Debug, Clone, Serialize)]
pub struct MetricChange {
    pub metric: String,
    #[serde(skip)]
    pub unit: Option<Unit>,
    pub before: f64,
    pub after: f64,
    /// After, as a multiple of before, at 99 %; `None` where one of them is zero.
    pub ratio: Option<Interval>,
    /// Of the metric that decides.
    pub change: Option<Change>,
}

/// A variant in two records.
#[derive(Debug, Clone, Serialize)]
pub struct VariantChange {
    pub variant: String,
    pub trials: (usize, usize),
    pub metrics: Vec<MetricChange>,
    /// Leaks before and after, where both were checked.
    pub leaks: Option<(u64, u64)>,
}

impl VariantChange {
    /// What it comes to; a leak that was not there before is worse, whatever else.
    pub fn change(&self) -> Change {
        if self.leaks.is_some_and(|(before, after)| before == 0 && after > 0) {
            return Change::Worse;
        }
        self.metrics.iter().find_map(|metric| metric.change).unwrap_or(Change::CannotBeTold)
    }
}

/// In what two records differ, apart from what they measured, in the order of the keys.
pub fn differences(before: &Record, after: &Record) -> Vec<RecordDifference> {
    differing(&facts(before), &facts(after))
}

/// In what the scenarios of two records differ, apart from the seed, in the order of the keys.
pub fn scenario_differences(before: &Record, after: &Record) -> Vec<RecordDifference> {
    differing(&scenario_facts(before, &["seed"]), &scenario_facts(after, &["seed"]))
}

fn differing(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Vec<RecordDifference> {
    let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differ = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
    let of = |key: &String| RecordDifference {
        key: key.clone(),
        before: one.get(key).cloned(),
        after: other.get(key).cloned(),
    };
    differ.map(of).collect()
}

/// Everything that the figures of a variant may depend on but the machine and the program, a line each: what the scenario says
/// and what the matrix set of it.
pub fn configuration(record: &Record, variant: &VariantRecord) -> String {
    let of_scenario = facts(record).into_iter();
    let kept =
        of_scenario.filter(|(key, _)| !["environment.", "runner.", "matrix."].iter().any(|of| key.starts_with(of)));
    let settings = variant.settings.iter().map(|(key, value)| (format!("matrix.{key}"), value.to_string()));
    kept.chain(settings).map(|(key, value)| format!("{key}={value}\n")).collect()
}

/// Everything that a figure may depend on, by key path.
fn facts(record: &Record) -> BTreeMap<String, String> {
    let mut facts = scenario_facts(record, &NO_MATTER);
    let of = &record.environment;
    facts.insert("environment.cpu".to_owned(), of.cpu.clone());
    facts.insert("environment.cpus".to_owned(), of.cpus.to_string());
    facts.insert("environment.kernel".to_owned(), of.kernel.clone());
    facts.insert("environment.memory_bytes".to_owned(), of.memory_bytes.to_string());
    facts.insert("environment.os".to_owned(), of.os.clone());
    facts.insert("runner.version".to_owned(), record.runner.version.clone());
    facts
}

/// Everything that the scenario of a record says, by key path, but for some keys.
fn scenario_facts(record: &Record, without: &[&str]) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    if let Ok(scenario) = toml::from_str::<toml::Table>(&record.scenario.effective) {
        for (key, value) in scenario.iter().filter(|(key, _)| !without.contains(&key.as_str())) {
            flatten(key, value, &mut facts);
        }
    }
    facts
}

fn flatten(path: &str, value: &toml::Value, into: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) if path == "matrix" => {
            // Its keys are key paths themselves.
            table.iter().for_each(|(key, value)| {
                into.insert(format!("matrix.{key}"), value.to_string());
            });
        }
        toml::Value::Table(table) => {
            table.iter().for_each(|(key, value)| flatten(&format!("{path}.{key}"), value, into))
        }
        value => {
            into.insert(path.to_owned(), value.to_string());
        }
    }
}

/// Each variant that both records have, by name. `tolerance` is a share: 0.05 for 5 %. `metric` decides; if it is not given, what
/// the load is about.
pub fn changes(before: &Record, after: &Record, metric: Option<Metric>, tolerance: f64) -> Vec<VariantChange> {
    let of = |one: &VariantRecord| {
        let other = after.variants.iter().find(|other| other.name == one.name)?;
        let deciding = metric.or_else(|| Objective::of(std::slice::from_ref(one)).map(|objective| objective.metric));
        let shown = SHOWN.iter().filter_map(|name| Metric::parse(name)).filter(|metric| Some(*metric) != deciding);
        let metrics = deciding.into_iter().chain(shown);
        let metrics = metrics.filter_map(|metric| {
            let tolerance = (Some(metric) == deciding).then_some(tolerance);
            change(metric, one, other, tolerance)
        });
        let leaks = dirty_totals(one).zip(dirty_totals(other)).map(|(one, other)| (one.leaks, other.leaks));
        Some(VariantChange {
            variant: one.name.clone(),
            trials: (one.trials.len(), other.trials.len()),
            metrics: metrics.collect(),
            leaks,
        })
    };
    before.variants.iter().filter_map(of).collect()
}

/// Under which conditions of a run the server `candidate` is worse than `base`, by more than a share, in words; empty where there
/// are no such servers.
pub fn candidate_is_worse(comparison: &ComparisonRecord, tolerance: f64) -> Vec<String> {
    let index = |name: &str| comparison.alternatives.iter().position(|alternative| alternative == name);
    let (Some(base), Some(candidate)) = (index("base"), index("candidate")) else { return Vec::new() };
    let worse = comparison.conditions.iter().filter(|condition| condition.best == Some(base)).filter_map(|condition| {
        let versus = condition.versus.iter().find(|versus| versus.alternative == candidate)?;
        let by = versus.ratio.value;
        let at = if condition.name.is_empty() { String::new() } else { format!(" at {}", condition.name) };
        (versus.outcome.differs() && by > 1.0 + tolerance)
            .then(|| format!("base is {by:.2} times as good as candidate by {}{at}", comparison.metric))
    });
    worse.collect()
}

fn change(
    metric: Metric,
    before: &VariantRecord,
    after: &VariantRecord,
    tolerance: Option<f64>,
) -> Option<MetricChange> {
    let values = |variant: &VariantRecord| {
        variant.trials.iter().filter_map(|trial| value_of(metric, trial)).collect::<Vec<f64>>()
    };
    let (ones, others) = (values(before), values(after));
    let ratio = unpaired_ratio(&others, &ones, OF_A_RATIO);
    let higher_is_better = better(metric) == Better::Higher;
    let judged = tolerance
        .map(|tolerance| ratio.map_or(Change::CannotBeTold, |ratio| judge(ratio, tolerance, higher_is_better)));
    Some(MetricChange {
        metric: metric.name(),
        unit: Some(metric.unit()),
        before: median(&ones)?,
        after: median(&others)?,
        ratio,
        change: judged,
    })
}

/// Of what is a rate, or a count of what went well, more is better; of times, errors and costs less is.
pub fn better(metric: Metric) -> Better {
    match metric {
        Metric::CapacityRate
        | Metric::Throughput
        | Metric::Completed
        | Metric::Started
        | Metric::ChecksPassed
        | Metric::CheckRate => Better::Higher,
        _ => Better::Lower,
    }
}

fn judge(ratio: Interval, tolerance: f64, higher_is_better: bool) -> Change {
    let Some((low, high)) = ratio.ends() else { return Change::CannotBeTold };
    let (least, most) = (1.0 / (1.0 + tolerance), 1.0 + tolerance);
    if least <= low && high <= most {
        Change::Within
    } else if high < least || most < low {
        if (low > most) == higher_is_better { Change::Better } else { Change::Worse }
    } else {
        Change::CannotBeTold
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Environment, FORMAT, LoadRecord, Runner, ScenarioRecord, Status, Trial};

    fn record(effective: &str, throughputs: &[f64]) -> Record {
        let trial = |throughput: &f64| {
            let load =
                LoadRecord { model: "closed".to_owned(), throughput: *throughput, started: 9, ..LoadRecord::default() };
            Trial { load: Some(load), ..Trial::default() }
        };
        let variant = VariantRecord {
            name: "a".to_owned(),
            settings: Default::default(),
            server: String::new(),
            planned_trials: 1,
            trials: throughputs.iter().map(trial).collect(),
            verdicts: Vec::new(),
            ..VariantRecord::default()
        };
        Record {
            format: FORMAT,
            runner: Runner { version: "0.1.0".to_owned() },
            started: String::new(),
            seed: 1,
            status: Status::Passed,
            scenario: ScenarioRecord {
                name: "a".to_owned(),
                about: None,
                file: String::new(),
                overrides: Vec::new(),
                effective: effective.to_owned(),
                allowed_hosts: Vec::new(),
                secrets: Vec::new(),
                withheld: Default::default(),
            },
            environment: Environment::default(),
            total_s: 1.0,
            scaling: Vec::new(),
            variants: vec![variant],
            comparison: None,
            resumed: None,
            rounds: None,
            merged: Vec::new(),
        }
    }

    #[test]
    fn what_is_measured_with_otherwise_is_told_and_what_does_not_matter_is_not() {
        let one = record("name = \"a\"\n[load]\nconcurrency = 8\n[matrix]\n\"server.mode\" = [\"sync\"]", &[]);
        let other = record("name = \"b\"\nseed = 3\n[load]\nconcurrency = 9\npath = \"/\"\n[assert]\nthat = []", &[]);
        let told: Vec<_> = differences(&one, &other).into_iter().map(|of| (of.key, of.before, of.after)).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                ("load.concurrency".to_owned(), text("8"), text("9")),
                ("load.path".to_owned(), None, text("\"/\"")),
                ("matrix.server.mode".to_owned(), text("[\"sync\"]"), None)
            ]
        );
        assert!(differences(&one, &one).is_empty());
    }

    #[test]
    fn a_change_is_proven_refuted_or_neither() {
        let of = |before: &[f64], after: &[f64], tolerance| {
            changes(&record("", before), &record("", after), None, tolerance)[0].change()
        };
        assert_eq!(of(&[100.0, 101.0, 99.0], &[80.0, 81.0, 80.0], 0.05), Change::Worse);
        assert_eq!(of(&[80.0, 81.0, 80.0], &[100.0, 101.0, 99.0], 0.05), Change::Better);
        assert_eq!(of(&[100.0, 101.0, 100.0], &[100.5, 100.0, 101.0], 0.05), Change::Within);
        assert_eq!(of(&[100.0, 120.0, 80.0], &[80.0, 100.0, 120.0], 0.05), Change::CannotBeTold);
        assert_eq!(of(&[100.0], &[10.0], 0.05), Change::CannotBeTold, "one trial each");
    }
}
