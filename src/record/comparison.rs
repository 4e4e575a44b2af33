//! Variants side by side: what each came to over its trials, which is better where, and where that changes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rule::Unit;
use crate::stats::interval::Interval;

/// What the variants of a run come to, side by side.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ComparisonRecord {
    /// Figures over the trials of each variant, in the order of the variants.
    pub figures: Vec<Vec<FigureRecord>>,
    /// What there is to decide between, as their settings name them: `threaded`, `gunicorn workers=4`.
    pub alternatives: Vec<String>,
    /// The metric by which one is better than another; empty where nothing can be compared.
    pub metric: String,
    pub better: Better,
    /// The key that varies from condition to condition, where it is one number: `load.sleep`.
    pub key: Option<KeyRecord>,
    /// Like with like: each holds all alternatives under the same load. Along `key` where there is one.
    pub conditions: Vec<ConditionRecord>,
    /// Where which alternative is best, along `key`; one for each condition where there is none.
    pub bands: Vec<BandRecord>,
    /// Where, between two conditions, the better of two alternatives changes.
    #[serde(default)]
    pub crossovers: Vec<CrossoverRecord>,
    pub risks: Vec<RiskRecord>,
    /// How the machine itself changed meanwhile.
    #[serde(default)]
    pub drift: Option<DriftRecord>,
}

impl ComparisonRecord {
    /// What an alternative came to under a condition, by the comparison's metric.
    pub fn figure(&self, condition: &ConditionRecord, alternative: usize) -> Option<&FigureRecord> {
        let figures = self.figures.get((*condition.variants.get(alternative)?)?)?;
        figures.iter().find(|figure| figure.metric == self.metric)
    }
}

/// A metric over the trials of a variant, in its base unit: the median, and the interval at 95 %.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FigureRecord {
    pub metric: String,
    pub trials: u32,
    pub interval: Interval,
}

/// Which of two values of a metric is the better one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    #[default]
    Higher,
    Lower,
}

/// A key of the scenario whose values are numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// `load.sleep`.
    pub path: String,
    pub unit: Unit,
}

/// What all alternatives were compared under.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConditionRecord {
    /// `sleep=100ms`; empty where nothing but the alternative varies.
    pub name: String,
    pub settings: Vec<(String, Value)>,
    /// Of the comparison's key, in its base unit.
    pub value: Option<f64>,
    /// The variant of each alternative, by index; `None` where nothing was measured of it.
    pub variants: Vec<Option<usize>>,
    /// The best alternative, by index; `None` where nothing was measured.
    pub best: Option<usize>,
    /// The best beside each other alternative that was measured.
    pub versus: Vec<VersusRecord>,
}

/// The best alternative of a condition beside another one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VersusRecord {
    /// By index.
    pub alternative: usize,
    /// How many times as good the best is, at 99 %, over trials in pairs.
    pub ratio: Interval,
    pub outcome: VersusOutcome,
    /// The same in each pair of trials, those of the search for a crossover behind the others.
    pub pairs: Vec<f64>,
    /// The ratio is of the rates of undisturbed stretches, as whole trials did not tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undisturbed: bool,
}

/// Whether two alternatives differ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum VersusOutcome {
    /// The interval of their ratio leaves 1 out.
    Differ,
    /// One trial each, and so far apart that it is said nevertheless.
    DifferInOneTrial,
    /// The interval holds 1: they may differ by at most this share.
    NoDifference { at_most: f64 },
    /// One trial each, not far apart.
    NotTold,
}

impl VersusOutcome {
    /// Whether one is said to be better.
    pub fn differs(self) -> bool {
        matches!(self, VersusOutcome::Differ | VersusOutcome::DifferInOneTrial)
    }
}

/// Conditions, one after another, under which the same alternative is best.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BandRecord {
    /// The first and the last condition of it, by index.
    pub first: usize,
    pub last: usize,
    /// The recommended alternative, by index, and those of which no difference to it was seen under any of its conditions.
    pub alternatives: Vec<usize>,
}

/// Where the better of two alternatives changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CrossoverRecord {
    /// The alternatives, by index: which is better below, and which above.
    pub below: usize,
    pub above: usize,
    /// The conditions between which it lies, by index.
    pub between: (usize, usize),
    /// The value of the key, in its base unit, at which they are equal, with the interval at 95 %; `None` where it was not found.
    pub at: Option<Interval>,
    /// What was measured to find it, in the order of the values.
    pub points: Vec<CrossoverPoint>,
}

/// Two alternatives at one value of the key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossoverPoint {
    /// In the base unit of the key.
    pub value: f64,
    /// How many times as good the one that is better above was, a pair of trials each.
    pub ratios: Vec<f64>,
}

/// A reason to think twice about an alternative.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RiskRecord {
    /// By index.
    pub alternative: usize,
    #[serde(flatten)]
    pub kind: RiskKind,
}

/// What speaks against an alternative. The condition is that under which it shows most, by index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "risk", rename_all = "snake_case")]
pub enum RiskKind {
    /// One request's data was in another's response.
    Leaks { leaks: u64, exposures: u64, classes: Vec<String> },
    /// No leak was seen: at most this share of exposures leaks, at 95 %.
    LeaksBound { exposures: u64, bound: f64 },
    /// The 99th percentile is this many times the median.
    Tail { condition: usize, times: f64, p99_s: f64 },
    /// Resident memory at its peak, with this many requests in flight.
    Memory { condition: usize, bytes: f64, in_flight: f64 },
    /// So many requests failed or were answered 400 or above.
    Errors { condition: usize, share: f64 },
    /// So many got no response before the load ended.
    Unanswered { condition: usize, share: f64 },
}

/// How the machine did the same work at the start, in the middle and at the end of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DriftRecord {
    /// Round trips a second between two threads on loopback, in the order of the looks.
    pub looks: Vec<DriftLook>,
}

/// One look at how fast the machine is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DriftLook {
    /// Seconds since the start of the run.
    pub t_s: f64,
    pub per_second: f64,
}
