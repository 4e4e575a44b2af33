//! `[dirty]` as written. What makes up a request stands in `[load]` too: a flattened struct would cost the carets.

use schemars::JsonSchema;
use serde::Deserialize;

use super::load::Http;
use super::login::{Follow, RawLogin};
use super::sweep::{Methods, RawSweepRequest};
use super::values::{Entries, Located, Node, PerSecond, Share, TextOr, Timespan};
use crate::canary::CanaryShape;
use crate::trigger::Trigger;

/// A check for leaks: requests that each carry a value of their own, `{canary}`, and must never see another's.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in [dirty]")]
#[schemars(rename = "Dirty")]
pub struct RawDirty {
    /// Path and query of each request; may hold placeholders, as in `/page/?email={canary}`.
    #[schemars(example = "/dirty/?sleep={sleep}&email={canary}")]
    pub path: Option<Located<String>>,
    /// Parameters added to the path's query, percent-encoded; the values may hold placeholders.
    pub query: Option<Entries<Node>>,
    /// Other pages, path and query, for the same who ask: a value of a request for `path` may turn up in a response of theirs.
    #[schemars(example = ["/profile/", "/search/?q={canary}"])]
    pub also: Option<Vec<Located<String>>>,
    /// Several requests, each of which may leak into any other: a sweep. In place of the one that `path` and its like make
    /// up; `headers` and `cookies` of `[dirty]` go with all of them.
    pub request: Option<Located<Vec<Located<RawSweepRequest>>>>,
    /// A document that lists the requests of a sweep: OpenAPI, HAR, a Postman collection, lines of curl or an access log.
    /// A file, or a path on the server itself, which begins with `/`.
    #[schemars(example = "/openapi.json")]
    pub from: Option<Located<String>>,
    /// What the paths of `from` begin with on this server, in place of what the document says. Found out if not given, where
    /// the server gives the document.
    #[schemars(example = "/api")]
    pub base: Option<Located<String>>,
    /// Which requests of `from` are sent. `read` if not given.
    pub methods: Option<Located<Methods>>,
    /// Requests of `from` that are not sent: by method and path, or all whose path begins so.
    #[schemars(example = ["POST /emails", "/admin/"])]
    pub leave_out: Option<Vec<Located<String>>>,
    /// The most requests a second of a sweep. No limit if not given.
    pub rate: Option<Located<PerSecond>>,
    /// A shell command that brings the server's data back to where it was, run after a sweep. None if not given.
    #[schemars(example = &"make db.reset")]
    pub reset: Option<Located<String>>,
    /// Data that a sweep stores for everybody to see: by which request it comes, and which one shows it.
    #[schemars(example = ["POST /guestbook -> GET /guestbook"])]
    pub shared: Option<Vec<Located<String>>>,
    /// Values of parameters and fields for the requests of `from`, by their names: `tenant`, or `"GET /orders/{id}: id"`.
    pub values: Option<Entries<Node>>,
    /// What each identity sends once to become known to the server, before its login. None if not given.
    pub signup: Option<Located<RawLogin>>,
    /// How many requests of a sweep are under way at once, at most. Chosen by runner if not given.
    #[schemars(range(min = 2, max = 1024))]
    pub concurrency: Option<Located<i64>>,
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
    /// Who asks: at least two, with the same fields each, which fill `{identity.field}`.
    #[schemars(length(min = 2))]
    pub identities: Option<Located<Vec<Located<Entries<Node>>>>>,
    /// A field of the identities: those with the same value in it may see each other's data.
    pub group: Option<Located<String>>,
    /// What each identity sends once, before its requests. None if not given.
    pub login: Option<Located<RawLogin>>,
    /// Whether to follow redirects on the same host: `true`, or how many. They are not followed if not given.
    pub follow: Option<Located<Follow>>,
    /// What `{canary}` looks like. `word` if not given.
    pub shape: Option<Located<CanaryShape>>,
    /// Regular expressions for text that responses may share: what one of them matches accuses nobody.
    pub public: Option<Vec<Located<String>>>,
    /// The only ways of provoking leaks to try. All of them if not given.
    pub triggers: Option<Located<Vec<Located<Trigger>>>>,
    /// Ways of provoking leaks not to try. None if not given.
    pub skip: Option<Located<Vec<Located<Trigger>>>>,
    /// Fills `{sleep}`: one duration, or a long one for the request that waits and a short one for those around it.
    pub sleep: Option<Located<RawDirtySleep>>,
    /// What the check is expected to show. `clean` if not given.
    pub expect: Option<Located<Expect>>,
    /// How many chances to leak are enough: 3000 without a leak bound its rate by 0.1 % at 95 % confidence.
    #[schemars(range(min = 1))]
    pub exposures: Option<Located<i64>>,
    /// Goes on until at most this share of exposures can leak, at 95 % confidence.
    pub bound: Option<Located<Share>>,
    /// How long the check may take, without the starts of the server. 30s if not given, 2m for a sweep.
    pub time: Option<Located<Timespan>>,
    /// How long all starts of the server may take: where they are slow, parts of the check share one. 60s if not given.
    pub start_time: Option<Located<Timespan>>,
    /// Whether to go on after a leak is proven. It ends there if not given.
    pub exhaustive: Option<Located<bool>>,
    /// Whether a leak is looked for in the server's code as well: which line wrote the value, and which read it. For servers
    /// that runner starts in Python or Node, and its own, if not given.
    pub locate: Option<Located<bool>>,
    /// A request without a whole response for this long has failed. The long sleep and 5s, at least 10s, if not given.
    pub timeout: Option<Located<Timespan>>,
    /// The version of HTTP. 1.1 if not given.
    pub http: Option<Located<Http>>,
    /// For how long a response is read that need not end, as an event stream. 500ms for event streams, others to their end,
    /// if not given.
    pub stream: Option<Located<Timespan>>,
}

/// What a dirty check is expected to show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// No leak; one fails the run.
    #[default]
    Clean,
    /// A leak; none fails the run. For scenarios that demonstrate one.
    Dirty,
    /// Nothing by itself; the rules judge.
    Report,
}

/// The sleep of a dirty check.
#[derive(Debug, Clone)]
pub struct RawDirtySleep {
    pub long: Option<Located<Timespan>>,
    pub short: Option<Located<Timespan>>,
}

/// A [`RawDirtySleep`] where it is written as a table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in { long = \"700ms\", short = \"30ms\" }")]
#[schemars(
    rename = "LongAndShort",
    description = "A long sleep for the request that waits, a short one for the others."
)]
struct DirtySleepTable {
    /// The sleep of the request that waits.
    long: Option<Located<Timespan>>,
    /// The sleep of the requests around it.
    short: Option<Located<Timespan>>,
}

impl<'de> Deserialize<'de> for RawDirtySleep {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let item = toml::Spanned::<TextOr<DirtySleepTable, Timespan>>::deserialize(deserializer)?;
        let span = item.span();
        Ok(match item.into_inner() {
            TextOr::Text(value) => {
                let both = Some(Located { span, value });
                RawDirtySleep { long: both.clone(), short: both }
            }
            TextOr::Table(table) => RawDirtySleep { long: table.long, short: table.short },
        })
    }
}

impl JsonSchema for RawDirtySleep {
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
