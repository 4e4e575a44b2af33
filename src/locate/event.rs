//! One event of a probe: a line of its file, read with patience. What is missing or of another type counts as not said.

use serde_json::{Map, Value};

/// The longest text of an event that is kept, in characters.
const LONGEST: usize = 400;
/// The longest source line that is kept, in characters.
const LONGEST_LINE: usize = 200;
/// The most canaries of one event, and the most paths.
const MOST: usize = 16;

/// Something that happened in the application's process.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeEvent {
    /// Its place in the order in which things happened in the process: some are told late.
    pub number: Option<u64>,
    /// Microseconds, on one clock for all processes of the machine.
    pub at_us: i64,
    /// The number of the request within its process.
    pub request: Option<u64>,
    /// What was executing: a task, a thread, a greenlet.
    pub unit: String,
    pub what: ProbeFact,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum ProbeFact {
    /// The probe is in the process.
    Hello { language: String, version: String },
    /// A module of the application was rewritten; or why it could not be.
    Module { file: String, error: Option<String> },
    /// A request began, with the canaries that it brought. One that is `implied` was not seen at the boundary of the
    /// application: a canary that was new tells of it, and until then its unit counts as that of the request before.
    Request { own: Vec<String>, implied: bool },
    /// It brought further ones.
    Own { own: Vec<String> },
    /// The application's own code stored, loaded or got a value that holds canaries.
    Access(Box<Access>),
    /// The response of a request has ended; the canaries in it.
    Response { canaries: Vec<String> },
    /// By which paths a canary can be reached from what all requests share.
    Holders { canaries: Vec<String>, paths: Vec<HolderPath> },
    /// Events were thrown away.
    Dropped { count: u64 },
}

/// One way to reach an object from what all requests share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderPath {
    pub path: String,
    pub type_name: Option<String>,
    pub object: Option<u64>,
}

/// What an access does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessKind {
    Store,
    Load,
    /// The result of a call, or its arguments.
    Call,
}

/// A value that holds canaries, on its way through the application's own code.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    pub kind: AccessKind,
    /// Those that the value holds.
    pub canaries: Vec<String>,
    /// Of a call: those that its arguments hold.
    pub argument_canaries: Vec<String>,
    /// The container; of a call, its result.
    pub object: Option<u64>,
    pub type_name: Option<String>,
    /// How the container is reached: `app.shared`.
    pub path: Option<String>,
    /// The attribute, item or variable.
    pub key: Option<String>,
    /// `attribute`, `item`, `global`, `closure`, `call` and so on.
    pub manner: String,
    /// The container was made in this same request, and nobody else could reach it.
    pub is_local: bool,
    /// Of a call: as the source has it.
    pub callee: Option<String>,
    pub callee_object: Option<u64>,
    /// Of a store or a load: the value itself, and objects within it that hold canaries; as far as it is told.
    pub values: Vec<u64>,
    /// The way to the canary within the value, from the outside: objects, and keys in them.
    pub inner: Vec<(u64, Option<String>)>,
    pub place: CodePlace,
}

/// A place in the application's code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CodePlace {
    /// Relative to the application's folder, where it is below that.
    pub file: String,
    /// From 1; `None` if there is no source.
    pub line: Option<u32>,
    pub column: Option<u32>,
    pub function: String,
    /// The source line, without the spaces around it.
    pub text: String,
}

impl ProbeEvent {
    /// Reads a line; `None` if it is none that is understood, as the last one of a process that was killed may be.
    pub fn parse(line: &str) -> Option<ProbeEvent> {
        let Ok(Value::Object(fields)) = serde_json::from_str(line) else { return None };
        let fields = Fields(&fields);
        let what = match fields.text("e")?.as_str() {
            "hello" => ProbeFact::Hello {
                language: fields.text("language").unwrap_or_default(),
                version: fields.text("version").unwrap_or_default(),
            },
            "module" => ProbeFact::Module { file: fields.text("file")?, error: fields.text("error") },
            "request" => ProbeFact::Request {
                own: fields.canaries("own"),
                implied: fields.text("server").is_some_and(|server| server == "implicit"),
            },
            "own" => ProbeFact::Own { own: fields.canaries("own") },
            "store" => ProbeFact::Access(Box::new(fields.access(AccessKind::Store))),
            "load" => ProbeFact::Access(Box::new(fields.access(AccessKind::Load))),
            "call" => ProbeFact::Access(Box::new(fields.access(AccessKind::Call))),
            "response" => ProbeFact::Response { canaries: fields.canaries("c") },
            "holders" => ProbeFact::Holders { canaries: fields.canaries("c"), paths: fields.paths() },
            "dropped" => ProbeFact::Dropped { count: fields.number("count").unwrap_or(1) },
            _ => return None,
        };
        Some(ProbeEvent {
            number: fields.number("n"),
            at_us: fields.0.get("t").and_then(Value::as_i64).unwrap_or_default(),
            request: fields.number("r"),
            unit: fields.text("u").unwrap_or_default(),
            what,
        })
    }
}

struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn text(&self, name: &str) -> Option<String> {
        text(self.0.get(name)?)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.0.get(name).and_then(Value::as_array).into_iter().flatten().take(MOST)
    }

    /// A canary, or several.
    fn canaries(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::String(one)) => vec![one.clone()],
            _ => self.list(name).filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        }
    }

    fn paths(&self) -> Vec<HolderPath> {
        let path = |value: &Value| {
            if let Value::String(path) = value {
                return Some(HolderPath { path: clipped(path, LONGEST), type_name: None, object: None });
            }
            let fields = Fields(value.as_object()?);
            Some(HolderPath {
                path: fields.text("path")?,
                type_name: fields.text("type"),
                object: fields.number("obj"),
            })
        };
        self.list("paths").filter_map(path).collect()
    }

    fn access(&self, kind: AccessKind) -> Access {
        let line = |name| self.number(name).and_then(|line| u32::try_from(line).ok()).filter(|line| *line > 0);
        let inner: Vec<(u64, Option<String>)> = self.list("inner").filter_map(step).collect();
        let named = self.number("value").into_iter().chain(self.list("values").filter_map(Value::as_u64));
        Access {
            kind,
            canaries: self.canaries("c"),
            argument_canaries: self.canaries("args_c"),
            object: self.number("obj"),
            type_name: self.text("type"),
            path: self.text("path"),
            key: self.text("key"),
            manner: self.text("kind").unwrap_or_default(),
            is_local: self.flag("own_obj"),
            callee: self.text("callee"),
            callee_object: self.number("callee_obj"),
            values: named.chain(inner.iter().map(|(object, _)| *object)).collect(),
            inner,
            place: CodePlace {
                file: self.text("file").unwrap_or_default(),
                line: line("line"),
                column: line("column"),
                function: self.text("function").unwrap_or_default(),
                text: self.text("text").map(|text| clipped(text.trim(), LONGEST_LINE)).unwrap_or_default(),
            },
        }
    }
}

/// An object and a key.
fn step(value: &Value) -> Option<(u64, Option<String>)> {
    let pair = value.as_array()?;
    Some((pair.first()?.as_u64()?, pair.get(1).and_then(text)))
}

/// A number is a text as well: a key may be an index.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(clipped(text, LONGEST)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn clipped(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_read_and_what_it_does_not_say_is_not_known() {
        let line = r#"{"e":"store","t":12,"r":2,"u":"Task-10","n":4,"c":["zq1"],"obj":7,"type":"SimpleNamespace",
            "path":"app.shared","key":"email","kind":"attribute","own_obj":false,"file":"app.py","line":25,"column":5,
            "function":"dirty","text":"  shared.email = email "}"#;
        let event = ProbeEvent::parse(line).unwrap();
        assert_eq!((event.at_us, event.request, event.unit.as_str()), (12, Some(2), "Task-10"));
        let ProbeFact::Access(access) = event.what else { panic!() };
        assert_eq!((access.kind, access.object, access.key.as_deref()), (AccessKind::Store, Some(7), Some("email")));
        assert_eq!((access.place.line, access.place.text.as_str()), (Some(25), "shared.email = email"));
        let ProbeFact::Access(bare) = ProbeEvent::parse(r#"{"e":"load","key":0,"line":null,"obj":"x"}"#).unwrap().what
        else {
            panic!()
        };
        assert_eq!((bare.key.as_deref(), bare.object, bare.place.line), (Some("0"), None, None));
    }

    #[test]
    fn what_is_no_event_is_passed_over() {
        for line in ["", "{", "[]", "7", r#"{"e":"poem"}"#, r#"{"t":1}"#, r#"{"e":"store","c":["a"#] {
            assert_eq!(ProbeEvent::parse(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_too_odd(line in any::<String>(), kind in "hello|module|request|own|store|load|call|response|holders|dropped",
            c in prop::collection::vec(any::<String>(), 0..20), line_number in any::<i64>()) {
            ProbeEvent::parse(&line);
            let event = serde_json::json!({"e": kind, "c": c, "line": line_number, "own": 7, "paths": [line, {"path": 1}]});
            ProbeEvent::parse(&event.to_string());
        }
    }
}
