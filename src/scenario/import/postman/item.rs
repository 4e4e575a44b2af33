//! One request of a collection.

use std::collections::BTreeMap;

use serde_json::Value;

use super::auth;
use super::substitution::{Scope, TextPlace, text};
use crate::scenario::import::draft::{DraftBody, Kept, RequestDraft};
use crate::scenario::import::made::MadeText;
use crate::scenario::import::multipart::Part;
use crate::scenario::import::url_parts::{as_target, url_parts};
use crate::scenario::import::variables::{marked, unmarked};
use crate::scenario::import::{Effect, ImportNote, LeftOutReason};
use crate::scenario::template::Template;

/// A request with what its folders hand down.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub title: &'a str,
    pub request: &'a Value,
    pub auth: Option<&'a Value>,
    pub variables: BTreeMap<String, String>,
    pub scripts: Vec<&'a Value>,
}

/// A request as a draft.
#[derive(Debug)]
pub(super) struct FoundRequest {
    pub draft: RequestDraft,
    /// The path as it is written, without the host: `/articles/{slug}`.
    pub documented: String,
    pub origin: String,
    pub secured: bool,
}

impl<'a> Item<'a> {
    /// One of version 1.
    pub fn of_first(request: &'a Value) -> Item<'a> {
        let title = request.get("name").and_then(Value::as_str).unwrap_or_default();
        let scripts = request.get("tests").into_iter().collect();
        Item { title, request, auth: None, variables: BTreeMap::new(), scripts }
    }

    /// What names it where nothing better is known.
    pub fn shown(&self) -> String {
        let url = self.raw_url();
        format!("{} {}", self.method(), if url.is_empty() { self.title } else { &url })
    }

    fn method(&self) -> String {
        self.request
            .get("method")
            .and_then(Value::as_str)
            .filter(|method| !method.is_empty())
            .unwrap_or("GET")
            .to_uppercase()
    }

    /// The address as it is written, put together where only its parts are.
    fn raw_url(&self) -> String {
        let url = match self.request {
            Value::String(url) => return url.clone(),
            request => request.get("url").unwrap_or(&Value::Null),
        };
        if let Some(raw) = url.as_str().or_else(|| url.get("raw").and_then(Value::as_str)) {
            return raw.to_owned();
        }
        let joined = |key: &str, between: &str| match url.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(parts)) => {
                let text =
                    |part: &Value| part.as_str().or_else(|| part.get("value")?.as_str()).unwrap_or_default().to_owned();
                parts.iter().map(text).collect::<Vec<_>>().join(between)
            }
            _ => String::new(),
        };
        let host = joined("host", ".");
        if host.is_empty() && joined("path", "/").is_empty() {
            return String::new();
        }
        let path = joined("path", "/");
        let pairs = url.get("query").and_then(Value::as_array).into_iter().flatten().filter(is_on);
        let pairs: Vec<String> = pairs.map(|pair| format!("{}={}", text(pair, "key"), text(pair, "value"))).collect();
        let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
        format!("{host}/{}{query}", path.trim_start_matches('/'))
    }

    pub fn draft(&self, scope: &Scope<'_>, kept: &mut Kept) -> Result<FoundRequest, LeftOutReason> {
        let raw = self.raw_url();
        if raw.trim().is_empty() {
            return Err(LeftOutReason::Malformed("it has no address".to_owned()));
        }
        let (origin, target) = split_origin(&self.with_path_variables(&raw), scope)?;
        let documented = documented(&target);
        let reads = Effect::of(&self.method()) == Effect::Read;
        let of_path = if reads { TextPlace::Path } else { TextPlace::OwnPath };
        let filled = fill_target(&target, of_path, scope, kept)?;
        let mut draft = RequestDraft { method: self.method(), ..RequestDraft::default() }.with_target(&filled);
        for (name, value) in self.headers() {
            match scope.fill(&value, TextPlace::Header, kept) {
                Ok(value) => draft.headers.push((name, value)),
                Err(_) => kept.notes.push(ImportNote::Variable(format!("{name}: {value}"))),
            }
        }
        draft.body = self.body(scope, kept)?;
        let secured = auth::apply(self.auth, &mut draft, scope, kept);
        Ok(FoundRequest { draft, documented, origin, secured })
    }

    /// `/users/:id` with the value of its path variable in place, or as `{{id}}`.
    fn with_path_variables(&self, raw: &str) -> String {
        let values = self.request.get("url").and_then(|url| url.get("variable")).and_then(Value::as_array);
        let value = |name: &str| {
            let known = values
                .into_iter()
                .flatten()
                .find(|variable| text(variable, "key") == name || text(variable, "id") == name);
            known.map(|variable| text(variable, "value"))
        };
        let (path, query) = raw.split_once('?').map_or((raw, None), |(path, query)| (path, Some(query)));
        let parts = path.split('/').map(|part| match part.strip_prefix(':') {
            // A value that is written down is somebody's: it is asked for by its name.
            Some(name) if !name.is_empty() => match value(name) {
                Some(value) if value.contains("{{") => value,
                _ => format!("{{{{{name}}}}}"),
            },
            _ => part.to_owned(),
        });
        let path = parts.collect::<Vec<_>>().join("/");
        query.map_or(path.clone(), |query| format!("{path}?{query}"))
    }

    fn headers(&self) -> Vec<(String, String)> {
        match self.request.get("header").or_else(|| self.request.get("headers")) {
            Some(Value::Array(list)) => {
                list.iter().filter(is_on).map(|header| (text(header, "key"), text(header, "value"))).collect()
            }
            Some(Value::String(lines)) => {
                let pair = |line: &str| {
                    line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
                };
                lines.lines().filter_map(pair).collect()
            }
            _ => Vec::new(),
        }
    }

    fn body(&self, scope: &Scope<'_>, kept: &mut Kept) -> Result<Option<DraftBody>, LeftOutReason> {
        let body = self.request.get("body").unwrap_or(&Value::Null);
        if body.get("disabled") == Some(&Value::Bool(true)) {
            return Ok(None);
        }
        // Version 1 has it in the request itself.
        let mode =
            body.get("mode").or_else(|| self.request.get("dataMode")).and_then(Value::as_str).unwrap_or_default();
        let pairs = |key: &str| -> Vec<&'a Value> {
            let list = self.request.get("body").and_then(|body| body.get(key)).or_else(|| self.request.get("data"));
            list.and_then(Value::as_array).into_iter().flatten().filter(is_on).collect()
        };
        let mut fill = |text: &str| scope.fill(text, TextPlace::Field, kept);
        match mode {
            "raw" => {
                let first = self.request.get("rawModeData");
                let raw = body.get("raw").or(first).and_then(Value::as_str).unwrap_or_default();
                let language = body.pointer("/options/raw/language").and_then(Value::as_str).unwrap_or_default();
                raw_body(&fill(raw)?, language)
            }
            "urlencoded" => {
                let mut fields = Vec::new();
                for pair in pairs("urlencoded") {
                    fields.push((text(pair, "key"), fill(&text(pair, "value"))?));
                }
                Ok(Some(DraftBody::Form(fields)).filter(|_| !pairs("urlencoded").is_empty()))
            }
            "formdata" | "params" => {
                let mut parts = Vec::new();
                for pair in pairs("formdata") {
                    let is_file = text(pair, "type") == "file";
                    let value = if is_file { Template::literal("canary") } else { fill(&text(pair, "value"))? };
                    let media_type = pair.get("contentType").and_then(Value::as_str).map(str::to_owned);
                    let file = is_file.then(|| "canary.txt".to_owned());
                    let text_of = MadeText { text: value, carries: None };
                    parts.push(Part { name: text(pair, "key"), file, media_type, text: text_of });
                }
                Ok((!parts.is_empty()).then_some(DraftBody::Parts(parts)))
            }
            "graphql" => {
                let graphql = body.get("graphql").unwrap_or(&Value::Null);
                let variables = fill(&text(graphql, "variables"))?;
                let variables =
                    serde_json::from_str(&marked(&variables)).unwrap_or(Value::Object(serde_json::Map::new()));
                Ok(Some(DraftBody::Json(
                    serde_json::json!({ "query": text(graphql, "query"), "variables": variables }),
                )))
            }
            "file" | "binary" => Err(LeftOutReason::Binary),
            _ => Ok(None),
        }
    }
}

/// JSON, if it is some; else as it stands.
fn raw_body(filled: &Template, language: &str) -> Result<Option<DraftBody>, LeftOutReason> {
    let text = marked(filled);
    if text.trim().is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(&text) {
        Ok(value) if language != "text" => Ok(Some(DraftBody::Json(value))),
        _ => Ok(Some(DraftBody::Text(unmarked(&text)))),
    }
}

/// What stands before the path, and the path. A variable in front is a host, and most often one without a value.
fn split_origin(url: &str, scope: &Scope<'_>) -> Result<(String, String), LeftOutReason> {
    let url = url.trim();
    if let Some((name, rest)) = url.strip_prefix("{{").and_then(|rest| rest.split_once("}}")) {
        let value = scope.variables.get(name.trim()).filter(|value| !value.is_empty());
        if let Some(value) = value {
            let whole = format!("{value}{rest}");
            let parts = url_parts(&whole);
            return Ok((parts.origin, parts.target));
        }
        if rest.is_empty() {
            // The whole address is a variable.
            return Err(LeftOutReason::Variable(name.trim().to_owned()));
        }
        // A port may follow.
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let target = &rest[at..];
        let slash = if target.starts_with('/') { "" } else { "/" };
        return Ok((format!("{{{{{}}}}}", name.trim()), format!("{slash}{target}")));
    }
    if let Some((scheme, rest)) = url.split_once("://")
        && rest.starts_with("{{")
    {
        return split_origin(rest, scope).map(|(host, target)| (format!("{scheme}://{host}"), target));
    }
    let parts = url_parts(url);
    Ok((parts.origin, parts.target))
}

/// The target with its variables filled in, and with what a request line cannot hold encoded.
fn fill_target(
    target: &str,
    of_path: TextPlace,
    scope: &Scope<'_>,
    kept: &mut Kept,
) -> Result<Template, LeftOutReason> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut filled = Template::default();
    filled.append(&scope.fill(path, of_path, kept)?, as_target);
    if let Some(query) = query {
        filled.push_text("?");
        filled.append(&scope.fill(query, TextPlace::Field, kept)?, as_target);
    }
    Ok(filled)
}

/// `/articles/{slug}` of `/articles/{{slug}}?x=1`.
fn documented(target: &str) -> String {
    target.replace("{{", "{").replace("}}", "}")
}

fn is_on(entry: &&Value) -> bool {
    entry.get("disabled") != Some(&Value::Bool(true)) && entry.get("enabled") != Some(&Value::Bool(false))
}
