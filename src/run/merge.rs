//! One record from several of one scenario: of rounds that ran on several machines, or of whole runs.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{judged, plan};
use crate::analysis::records::{self, RecordDifference};
use crate::analysis::{comparison, scalability};
use crate::record::{Caveat, FORMAT, MergedRecord, Record, Trial, redacted};
use crate::scenario::Scenario;
use crate::units::counted;

/// Why records cannot be merged. The text fits after "error: ".
#[derive(Debug, thiserror::Error)]
#[error("these records cannot be merged: {why}")]
pub struct NotMergeable {
    /// The record that does not fit, by its index among those that were given.
    pub record: usize,
    /// The one that it does not fit to, if it is about two.
    pub beside: Option<usize>,
    pub why: MergeRefusal,
}

/// What is wrong with a record that is to be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeRefusal {
    #[error("there is none")]
    NoRecord,
    #[error("one is of the scenario `{one}`, the other of `{other}`")]
    OtherScenario { one: String, other: String },
    #[error("{}", differs(.0))]
    OtherConfiguration(RecordDifference),
    #[error("one was written by runner {one}, the other by runner {other}")]
    OtherVersion { one: String, other: String },
    #[error("one is of format {one}, the other of format {other}")]
    OtherFormat { one: u32, other: u32 },
    /// Its verdicts would be judged by other rules.
    #[error("they were written by runner {version}, and this is runner {}", env!("CARGO_PKG_VERSION"))]
    OtherVersionThanThis { version: String },
    /// The rounds or the variants are not those of the scenario.
    #[error("it holds {has}, and the scenario has {expected}")]
    OtherTrials { has: String, expected: String },
    #[error("it was merged itself, from {}", counted(*.0 as u64, "record"))]
    Merged(usize),
    #[error("the run of {started} with the seed {seed} is given twice")]
    GivenTwice { started: String, seed: u64 },
    /// Its search was measured beside the trials of one run.
    #[error("the scenario searches for a crossover, and each has one of its own")]
    Crossover,
    /// All is judged, and nothing can be shown of it.
    #[error("secrets cannot be taken out of the merged record: {0}")]
    NotRedacted(serde_json::Error),
}

impl NotMergeable {
    /// What to do about it. The text fits after "help: ".
    pub fn advice(&self) -> String {
        match &self.why {
            MergeRefusal::NoRecord => "name a record, as in reports/dirty/latest".to_owned(),
            MergeRefusal::OtherScenario { .. } => "merge the records of one scenario".to_owned(),
            MergeRefusal::OtherConfiguration(of) => {
                let key = &of.key;
                format!("run all with the same scenario: the same file and the same `--set {key}=…`")
            }
            MergeRefusal::OtherVersion { .. } | MergeRefusal::OtherFormat { .. } => {
                "use one version of runner on all machines".to_owned()
            }
            MergeRefusal::OtherVersionThanThis { version } => format!("merge them with runner {version}"),
            MergeRefusal::OtherTrials { .. } => "run the scenario again as it is now, on all machines".to_owned(),
            MergeRefusal::Merged(_) => "merge the records that it was made of, and the others with them".to_owned(),
            MergeRefusal::GivenTwice { .. } => {
                "name each record once; a folder stands for the records in it".to_owned()
            }
            MergeRefusal::Crossover => "keep the record of one of the runs".to_owned(),
            MergeRefusal::NotRedacted(_) => "merge without variables that go by names of secrets".to_owned(),
        }
    }
}

fn differs(of: &RecordDifference) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
    format!("`{}` is {} in one, and {} in the other", of.key, value(&of.before), value(&of.after))
}

/// Merges the records of a scenario into one, and judges it anew: trials stand in the order of their rounds, then of the runs.
///
/// What the records lack of the scenario's rounds counts as trials that were left out, as if a run had been interrupted. One record
/// that holds all rounds stays as it is.
pub fn merge(scenario: &Scenario, records: Vec<Record>) -> Result<Record, NotMergeable> {
    check(scenario, &records)?;
    let mut records = records;
    if records.len() == 1 && records[0].rounds.is_none() {
        return Ok(records.remove(0));
    }
    records.sort_by_key(|record| place(scenario, record));
    let missing = missing(scenario, &records);
    let merged: Vec<MergedRecord> = records.iter().map(part).collect();
    let held: u32 = records.iter().map(|record| rounds(scenario, record).len() as u32).sum();
    let mut record = common(&records);
    let shown: Vec<_> =
        records[0].variants.iter().map(|of| (of.name.clone(), of.settings.clone(), of.server.clone())).collect();
    let trials = joined(scenario, records);
    record.variants = judged::variants(scenario, held + missing.len() as u32, trials);
    let caveats: Vec<Caveat> =
        [several_machines(&merged), missing_rounds(&missing, scenario.repeats)].into_iter().flatten().collect();
    for (variant, (name, settings, server)) in record.variants.iter_mut().zip(shown) {
        // As the records show them: the scenario may have been restored without its secrets.
        (variant.name, variant.settings, variant.server) = (name, settings, server);
        variant.caveats.extend(caveats.iter().cloned());
    }
    record.status = Record::status_of(&record.variants);
    record.scaling = scalability::scaling(&record.variants);
    record.comparison = comparison::compare(&record.variants);
    record.merged = merged;
    let failed = |error| NotMergeable { record: 0, beside: None, why: MergeRefusal::NotRedacted(error) };
    redacted(record, &scenario.secrets).map_err(failed)
}

/// Refuses what is not of one scenario, one configuration and one version.
fn check(scenario: &Scenario, records: &[Record]) -> Result<(), NotMergeable> {
    let refused = |record: usize, why: MergeRefusal| NotMergeable { record, beside: None, why };
    let first = records.first().ok_or_else(|| refused(0, MergeRefusal::NoRecord))?;
    for (index, record) in records.iter().enumerate() {
        if record.scenario.name != scenario.name {
            let (one, other) = (scenario.name.clone(), record.scenario.name.clone());
            return Err(refused(index, MergeRefusal::OtherScenario { one, other }));
        }
        let beside = |why| NotMergeable { record: index, beside: Some(0), why };
        if record.format != first.format {
            return Err(beside(MergeRefusal::OtherFormat { one: first.format, other: record.format }));
        }
        if record.runner.version != first.runner.version {
            let (one, other) = (first.runner.version.clone(), record.runner.version.clone());
            return Err(beside(MergeRefusal::OtherVersion { one, other }));
        }
        if let Some(difference) = records::scenario_differences(first, record).into_iter().next() {
            return Err(beside(MergeRefusal::OtherConfiguration(difference)));
        }
        if let Some(other) = trials_unlike(scenario, record) {
            return Err(refused(index, other));
        }
        if let Some(other) = records[..index].iter().position(|other| is_same(other, record)) {
            let (started, seed) = (record.started.clone(), record.seed);
            return Err(NotMergeable { beside: Some(other), ..beside(MergeRefusal::GivenTwice { started, seed }) });
        }
    }
    if records.len() < 2 && first.rounds.is_none() {
        return Ok(());
    }
    for (index, record) in records.iter().enumerate() {
        if !record.merged.is_empty() {
            return Err(refused(index, MergeRefusal::Merged(record.merged.len())));
        }
    }
    if scenario.crossover.is_some() {
        return Err(refused(0, MergeRefusal::Crossover));
    }
    if (first.format, first.runner.version.as_str()) != (FORMAT, env!("CARGO_PKG_VERSION")) {
        return Err(refused(0, MergeRefusal::OtherVersionThanThis { version: first.runner.version.clone() }));
    }
    Ok(())
}

/// What a record holds that is not of the scenario.
fn trials_unlike(scenario: &Scenario, record: &Record) -> Option<MergeRefusal> {
    let (has, expected) = (record.variants.len() as u64, scenario.variants.len() as u64);
    let of = |has: u64, expected: u64, what: &str| MergeRefusal::OtherTrials {
        has: counted(has, what),
        expected: expected.to_string(),
    };
    if has != expected {
        return Some(of(has, expected, "variant"));
    }
    let rounds = record.rounds.as_ref()?;
    let (pieces, end) = (plan::rounds(scenario), rounds.range().end);
    if rounds.of != pieces {
        return Some(MergeRefusal::OtherTrials {
            has: format!("some of {}", counted(rounds.of.into(), "round")),
            expected: pieces.to_string(),
        });
    }
    (end > pieces).then(|| of(end.into(), pieces.into(), "round"))
}

/// Whether two are one record. Two machines may begin in one second, and no two runs take the same time.
fn is_same(one: &Record, other: &Record) -> bool {
    let identity = |of: &Record| (of.seed, of.rounds, of.total_s.to_bits());
    one.started == other.started && identity(one) == identity(other)
}

/// The rounds that a record was to hold, from 0.
fn rounds(scenario: &Scenario, record: &Record) -> Range<u32> {
    record.rounds.as_ref().map_or(0..scenario.repeats, |rounds| rounds.range())
}

/// Where a record stands among the others.
fn place(scenario: &Scenario, record: &Record) -> (u32, String, u64) {
    (rounds(scenario, record).start, record.started.clone(), record.seed)
}

/// The rounds that none of the records was to hold.
fn missing(scenario: &Scenario, records: &[Record]) -> Vec<u32> {
    let held: BTreeSet<u32> = records.iter().flat_map(|record| rounds(scenario, record)).collect();
    (0..scenario.repeats).filter(|round| !held.contains(round)).collect()
}

fn part(record: &Record) -> MergedRecord {
    MergedRecord {
        started: record.started.clone(),
        seed: record.seed,
        rounds: record.rounds,
        environment: record.environment.clone(),
        trials: record.variants.iter().map(|variant| variant.trials.len() as u32).sum(),
        drift: record.comparison.as_ref().and_then(|comparison| comparison.drift.clone()),
    }
}

/// What a merged record has of the records, apart from their trials: in most of the first's.
fn common(records: &[Record]) -> Record {
    let mut scenario = records[0].scenario.clone();
    for other in records[1..].iter().map(|record| &record.scenario) {
        add_new(&mut scenario.allowed_hosts, &other.allowed_hosts);
        add_new(&mut scenario.secrets, &other.secrets);
        scenario.withheld.extend(other.withheld.clone());
    }
    let first = &records[0];
    Record {
        format: FORMAT,
        runner: first.runner.clone(),
        started: records.iter().map(|record| record.started.clone()).min().unwrap_or_default(),
        seed: first.seed,
        status: first.status,
        scenario,
        environment: first.environment.clone(),
        total_s: records.iter().map(|record| record.total_s).sum(),
        variants: Vec::new(),
        scaling: Vec::new(),
        comparison: None,
        resumed: None,
        rounds: None,
        merged: Vec::new(),
    }
}

fn add_new(to: &mut Vec<String>, more: &[String]) {
    for one in more {
        if !to.contains(one) {
            to.push(one.clone());
        }
    }
}

/// The trials of all records, by variant. Those of one round stand at one place, as they are pairs: so what a record lacks at its
/// end is a trial that was cut off.
fn joined(scenario: &Scenario, records: Vec<Record>) -> Vec<Vec<Trial>> {
    let mut trials: Vec<Vec<Trial>> = vec![Vec::new(); scenario.variants.len()];
    for record in records {
        let longest = record.variants.iter().map(|variant| variant.trials.len()).max().unwrap_or(0);
        for (all, variant) in trials.iter_mut().zip(record.variants) {
            let lacking = longest - variant.trials.len();
            all.extend(variant.trials);
            all.extend((0..lacking).map(|_| Trial { interrupted: true, ..Trial::default() }));
        }
    }
    trials
}

/// Says that machines differed.
fn several_machines(merged: &[MergedRecord]) -> Option<Caveat> {
    let mut kinds: Vec<String> = Vec::new();
    for kind in merged.iter().map(|part| part.environment.kind()) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let message = "the trials ran on machines of several kinds, so that figures differ by more than chance";
    let advice = "use machines of one kind; trials of one round, which are compared in pairs, ran on one machine";
    let caveat = Caveat::new(format!("{message}: {}", kinds.join("; ")), advice);
    (kinds.len() > 1).then(|| Caveat { kind: "several_machines".to_owned(), ..caveat })
}

/// Says that records are lacking.
fn missing_rounds(missing: &[u32], of: u32) -> Option<Caveat> {
    let list = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let caveat = Caveat::new(
        format!("{} of {of} rounds are in no record: {list} (the first is 0)", missing.len()),
        "merge again with the records of these rounds, or run them",
    );
    (!missing.is_empty()).then(|| Caveat { kind: "missing_rounds".to_owned(), ..caveat })
}

#[cfg(test)]
mod tests;
