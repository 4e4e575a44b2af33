//! What the server used, and how it ended.

use crate::record::Variant;
use crate::report::escape::{cell, code_cell};
use crate::report::table::{
    Align::{Left, Right},
    Table,
};
use crate::report::words::millis;
use crate::units::{show_count, show_size, show_time};

use super::Place;

pub(super) fn server(variant: &Variant, place: &Place) -> String {
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
            show_time(server.cpu_s),
            format!("{:.2}", server.cpu_mean),
            show_size(server.rss_peak_bytes),
            show_count(server.threads_max),
            cell(&server.exit),
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    place.heading("Server") + table.without_empty_columns().markdown().as_str()
}
