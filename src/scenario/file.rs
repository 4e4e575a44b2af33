//! The file as written: what keys there are, of which types. The JSON Schema is made from these types, and their
//! comments are its descriptions. Nothing is required here: what is missing is found when the scenario is made of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod capacity;
mod dirty;
mod inspect;
pub mod values;
mod load;
mod login;
mod server;
mod sweep;

pub use capacity::RawCapacity;
pub use dirty::{Expect, RawDirty};
pub use inspect::RawInspect;
pub use load::{Http, RawLoad, RawRequest, RawStage, Spacing};
pub use login::{Follow, RawCapture, RawLogin, RawLoginStep};
pub use server::{OnDisconnect, RawListen, RawReady, RawServer, RawStop, RawTls, Signal};
pub use sweep::{Methods, RawSweepRequest};

use values::{Entries, Located, Node, Timespan};

/// The most redirects that are followed one after another.
pub const MOST_HOPS: u32 = 10;

/// A scenario of runner: a server, a load to drive, a check for leaks between requests, and rules to judge by.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a scenario")]
#[schemars(title = "runner scenario")]
pub struct RawScenario {
    /// The scenario's name: a folder's name under `reports/`. The file's stem if not given.
    pub name: Option<Located<String>>,
    /// What the scenario is for, in a sentence.
    pub about: Option<Located<String>>,
    /// Files that this one builds upon, from its folder: what they say holds unless a later one of them, or this file, says
    /// otherwise. Tables are joined key by key; lists are replaced.
    pub include: Option<Vec<Located<String>>>,
    /// Words by which `--tag` picks scenarios.
    pub tags: Option<Vec<Located<String>>>,
    /// What becomes of a night in which a figure got worse for good: `"fail"`, `"warn"` (if not given) or `"off"`.
    pub regression: Option<Located<RegressionPolicy>>,
    /// Fixes everything that is drawn by chance, so that a run can be repeated. Below 2^53.
    #[schemars(extend("maximum" = crate::scenario::LARGEST_SEED))]
    pub seed: Option<Located<u64>>,
    /// The system under test: exactly one of `mode`, `command` and `url`.
    pub server: Option<Located<RawServer>>,
    /// Alternatives, of which `[matrix] server = [...]` runs each.
    pub servers: Option<Entries<RawServer>>,
    /// The load to drive.
    pub load: Option<Located<RawLoad>>,
    /// A search for the highest arrival rate at which rules hold.
    pub capacity: Option<Located<RawCapacity>>,
    /// The check for values of one request in the response to another.
    pub dirty: Option<Located<RawDirty>>,
    /// Finds out how many requests the server works on at once, with the request of `[load]`.
    pub inspect: Option<Located<RawInspect>>,
    /// Runs every combination of these values.
    pub matrix: Option<RawMatrix>,
    /// A search for the value of a key at which the better alternative changes.
    pub crossover: Option<Located<RawCrossover>>,
    /// The rules that the run is judged by.
    pub assert: Option<Located<RawAssert>>,
}

/// What a figure that got worse for good does to a night.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Regression")]
pub enum RegressionPolicy {
    /// It fails.
    Fail,
    /// The page of the morning says so.
    #[default]
    Warn,
    /// Nothing is looked for.
    Off,
}

/// A search between the values that the matrix gives a key: where does another alternative become the better one?
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in [crossover]")]
#[schemars(rename = "Crossover")]
pub struct RawCrossover {
    /// The key, whose values in the matrix are numbers: `"load.sleep"`. If not given, the only such key of `[load]` there.
    pub key: Option<Located<String>>,
    /// How long the search may take, after the trials of the matrix. 30s if not given.
    pub time: Option<Located<Timespan>>,
    /// How long each of its trials measures. 800ms if not given; longer where what is varied is a longer wait.
    pub duration: Option<Located<Timespan>>,
}

/// Key paths (`"server.mode"`) and the values that each takes in turn: `"load.sleep" = ["1ms", "10ms"]`.
///
/// Its values are put into the file's tree before this type is read, so nothing of it is kept here.
#[derive(Debug, Default)]
pub struct RawMatrix;

impl<'de> Deserialize<'de> for RawMatrix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| RawMatrix)
    }
}

impl JsonSchema for RawMatrix {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Matrix".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Key paths and the values that each takes in turn; every combination is a variant.",
            "type": "object",
            "properties": {
                "server": {
                    "description": "Names of `[servers.NAME]` to run.",
                    "type": "array",
                    "items": { "type": "string" },
                    "minItems": 1
                },
                "repeats": {
                    "description": "How many trials each variant gets, interleaved. 1 if not given.",
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 1000
                }
            },
            "additionalProperties": {
                "description": "The values of one key path, as in \"load.sleep\" = [\"1ms\", \"10ms\"].",
                "type": ["array", "object"]
            },
            "examples": [{ "server.mode": ["sync", "async"], "load.sleep": ["1ms", "10ms"], "repeats": 3 }]
        })
    }
}

/// Rules: `METRIC < LIMIT`, the limit in the metric's unit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in [assert]")]
#[schemars(rename = "Assert")]
pub struct RawAssert {
    /// What must hold: `"latency.p99 < 250ms"`, or `{ rule = "...", when = { server = "gunicorn" } }`.
    pub that: Option<Vec<RawRule>>,
    /// Rules on `errors.*` or `throughput` that end the load early: `"errors.rate > 50% for 5s"`.
    pub abort_when: Option<Vec<Located<String>>>,
    /// A script whose `fn verdict(metrics)` adds verdicts. The load's script if not given.
    pub script: Option<Located<String>>,
}

/// A rule, for every variant or only for those in which the matrix took some values.
#[derive(Debug)]
pub struct RawRule {
    pub rule: Option<Located<String>>,
    /// Key paths of the matrix, and the value for which the rule is.
    pub when: Option<Located<Node>>,
}

/// An [`RawRule`] where it is written as a table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a rule, or a table as in { rule = \"...\", when = { ... } }")]
#[schemars(rename = "ConditionalRule", description = "A rule for those variants in which the matrix took some values.")]
struct ExpectationTable {
    /// The rule, as in `"dirty.leaks == 0"`.
    rule: Option<Located<String>>,
    /// Key paths of the matrix, and the value of each for which the rule is.
    #[schemars(with = "Option<std::collections::BTreeMap<String, Node>>")]
    when: Option<Located<Node>>,
}

impl<'de> Deserialize<'de> for RawRule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A rule's place is that of the whole item, which only a span around either form knows.
        let item = toml::Spanned::<values::TextOr<ExpectationTable>>::deserialize(deserializer)?;
        let span = item.span();
        Ok(match item.into_inner() {
            values::TextOr::Text(rule) => RawRule { rule: Some(Located { span, value: rule }), when: None },
            values::TextOr::Table(table) => RawRule { rule: table.rule, when: table.when },
        })
    }
}

impl JsonSchema for RawRule {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rule".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let table = generator.subschema_for::<ExpectationTable>();
        schemars::json_schema!({
            "description": "A rule for every variant, or a table that says for which variants it is.",
            "anyOf": [
                { "type": "string", "examples": ["latency.p99 < 250ms", "throughput > 4500/s", "dirty.leaks == 0"] },
                table
            ]
        })
    }
}
