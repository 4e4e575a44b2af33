//! What the screen shows of events: `-v`, `RUNNER_LOG`, `--log-format`.

use std::time::Instant;

use super::arguments::Manner;
use super::progress::Style;
use super::{Exit, print};
use crate::telemetry::{self, EventFilter, EventFormat, FilterError, Telemetry, TelemetryConfig};

/// The variable that chooses what is shown, in place of `-v`.
const VARIABLE: &str = "RUNNER_LOG";

/// Events, and the screen that they share with progress.
pub(super) struct EventLog {
    telemetry: Telemetry,
    /// How progress is shown beside it.
    pub style: Style,
    /// The screen shows when parts begin and end: progress need not say it too.
    pub tells_parts: bool,
}

impl EventLog {
    /// From here on events are shown. `export`: spans go to a collector, if the environment names one.
    pub fn start(manner: Manner, began: Instant, export: bool) -> Result<EventLog, Exit> {
        let shown = shown(manner.verbose).map_err(|error| {
            print::error(&format!("{VARIABLE}: {error}"), Some(FilterError::ADVICE));
            Exit::Invalid
        })?;
        let format = EventFormat::from(manner.log_format);
        let tells_parts = shown.as_ref().is_some_and(EventFilter::has_info);
        // Whoever reads JSON does not read a bar between its lines.
        let style = Style::of(manner.quiet || (format == EventFormat::Json && shown.is_some()));
        let (screen, warnings) = (style.clone(), style.clone());
        let telemetry = telemetry::install(TelemetryConfig {
            shown,
            format,
            began,
            screen: Box::new(move |line| screen.say(line)),
            export,
            complain: Box::new(move |message, advice| warnings.say(&print::warning_text(message, Some(advice)))),
        });
        Ok(EventLog { telemetry, style, tells_parts })
    }

    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }
}

/// What is to be shown, if anything is. An empty variable is one that is not set.
fn shown(verbose: u8) -> Result<Option<EventFilter>, FilterError> {
    match std::env::var(VARIABLE).ok().filter(|written| !written.trim().is_empty()) {
        Some(written) => EventFilter::parse(&written).map(Some),
        None => Ok(EventFilter::verbose(verbose)),
    }
}
