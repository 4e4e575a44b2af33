//! Which rounds of a scenario a record holds, and of which records one was merged.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{DriftRecord, Environment};

/// The rounds of a record that does not hold all: in a round each variant has one trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundsRecord {
    /// The first of them; that of the whole run is 0.
    pub first: u32,
    /// How many there are.
    pub count: u32,
    /// How many the whole run has.
    pub of: u32,
}

impl RoundsRecord {
    /// Their numbers, from 0.
    pub fn range(&self) -> Range<u32> {
        self.first..self.first.saturating_add(self.count)
    }
}

impl Environment {
    /// What kind of machine it is, in words: `2 x EPYC 7B13, 8 GB, Linux 6.1.0`. Machines of one kind differ by some memory.
    pub fn kind(&self) -> String {
        let gigabytes = (self.memory_bytes as f64 / 1e9).round();
        format!("{} x {}, {gigabytes} GB, {} {}", self.cpus, self.cpu, self.os, self.kernel)
    }
}

/// One of the records that a record was merged from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MergedRecord {
    /// UTC, RFC 3339.
    pub started: String,
    pub seed: u64,
    /// Its rounds; absent where it held all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<RoundsRecord>,
    /// Its machine.
    pub environment: Environment,
    /// How many trials it brought, of all variants together.
    pub trials: u32,
    /// How its machine changed meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftRecord>,
}
