//! One event as it is written: a line of text for people, or of JSON for programs.

use std::fmt::{Debug, Write as _};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tracing::Level;
use tracing::field::{Field, Visit};

use super::{OWN, Redaction};
use crate::report::one_line;

/// How events are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EventFormat {
    /// `[  12.3 ms] info server: ready pid=4711`
    #[default]
    Text,
    /// `{"timestamp": ..., "level": "info", "target": "runner::server", "message": "ready", "fields": {"pid": 4711}}`
    Json,
}

/// The fields of an event or of a span, in the order in which they were given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventFields(pub Vec<(&'static str, Value)>);

impl EventFields {
    fn set(&mut self, field: &Field, value: Value) {
        match self.0.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, known)) => *known = value,
            None => self.0.push((field.name(), value)),
        }
    }

    /// What the event says, apart from its other fields.
    fn message(&self) -> &str {
        self.0.iter().find(|(name, _)| *name == MESSAGE).and_then(|(_, value)| value.as_str()).unwrap_or_default()
    }

    fn others(&self) -> impl Iterator<Item = &(&'static str, Value)> {
        self.0.iter().filter(|(name, _)| *name != MESSAGE)
    }
}

/// The field that `tracing` gives the sentence of an event.
const MESSAGE: &str = "message";

impl Visit for EventFields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, format!("{value:?}").into());
    }
}

/// One event with the spans that it stands in, the outermost first.
#[derive(Debug, Clone)]
pub struct EventEntry {
    /// Since the program started.
    pub since: Duration,
    pub at: jiff::Timestamp,
    pub level: Level,
    pub target: &'static str,
    pub fields: EventFields,
    pub spans: Vec<(&'static str, EventFields)>,
}

impl EventEntry {
    /// The line, without its end.
    pub fn line(&self, format: EventFormat, redaction: &Redaction) -> String {
        match format {
            EventFormat::Text => self.text(redaction),
            EventFormat::Json => self.json(redaction),
        }
    }

    fn text(&self, redaction: &Redaction) -> String {
        let hide = |text: &str| one_line(&redaction.hide(text));
        let mut line = format!("[{:>9.1} ms] {:<5} ", self.since.as_secs_f64() * 1e3, level(self.level));
        let _ = write!(line, "{}: {}", part(self.target), hide(self.fields.message()));
        for (name, value) in self.fields.others() {
            let value = match value {
                Value::String(text) => quoted(&hide(text)),
                value => value.to_string(),
            };
            let _ = write!(line, " {name}={value}");
        }
        line
    }

    fn json(&self, redaction: &Redaction) -> String {
        let hidden = |fields: &mut dyn Iterator<Item = &(&'static str, Value)>| -> Map<String, Value> {
            let hide = |value: &Value| match value {
                Value::String(text) => Value::from(redaction.hide(text)),
                value => value.clone(),
            };
            fields.map(|(name, value)| ((*name).to_owned(), hide(value))).collect()
        };
        let span = |(name, fields): &(&'static str, EventFields)| {
            let mut span = Map::from_iter([("name".to_owned(), Value::from(*name))]);
            span.extend(hidden(&mut fields.0.iter()));
            Value::Object(span)
        };
        let line = json!({
            "timestamp": format!("{:.6}", self.at),
            "level": level(self.level),
            "target": self.target,
            "message": redaction.hide(self.fields.message()),
            "fields": hidden(&mut self.fields.others()),
            "spans": self.spans.iter().map(span).collect::<Vec<_>>(),
        });
        line.to_string()
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// The part of the program that an event is from: `dirty` of `runner::dirty::check`.
fn part(target: &str) -> &str {
    let own = target.strip_prefix(OWN).and_then(|rest| rest.strip_prefix("::"));
    own.map_or(target, |path| path.split("::").next().unwrap_or(path))
}

/// In quotes, where it would not be seen where it ends.
fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains([' ', '"', '=']);
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fields: Vec<(&'static str, Value)>) -> EventEntry {
        EventEntry {
            since: Duration::from_micros(12_340),
            at: "2026-01-02T03:04:05.678901Z".parse().unwrap(),
            level: Level::INFO,
            target: "runner::server::command",
            fields: EventFields(fields),
            spans: vec![("trial", EventFields(vec![("number", 1.into())]))],
        }
    }

    #[test]
    fn a_line_of_text_names_the_part_and_quotes_what_has_blanks() {
        let fields = vec![("pid", 4711.into()), ("message", "ready".into()), ("said", "a \"b\"\nc".into())];
        let line = entry(fields).line(EventFormat::Text, &Redaction::default());
        assert_eq!(line, "[     12.3 ms] info  server: ready pid=4711 said=\"a \\\"b\\\" c\"");
    }

    #[test]
    fn a_line_of_json_holds_the_spans_around_the_event() {
        let line = entry(vec![("message", "ready".into()), ("pid", 4711.into())]);
        let line: Value = serde_json::from_str(&line.line(EventFormat::Json, &Redaction::default())).unwrap();
        let expected = json!({
            "timestamp": "2026-01-02T03:04:05.678901Z", "level": "info", "target": "runner::server::command",
            "message": "ready", "fields": { "pid": 4711 }, "spans": [{ "name": "trial", "number": 1 }],
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn no_secret_is_written_in_either_format() {
        let redaction = Redaction::default();
        redaction.add(&crate::scenario::tests::secrets("API_KEY", "s3cret-s3cret"));
        let mut entry = entry(vec![("message", "sent s3cret-s3cret".into()), ("with", "a=s3cret-s3cret".into())]);
        entry.spans.push(("load", EventFields(vec![("path", "/?k=s3cret-s3cret".into())])));
        for format in [EventFormat::Text, EventFormat::Json] {
            let line = entry.line(format, &redaction);
            assert!(!line.contains("s3cret") && line.matches("${API_KEY}").count() >= 2, "{line}");
        }
    }
}
