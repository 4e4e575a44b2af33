//! `--log-format`.

use clap::ValueEnum;

use crate::telemetry::EventFormat;

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line for people
    Text,
    /// A line of JSON, and no progress between
    Json,
}

impl From<LogFormat> for EventFormat {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => EventFormat::Text,
            LogFormat::Json => EventFormat::Json,
        }
    }
}
