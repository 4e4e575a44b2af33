//! A request that somebody sent once, on its way to one that can be sent for anybody: what varies becomes a canary, what
//! lets in becomes a variable or is dropped.

use std::collections::BTreeSet;

use serde_json::Value;

use super::danger::danger;
use super::made::{Made, MadeText, around};
use super::multipart::{self, Part};
use super::names::{self, Meaning};
use super::raw_parts::{RawPart, form_parts, json_parts};
use super::url_parts::decoded;
use super::{Carrier, CarrierPlace, Effect, ImportNote, Operation};
use crate::scenario::login::CaptureSpec;
use crate::scenario::request::{BodySpec, Parameter, RequestSpec};
use crate::scenario::template::{Placeholder, Template};

/// What is done with the values of a recorded request.
pub(super) struct Rules<'r> {
    /// What fills a text that a response gave before: `{capture.item_id}`.
    pub captured: &'r dyn Fn(&str) -> Option<Template>,
    /// Credentials stay as they are.
    pub keeps_credentials: bool,
}

/// What came of a draft besides its request.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The environment variables that stand for credentials, by name.
    pub variables: BTreeSet<String>,
    pub notes: Vec<ImportNote>,
}

/// A request as it was recorded; texts may hold captures already.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestDraft {
    pub method: String,
    /// The parts of the path between `/`, percent-encoded as they were; the first is empty.
    pub path: Vec<Template>,
    /// As they were written, percent-encoded.
    pub query: Vec<Parameter>,
    pub headers: Vec<(String, Template)>,
    pub body: Option<DraftBody>,
}

/// A body as it was recorded.
#[derive(Debug, Clone)]
pub(super) enum DraftBody {
    Json(Value),
    /// Names and values, decoded.
    Form(Vec<(String, Template)>),
    Parts(Vec<Part>),
    /// As it stands, with its content type in the headers.
    Text(Template),
    /// The same, of JSON: canaries stand in its texts.
    RawJson(String),
    /// The same, of a form.
    RawForm(String),
}

impl RequestDraft {
    /// Takes the path and the query from a target.
    pub fn with_target(mut self, target: &Template) -> RequestDraft {
        let request = RequestSpec::get(target);
        self.path = request.path.split('/');
        self.query = request.query;
        self
    }

    /// As an operation of this name.
    pub fn operation(self, name: String, rules: &Rules<'_>, kept: &mut Kept) -> Operation {
        let documented = name.split_once(' ').map_or("", |(_, path)| path).to_owned();
        let mut request = RequestSpec {
            method: self.method.clone(),
            path: Template::default(),
            query: Vec::new(),
            headers: Vec::new(),
            cookies: Vec::new(),
            body: None,
        };
        let mut carriers = Vec::new();
        for (index, part) in self.path.iter().enumerate() {
            request.path.push_text(if index == 0 { "" } else { "/" });
            let part = match (rules.captured)(&decoded(&part.text())).filter(|_| !part.varies()) {
                Some(capture) => capture,
                None => part.clone(),
            };
            if part.holes().any(Placeholder::is_canary) {
                let instead = Some(Template::literal("canary"));
                let place = CarrierPlace::Path(index);
                carriers.push(Carrier { place, name: "path".to_owned(), canary: part.clone(), instead, longest: None });
            }
            request.path.append(&part, str::to_owned);
        }
        for parameter in self.query {
            let name = decoded(parameter.name.as_deref().unwrap_or_default());
            let value = decoded(&parameter.value.text());
            let text = leaf(&name, &value, &parameter.value, rules, kept, &query_canary);
            let place = CarrierPlace::Query(request.query.len());
            carriers.extend(text.carrier(place, &name));
            request.query.push(Parameter { name: parameter.name, value: text.text });
        }
        let secured = headers(&self.headers, &mut request.headers, rules, kept);
        let (body, of_body) = body(self.body, &mut request.headers, rules, kept);
        request.body = body;
        carriers.extend(of_body);
        let needs = needs(&request);
        Operation {
            effect: Effect::of(&self.method),
            danger: danger(&self.method, &documented, ""),
            name,
            request,
            carriers,
            captures: Vec::new(),
            guessed: Vec::new(),
            needs,
            secured,
            creates: None,
            deletes: None,
        }
    }
}

/// The captures that a request is filled with, each once.
pub(super) fn needs(request: &RequestSpec) -> Vec<String> {
    let mut needs: Vec<String> = Vec::new();
    for hole in request.holes() {
        if let Some(name) = hole.captured().filter(|name| !needs.iter().any(|known| known == name)) {
            needs.push(name.to_owned());
        }
    }
    needs
}

/// Headers without those that a browser or the connection adds; whether there was a credential among them.
fn headers(from: &[(String, Template)], to: &mut Vec<(String, Template)>, rules: &Rules<'_>, kept: &mut Kept) -> bool {
    let mut secured = false;
    for (name, value) in from {
        let lower = name.to_ascii_lowercase();
        if rules.keeps_credentials {
            to.push((name.clone(), value.clone()));
            continue;
        }
        if is_of_connection(&lower) {
            continue;
        }
        if is_credential_header(&lower) {
            secured = true;
            match captured_credential(value, rules) {
                Some(value) => to.push((name.clone(), value)),
                None => kept.notes.push(ImportNote::Credential(format!("the header `{lower}`"))),
            }
            continue;
        }
        // A scenario has each header once, with a name that is a token.
        let is_there = to.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let is_token =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
        if !is_there && is_token && !value.text().contains(|c: char| c.is_control() && c != '\t') {
            to.push((name.clone(), value.clone()));
        }
    }
    secured
}

/// A credential that a response gave: whole, or behind a scheme.
fn captured_credential(value: &Template, rules: &Rules<'_>) -> Option<Template> {
    if value.varies() {
        return Some(value.clone());
    }
    let text = value.text();
    let (scheme, token) = text.rsplit_once(' ').map_or(("", text.as_str()), |(scheme, token)| (scheme, token));
    let capture = (rules.captured)(token)?;
    let mut value = Template::literal(if scheme.is_empty() { String::new() } else { format!("{scheme} ") });
    value.append(&capture, str::to_owned);
    Some(value)
}

fn is_credential_header(lower: &str) -> bool {
    matches!(lower, "authorization" | "proxy-authorization" | "cookie" | "cookie2") || names::is_credential(lower)
}

/// What the connection, the browser or runner itself says.
fn is_of_connection(lower: &str) -> bool {
    const DROPPED: [&str; 26] = [
        "host",
        "content-length",
        "connection",
        "proxy-connection",
        "keep-alive",
        "transfer-encoding",
        "te",
        "upgrade",
        "accept-encoding",
        "user-agent",
        "referer",
        "origin",
        "cache-control",
        "pragma",
        "dnt",
        "priority",
        "expect",
        "upgrade-insecure-requests",
        "if-none-match",
        "if-modified-since",
        "if-match",
        "postman-token",
        "x-forwarded-for",
        "date",
        "traceparent",
        "x-request-id",
    ];
    lower.starts_with(':') || lower.starts_with("sec-") || DROPPED.contains(&lower)
}

fn body(
    draft: Option<DraftBody>,
    headers: &mut Vec<(String, Template)>,
    rules: &Rules<'_>,
    kept: &mut Kept,
) -> (Option<BodySpec>, Vec<Carrier>) {
    let mut set_type = |media_type: String, replaces: bool| {
        let is_type = |(name, _): &(String, Template)| name.eq_ignore_ascii_case("content-type");
        if replaces {
            headers.retain(|header| !is_type(header));
        }
        if !headers.iter().any(is_type) {
            headers.push(("Content-Type".to_owned(), Template::literal(media_type)));
        }
    };
    match draft {
        None => (None, Vec::new()),
        Some(DraftBody::Json(value)) => {
            let (json, carriers) = made("", &value, rules, kept).json();
            (Some(BodySpec::Json(json)), carriers)
        }
        Some(DraftBody::Form(fields)) => {
            let mut carriers = Vec::new();
            let mut made: Vec<(String, Template)> = Vec::new();
            for (name, value) in fields {
                let text = leaf(&name, &value.text(), &value, rules, kept, &plain_canary);
                carriers.extend(text.carrier(CarrierPlace::Form(made.len()), &name));
                made.push((name, text.text));
            }
            (Some(BodySpec::Form(made)), carriers)
        }
        Some(DraftBody::Parts(parts)) => {
            let parts = parts.into_iter().map(|part| {
                let value = part.text.text.clone();
                let text = leaf(&part.name, &value.text(), &value, rules, kept, &plain_canary);
                Part { text, ..part }
            });
            let (text, media_type, carriers) = multipart::write(parts.collect());
            set_type(media_type, true);
            (Some(BodySpec::Text(text)), carriers)
        }
        Some(DraftBody::RawJson(text)) => raw(json_parts(&text), rules, kept, &plain_canary),
        Some(DraftBody::RawForm(text)) => raw(form_parts(&text), rules, kept, &query_canary),
        Some(DraftBody::Text(text)) => {
            let carriers = multipart::carriers(&text, 0, "body");
            (Some(BodySpec::Text(text)), carriers)
        }
    }
}

/// A body that is sent as it was written, with canaries in place of some values.
fn raw(
    parts: Vec<RawPart<'_>>,
    rules: &Rules<'_>,
    kept: &mut Kept,
    canary: &dyn Fn(Meaning) -> Option<Template>,
) -> (Option<BodySpec>, Vec<Carrier>) {
    let (mut body, mut carriers) = (Template::default(), Vec::new());
    for part in parts {
        match part {
            RawPart::AsItIs(text) => body.push_text(text),
            RawPart::Value { written, name, value } => {
                let text = leaf(&name, &value, &Template::literal(written), rules, kept, canary);
                carriers.extend(text.carrier(CarrierPlace::Text(carriers.len()), &name));
                body.append(&text.text, str::to_owned);
            }
        }
    }
    (Some(BodySpec::Text(body)), carriers)
}

/// A JSON value with canaries.
fn made(name: &str, value: &Value, rules: &Rules<'_>, kept: &mut Kept) -> Made {
    match value {
        Value::String(text) => {
            Made::Text(leaf(name, text, &super::variables::unmarked(text), rules, kept, &plain_canary))
        }
        Value::Array(items) => Made::List(items.iter().map(|item| made(name, item, rules, kept)).collect()),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, item)| (name.clone(), made(name, item, rules, kept)));
            Made::Object(fields.collect())
        }
        plain => Made::of(plain),
    }
}

/// A value by its name: captured, a credential, with a canary, or as it stands. `written` is `value` as the place has it.
fn leaf(
    name: &str,
    value: &str,
    written: &Template,
    rules: &Rules<'_>,
    kept: &mut Kept,
    canary: &dyn Fn(Meaning) -> Option<Template>,
) -> MadeText {
    if written.varies() {
        let holds_canary = written.holes().any(Placeholder::is_canary);
        let instead = Some(without_canary(written));
        return if holds_canary {
            MadeText::canary(written.clone(), instead)
        } else {
            MadeText { text: written.clone(), carries: None }
        };
    }
    let as_it_is = || MadeText { text: written.clone(), carries: None };
    let is_variable = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    if is_variable.is_some_and(|name| kept.variables.contains(name)) {
        return as_it_is();
    }
    if let Some(capture) = (rules.captured)(value) {
        return MadeText { text: capture, carries: None };
    }
    if names::is_credential(name) && !value.is_empty() {
        if rules.keeps_credentials {
            return as_it_is();
        }
        let variable = variable(name);
        let text = MadeText::plain(format!("${{{variable}}}"));
        kept.variables.insert(variable);
        return text;
    }
    if value.is_empty() || names::is_id(name) || names::narrows(name) || !is_free(value) {
        return as_it_is();
    }
    match canary(names::meaning(name, Some(value))) {
        Some(text) => MadeText::canary(text, Some(written.clone())),
        None => as_it_is(),
    }
}

/// With a word in place of each canary.
fn without_canary(template: &Template) -> Template {
    template.with(&|hole| hole.is_canary().then(|| "canary".to_owned()))
}

/// Whether a text looks like one that somebody typed, and not like one of a few, or like code.
fn is_free(value: &str) -> bool {
    let has_letter = value.chars().any(char::is_alphabetic);
    let is_constant = value.len() > 1 && value.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let is_word_of_code =
        matches!(value, "true" | "false" | "null" | "on" | "off" | "yes" | "no" | "undefined" | "asc" | "desc");
    has_letter
        && !is_constant
        && !is_word_of_code
        && value.len() <= 4_000
        && !value.starts_with(['[', '<'])
        && !value.contains('{')
}

fn plain_canary(meaning: Meaning) -> Option<Template> {
    match meaning {
        Meaning::Word => Some(around("", Placeholder::Canary, "")),
        Meaning::Email => Some(around("", Placeholder::Canary, "@mail.test")),
        _ => None,
    }
}

fn query_canary(meaning: Meaning) -> Option<Template> {
    match meaning {
        Meaning::Email => Some(around("", Placeholder::Canary, "%40mail.test")),
        meaning => plain_canary(meaning),
    }
}

/// The name of the environment variable for a credential: `API_KEY` of `apiKey`.
pub(super) fn variable(name: &str) -> String {
    let words = names::words(name).join("_").to_uppercase();
    let plain: String = words.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    if plain.starts_with(|c: char| c.is_ascii_alphabetic()) { plain } else { format!("SECRET_{plain}") }
}

/// Captures under a name that no other has.
pub(super) fn free_name(taken: &[CaptureSpec], wanted: &str) -> String {
    let plain: String = wanted.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    let plain = if plain.is_empty() { "value".to_owned() } else { plain };
    let numbered = (2..).map(|number| format!("{plain}_{number}"));
    let mut names = std::iter::once(plain.clone()).chain(numbered);
    names.find(|name| !taken.iter().any(|capture| capture.name == *name)).unwrap_or(plain)
}
