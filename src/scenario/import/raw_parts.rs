//! The values in a body that must be sent as it was written.

use super::url_parts::decoded;

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
        let name = decoded(&pair[..equals]);
        let written = &pair[equals + 1..];
        parts.push(RawPart::Value { written, name, value: decoded(written) });
    }
    parts
}
