//! The body of an operation: JSON before forms, forms before raw text.

use serde_json::{Map, Value};

use super::document::Document;
use super::documented::{Documented, DocumentedParameter, ParameterPlace};
use super::sampler::{SchemaSampler, shown_beside};
use super::view::View;
use crate::scenario::import::made::{Made, MadeText};
use crate::scenario::import::multipart::{self, Part};
use crate::scenario::import::{Carrier, CarrierPlace, LeftOutReason};
use crate::scenario::request::BodySpec;
use crate::scenario::template::Template;

/// A body, with what the headers have to say of it.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub spec: Option<BodySpec>,
    pub content_type: Option<String>,
    pub carriers: Vec<Carrier>,
}

/// Makes the body of an operation, if it takes one.
pub(super) fn body<'a>(operation: &Documented<'a>, sampler: &mut SchemaSampler<'a, '_>) -> Result<Body, LeftOutReason> {
    if sampler.document.is_swagger { of_swagger(operation, sampler) } else { of_openapi(operation, sampler) }
}

fn of_openapi<'a>(operation: &Documented<'a>, sampler: &mut SchemaSampler<'a, '_>) -> Result<Body, LeftOutReason> {
    let Some(written) = operation.operation.get("requestBody") else { return Ok(Body::default()) };
    let document = sampler.document;
    let request = document.resolve(written).map_err(|nowhere| LeftOutReason::Reference(nowhere.0))?;
    let is_required = request.get("required") == Some(&Value::Bool(true));
    let takes_one = matches!(operation.method.as_str(), "POST" | "PUT" | "PATCH");
    if !is_required && !takes_one {
        return Ok(Body::default());
    }
    let Some(content) = request.get("content").and_then(Value::as_object) else { return Ok(Body::default()) };
    let mut media: Vec<(&String, &Value)> = content.iter().collect();
    media.sort_by_key(|(media_type, _)| preference(media_type));
    let mut failed = None;
    for (media_type, media) in media {
        let media = document.resolve(media).map_err(|nowhere| LeftOutReason::Reference(nowhere.0))?;
        let schema = media.get("schema").unwrap_or(&Value::Bool(true));
        match of_media(media_type, schema, shown_beside(media), media.get("encoding"), sampler) {
            Ok(body) => return Ok(body),
            Err(reason) => failed = failed.or(Some(reason)),
        }
    }
    without_body(failed, is_required)
}

/// What need not be there is left out if it cannot be made.
fn without_body(failed: Option<LeftOutReason>, is_required: bool) -> Result<Body, LeftOutReason> {
    match failed {
        Some(reason) if is_required || !matches!(reason, LeftOutReason::CannotBeMade(_)) => Err(reason),
        _ => Ok(Body::default()),
    }
}

/// Which media type is tried first.
fn preference(media_type: &str) -> usize {
    let essence = essence(media_type);
    match essence.as_str() {
        "application/json" => 0,
        essence if essence.ends_with("json") => 1,
        "*/*" | "application/*" => 2,
        "application/x-www-form-urlencoded" => 3,
        "multipart/form-data" => 4,
        essence if essence.starts_with("text/") => 5,
        _ => 6,
    }
}

fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn of_media<'a>(
    media_type: &str,
    schema: &'a Value,
    shown: Option<&'a Value>,
    encoding: Option<&'a Value>,
    sampler: &mut SchemaSampler<'a, '_>,
) -> Result<Body, LeftOutReason> {
    let made = |sampler: &mut SchemaSampler<'a, '_>| {
        sampler.make("", schema, shown).map_err(|cannot| LeftOutReason::CannotBeMade(cannot.0))
    };
    match preference(media_type) {
        preferred @ 0..=2 => {
            let (json, carriers) = made(sampler)?.json();
            let content_type = (preferred == 1).then(|| media_type.to_owned());
            Ok(Body { spec: Some(BodySpec::Json(json)), content_type, carriers })
        }
        3 => Ok(form(made(sampler)?)),
        4 => {
            let is_file = |name: &str| is_file(sampler.document, schema, name) || has_type(encoding, name);
            let files: Vec<String> = View::of(sampler.document, &[schema])
                .property_names()
                .into_iter()
                .filter(|name| is_file(name))
                .map(str::to_owned)
                .collect();
            Ok(parts(made(sampler)?, &|name| files.iter().any(|file| file == name)))
        }
        5 => Ok(raw(made(sampler)?.text(), media_type)),
        _ if matches!(
            essence(media_type).as_str(),
            "application/octet-stream" | "application/x-ndjson" | "application/sdp"
        ) =>
        {
            Ok(raw(made(sampler)?.text(), media_type))
        }
        _ => Err(LeftOutReason::MediaType(media_type.to_owned())),
    }
}

/// Whether a part of a form is a file.
fn is_file(document: &Document, schema: &Value, name: &str) -> bool {
    let of_field = View::of(document, &[schema]).property(name);
    let view = View::of(document, &of_field);
    let of_items = View::of(document, &view.inner("items"));
    [view, of_items]
        .iter()
        .any(|view| matches!(view.text("format"), Some("binary")) || view.get("contentMediaType").is_some())
}

/// Whether a part of a form has a media type that is no text.
fn has_type(encoding: Option<&Value>, name: &str) -> bool {
    let media_type = encoding.and_then(|encoding| encoding.get(name)?.get("contentType")?.as_str());
    media_type.is_some_and(|media_type| media_type.starts_with("image/") || media_type.contains("octet-stream"))
}

fn form(made: Made) -> Body {
    let mut carriers = Vec::new();
    let mut fields: Vec<(String, Template)> = Vec::new();
    for (name, text) in flat(made) {
        carriers.extend(text.carrier(CarrierPlace::Form(fields.len()), &name));
        fields.push((name, text.text));
    }
    Body { spec: Some(BodySpec::Form(fields)), content_type: None, carriers }
}

fn parts(made: Made, is_file: &dyn Fn(&str) -> bool) -> Body {
    let part = |(name, text): (String, MadeText)| Part {
        file: is_file(&name).then(|| "canary.txt".to_owned()),
        name,
        media_type: None,
        text,
    };
    let (text, content_type, carriers) = multipart::write(flat(made).into_iter().map(part).collect());
    Body { spec: Some(BodySpec::Text(text)), content_type: Some(content_type), carriers }
}

fn raw(text: MadeText, media_type: &str) -> Body {
    let carriers = multipart::carriers(&text.text, 0, "body");
    Body { spec: Some(BodySpec::Text(text.text)), content_type: Some(media_type.to_owned()), carriers }
}

/// The fields of a form: each item of a list is one.
fn flat(made: Made) -> Vec<(String, MadeText)> {
    let fields = match made {
        Made::Object(fields) => fields,
        other => return vec![("body".to_owned(), other.text())],
    };
    let mut flat = Vec::new();
    for (name, item) in fields {
        match item {
            Made::List(items) => flat.extend(items.iter().map(|item| (name.clone(), item.text()))),
            item => flat.push((name, item.text())),
        }
    }
    flat
}

fn of_swagger<'a>(operation: &Documented<'a>, sampler: &mut SchemaSampler<'a, '_>) -> Result<Body, LeftOutReason> {
    let of = |holder: Option<&'a Value>| holder.and_then(|holder| holder.get("consumes")).and_then(Value::as_array);
    let consumes = of_map(operation.operation).or_else(|| of(Some(&sampler.document.root)));
    let mut consumes: Vec<&str> = consumes.into_iter().flatten().filter_map(Value::as_str).collect();
    consumes.sort_by_key(|media_type| preference(media_type));
    let fields: Vec<&DocumentedParameter<'a>> = operation.at(ParameterPlace::Form).collect();
    if !fields.is_empty() {
        let is_file =
            |parameter: &DocumentedParameter<'_>| parameter.holder.get("type").and_then(Value::as_str) == Some("file");
        let has_file = fields.iter().any(|field| is_file(field));
        let mut made = Vec::new();
        for field in &fields {
            let wanted =
                field.is_required || is_file(field) || sampler.given.iter().any(|given| given.name == field.name);
            let is_text = field.holder.get("type").and_then(Value::as_str) == Some("string")
                && field.holder.get("enum").is_none();
            if !wanted && !is_text {
                continue;
            }
            let value = sampler.make(field.name, field.schema, shown_beside(field.holder));
            match value.map_err(|cannot| LeftOutReason::CannotBeMade(cannot.0)) {
                Ok(Made::Text(mut text)) if !wanted => {
                    if let Some(carries) = &mut text.carries {
                        carries.instead = None;
                        made.push((field.name.to_owned(), Made::Text(text)));
                    }
                }
                Ok(value) => made.push((field.name.to_owned(), value)),
                Err(reason) if wanted => return Err(reason),
                Err(_) => {}
            }
        }
        let is_multipart =
            has_file || consumes.first().is_some_and(|media_type| essence(media_type) == "multipart/form-data");
        let files: Vec<&str> = fields.iter().filter(|field| is_file(field)).map(|field| field.name).collect();
        let made = Made::Object(made);
        return Ok(if is_multipart { parts(made, &|name| files.contains(&name)) } else { form(made) });
    }
    let Some(body) = operation.at(ParameterPlace::Body).next() else { return Ok(Body::default()) };
    if !body.is_required && !matches!(operation.method.as_str(), "POST" | "PUT" | "PATCH") {
        return Ok(Body::default());
    }
    let media_types = if consumes.is_empty() { vec!["application/json"] } else { consumes };
    let mut failed = None;
    for media_type in media_types {
        match of_media(media_type, body.schema, shown_beside(body.holder), None, sampler) {
            Ok(body) => return Ok(body),
            Err(reason) => failed = failed.or(Some(reason)),
        }
    }
    without_body(failed, body.is_required)
}

fn of_map(keys: &Map<String, Value>) -> Option<&Vec<Value>> {
    keys.get("consumes").and_then(Value::as_array)
}
