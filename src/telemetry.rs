//! Where spans and events go: the screen, a run's `run.log`, and an OpenTelemetry collector. None of them gets a secret.
//!
//! The rest of the program only uses the macros of `tracing`. What is installed here decides what becomes of that. Without
//! an installation nothing is recorded, and a disabled event costs the comparison of two numbers.

use std::time::Instant;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

pub mod entry;
mod filter;
mod layer;
#[cfg(feature = "otel")]
mod otel;
mod redaction;
mod run_log;

pub use entry::EventFormat;
pub use filter::{EventFilter, FilterError};
pub use redaction::Redaction;
pub use run_log::{RunLog, RunLogGuard};

use layer::LineLayer;

/// The program's own spans and events, as against those of its libraries.
pub(crate) const OWN: &str = "runner";

/// The variable that names a collector.
pub const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Prints one line on the screen.
pub type Screen = Box<dyn Fn(&str) + Send + Sync>;

/// Says that something is amiss with the telemetry itself, with the remedy. Is called once at most.
pub type Complain = Box<dyn Fn(&str, &str) + Send + Sync>;

/// What is to be installed.
pub struct TelemetryConfig {
    /// What the screen shows; nothing if `None`.
    pub shown: Option<EventFilter>,
    /// How it is shown.
    pub format: EventFormat,
    /// When the program started: lines count from there.
    pub began: Instant,
    pub screen: Screen,
    /// Whether spans go to a collector that the environment names.
    pub export: bool,
    pub complain: Complain,
}

/// What to do about figures that do not arrive at it.
pub const ENDPOINT_ADVICE: &str =
    "start a collector that takes OTLP over HTTP there (port 4318), or unset the variable";

/// A figure for a collector.
#[derive(Debug, Clone, PartialEq)]
pub struct GaugeSample {
    /// `runner.latency.p99`
    pub name: String,
    /// As UCUM writes it: `s`, `By`, `1`; empty for a count.
    pub unit: &'static str,
    pub value: f64,
    pub labels: Vec<(&'static str, String)>,
}

/// Sends figures to the collector that the environment names, if it names one; why they did not arrive.
#[cfg(feature = "otel")]
pub fn send_gauges(samples: &[GaugeSample]) -> Result<(), String> {
    otel::gauges::send(samples)
}

/// The same without OpenTelemetry: there is none to send to.
#[cfg(not(feature = "otel"))]
pub fn send_gauges(_samples: &[GaugeSample]) -> Result<(), String> {
    Ok(())
}

/// What was installed. When it is dropped, what is left of the spans goes to the collector, which is given a short time.
#[derive(Debug, Default)]
pub struct Telemetry {
    redaction: Redaction,
    run_log: RunLog,
    /// Held for its end.
    #[cfg(feature = "otel")]
    _exporter: Option<otel::SpanSender>,
}

impl Telemetry {
    /// Values that are hidden from now on.
    pub fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// Where a run sends its own log.
    pub fn run_log(&self) -> &RunLog {
        &self.run_log
    }
}

/// Installs all of it for the whole process. A process that has one already keeps that, and this one gets no events.
pub fn install(setup: TelemetryConfig) -> Telemetry {
    let TelemetryConfig { shown, format, began, screen, export, complain } = setup;
    let (redaction, run_log) = (Redaction::default(), RunLog::default());
    let hidden = || redaction.clone();
    let screen = shown.map(|EventFilter(filter)| LineLayer::new(format, began, hidden(), screen).with_filter(filter));
    let log = run_log.clone();
    let log = LineLayer::new(EventFormat::Json, began, hidden(), Box::new(move |line: &str| log.write(line)))
        .while_open(run_log.clone())
        .with_filter(Targets::new().with_target(OWN, LevelFilter::INFO));
    let subscriber = Registry::default().with(screen).with(log);
    #[cfg(feature = "otel")]
    {
        let exporter = if export { otel::SpanSender::from_environment(hidden(), complain) } else { None };
        let spans = exporter
            .as_ref()
            .map(|exporter| exporter.layer().with_filter(Targets::new().with_target(OWN, LevelFilter::DEBUG)));
        let _ = tracing::subscriber::set_global_default(subscriber.with(spans));
        Telemetry { redaction, run_log, _exporter: exporter }
    }
    #[cfg(not(feature = "otel"))]
    {
        let _ = (export, complain);
        let _ = tracing::subscriber::set_global_default(subscriber);
        Telemetry { redaction, run_log }
    }
}
