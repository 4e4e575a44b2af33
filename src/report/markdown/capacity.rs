//! The search for the capacity: what it found, and every rate that it tried.

use crate::record::{CapacityRecord, VariantRecord};
use crate::report::capacity::{cost, fact, limit, outcome};
use crate::report::chart;
use crate::report::escape::{cell, inline};
use crate::report::format::{NONE, capital, micros};
use crate::report::table::{
    Align::{Left, Right},
    Table,
};
use crate::units::{show_percentage, show_rate, show_time};

use super::{Place, ReportPage, show};

pub(super) fn capacity(page: &mut ReportPage, variant: &VariantRecord, place: &Place) {
    let searches: Vec<(usize, &CapacityRecord)> = variant
        .trials
        .iter()
        .enumerate()
        .filter_map(|(index, trial)| Some((index + 1, trial.capacity.as_ref()?)))
        .collect();
    if searches.is_empty() {
        return;
    }
    let mut out = place.heading("Capacity");
    for (number, search) in &searches {
        let which = if searches.len() > 1 { format!("Trial {number}: ") } else { String::new() };
        let sentences = [Some(fact(search)), limit(search), cost(search)].into_iter().flatten();
        let sentences: Vec<String> = sentences.map(|sentence| format!("{}.", capital(&sentence))).collect();
        out += &format!("{which}{}\n\n", inline(&sentences.join(" ")));
        page.markdown += &std::mem::take(&mut out);
        let drawn = chart::capacity(&[(String::new(), *search)]).filter(|_| place.pictures);
        if let Some(svg) = drawn {
            let trial = if searches.len() > 1 { format!("-trial-{number}") } else { String::new() };
            show(page, format!("capacity{}{trial}.svg", place.suffix), "Latency by arrival rate", svg);
        }
        out += &probes(search);
    }
    page.markdown += &out;
    page.markdown += &place
        .explain(
            "Rates are tried in the open model: requests come whether or not earlier ones were answered. A rate also breaks \
             where requests wait longer and longer, whatever the rules say of the seconds that were tried; `growth` is by how \
             much the latency grows each second. The rate that counts, and the one above it, were tried twice or more.",
        );
}

fn probes(search: &CapacityRecord) -> String {
    let heads = ["rate", "for", "answered", "p50", "p99", "growth", "in flight", "errors", "cores"];
    let mut table = Table::new(heads.map(|head| (head, Right)).into_iter().chain([("outcome", Left)]));
    for probe in &search.probes {
        table.row([
            show_rate(probe.rate),
            show_time(probe.duration_s),
            show_rate(probe.achieved),
            micros(probe.p50_us),
            micros(probe.p99_us),
            probe.growth.map_or(NONE.to_owned(), growth),
            format!("{:.1}", probe.in_flight_mean),
            show_percentage(probe.error_rate),
            probe.cores.map_or(NONE.to_owned(), |cores| format!("{cores:.2}")),
            cell(&outcome(probe)),
        ]);
    }
    table.without_empty_columns().markdown()
}

/// Milliseconds a second, of which less than one is none.
fn growth(growth: f64) -> String {
    let millis = growth * 1e3;
    if millis.abs() < 0.5 { "0 ms/s".to_owned() } else { format!("{millis:+.0} ms/s") }
}
