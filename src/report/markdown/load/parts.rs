//! The parts of a load: its stages, its requests by name; and how an open load was kept.

use crate::record::{LoadRecord, PartRecord, StageRecord};
use crate::report::escape::{cell, code_cell};
use crate::report::format::micros;
use crate::report::table::{
    Align::{Left, Right},
    Table,
};
use crate::units::{show_count, show_percentage, show_rate, show_time};

/// Empty for a load of one constant level and one request in the closed model.
pub(super) fn tables(load: &LoadRecord) -> String {
    [kept(load), stages(load), requests(load), slowest(load)].concat()
}

fn kept(load: &LoadRecord) -> String {
    let Some(open) = &load.open else { return String::new() };
    let heads = ["rate asked", "started", "waited for a user", "never sent", "sent late", "latest by", "in flight"];
    let mut table = Table::new(heads.map(|head| (head, Right)));
    table.row([
        show_rate(open.rate),
        show_rate(load.started as f64 / load.duration_s.max(1e-9)),
        show_count(open.queued),
        show_count(open.never_sent.saturating_add(open.missed)),
        show_percentage(open.late_share),
        show_time(open.late_max_us / 1e6),
        format!("{:.1}", open.in_flight_mean),
    ]);
    table.markdown()
}

const HEADS: [&str; 6] = ["started", "answered", "status 400 or above", "p50", "p99", "max"];

fn columns(part: &PartRecord) -> [String; 6] {
    let [p50, p99, max] = [part.latency_us.p50, part.latency_us.p99, part.latency_us.max].map(micros);
    [show_count(part.started), show_count(part.completed), show_count(part.error_status), p50, p99, max]
}

fn stages(load: &LoadRecord) -> String {
    if load.stages.is_empty() {
        return String::new();
    }
    let asked = if load.open.is_some() { "rate asked" } else { "users" };
    let heads = [("stage", Right), ("from", Right), ("for", Right), (asked, Right), ("rate started", Right)];
    let mut table = Table::new(heads.into_iter().chain(HEADS.map(|head| (head, Right))));
    for (index, stage) in load.stages.iter().enumerate() {
        let rate = stage.part.started as f64 / stage.length_s.max(1e-9);
        let own = [
            (index + 1).to_string(),
            show_time(stage.t_s),
            show_time(stage.length_s),
            level(stage, load.open.is_some()),
            show_rate(rate),
        ];
        table.row(own.into_iter().chain(columns(&stage.part)));
    }
    table.markdown()
}

fn level(stage: &StageRecord, open: bool) -> String {
    let show = |value: f64| if open { show_rate(value) } else { format!("{value}") };
    if stage.from == stage.to { show(stage.to) } else { format!("{} to {}", show(stage.from), show(stage.to)) }
}

fn requests(load: &LoadRecord) -> String {
    if load.requests.is_empty() {
        return String::new();
    }
    let mut table = Table::new([("request", Left)].into_iter().chain(HEADS.map(|head| (head, Right))));
    for (name, part) in &load.requests {
        table.row([cell(name)].into_iter().chain(columns(part)));
    }
    table.markdown()
}

/// The requests that took longest, where the server's own traces can be searched for them.
fn slowest(load: &LoadRecord) -> String {
    let heads =
        [("slowest request", Left), ("due after", Right), ("latency", Right), ("outcome", Left), ("trace id", Left)];
    let mut table = Table::new(heads);
    for slow in &load.slowest {
        let outcome = match (slow.status, &slow.failure) {
            (Some(status), _) => format!("status {status}"),
            (None, failure) => failure.clone().unwrap_or_default(),
        };
        table.row([
            code_cell(&slow.request),
            show_time(slow.t_s),
            show_time(slow.latency_us / 1e6),
            cell(&outcome),
            code_cell(&slow.trace_id),
        ]);
    }
    table.markdown()
}
