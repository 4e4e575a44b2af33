//! `[dirty.login]` and `[load.login]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{Entries, Located, Node, TextOr};

/// What each identity, or each user of a load, sends once, before its requests: one request, or several as `step`. The
/// cookies of the responses are its own from then on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in [dirty.login]")]
#[schemars(rename = "Login")]
pub struct RawLogin {
    /// Path and query; may hold placeholders.
    #[schemars(example = "/login/")]
    pub path: Option<Located<String>>,
    /// The method. GET if not given, POST where there is a body.
    pub method: Option<Located<String>>,
    /// Headers; the values may hold placeholders.
    pub headers: Option<Entries<String>>,
    /// Cookies, sent as one header; the values may hold placeholders.
    pub cookies: Option<Entries<String>>,
    /// A body, sent as JSON; the strings in it may hold placeholders.
    pub json: Option<Located<Node>>,
    /// A body, sent as a form; the values may hold placeholders.
    pub form: Option<Entries<Node>>,
    /// A body, sent as it stands except for placeholders.
    pub body: Option<Located<String>>,
    /// The field of the response's JSON that fills `{token}`: `"access_token"`, or with dots, `"data.token"`.
    pub token: Option<Located<String>>,
    /// Names, and where in the response their values stand; each fills `{capture.NAME}` in what is sent later.
    pub capture: Option<Entries<RawCapture>>,
    /// Whether to follow redirects on the same host: `true`, or how many. They are not followed if not given.
    pub follow: Option<Located<Follow>>,
    /// Several requests, one after the other, in place of the one that `path` and its like make up.
    pub step: Option<Located<Vec<Located<RawLoginStep>>>>,
    /// Of `[dirty]`: whether a log-in is kept when the server is started anew. It is with a `url` if not given.
    pub once: Option<Located<bool>>,
}

/// One of several requests of a login.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in [[dirty.login.step]]")]
#[schemars(rename = "LoginStep")]
pub struct RawLoginStep {
    /// Path and query; may hold placeholders.
    #[schemars(example = "/login/")]
    pub path: Option<Located<String>>,
    /// The method. GET if not given, POST where there is a body.
    pub method: Option<Located<String>>,
    /// Headers; the values may hold placeholders.
    pub headers: Option<Entries<String>>,
    /// Cookies, sent as one header; the values may hold placeholders.
    pub cookies: Option<Entries<String>>,
    /// A body, sent as JSON; the strings in it may hold placeholders.
    pub json: Option<Located<Node>>,
    /// A body, sent as a form; the values may hold placeholders.
    pub form: Option<Entries<Node>>,
    /// A body, sent as it stands except for placeholders.
    pub body: Option<Located<String>>,
    /// The field of the response's JSON that fills `{token}`: `"access_token"`, or with dots, `"data.token"`.
    pub token: Option<Located<String>>,
    /// Names, and where in the response their values stand; each fills `{capture.NAME}` in what is sent later.
    pub capture: Option<Entries<RawCapture>>,
    /// Whether to follow redirects on the same host: `true`, or how many. They are not followed if not given.
    pub follow: Option<Located<Follow>>,
}

/// Where in a response a value stands: exactly one of these.
#[derive(Debug, Default)]
pub struct RawCapture {
    pub field: Option<Located<String>>,
    pub meta: Option<Located<String>>,
    pub json: Option<Located<String>>,
    pub header: Option<Located<String>>,
    pub cookie: Option<Located<String>>,
}

/// A [`RawCapture`] where it is written as a table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in { field = \"csrf_token\" }")]
#[schemars(rename = "Capture", description = "Where in a response a value stands: exactly one of these.")]
struct CaptureTable {
    /// A form's field in the HTML, by its name.
    #[schemars(example = &"csrf_token")]
    field: Option<Located<String>>,
    /// The `content` of a `<meta>` in the HTML, by its name.
    #[schemars(example = "csrf-token")]
    meta: Option<Located<String>>,
    /// A text or number in the JSON: its name, or with dots and indices, `"data.0.token"`.
    #[schemars(example = "data.token")]
    json: Option<Located<String>>,
    /// A header, by its name.
    #[schemars(example = &"location")]
    header: Option<Located<String>>,
    /// A cookie, by its name.
    #[schemars(example = &"csrftoken")]
    cookie: Option<Located<String>>,
}

impl<'de> Deserialize<'de> for RawCapture {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let item = toml::Spanned::<TextOr<CaptureTable>>::deserialize(deserializer)?;
        let span = item.span();
        Ok(match item.into_inner() {
            TextOr::Text(value) => RawCapture { json: Some(Located { span, value }), ..RawCapture::default() },
            TextOr::Table(CaptureTable { field, meta, json, header, cookie }) => {
                RawCapture { field, meta, json, header, cookie }
            }
        })
    }
}

impl JsonSchema for RawCapture {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CaptureFrom".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let table = generator.subschema_for::<CaptureTable>();
        schemars::json_schema!({
            "description": "Where in a response a value stands: a name in its JSON, or a table for other places.",
            "anyOf": [{ "type": "string", "examples": ["id", "data.token"] }, table]
        })
    }
}

/// Whether redirects are followed, or how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    All(bool),
    Some(i64),
}

impl<'de> Deserialize<'de> for Follow {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Follow;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false or a number of redirects")
            }

            fn visit_bool<E>(self, all: bool) -> Result<Follow, E> {
                Ok(Follow::All(all))
            }

            fn visit_i64<E>(self, most: i64) -> Result<Follow, E> {
                Ok(Follow::Some(most))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Follow {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Follow".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Whether redirects are followed, or how many.",
            "anyOf": [{ "type": "boolean" }, { "type": "integer", "minimum": 0, "maximum": super::MOST_HOPS }]
        })
    }
}
