//! From what a search for the capacity tried to what the record says of it.

use crate::analysis::responses::without_response;
use crate::record::{LoadRecord, ProbeRecord};
use crate::scenario::{CapacitySpec, LoadSpec};
use crate::units::{show_duration, show_percentage, show_rate};

use super::load::what_is_sent;

/// The search in words.
pub(in crate::run) fn describe_capacity(plan: &CapacitySpec, load: &LoadSpec) -> String {
    let rules: Vec<&str> = plan.rules.iter().map(|rule| rule.text.as_str()).collect();
    let most = plan.max_rate.map(|most| format!(", up to {}", show_rate(most))).unwrap_or_default();
    format!(
        "{} at the highest rate with {}{most}, to {}, in {} at most",
        what_is_sent(load),
        rules.join(" and "),
        show_percentage(plan.precision),
        show_duration(plan.time)
    )
}

/// A load at one rate, as far as its own record tells of it; it took so long, warm-up and drain included.
pub(in crate::run) fn probe(load: &LoadRecord, took_s: f64) -> ProbeRecord {
    let count = |kind: &str| load.errors.get(kind).copied().unwrap_or(0);
    let share = |count: u64| count as f64 / load.started.max(1) as f64;
    let in_flight_mean = load.open.as_ref().map_or(0.0, |open| open.in_flight_mean);
    ProbeRecord {
        duration_s: load.duration_s,
        achieved: load.throughput,
        p50_us: load.latency_us.p50,
        p99_us: load.latency_us.p99,
        max_us: load.latency_us.max,
        in_flight_mean,
        error_rate: share(without_response(load) + count("status")),
        timeout_rate: share(count("timeout") + load.unanswered),
        queued: load.open.as_ref().map_or(0, |open| open.queued),
        not_connected: count("connect"),
        generator_cores: load.generator.cpu_s / took_s.max(1e-9),
        ..ProbeRecord::default()
    }
}
