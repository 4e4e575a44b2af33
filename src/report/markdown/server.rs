//! What the server used, and how it ended.

use crate::analysis::median_trial::median_trial;
use crate::analysis::server_use::{ServerUse, by_part, used_by};
use crate::record::{Trial, VariantRecord};
use crate::report::escape::{cell, code_cell};
use crate::report::format::{self, NONE, cpu_time, millis};
use crate::report::table::{
    Align::{Left, Right},
    Table,
};
use crate::units::{show_count, show_size};

use super::{Place, ReportPage, show};
use crate::report::chart;

/// The most events that a table lists.
const EVENTS: usize = 20;

/// The table, the picture of the trial that stands for the variant, and what happened to its processes.
pub(super) fn server(page: &mut ReportPage, variant: &VariantRecord, place: &Place) {
    page.markdown += &used(variant, place);
    let Some((number, trial)) = median_trial(variant) else { return };
    let of = if variant.trials.len() > 1 { format!(" (trial {number})") } else { String::new() };
    if let Some(svg) = trial
        .servers
        .first()
        .filter(|_| place.pictures)
        .and_then(|first| chart::server(first, &format!("What the server used{of}")))
    {
        show(page, format!("server{}.svg", place.suffix), "What the server used over time", svg);
    }
    page.markdown += &events(trial, &of);
}

/// A row for the servers of each part of a trial.
fn used(variant: &VariantRecord, place: &Place) -> String {
    let mut table = Table::new([
        ("trial", Right),
        ("server of", Left),
        ("servers", Right),
        ("address", Left),
        ("ready after", Right),
        ("CPU time", Right),
        ("cores, mean", Right),
        ("memory, peak", Right),
        ("threads, most", Right),
        ("end", Left),
    ]);
    let rows: Vec<_> = variant.trials.iter().map(by_part).collect();
    let told_apart = rows.iter().any(|parts| parts.len() > 1);
    for (index, parts) in rows.iter().enumerate() {
        for (part, servers) in parts {
            let used = used_by(servers);
            let figure = |show: &dyn Fn(ServerUse) -> String| used.map_or("not measured".to_owned(), show);
            table.row([
                if variant.trials.len() > 1 { (index + 1).to_string() } else { String::new() },
                if told_apart { format::part(*part).to_owned() } else { String::new() },
                if servers.len() > 1 { show_count(servers.len() as u64) } else { String::new() },
                code_cell(&servers[0].address),
                millis(servers[0].ready_ms),
                figure(&|used| cpu_time(used.cpu_s)),
                figure(&|used| used.cpu_mean.map_or(NONE.to_owned(), |cores| format!("{cores:.2}"))),
                figure(&|used| show_size(used.rss_peak_bytes)),
                figure(&|used| show_count(used.threads_max)),
                cell(&format::ends(servers.iter().copied())),
            ]);
        }
    }
    if table.is_empty() {
        return String::new();
    }
    place.heading("Server") + table.without_empty_columns().markdown().as_str()
}

/// What happened to the processes of all servers; the numbers of the first one's are those of its picture.
fn events(trial: &Trial, of: &str) -> String {
    let mut table = Table::new([("", Right), ("at", Right), ("event", Left), ("server of", Left)]);
    let several = trial.servers.len() > 1;
    let all = || trial.servers.iter().flat_map(|server| server.events.iter().map(move |event| (server, event)));
    for (index, (server, event)) in all().take(EVENTS).enumerate() {
        table.row([
            (index + 1).to_string(),
            format!("{:.2} s", event.t_s),
            cell(&format::happening(&event.what)),
            if several { format::part(server.part).to_owned() } else { String::new() },
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    let head = format!("What happened to its processes{of}, in seconds from the start of the server:\n\n");
    let mut out = head + table.without_empty_columns().markdown().as_str();
    let more = all().count().saturating_sub(EVENTS);
    if more > 0 {
        out += &format!("and {} more\n\n", show_count(more as u64));
    }
    out
}
