//! `[load]` and `[dirty]` as written. What makes up a request stands in both: a flattened struct would cost the carets.

use schemars::JsonSchema;
use serde::Deserialize;

use super::leaf::{At, Entries, Node, PerSecond, Share, TextOr, Timespan};

/// A load: `concurrency` users who wait for their answers, `rate` arrivals who do not, or `stages` of either.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in [load]")]
pub struct Load {
    /// Path and query of each request; may hold placeholders, as in `/search?q={random(1,100)}`.
    #[schemars(example = "/async_sleep/?sleep={sleep}")]
    pub path: Option<At<String>>,
    /// The method. GET if not given, POST where there is a body.
    pub method: Option<At<String>>,
    /// Headers; the values may hold placeholders.
    pub headers: Option<Entries<String>>,
    /// Cookies, sent as one header; the values may hold placeholders.
    pub cookies: Option<Entries<String>>,
    /// A body, sent as JSON; the strings in it may hold placeholders.
    pub json: Option<At<Node>>,
    /// A body, sent as a form; the values may hold placeholders.
    pub form: Option<Entries<Node>>,
    /// A body, sent as it stands except for placeholders.
    pub body: Option<At<String>>,
    /// Fills `{sleep}`.
    pub sleep: Option<At<Timespan>>,
    /// Closed model: this many users, each of whom waits for an answer before asking again.
    #[schemars(range(min = 1, max = 100_000))]
    pub concurrency: Option<At<i64>>,
    /// Open model: this many requests start a second, in total, whether or not earlier ones were answered.
    pub rate: Option<At<PerSecond>>,
    /// How arrivals of the open model are spaced. `uniform` if not given.
    pub spacing: Option<At<Spacing>>,
    /// The most connections of the open model.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_concurrency: Option<At<i64>>,
    /// Steps and ramps of a rate or of a concurrency, one after another.
    pub stages: Option<At<Vec<Stage>>>,
    /// How long the measured part lasts. 10s if not given.
    pub duration: Option<At<Timespan>>,
    /// Load before the measured part, left out of every figure. None if not given.
    pub warmup: Option<At<Timespan>>,
    /// A request without a whole answer for this long has failed. 10s if not given.
    pub timeout: Option<At<Timespan>>,
    /// How long unanswered requests may still finish after `duration`. 1s if not given.
    pub drain: Option<At<Timespan>>,
    /// Threads that drive the load. Chosen by runner if not given.
    #[schemars(range(min = 1, max = 256))]
    pub threads: Option<At<i64>>,
    /// A file of hooks written in rhai: what each user sends, and what counts as a right answer.
    pub script: Option<At<String>>,
    /// A CSV file, or a file with a JSON object a line: a row a user; its columns fill `{data.column}`.
    pub data: Option<At<String>>,
}

/// How arrivals are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// Evenly.
    Uniform,
    /// By chance, independent of each other, as people come.
    Poisson,
}

/// A part of a load.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in { rate = \"50/s\", for = \"10s\" }")]
pub struct Stage {
    /// Arrivals a second at the end of the stage.
    pub rate: Option<At<PerSecond>>,
    /// Users at the end of the stage.
    #[schemars(range(min = 1, max = 100_000))]
    pub concurrency: Option<At<i64>>,
    /// How long the stage lasts.
    #[serde(rename = "for")]
    pub lasting: Option<At<Timespan>>,
    /// Whether to go there gradually from where the stage before ended. At once if not given.
    pub ramp: Option<At<bool>>,
}

/// A check for leaks: requests that each carry a value of their own, `{canary}`, and must never see another's.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in [dirty]")]
pub struct Dirty {
    /// Path and query of each request; may hold placeholders, as in `/page/?email={canary}`.
    #[schemars(example = "/dirty/?sleep={sleep}&email={canary}")]
    pub path: Option<At<String>>,
    /// The method. GET if not given, POST where there is a body.
    pub method: Option<At<String>>,
    /// Headers; the values may hold placeholders.
    pub headers: Option<Entries<String>>,
    /// Cookies, sent as one header; the values may hold placeholders.
    pub cookies: Option<Entries<String>>,
    /// A body, sent as JSON; the strings in it may hold placeholders.
    pub json: Option<At<Node>>,
    /// A body, sent as a form; the values may hold placeholders.
    pub form: Option<Entries<Node>>,
    /// A body, sent as it stands except for placeholders.
    pub body: Option<At<String>>,
    /// Fills `{sleep}`: one duration, or a long one for the request that waits and a short one for those around it.
    pub sleep: Option<At<DirtySleep>>,
    /// What the check is expected to show. `clean` if not given.
    pub expect: Option<At<Expect>>,
    /// How many chances to leak are enough: 3000 without a leak bound its rate by 0.1 % at 95 % confidence.
    #[schemars(range(min = 1))]
    pub exposures: Option<At<i64>>,
    /// Goes on until at most this share of exposures can leak, at 95 % confidence.
    pub bound: Option<At<Share>>,
    /// How long the check may take. 10s if not given.
    pub time: Option<At<Timespan>>,
    /// Whether to go on after a leak is proven. It ends there if not given.
    pub exhaustive: Option<At<bool>>,
    /// A request without a whole answer for this long has failed. The long sleep and 5s, at least 10s, if not given.
    pub timeout: Option<At<Timespan>>,
}

/// What a dirty check is expected to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// No leak; one fails the run.
    Clean,
    /// A leak; none fails the run. For scenarios that demonstrate one.
    Dirty,
    /// Nothing by itself; the rules judge.
    Report,
}

/// The sleep of a dirty check.
#[derive(Debug, Clone)]
pub struct DirtySleep {
    pub long: Option<At<Timespan>>,
    pub short: Option<At<Timespan>>,
}

/// A [`DirtySleep`] where it is written as a table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in { long = \"700ms\", short = \"30ms\" }")]
#[schemars(
    rename = "LongAndShort",
    description = "A long sleep for the request that waits, a short one for the others."
)]
struct DirtySleepTable {
    /// The sleep of the request that waits.
    long: Option<At<Timespan>>,
    /// The sleep of the requests around it.
    short: Option<At<Timespan>>,
}

impl<'de> Deserialize<'de> for DirtySleep {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let item = toml::Spanned::<TextOr<DirtySleepTable, Timespan>>::deserialize(deserializer)?;
        let span = item.span();
        Ok(match item.into_inner() {
            TextOr::Text(value) => {
                let both = Some(At { span, value });
                DirtySleep { long: both.clone(), short: both }
            }
            TextOr::Table(table) => DirtySleep { long: table.long, short: table.short },
        })
    }
}

impl JsonSchema for DirtySleep {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DirtySleep".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (one, two) = (generator.subschema_for::<Timespan>(), generator.subschema_for::<DirtySleepTable>());
        schemars::json_schema!({
            "description": "One duration, or a long one for the request that waits and a short one for those around it.",
            "anyOf": [one, two]
        })
    }
}
