//! The requests of a sweep, `[[dirty.request]]`, as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::login::RawCapture;
use super::values::{Entries, Located, Node};

/// One of the requests of a sweep.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in [[dirty.request]]")]
#[schemars(rename = "SweepRequest")]
pub struct RawSweepRequest {
    /// What it is called. Method and path if not given.
    pub name: Option<Located<String>>,
    /// Path and query; may hold placeholders, also `{capture.NAME}`.
    #[schemars(example = "/items/{capture.item}")]
    pub path: Option<Located<String>>,
    /// Parameters added to the path's query, percent-encoded; the values may hold placeholders.
    pub query: Option<Entries<Node>>,
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
    /// Names, and where in the response their values stand: each fills `{capture.NAME}` in what the same identity sends.
    pub capture: Option<Entries<RawCapture>>,
    /// Whether it is sent only at the end, for each thing that a request before it has created. Not if not given.
    pub cleanup: Option<Located<bool>>,
}

/// Which requests of a document are sent, by what their methods do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Methods {
    /// GET, HEAD and OPTIONS.
    #[default]
    Read,
    /// Also POST, PUT and PATCH; what they create is removed in the end, where the document says how.
    Write,
    /// Also DELETE, of what the sweep itself has created.
    Delete,
}
