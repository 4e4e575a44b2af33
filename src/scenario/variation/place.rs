//! Where in a request something stands.

use std::fmt;

/// A part of a request, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestPart {
    /// A parameter of the query; the whole query where it has no name.
    Query(Option<String>),
    Header(String),
    Cookie(String),
    /// The path of the field, as in `user.emails.0`; empty for the whole.
    Json(String),
    Form(String),
}

impl fmt::Display for RequestPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestPart::Query(Some(name)) => write!(f, "the query's `{name}`"),
            RequestPart::Query(None) => f.write_str("the query"),
            RequestPart::Header(name) => write!(f, "the header `{name}`"),
            RequestPart::Cookie(name) => write!(f, "the cookie `{name}`"),
            RequestPart::Json(path) if path.is_empty() => f.write_str("the JSON"),
            RequestPart::Json(path) => write!(f, "the JSON's `{path}`"),
            RequestPart::Form(name) => write!(f, "the form's `{name}`"),
        }
    }
}
