//! What the server used, and how it ended.

use crate::analysis::median_trial::median_trial;
use crate::record::{ServerRecord, VariantRecord};
use crate::report::escape::{cell, code_cell};
use crate::report::table::{
    Align::{Left, Right},
    Table,
};
use crate::report::words::{cpu_time, millis};
use crate::units::{show_count, show_size};

use super::{Place, ReportPage, show};
use crate::report::chart;

/// The most events that a table lists.
const EVENTS: usize = 20;

/// The table, the picture of the trial that stands for the variant, and what happened to its processes.
pub(super) fn server(page: &mut ReportPage, variant: &VariantRecord, place: &Place) {
    page.markdown += &used(variant, place);
    let Some((number, trial)) = median_trial(variant) else { return };
    let Some(server) = &trial.server else { return };
    let of = if variant.trials.len() > 1 { format!(" (trial {number})") } else { String::new() };
    if let Some(svg) = chart::server(server, &format!("What the server used{of}")) {
        show(page, format!("server{}.svg", place.suffix), "What the server used over time", svg);
    }
    page.markdown += &events(server, &of);
}

fn used(variant: &VariantRecord, place: &Place) -> String {
    let mut table = Table::new([
        ("trial", Right),
        ("address", Left),
        ("ready after", Right),
        ("CPU time", Right),
        ("cores, mean", Right),
        ("memory, peak", Right),
        ("threads, most", Right),
        ("end", Left),
    ]);
    for (index, trial) in variant.trials.iter().enumerate() {
        let Some(server) = &trial.server else { continue };
        table.row([
            if variant.trials.len() > 1 { (index + 1).to_string() } else { String::new() },
            code_cell(&server.address),
            millis(server.ready_ms),
            measured(server, cpu_time(server.cpu_s)),
            measured(server, format!("{:.2}", server.cpu_mean)),
            measured(server, show_size(server.rss_peak_bytes)),
            measured(server, show_count(server.threads_max)),
            cell(&server.exit),
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    place.heading("Server") + table.without_empty_columns().markdown().as_str()
}

/// What happened to the processes; the numbers are those of the picture.
/// A figure of what was used, if it was measured: a process has a thread, so without any none was looked at.
fn measured(server: &ServerRecord, figure: String) -> String {
    if server.threads_max == 0 { "not measured".to_owned() } else { figure }
}

fn events(server: &ServerRecord, of: &str) -> String {
    let mut table = Table::new([("", Right), ("at", Right), ("event", Left), ("server of", Left)]);
    let several = server.events.iter().any(|event| event.second_server);
    for (index, event) in server.events.iter().take(EVENTS).enumerate() {
        table.row([
            (index + 1).to_string(),
            format!("{:.2} s", event.t_s),
            cell(&event.what),
            match (several, event.second_server) {
                (false, _) => String::new(),
                (true, false) => "the load".to_owned(),
                (true, true) => "the dirty check".to_owned(),
            },
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    let head = format!("What happened to its processes{of}, in seconds from the start of the server:\n\n");
    let mut out = head + table.without_empty_columns().markdown().as_str();
    if server.events.len() > EVENTS {
        out += &format!("and {} more\n\n", show_count((server.events.len() - EVENTS) as u64));
    }
    out
}
