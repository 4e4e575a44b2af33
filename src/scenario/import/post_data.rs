//! Bodies of requests that were recorded.

use serde_json::Value;

use super::LeftOutReason;
use super::draft::DraftBody;
use super::made::MadeText;
use super::multipart::{self, Part};
use crate::scenario::template::Template;

/// A body by its media type; forms are in `parameters`, or still in the text.
pub(super) fn post_data(
    media_type: &str,
    text: &str,
    parameters: &[Value],
) -> Result<Option<DraftBody>, LeftOutReason> {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let of = |parameter: &Value, key: &str| parameter.get(key).and_then(Value::as_str).map(str::to_owned);
    if essence == "multipart/form-data" {
        let parts: Vec<Part> = if parameters.is_empty() {
            multipart::read(text, media_type).ok_or(LeftOutReason::Binary)?
        } else {
            let part = |parameter: &Value| {
                let value = of(parameter, "value").unwrap_or_default();
                let text = MadeText::plain(value);
                Some(Part {
                    name: of(parameter, "name")?,
                    file: of(parameter, "fileName"),
                    media_type: of(parameter, "contentType"),
                    text,
                })
            };
            parameters.iter().filter_map(part).collect()
        };
        return Ok(Some(DraftBody::Parts(parts)));
    }
    if essence == "application/x-www-form-urlencoded" {
        let fields: Vec<(String, Template)> = if text.is_empty() {
            let field = |parameter: &Value| {
                Some((of(parameter, "name")?, Template::literal(of(parameter, "value").unwrap_or_default())))
            };
            parameters.iter().filter_map(field).collect()
        } else {
            let pairs = form_urlencoded::parse(text.as_bytes());
            pairs.map(|(name, value)| (name.into_owned(), Template::literal(value))).collect()
        };
        return Ok(Some(DraftBody::Form(fields)));
    }
    if text.is_empty() {
        return Ok(None);
    }
    if (essence.ends_with("json") || essence.is_empty())
        && let Ok(value) = serde_json::from_str(text)
    {
        return Ok(Some(DraftBody::Json(value)));
    }
    if text.contains('\u{fffd}') || text.contains('\0') {
        return Err(LeftOutReason::Binary);
    }
    Ok(Some(DraftBody::Text(Template::literal(text))))
}
