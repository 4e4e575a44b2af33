//! Where in a request something stands.

use std::fmt;

/// A part of a request, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A parameter of the query; the whole query where it has no name.
    Query(Option<String>),
    Header(String),
    Cookie(String),
    /// The path of the field, as in `user.emails.0`; empty for the whole.
    Json(String),
    Form(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Query(Some(name)) => write!(f, "the query's `{name}`"),
            Place::Query(None) => f.write_str("the query"),
            Place::Header(name) => write!(f, "the header `{name}`"),
            Place::Cookie(name) => write!(f, "the cookie `{name}`"),
            Place::Json(path) if path.is_empty() => f.write_str("the JSON"),
            Place::Json(path) => write!(f, "the JSON's `{path}`"),
            Place::Form(name) => write!(f, "the form's `{name}`"),
        }
    }
}
