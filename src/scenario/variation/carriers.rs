//! Where in a request stands what identifies it.

use std::fmt;

use super::super::Request;
use super::super::request::{Body, Json};
use super::identifies;

/// A part of a request, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Path,
    /// A parameter of the query; the whole query where it has no name.
    Query(Option<String>),
    Header(String),
    Cookie(String),
    /// The path of the field, as in `user.emails.0`; empty for the whole.
    Json(String),
    Form(String),
    /// A raw body.
    Body,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Path => f.write_str("the path"),
            Place::Query(Some(name)) => write!(f, "the query's `{name}`"),
            Place::Query(None) => f.write_str("the query"),
            Place::Header(name) => write!(f, "the header `{name}`"),
            Place::Cookie(name) => write!(f, "the cookie `{name}`"),
            Place::Json(path) if path.is_empty() => f.write_str("the JSON"),
            Place::Json(path) => write!(f, "the JSON's `{path}`"),
            Place::Form(name) => write!(f, "the form's `{name}`"),
            Place::Body => f.write_str("the body"),
        }
    }
}

/// The places where the identity goes, in the order in which they are sent; none where a login's cookies alone carry it.
pub fn carriers(request: &Request) -> Vec<Place> {
    let mut places = Vec::new();
    if identifies(&request.path) {
        places.push(Place::Path);
    }
    let query = request.query.iter().filter(|parameter| identifies(&parameter.value));
    places.extend(query.map(|parameter| Place::Query(parameter.name.clone())));
    let headers = request.headers.iter().filter(|(_, value)| identifies(value));
    places.extend(headers.map(|(name, _)| Place::Header(name.clone())));
    let cookies = request.cookies.iter().filter(|(_, value)| identifies(value));
    places.extend(cookies.map(|(name, _)| Place::Cookie(name.clone())));
    match &request.body {
        Some(Body::Text(text)) if identifies(text) => places.push(Place::Body),
        Some(Body::Json(json)) => {
            let leaves = json.leaves().into_iter();
            let carrying = leaves.filter(|(_, leaf)| matches!(leaf, Json::Text(text) if identifies(text)));
            places.extend(carrying.map(|(steps, _)| Place::Json(json.path(&steps))));
        }
        Some(Body::Form(fields)) => {
            let fields = fields.iter().filter(|(_, value)| identifies(value));
            places.extend(fields.map(|(name, _)| Place::Form(name.clone())));
        }
        Some(Body::Text(_)) | None => {}
    }
    places
}
