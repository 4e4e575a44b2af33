//! `[inspect]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::Located;

/// An inspection: how many requests the server really works on at once. It sends the request of `[load]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in [inspect]")]
#[schemars(rename = "Inspect")]
pub struct RawInspect {
    /// The most requests at once that are tried. 512 if not given.
    #[schemars(range(min = 8, max = 10_000))]
    pub max_concurrency: Option<Located<i64>>,
}
