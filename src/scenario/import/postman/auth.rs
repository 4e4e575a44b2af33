//! How a collection says who asks. What scripts capture is kept, what is written down is not.

use serde_json::Value;

use super::substitution::{Scope, TextPlace, text};
use crate::scenario::import::ImportNote;
use crate::scenario::import::draft::{Kept, RequestDraft};
use crate::scenario::request::{Parameter, encoded};
use crate::scenario::template::{Placeholder, Template};

/// Adds to a request what its `auth` says; whether that asks who it is.
pub(super) fn apply(auth: Option<&Value>, draft: &mut RequestDraft, scope: &Scope<'_>, kept: &mut Kept) -> bool {
    let Some(auth) = auth else { return false };
    let kind = text(auth, "type");
    if kind.is_empty() || kind == "noauth" {
        return false;
    }
    let value = |name: &str| entry(auth, &kind, name);
    match kind.as_str() {
        "bearer" => {
            let token = value("token");
            put(draft, "authorization", "Bearer ", &token, scope, kept);
        }
        "apikey" if value("in") == "query" => {
            let name = value("key");
            match captured(&value("value"), scope, kept) {
                Some(value) => draft.query.push(Parameter { name: Some(encoded(&name)), value }),
                None => kept.notes.push(ImportNote::Credential(format!("the query's `{name}`"))),
            }
        }
        "apikey" => {
            let name = value("key");
            put(draft, &name, "", &value("value"), scope, kept);
        }
        kind => kept.notes.push(ImportNote::Credential(format!("{kind} authentication"))),
    }
    true
}

fn put(draft: &mut RequestDraft, name: &str, before: &str, written: &str, scope: &Scope<'_>, kept: &mut Kept) {
    if draft.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return;
    }
    match captured(written, scope, kept) {
        Some(token) => {
            let mut value = Template::literal(before);
            value.append(&token, str::to_owned);
            draft.headers.push((name.to_owned(), value));
        }
        None => kept.notes.push(ImportNote::Credential(format!("the header `{name}`"))),
    }
}

/// A value that a response gave.
fn captured(written: &str, scope: &Scope<'_>, kept: &mut Kept) -> Option<Template> {
    let filled = scope.fill(written, TextPlace::Header, kept).ok()?;
    let is_captured = filled.holes().any(|hole| matches!(hole, Placeholder::Capture(_)));
    is_captured.then_some(filled)
}

/// A setting of a kind: `{"bearer": [{"key": "token", "value": …}]}`, or of 2.0 `{"bearer": {"token": …}}`.
fn entry(auth: &Value, kind: &str, name: &str) -> String {
    match auth.get(kind) {
        Some(Value::Array(list)) => {
            list.iter().find(|entry| text(entry, "key") == name).map(|entry| text(entry, "value")).unwrap_or_default()
        }
        Some(settings) => text(settings, name),
        None => String::new(),
    }
}
