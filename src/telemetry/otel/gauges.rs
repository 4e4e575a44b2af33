//! Figures for an OpenTelemetry collector, once, at the end of a night.

use std::collections::BTreeMap;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Gauge, MeterProvider as _};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::client::OtlpClient;
use super::{DISABLED, PROTOCOL, is_set, resource};
use crate::telemetry::{ENDPOINT, GaugeSample, OWN};

/// The same as [`ENDPOINT`], for metrics alone and with its path.
const METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";

/// Sends samples, if the environment names a collector; why they did not arrive.
pub(in crate::telemetry) fn send(samples: &[GaugeSample]) -> Result<(), String> {
    let is_off = std::env::var(DISABLED).is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    if samples.is_empty() || is_off || !(is_set(ENDPOINT) || is_set(METRICS_ENDPOINT)) {
        return Ok(());
    }
    let mut builder = opentelemetry_otlp::MetricExporter::builder().with_http().with_http_client(OtlpClient);
    if !PROTOCOL.iter().any(|name| is_set(name)) {
        builder = builder.with_protocol(opentelemetry_otlp::Protocol::HttpBinary);
    }
    let exporter = builder.build().map_err(|error| error.to_string())?;
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).with_resource(resource()).build();
    let meter = provider.meter(OWN);
    let mut gauges: BTreeMap<&str, Gauge<f64>> = BTreeMap::new();
    for sample in samples {
        let gauge = gauges
            .entry(&sample.name)
            .or_insert_with(|| meter.f64_gauge(sample.name.clone()).with_unit(sample.unit).build());
        let labels: Vec<KeyValue> =
            sample.labels.iter().map(|(name, value)| KeyValue::new(*name, value.clone())).collect();
        gauge.record(sample.value, &labels);
    }
    let sent = provider.force_flush().map_err(|error| error.to_string());
    // What went wrong was said when it did.
    let _ = provider.shutdown();
    sent
}
