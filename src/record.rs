//! The versioned facts of a run. Every report is a pure function of a [`Record`].
//!
//! The keys are a contract that other programs rely on; `FORMAT` counts up when one changes its meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::measured_value::MeasuredValue;

mod capacity;
mod comparison;
mod ceiling;
mod dirty;
mod inspection;
mod load;
mod location;
mod quantiles;
mod redacted;
mod rounds;
mod server;
mod sweep;
pub mod upgrade;
mod verdict;

pub use capacity::{
    BrokenBy, CapacityPoint, CapacityRecord, LimitingResource, ProbeRecord, SaturationRecord, ScalingRecord,
};
pub use ceiling::{CeilingReason, CeilingRecord};
pub use comparison::{
    BandRecord, Better, ComparisonRecord, ConditionRecord, CrossoverPoint, CrossoverRecord, DriftLook, DriftRecord,
    FigureRecord, KeyRecord, RiskKind, RiskRecord, VersusOutcome, VersusRecord,
};
pub use dirty::{
    ControlRecord, DirtyRecord, DirtySample, LeakClass, LeakOracle, LeakRecord, PositiveControlRecord, RateLimit,
    RequestRecord, ShrunkRecord, StartsRecord, TlsRecord, TriggerRecord, Unread, Witness,
};
pub use inspection::{
    ArrivalsRecord, BurstRecord, BusyRecord, ConcurrencyStep, CpuRecord, InspectionRecord, Parallelism, ResponseBatch,
    Signature,
};
pub use load::{
    CheckSample, Checks, Generator, GeneratorRecord, Histograms, LoadRecord, LostGenerator, OpenLoadRecord, PartRecord,
    PooledRecord, Second, Silence, SlowRequestRecord, StageRecord,
};
pub use location::{Confidence, LocationRecord, NotLocated, PlaceRecord, SharedKind, ShownRecord, SourceRecord};
pub use quantiles::Quantiles;
pub use redacted::redacted;
pub use rounds::{MergedRecord, RoundsRecord};
pub use server::{Happening, ServerEvent, ServerPart, ServerRecord, ServerSample, Unmeasured};
pub use sweep::{FindingRecord, OmittedRecord, PlainPlace, StoredRecord, SweepRecord, SweptOperation, SweptPair};
pub use verdict::{RuleLimit, Status, Verdict, VerdictKind};

/// The version of the keys below.
pub const FORMAT: u32 = 2;

/// A run as `record.json` has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub format: u32,
    pub runner: Runner,
    /// UTC, RFC 3339.
    pub started: String,
    pub seed: u64,
    pub status: Status,
    pub scenario: ScenarioRecord,
    pub environment: Environment,
    /// From the start of the program to the record, in seconds.
    pub total_s: f64,
    pub variants: Vec<VariantRecord>,
    /// What workers bring, where variants differ in their number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scaling: Vec<ScalingRecord>,
    /// The variants side by side; `None` where there is one trial, and in a record of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<ComparisonRecord>,
    /// The run that was cut off, and that this one took up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<ResumedRecord>,
    /// The rounds that it holds; `None` where it holds all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<RoundsRecord>,
    /// The records that it was merged from, in the order of their rounds; empty where one run made it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<MergedRecord>,
}

/// A run that was cut off before all its trials were done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumedRecord {
    /// How many of its trials are in this record.
    pub trials: u32,
    /// When it began: UTC, RFC 3339.
    pub started: String,
}

/// What stands for the file, and is the name, of a sweep of an address.
pub const SWEPT: &str = "sweep";

/// The program that made a record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Runner {
    pub version: String,
}

/// What stands for the file, and is the name, of a load that was typed.
pub const AD_HOC: &str = "load";

/// What stands for the file, and is the name, of an inspection of an address.
pub const INSPECTED: &str = "inspect";

/// The scenario of a run, as it was written and as it was meant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScenarioRecord {
    pub name: String,
    pub about: Option<String>,
    /// As named on the command line.
    pub file: String,
    /// What `--set` gave, as typed.
    pub overrides: Vec<String>,
    /// The effective scenario, as TOML, without secrets.
    pub effective: String,
    /// The hosts that `--allow-host` named.
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
    /// The environment variables for whose values `${NAME}` stands in this record, and the names of what is `withheld`.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Names that stand for what the scenario itself holds, each with the key where it does: set in the environment, they
    /// fill it in again.
    #[serde(default)]
    pub withheld: BTreeMap<String, String>,
}

/// The machine of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub os: String,
    pub kernel: String,
    pub cpu: String,
    pub cpus: usize,
    pub memory_bytes: u64,
}

/// One combination of the matrix: its trials, and what was judged of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct VariantRecord {
    pub name: String,
    /// What the matrix set.
    pub settings: BTreeMap<String, Value>,
    /// What serves, in words: `built-in sync, 1 worker`.
    pub server: String,
    /// How many trials it was to have: the user may have ended the run before, and a merged record may lack rounds.
    pub planned_trials: u32,
    pub trials: Vec<Trial>,
    /// The loads of all trials together, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooled: Option<PooledRecord>,
    pub verdicts: Vec<Verdict>,
    pub caveats: Vec<Caveat>,
}

impl Record {
    /// How a run of these variants came out: as the worst of them. One that was not started makes it an interrupted run.
    pub fn status_of(variants: &[VariantRecord]) -> Status {
        match Status::worst(variants.iter().map(VariantRecord::status)) {
            Some(Status::NotStarted) => Status::Interrupted,
            Some(status) => status,
            None => Status::Inconclusive,
        }
    }

    /// The leaks that tell something new, in the order of their numbers (from 1): of each class of a variant one, with the
    /// variant's and the trial's index.
    pub fn distinct_leaks(&self) -> Vec<(usize, usize, &LeakRecord)> {
        let all = self.variants.iter().enumerate();
        all.flat_map(|(index, variant)| {
            variant.distinct_leaks().into_iter().map(move |(trial, leak)| (index, trial, leak))
        })
        .collect()
    }
}

impl VariantRecord {
    /// How it came out: the worst of its verdicts and of what became of its trials.
    pub fn status(&self) -> Status {
        if self.trials.is_empty() {
            return Status::NotStarted;
        }
        let of_trials = self.trials.iter().map(Trial::status);
        let of_verdicts = self.verdicts.iter().map(|verdict| verdict.status);
        // The user's Ctrl-C leaves a trial out, and may fall between two; a merged record lacks the rounds that nobody brought.
        let left_out = (self.trials.len() < self.planned_trials as usize).then_some(Status::Interrupted);
        Status::worst(of_trials.chain(of_verdicts).chain(left_out)).unwrap_or(Status::Passed)
    }

    /// Of each class the leak that is known best, with its trial's index: one that was shrunk before others.
    pub fn distinct_leaks(&self) -> Vec<(usize, &LeakRecord)> {
        best_known(self.trials.iter().enumerate().flat_map(|(index, trial)| {
            trial.dirty.iter().flat_map(|dirty| &dirty.evidence).map(move |leak| (index, leak))
        }))
    }
}

/// Of each class the leak that is known best, with what stands beside it: one that was shrunk before others. In a sweep, of each
/// pair of operations too.
pub fn best_known<'a, T>(leaks: impl IntoIterator<Item = (T, &'a LeakRecord)>) -> Vec<(T, &'a LeakRecord)> {
    let operations = |leak: &LeakRecord| {
        let source = leak.source.as_ref().and_then(|source| source.operation.clone());
        (source, leak.victim.operation.clone())
    };
    let is_same =
        |one: &LeakRecord, other: &LeakRecord| one.class == other.class && operations(one) == operations(other);
    let mut distinct: Vec<(T, &LeakRecord)> = Vec::new();
    for (tag, leak) in leaks {
        match distinct.iter_mut().find(|(_, held)| is_same(held, leak)) {
            None => distinct.push((tag, leak)),
            Some(held) if held.1.shrunk.is_none() && leak.shrunk.is_some() => *held = (tag, leak),
            Some(_) => {}
        }
    }
    distinct
}

/// One execution of a variant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Trial {
    pub load: Option<LoadRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityRecord>,
    pub dirty: Option<DirtyRecord>,
    /// How many requests the server works on at once, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inspection: Option<InspectionRecord>,
    /// The most that the server could have carried, where its model is known, or was found by an inspection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<CeilingRecord>,
    /// Every server that was started for it, in order.
    #[serde(default)]
    pub servers: Vec<ServerRecord>,
    /// Why the trial could not run, or not to its end.
    pub failure: Option<TrialFailure>,
    /// Cut short by the user.
    pub interrupted: bool,
    /// The `abort_when` rule that ended the load.
    pub aborted: Option<Aborted>,
}

impl Trial {
    /// How it came out, apart from what is judged.
    pub fn status(&self) -> Status {
        match self {
            trial if trial.interrupted => Status::Interrupted,
            trial if trial.failure.is_some() => Status::CouldNotRun,
            trial if trial.found_nothing() || trial.lost_a_generator() => Status::Inconclusive,
            _ => Status::Passed,
        }
    }
}

impl Trial {
    /// The load ended before its time, as one of those who drove it was lost.
    pub fn lost_a_generator(&self) -> bool {
        let generators = self.load.iter().flat_map(|load| &load.generators);
        generators.filter_map(|generator| generator.lost.as_ref()).any(|lost| lost.ended_load)
    }

    /// Nothing was asked but how many requests the server works on at once, and that is not known.
    fn found_nothing(&self) -> bool {
        let alone = self.load.is_none() && self.capacity.is_none() && self.dirty.is_none();
        alone && self.inspection.as_ref().is_some_and(|inspection| inspection.signature.is_none())
    }
}

/// A rule of `abort_when` that held for as long as it says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Aborted {
    /// As the scenario wrote it.
    pub rule: String,
    pub limit: RuleLimit,
    /// Seconds from the start of the load.
    pub after_s: f64,
    /// What the metric had come to, in its base unit; null in a record of an earlier version.
    #[serde(default)]
    pub value: Option<MeasuredValue>,
    /// The same in words.
    pub observed: String,
}

/// Why a trial could not be run, or not to its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrialFailure {
    /// A sentence without a full stop: `worker 4711 was killed by signal 9 while 12 requests were in flight`.
    pub message: String,
    pub advice: String,
    /// The last lines of the log.
    pub log_tail: Vec<String>,
    #[serde(default)]
    pub log_of: LogOf,
}

/// Whose log tells why a trial failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogOf {
    #[default]
    Server,
    /// The script of the load.
    Script,
}

/// A reason to trust a number less, with advice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Caveat {
    /// What it is about, in one word: `late_sends`. Empty in a record of an earlier version.
    #[serde(default)]
    pub kind: String,
    pub message: String,
    pub advice: String,
}

impl Caveat {
    /// A caveat that is still to be told its kind.
    pub fn new(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Caveat { kind: String::new(), message: message.into(), advice: advice.into() }
    }
}
