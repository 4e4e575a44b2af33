//! A line of the history: what one variant of a scenario came to in one night.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::conditions::Conditions;
use crate::record::Status;
use crate::scenario::RegressionPolicy;

/// What a variant came to in one night. Keys may be added; what a reader does not know it passes over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When the call began that this run was part of: UTC, RFC 3339. The same for all runs of a night.
    pub night: String,
    pub scenario: String,
    /// Empty where the scenario could not run at all.
    pub variant: String,
    /// When the run began: UTC, RFC 3339.
    pub started: String,
    pub status: Status,
    /// How long the run took, all its variants together, in seconds.
    pub took_s: f64,
    /// Medians over the trials, by metric, in its base unit (seconds, per second, a fraction, bytes).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// The metric by which this variant is better or worse than itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline: Option<String>,
    /// What a dirty check found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<DirtyEntry>,
    /// What failed, or could not be told, in words; the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// The report's folder, from the folder of reports; `None` where there is no report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    pub conditions: Conditions,
    /// What a regression does to the night.
    #[serde(default)]
    pub regression: RegressionPolicy,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// What a dirty check found in one night.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DirtyEntry {
    pub leaks: u64,
    pub exposures: u64,
    /// At most this share of exposures leaks, at 95 %.
    pub bound: f64,
}

impl HistoryEntry {
    /// What it is one of: no two lines of a history have the same.
    pub fn identity(&self) -> (&str, &str, &str, &str) {
        (&self.night, &self.scenario, &self.variant, &self.started)
    }
}
