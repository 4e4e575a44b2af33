//! Bodies that must be sent as they were written, but for canaries: JSON with its spaces, forms with their encoding.

use serde_json::Value;

use super::draft::DraftBody;
use crate::scenario::request::{BodySpec, Json};
use crate::scenario::template::Template;

/// A body that is sent byte for byte if nothing is put in.
pub(super) fn raw_body(text: &str, content_type: &str) -> DraftBody {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence.ends_with("json") {
        if let Ok(value) = serde_json::from_str::<Value>(text)
            && written(&BodySpec::Json(json(&value))) == text
        {
            return DraftBody::Json(value);
        }
        return DraftBody::RawJson(text.to_owned());
    }
    if essence == "application/x-www-form-urlencoded" {
        let fields: Vec<(String, Template)> = form_urlencoded::parse(text.as_bytes())
            .map(|(name, value)| (name.into_owned(), Template::literal(value)))
            .collect();
        if written(&BodySpec::Form(fields.clone())) == text {
            return DraftBody::Form(fields);
        }
        return DraftBody::RawForm(text.to_owned());
    }
    DraftBody::Text(Template::literal(text))
}

fn written(body: &BodySpec) -> String {
    body.content().text()
}

fn json(value: &Value) -> Json {
    super::made::Made::of(value).json().0
}

/// A part of a raw text: what is as it is, or a value with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RawPart<'t> {
    AsItIs(&'t str),
    /// As it stands in the text, without the quotes of JSON; what it is called, what it means.
    Value {
        written: &'t str,
        name: String,
        value: String,
    },
}

/// The texts of JSON, which need not be valid.
pub(super) fn json_parts(text: &str) -> Vec<RawPart<'_>> {
    let mut parts = Vec::new();
    let mut name = String::new();
    let (mut from, mut at) = (0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        if bytes[at] != b'"' {
            at += 1;
            continue;
        }
        let start = at + 1;
        let mut end = start;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let Some(inside) = text.get(start..end) else { break };
        let value: String = serde_json::from_str(&format!("\"{inside}\"")).unwrap_or_else(|_| inside.to_owned());
        let is_name = text.get(end + 1..).unwrap_or_default().trim_start().starts_with(':');
        if is_name {
            name = value;
        } else {
            parts.push(RawPart::AsItIs(&text[from..start]));
            parts.push(RawPart::Value { written: inside, name: name.clone(), value });
            from = end;
        }
        at = end + 1;
    }
    parts.push(RawPart::AsItIs(text.get(from..).unwrap_or_default()));
    parts
}

/// The values of a form.
pub(super) fn form_parts(text: &str) -> Vec<RawPart<'_>> {
    let mut parts = Vec::new();
    for (index, pair) in text.split('&').enumerate() {
        if index > 0 {
            parts.push(RawPart::AsItIs("&"));
        }
        let Some(equals) = pair.find('=') else {
            parts.push(RawPart::AsItIs(pair));
            continue;
        };
        parts.push(RawPart::AsItIs(&pair[..=equals]));
        let name = super::draft::decoded(&pair[..equals]);
        let written = &pair[equals + 1..];
        parts.push(RawPart::Value { written, name, value: super::draft::decoded(written) });
    }
    parts
}
