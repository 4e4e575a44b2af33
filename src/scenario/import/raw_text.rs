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
