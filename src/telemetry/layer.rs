//! A layer of the subscriber that writes each event as a line.

use std::time::Instant;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::entry::{EventEntry, EventFields, EventFormat};
use super::{Redaction, RunLog, Screen};

/// Writes each event that it gets.
pub(super) struct LineLayer {
    format: EventFormat,
    began: Instant,
    redaction: Redaction,
    write: Screen,
    /// Nothing is written while this has no file.
    while_open: Option<RunLog>,
}

impl LineLayer {
    pub fn new(format: EventFormat, began: Instant, redaction: Redaction, write: Screen) -> LineLayer {
        LineLayer { format, began, redaction, write, while_open: None }
    }

    /// The same, which writes only while there is a log to write to.
    pub fn while_open(self, log: RunLog) -> LineLayer {
        LineLayer { while_open: Some(log), ..self }
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for LineLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        // Another layer of this kind may have kept them already.
        let mut extensions = span.extensions_mut();
        if extensions.get_mut::<EventFields>().is_none() {
            let mut fields = EventFields::default();
            attributes.record(&mut fields);
            extensions.insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<EventFields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if self.while_open.as_ref().is_some_and(|log| !log.is_open()) {
            return;
        }
        let mut fields = EventFields::default();
        event.record(&mut fields);
        let scope = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let spans =
            scope.map(|span| (span.name(), span.extensions().get::<EventFields>().cloned().unwrap_or_default()));
        let entry = EventEntry {
            since: self.began.elapsed(),
            at: jiff::Timestamp::now(),
            level: *event.metadata().level(),
            target: event.metadata().target(),
            fields,
            spans: spans.collect(),
        };
        (self.write)(&entry.line(self.format, &self.redaction));
    }
}
