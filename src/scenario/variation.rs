//! A request varied: without the identity, longer, or spoilt. Pure; who sends what when is not known here.

use std::fmt;

use super::request::{BodySpec, Json};
use super::template::Placeholder;
use super::{RequestSpec, Template};

mod malformed;
mod place;

pub use malformed::malformed;

/// The name of what is added to a request: no handler reads it.
pub const EXTRA: &str = "runner_extra";

/// Why a request cannot be varied as asked, as a sentence without its full stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A path without its identity is another path.
    InThePath,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::InThePath => f.write_str("what identifies the request is part of its path, and cannot be left out"),
        }
    }
}

impl std::error::Error for Why {}

/// Whether a text tells one identity from another: it holds `{canary}`, `{identity.field}` or what a login
/// gave.
pub(super) fn identifies(template: &Template) -> bool {
    template.holes().any(is_identity)
}

fn is_identity(hole: &Placeholder) -> bool {
    hole.is_canary() || matches!(hole, Placeholder::Identity(_)) || hole.captured().is_some()
}

/// The request without all that identifies it. A raw body keeps its other text: half a document would not be read at all.
pub fn anonymous(request: &RequestSpec) -> Result<RequestSpec, Why> {
    if identifies(&request.path) {
        return Err(Why::InThePath);
    }
    let mut request = request.clone();
    request.query.retain(|parameter| !identifies(&parameter.value));
    request.headers.retain(|(_, value)| !identifies(value));
    request.cookies.retain(|(_, value)| !identifies(value));
    match &mut request.body {
        Some(BodySpec::Text(text)) => *text = text.with(&|hole| is_identity(hole).then(String::new)),
        Some(BodySpec::Json(json)) => prune(json),
        Some(BodySpec::Form(fields)) => fields.retain(|(_, value)| !identifies(value)),
        None => {}
    }
    Ok(request)
}

/// Leaves out every text that identifies, and keeps what is around it. A value that is nothing else becomes `null`.
fn prune(json: &mut Json) {
    let carries = |json: &Json| matches!(json, Json::Text(text) if identifies(text));
    match json {
        Json::List(items) => {
            items.retain(|item| !carries(item));
            items.iter_mut().for_each(prune);
        }
        Json::Object(fields) => {
            fields.retain(|(_, item)| !carries(item));
            fields.iter_mut().for_each(|(_, item)| prune(item));
        }
        Json::Text(text) if identifies(text) => *json = Json::Plain("null".to_owned()),
        Json::Text(_) | Json::Plain(_) => {}
    }
}

/// The request with this many bytes more in its body: a further field where there are fields, else spaces after it (which
/// end JSON as well as text). A request without a body gets one, also a GET: servers read it, or answer 4xx.
pub fn padded(request: &RequestSpec, bytes: usize) -> RequestSpec {
    let mut request = request.clone();
    let padding = || Template::literal("x".repeat(bytes));
    match &mut request.body {
        Some(BodySpec::Form(fields)) => fields.push((EXTRA.to_owned(), padding())),
        Some(BodySpec::Json(Json::Object(fields))) => fields.push((EXTRA.to_owned(), Json::Text(padding()))),
        Some(BodySpec::Json(_)) => {
            let content = request.content().unwrap_or_default();
            request = as_text(&request, content);
            pad_text(&mut request, bytes);
        }
        Some(BodySpec::Text(_)) => pad_text(&mut request, bytes),
        None => request.body = Some(BodySpec::Text(padding())),
    }
    request
}

fn pad_text(request: &mut RequestSpec, bytes: usize) {
    if let Some(BodySpec::Text(text)) = &mut request.body {
        text.push_text(&" ".repeat(bytes));
    }
}

/// The request with this text for a body, and the headers that its own body came with.
fn as_text(request: &RequestSpec, content: Template) -> RequestSpec {
    let content_type = request.header_lines().into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let mut request = request.clone();
    request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    request.headers.extend(content_type);
    request.body = Some(BodySpec::Text(content));
    request
}

/// Whether requests of different identities have the same URL, so that a cache whose key is the URL confuses them.
pub fn same_url(request: &RequestSpec) -> bool {
    !identifies(&request.target())
}

#[cfg(test)]
mod tests;
