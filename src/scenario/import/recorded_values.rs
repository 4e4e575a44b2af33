//! Values of recorded responses, and which of them later requests hold: those are captures.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Operation;
use super::draft::free_name;
use super::names;
use super::variables;
use crate::scenario::login::{CaptureSource, CaptureSpec};
use crate::scenario::template::Template;

/// A text of fewer characters is a capture only if its name says that it is an id.
const TELLING: usize = 8;
/// How many values of one response are kept in mind, and how many in all.
const OF_ONE: usize = 2_000;
const OF_ALL: usize = 50_000;

/// A response, as far as values are taken from it.
pub(super) struct RecordedResponse<'g> {
    /// The path and query that were asked for.
    pub target: &'g str,
    pub headers: &'g [(&'g str, &'g str)],
    pub body: &'g str,
}

/// What was said and heard so far.
#[derive(Debug, Default)]
pub(super) struct RecordedValues {
    /// In requests, before any response had it.
    said: BTreeSet<String>,
    heard: BTreeMap<String, Heard>,
    /// The values that requests held, by where they come from.
    used: std::cell::RefCell<Vec<Used>>,
}

#[derive(Debug, Clone)]
struct Heard {
    operation: usize,
    from: CaptureSource,
    /// What it would be called: `item_id`.
    name: String,
}

#[derive(Debug)]
struct Used {
    value: String,
    operation: usize,
    capture: CaptureSpec,
}

impl RecordedValues {
    /// A value that a request holds.
    pub fn say(&mut self, value: &str) {
        if !self.heard.contains_key(value) {
            self.said.insert(value.to_owned());
        }
    }

    /// The values of a response to an operation.
    pub fn hear(&mut self, operation: usize, given: &RecordedResponse<'_>) {
        let of_path = given.target.split('?').next().unwrap_or_default();
        let resource = names::last_word(of_path).unwrap_or_default();
        if let Ok(value) = serde_json::from_str::<Value>(given.body) {
            let mut left = OF_ONE;
            self.hear_json(operation, &value, &mut Vec::new(), &resource, &mut left);
        }
        for (name, value) in given.headers {
            if name.eq_ignore_ascii_case("location") {
                let last = value.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').rsplit('/').next();
                let name = if resource.is_empty() { "id".to_owned() } else { format!("{resource}_id") };
                self.keep(last.unwrap_or_default(), Heard { operation, from: CaptureSource::Location, name });
            } else if names::is_credential(name) && !name.to_ascii_lowercase().contains("cookie") {
                let from = CaptureSource::Header(name.to_ascii_lowercase());
                self.keep(value, Heard { operation, from, name: name.to_ascii_lowercase() });
            }
        }
    }

    fn hear_json(&mut self, operation: usize, value: &Value, path: &mut Vec<String>, resource: &str, left: &mut usize) {
        match value {
            Value::Object(fields) => {
                for (name, item) in fields.iter().filter(|(name, _)| !name.contains('.')) {
                    path.push(name.clone());
                    self.hear_json(operation, item, path, resource, left);
                    path.pop();
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(index.to_string());
                    self.hear_json(operation, item, path, resource, left);
                    path.pop();
                }
            }
            Value::String(_) | Value::Number(_) if *left > 0 => {
                *left -= 1;
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let field = path.iter().rev().find(|step| !step.bytes().all(|byte| byte.is_ascii_digit()));
                let field = field.map_or("", String::as_str);
                if is_telling(field, &text) {
                    let name = capture_name(field, resource);
                    self.keep(&text, Heard { operation, from: CaptureSource::Json(path.clone()), name });
                }
            }
            _ => {}
        }
    }

    /// The first response that has a value gives it.
    fn keep(&mut self, value: &str, heard: Heard) {
        if !value.is_empty() && !self.said.contains(value) && self.heard.len() < OF_ALL {
            self.heard.entry(value.to_owned()).or_insert(heard);
        }
    }

    /// What fills a value in a request, if a response gave it.
    pub fn capture(&self, value: &str) -> Option<Template> {
        let heard = self.heard.get(value)?;
        let mut used = self.used.borrow_mut();
        if let Some(known) = used.iter().find(|used| used.value == value) {
            return Some(variables::capture(&known.capture.name));
        }
        let taken: Vec<CaptureSpec> = used.iter().map(|used| used.capture.clone()).collect();
        let capture = CaptureSpec { name: free_name(&taken, &heard.name), from: heard.from.clone() };
        let template = variables::capture(&capture.name);
        used.push(Used { value: value.to_owned(), operation: heard.operation, capture });
        Some(template)
    }

    /// The captures that later requests need, each at the operation whose response gives it.
    pub fn put_into(self, operations: &mut [Operation]) {
        for Used { operation, capture, .. } in self.used.into_inner() {
            if let Some(operation) = operations.get_mut(operation) {
                operation.captures.push(capture);
            }
        }
    }
}

/// Whether a value is one that no other request has by chance.
fn is_telling(field: &str, text: &str) -> bool {
    let is_plain = !text.chars().any(|c| c.is_control() || c.is_whitespace()) && text.len() <= 4_096;
    is_plain
        && (names::is_id(field)
            || names::is_credential(field)
            || text.len() >= TELLING
                && text.bytes().any(|byte| byte.is_ascii_digit())
                && names::of_value(text).is_none_or(|meaning| meaning == names::Meaning::Uuid))
}

fn capture_name(field: &str, resource: &str) -> String {
    let words = names::words(field);
    let field = words.join("_");
    let is_bare = words.len() == 1 && matches!(field.as_str(), "id" | "uuid" | "guid" | "key" | "slug" | "number");
    if is_bare && !resource.is_empty() { format!("{resource}_{field}") } else { field }
}

/// All texts and numbers of a value.
pub(super) fn texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Number(number) => out.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(fields) => fields.values().for_each(|item| texts(item, out)),
        Value::Null | Value::Bool(_) => {}
    }
}
