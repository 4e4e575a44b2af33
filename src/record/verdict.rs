//! What was judged, how it came out, and what was seen.

use serde::{Deserialize, Serialize};

use crate::measured_value::{Comparison, MeasuredValue};
use crate::scenario::Expect;

/// How a verdict, a variant or a run came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Passed,
    Failed,
    /// The evidence does not suffice either way.
    Inconclusive,
    /// The server did not start or died, or the machine refused.
    CouldNotRun,
    /// Ended by the user; what was measured until then is here.
    Interrupted,
    /// The user ended the run before this variant had its turn.
    NotStarted,
}

impl Status {
    /// How bad it is; the worst of several stands for them all.
    pub fn severity(self) -> u8 {
        match self {
            Status::Passed => 0,
            Status::Inconclusive => 1,
            Status::Failed => 2,
            Status::CouldNotRun => 3,
            Status::NotStarted => 4,
            Status::Interrupted => 5,
        }
    }

    /// The worst of several; `None` of none.
    pub fn worst(all: impl IntoIterator<Item = Status>) -> Option<Status> {
        all.into_iter().max_by_key(|status| status.severity())
    }
}

/// What became of one rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verdict {
    pub kind: VerdictKind,
    /// As the scenario wrote it, or `dirty.expect = "clean"`.
    pub rule: String,
    pub status: Status,
    /// In words.
    pub expected: String,
    /// In words.
    pub observed: String,
    /// The number that was observed, in the base unit of its metric (seconds, per second, a fraction, a count, bytes); null
    /// where it is no number, or without samples.
    #[serde(default)]
    pub value: Option<MeasuredValue>,
    pub evidence: Option<String>,
}

/// What was judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum VerdictKind {
    /// A rule of `assert`.
    Rule(RuleLimit),
    /// What the dirty check is expected to show. The value is the number of leaks.
    DirtyCheck { expect: Expect },
    /// A rule of `abort_when` that held, so that the load was ended.
    AbortWhen {
        limit: RuleLimit,
        /// When it was ended, in seconds from the start of the load.
        after_s: f64,
    },
    /// A verdict of the scenario's own script.
    Script,
    /// That the load had a success at all.
    Success,
}

/// A metric and its limit, in the metric's base unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleLimit {
    pub metric: String,
    pub comparison: Comparison,
    pub value: f64,
    /// How long it must hold without a break, in seconds, for a rule that watches a load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<f64>,
}

impl Verdict {
    /// The rule as a table shows it; one of `abort_when` says so.
    pub fn title(&self) -> String {
        match self.kind {
            VerdictKind::AbortWhen { .. } => format!("abort_when {}", self.rule),
            _ => self.rule.clone(),
        }
    }
}
