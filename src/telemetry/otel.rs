//! Spans for an OpenTelemetry collector (OTLP over HTTP). A collector that is not there costs a warning and at most
//! [`FLUSH`] at the end, never the run.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, StringValue, Value};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use super::{Complain, ENDPOINT, OWN, Redaction};

mod client;
pub(super) mod gauges;

use client::OtlpClient;

/// The same as [`ENDPOINT`], for spans alone and with its path.
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// Turns OpenTelemetry off, whatever else is set.
const DISABLED: &str = "OTEL_SDK_DISABLED";
/// How spans are written: `http/protobuf` or `http/json`.
const PROTOCOL: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
/// What stands for the service.
const SERVICE: [&str; 2] = ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"];

/// For so long the end of the program waits until the rest of the spans has gone out.
pub const FLUSH: Duration = Duration::from_secs(2);

/// What to do about spans that do not arrive.
const ADVICE: &str = "start a collector that takes OTLP over HTTP there (port 4318), or unset OTEL_EXPORTER_OTLP_ENDPOINT; the \
                      run does not depend on it";

/// Sends spans out, in batches, from a thread of its own.
pub(super) struct SpanSender {
    provider: SdkTracerProvider,
}

impl fmt::Debug for SpanSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpanSender")
    }
}

impl SpanSender {
    /// One for the collector that the environment names, if it names one.
    pub fn from_environment(redaction: Redaction, complain: Complain) -> Option<SpanSender> {
        let is_off = std::env::var(DISABLED).is_ok_and(|value| value.eq_ignore_ascii_case("true"));
        if is_off || !(is_set(ENDPOINT) || is_set(TRACES_ENDPOINT)) {
            return None;
        }
        let mut builder = opentelemetry_otlp::SpanExporter::builder().with_http().with_http_client(OtlpClient);
        if !PROTOCOL.iter().any(|name| is_set(name)) {
            builder = builder.with_protocol(opentelemetry_otlp::Protocol::HttpBinary);
        }
        let inner = match builder.build() {
            Ok(inner) => inner,
            Err(error) => {
                complain(&format!("no spans are sent: {error}"), ADVICE);
                return None;
            }
        };
        let exporter = Discreet { inner, redaction, complain, complained: OnceLock::new() };
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
        Some(SpanSender { provider })
    }

    /// What turns spans into those of OpenTelemetry.
    pub fn layer<S: Subscriber + for<'s> LookupSpan<'s>>(&self) -> OpenTelemetryLayer<S, SdkTracer> {
        // Where in the source a span is made says nothing to those who look at traces.
        let layer = tracing_opentelemetry::layer().with_tracer(self.provider.tracer(OWN));
        layer.with_location(false).with_threads(false).with_tracked_inactivity(false)
    }
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Who sends: this program, unless the environment has another name for it.
fn resource() -> Resource {
    let named = is_set(SERVICE[0]) || std::env::var(SERVICE[1]).is_ok_and(|value| value.contains("service.name="));
    let resource = Resource::builder();
    let resource = if named { resource } else { resource.with_service_name(OWN) };
    resource.with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build()
}

impl Drop for SpanSender {
    fn drop(&mut self) {
        // What went wrong was said when it did.
        let _ = self.provider.shutdown_with_timeout(FLUSH);
    }
}

/// Exports spans without secrets, and says once if they do not arrive.
struct Discreet {
    inner: opentelemetry_otlp::SpanExporter,
    redaction: Redaction,
    complain: Complain,
    complained: OnceLock<()>,
}

impl fmt::Debug for Discreet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Discreet").field(&self.inner).finish()
    }
}

impl Discreet {
    fn hide(&self, attributes: &mut [KeyValue]) {
        for attribute in attributes {
            if let Value::String(text) = &attribute.value {
                let hidden = self.redaction.hide(text.as_str()).into_owned();
                attribute.value = Value::String(StringValue::from(hidden));
            }
        }
    }
}

impl SpanExporter for Discreet {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            self.hide(&mut span.attributes);
            for event in &mut span.events.events {
                event.name = self.redaction.hide(&event.name).into_owned().into();
                self.hide(&mut event.attributes);
            }
        }
        let sent = self.inner.export(batch).await;
        if let Err(error) = &sent
            && self.complained.set(()).is_ok()
        {
            (self.complain)(&format!("spans do not arrive: {error}"), ADVICE);
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
