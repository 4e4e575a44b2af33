//! `[load]` as written. What makes up a request stands in `[dirty]` too: a flattened struct would cost the carets.

use schemars::JsonSchema;
use serde::Deserialize;

use super::login::RawLogin;
use super::values::{Entries, Located, Node, PerSecond, Timespan};

/// A load: `concurrency` users who wait for their responses, `rate` arrivals who do not, or `stages` of either.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in [load]")]
#[schemars(rename = "Load")]
pub struct RawLoad {
    /// Path and query of each request; may hold placeholders, as in `/search?q={random(1,100)}`.
    #[schemars(example = "/async_sleep/?sleep={sleep}")]
    pub path: Option<Located<String>>,
    /// The method. GET if not given, POST where there is a body.
    pub method: Option<Located<String>>,
    /// Headers; the values may hold placeholders.
    pub headers: Option<Entries<String>>,
    /// Whether each request carries a `traceparent` header (W3C Trace Context), by which the server's own traces can be
    /// searched for it. Not if not given.
    pub traceparent: Option<Located<bool>>,
    /// Cookies, sent as one header; the values may hold placeholders.
    pub cookies: Option<Entries<String>>,
    /// A body, sent as JSON; the strings in it may hold placeholders.
    pub json: Option<Located<Node>>,
    /// A body, sent as a form; the values may hold placeholders.
    pub form: Option<Entries<Node>>,
    /// A body, sent as it stands except for placeholders.
    pub body: Option<Located<String>>,
    /// Fills `{sleep}`.
    pub sleep: Option<Located<Timespan>>,
    /// Closed model: this many users, each of whom waits for a response before asking again.
    #[schemars(range(min = 1, max = 100_000))]
    pub concurrency: Option<Located<i64>>,
    /// Open model: this many requests start a second, in total, whether or not earlier ones were answered.
    pub rate: Option<Located<PerSecond>>,
    /// How arrivals of the open model are spaced. `uniform` if not given.
    pub spacing: Option<Located<Spacing>>,
    /// The most connections of the open model.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_concurrency: Option<Located<i64>>,
    /// Steps and ramps of a rate or of a concurrency, one after another.
    pub stages: Option<Located<Vec<Located<RawStage>>>>,
    /// How long the measured part lasts. 10s if not given.
    pub duration: Option<Located<Timespan>>,
    /// In place of `duration`: the measured part ends with this many requests.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub requests: Option<Located<i64>>,
    /// Closed model: how long a user thinks after each response. Not at all if not given.
    pub pause: Option<Located<Timespan>>,
    /// Several requests, drawn by weight, in place of the one that `path` and its like make up.
    pub request: Option<Located<Vec<Located<RawRequest>>>>,
    /// Load before the measured part, left out of every figure. None if not given.
    pub warmup: Option<Located<Timespan>>,
    /// A request without a whole response for this long has failed. 10s if not given.
    pub timeout: Option<Located<Timespan>>,
    /// How long unanswered requests may still finish after `duration`. 1s if not given.
    pub drain: Option<Located<Timespan>>,
    /// The version of HTTP. 1.1 if not given.
    pub http: Option<Located<Http>>,
    /// HTTP/2: how many requests a connection carries at once. 1 if not given.
    #[schemars(range(min = 1, max = 10_000))]
    pub streams: Option<Located<i64>>,
    /// HTTP/1.1 in the closed model: how many requests a user sends at once. 1 if not given.
    #[schemars(range(min = 1, max = 1000))]
    pub pipeline: Option<Located<i64>>,
    /// Addresses of this machine that connections come from in turn, each with ports of its own. The kernel chooses if not
    /// given.
    #[schemars(with = "Option<SourceAddresses>")]
    pub source_addresses: Option<Located<Node>>,
    /// Threads that drive the load. Chosen by runner if not given.
    #[schemars(range(min = 1, max = 256))]
    pub threads: Option<Located<i64>>,
    /// A file of hooks written in rhai: what each user sends, and what counts as a right response.
    pub script: Option<Located<String>>,
    /// A CSV file, or a file with a JSON object a line: a row a user; its columns fill `{data.column}`.
    pub data: Option<Located<String>>,
    /// What each user sends before the load begins, outside of what is measured. None if not given.
    pub login: Option<Located<RawLogin>>,
}

/// One of several requests of a load.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in [[load.request]]")]
#[schemars(rename = "Kind")]
pub struct RawRequest {
    /// What its results are called. Method and path if not given.
    pub name: Option<Located<String>>,
    /// Its share, as against the weights of the others. 1 if not given.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub weight: Option<Located<i64>>,
    /// Path and query; may hold placeholders.
    pub path: Option<Located<String>>,
    /// The method. GET if not given, POST where there is a body.
    pub method: Option<Located<String>>,
    /// Headers; the values may hold placeholders.
    pub headers: Option<Entries<String>>,
    /// Whether each request carries a `traceparent` header (W3C Trace Context), by which the server's own traces can be
    /// searched for it. Not if not given.
    pub traceparent: Option<Located<bool>>,
    /// Cookies, sent as one header; the values may hold placeholders.
    pub cookies: Option<Entries<String>>,
    /// A body, sent as JSON; the strings in it may hold placeholders.
    pub json: Option<Located<Node>>,
    /// A body, sent as a form; the values may hold placeholders.
    pub form: Option<Entries<Node>>,
    /// A body, sent as it stands except for placeholders.
    pub body: Option<Located<String>>,
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

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Http {
    /// A request at a time on a connection, or several in a row.
    #[serde(rename = "1.1")]
    One,
    /// Several at once on a connection. Over TLS it is agreed upon (ALPN); without, the server must know.
    #[serde(rename = "2")]
    Two,
}

/// A part of a load.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in { rate = \"50/s\", for = \"10s\" }")]
#[schemars(rename = "Stage")]
pub struct RawStage {
    /// Arrivals a second at the end of the stage.
    pub rate: Option<Located<PerSecond>>,
    /// Users at the end of the stage.
    #[schemars(range(min = 1, max = 100_000))]
    pub concurrency: Option<Located<i64>>,
    /// How long the stage lasts.
    #[serde(rename = "for")]
    pub lasting: Option<Located<Timespan>>,
    /// Whether to go there gradually from where the stage before ended. At once if not given.
    pub ramp: Option<Located<bool>>,
}

/// The schema of `source_addresses`, which is read as any value so that each of its texts keeps its place.
struct SourceAddresses;

impl JsonSchema for SourceAddresses {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SourceAddresses".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let item = serde_json::json!({ "type": "string" });
        schemars::json_schema!({
            "type": ["string", "array"],
            "items": item,
            "examples": ["127.0.0.2-127.0.0.9", ["127.0.0.2", "127.0.0.3"]]
        })
    }
}
