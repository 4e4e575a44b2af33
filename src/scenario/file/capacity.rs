//! `[capacity]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{Located, PerSecond, Share, Timespan};

/// A search for the highest arrival rate at which rules hold. It sends what `[load]` sends, in the open model.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in [capacity]")]
#[schemars(rename = "Capacity")]
pub struct RawCapacity {
    /// What must hold at a rate, each on a metric of the load: `"latency.p99 < 250ms"`.
    #[schemars(extend("examples" = [["latency.p99 < 250ms", "errors.rate < 0.1%"]]))]
    pub rules: Option<Located<Vec<Located<String>>>>,
    /// How long the search may take. 40s if not given.
    pub time: Option<Located<Timespan>>,
    /// How far the lowest rate that breaks the rules may lie above the highest that keeps them. 3% if not given.
    pub precision: Option<Located<Share>>,
    /// No higher rate is tried.
    pub max_rate: Option<Located<PerSecond>>,
}
