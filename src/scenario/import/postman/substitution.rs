//! `{{name}}` in a collection: a value that the collection gives, a capture, a canary, or a variable of the environment.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::scenario::import::draft::{Kept, variable};
use crate::scenario::import::made::around;
use crate::scenario::import::names::{self, Meaning};
use crate::scenario::import::variables::capture;
use crate::scenario::import::{GivenValue, ImportNote, LeftOutReason};
use crate::scenario::template::{Placeholder, Template};

/// How often a value may name another variable.
const NESTED: usize = 8;

/// What fills the variables of one request.
pub(super) struct Scope<'s> {
    pub variables: &'s BTreeMap<String, String>,
    /// The captures of all scripts of the collection.
    pub set: &'s BTreeSet<String>,
    pub values: &'s [GivenValue],
}

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextPlace {
    /// Of a request that reads: one without a value may be any text, if it is no id.
    Path,
    /// Of a request that writes: it must have a value.
    OwnPath,
    /// One without a value may be left out.
    Header,
    /// A query or a body: one without a value may be any text.
    Field,
}

/// The variables of a collection or a folder. Those that are switched off are none.
pub(super) fn variables(folder: &Value) -> Vec<(String, String)> {
    let lists = ["variable", "variables"].into_iter().filter_map(|key| folder.get(key)?.as_array());
    let pair = |variable: &Value| {
        let name = variable.get("key").or_else(|| variable.get("id"))?.as_str()?;
        let value = match variable.get("value")? {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            value => value.to_string(),
        };
        (variable.get("disabled") != Some(&Value::Bool(true)) && !value.is_empty()).then(|| (name.to_owned(), value))
    };
    lists.flatten().filter_map(pair).collect()
}

/// A name as a capture has it.
pub(super) fn capture_name(name: &str) -> String {
    name.trim().chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' }).collect()
}

impl Scope<'_> {
    /// A text with its variables filled in. In a path one without a value is a reason to leave out the request.
    pub fn fill(&self, text: &str, place: TextPlace, kept: &mut Kept) -> Result<Template, LeftOutReason> {
        self.nested(text, place, kept, NESTED)
    }

    fn nested(&self, text: &str, place: TextPlace, kept: &mut Kept, left: usize) -> Result<Template, LeftOutReason> {
        let mut filled = Template::default();
        let mut rest = text;
        while let Some((before, (name, after))) =
            rest.split_once("{{").and_then(|(b, rest)| Some((b, rest.split_once("}}")?)))
        {
            filled.push_text(before);
            let value = self.value(name.trim(), place, kept, left)?;
            filled.append(&value, str::to_owned);
            rest = after;
        }
        filled.push_text(rest);
        Ok(filled)
    }

    fn value(&self, name: &str, place: TextPlace, kept: &mut Kept, left: usize) -> Result<Template, LeftOutReason> {
        if let Some(given) = self.values.iter().find(|given| given.name == name) {
            return Ok(given.value.clone());
        }
        // A script sets it anew: what the collection says is left from the last time.
        let captured = capture_name(name);
        if self.set.contains(&captured) {
            return Ok(capture(&captured));
        }
        if let Some(value) = self.variables.get(name).filter(|_| left > 0) {
            if names::is_credential(name) {
                return Ok(self.secret(name, kept));
            }
            return self.nested(value, place, kept, left - 1);
        }
        if let Some(dynamic) = name.strip_prefix('$') {
            return Ok(dynamic_value(dynamic));
        }
        if names::is_credential(name) {
            return Ok(self.secret(name, kept));
        }
        let note = ImportNote::Variable(name.to_owned());
        match (place, names::meaning(name, None)) {
            (TextPlace::Path, _) if names::is_id(name) => Err(LeftOutReason::Variable(name.to_owned())),
            (TextPlace::Path | TextPlace::Field, Meaning::Word) => Ok(around("", Placeholder::Canary, "")),
            (TextPlace::Path | TextPlace::Field, Meaning::Email) => Ok(around("", Placeholder::Canary, "@mail.test")),
            (TextPlace::Field, Meaning::Other(text)) => Ok(Template::literal(text)),
            (TextPlace::Field, Meaning::Date) => Ok(Template::literal("2030-01-02")),
            (TextPlace::Field, Meaning::Moment) => Ok(Template::literal("2030-01-02T10:00:00Z")),
            (TextPlace::Field, Meaning::Url) => Ok(Template::literal("https://mail.test/")),
            (TextPlace::Header, _) => {
                kept.notes.push(note);
                Err(LeftOutReason::Variable(name.to_owned()))
            }
            _ => Err(LeftOutReason::Variable(name.to_owned())),
        }
    }

    fn secret(&self, name: &str, kept: &mut Kept) -> Template {
        let variable = variable(name);
        let text = format!("${{{variable}}}");
        kept.variables.insert(variable);
        Template::literal(text)
    }
}

/// What Postman makes up: `{{$guid}}`, `{{$randomEmail}}`.
fn dynamic_value(name: &str) -> Template {
    use crate::canary::CanaryShape;
    let lower = name.to_lowercase();
    match lower.as_str() {
        "guid" | "randomuuid" => around("", Placeholder::CanaryAs(CanaryShape::Uuid), ""),
        "timestamp" => Template::literal("1893578400"),
        "isotimestamp" => Template::literal("2030-01-02T10:00:00Z"),
        "randomint" => around("", Placeholder::Random(0, 1000), ""),
        _ if lower.contains("email") => around("", Placeholder::Canary, "@mail.test"),
        _ if lower.contains("url") => around("https://", Placeholder::Canary, ".mail.test/"),
        _ if lower.contains("phone") => Template::literal("+15550100"),
        _ => around("", Placeholder::Canary, ""),
    }
}

/// A text or a number of an object, as a text.
pub(super) fn text(object: &Value, key: &str) -> String {
    match object.get(key) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(value) => value.to_string(),
    }
}
