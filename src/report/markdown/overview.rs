//! The variants of a matrix side by side.

use crate::analysis::exposures::{DirtyTotals, dirty_totals};
use crate::analysis::median_trial::{median_capacity, median_trial};
use crate::analysis::responses::without_response;
use crate::record::{ScalingRecord, VariantRecord};
use crate::report::capacity;
use crate::report::escape::{cell, code_cell, inline};
use crate::report::footnote;
use crate::report::format::{NONE, capital, micros, outcome, share};
use crate::report::inspection;
use crate::report::table::{
    Align::{Left, Right},
    Table,
};
use crate::units::{show_count, show_percentage, show_rate};

use super::mark;

pub(super) fn overview(variants: &[VariantRecord]) -> String {
    let mut table = Table::new([
        ("", Right),
        ("variant", Left),
        ("verdict", Left),
        ("at once", Left),
        ("throughput", Right),
        ("of its ceiling", Right),
        ("p50", Right),
        ("p99", Right),
        ("never answered", Right),
        ("capacity", Right),
        ("leaks", Right),
        ("exposures", Right),
        ("leaking at most (95 %)", Right),
    ]);
    for (index, variant) in variants.iter().enumerate() {
        let loaded = median_trial(variant).and_then(|(_, trial)| Some((trial.load.as_ref()?, trial.ceiling)));
        let of_load = loaded.map(|(load, ceiling)| {
            let lost = share(without_response(load), load.started);
            let reached = ceiling.map_or(NONE.to_owned(), |found| show_percentage(found.measured_share));
            let [p50, p99] = [load.latency_us.p50, load.latency_us.p99].map(micros);
            [show_rate(load.throughput), reached, p50, p99, lost]
        });
        let found = variant.trials.iter().find_map(|trial| trial.inspection.as_ref());
        let at_once = found.map_or(NONE.to_owned(), |found| cell(&inspection::answer(found)));
        let cells = [(index + 1).to_string(), code_cell(&variant.name), mark(outcome(variant)), at_once];
        let none = || NONE.to_owned();
        let of_load = of_load.unwrap_or_else(|| [none(), none(), none(), none(), none()]);
        let capacity = median_capacity(variant).map_or_else(none, capacity::rates);
        let [leaks, exposures, bound] = dirty_cells(variant);
        let leaks = format!("{leaks}{}", footnote::mark(variant, variants));
        table.row(cells.into_iter().chain(of_load).chain([capacity, leaks, exposures, bound]));
    }
    let several = variants.iter().any(|variant| variant.trials.len() > 1);
    let note = "Of several trials, the one of median throughput stands for its variant; leaks and exposures are those of all, \
                and the bound is about all of them.\n\n";
    let mut out = "## Overview\n\n".to_owned() + table.without_empty_columns().markdown().as_str();
    if several {
        out += note;
    }
    for note in footnote::notes(variants) {
        out += &format!("{}\n\n", inline(&note));
    }
    out
}

/// What workers bring, by the universal scalability law.
pub(super) fn scaling(fits: &[ScalingRecord]) -> String {
    let sentences = fits.iter().map(|fit| format!("- {}.\n", inline(&capital(&capacity::scaling(fit)))));
    let list: String = sentences.collect();
    if list.is_empty() {
        return String::new();
    }
    format!("By the universal scalability law, fitted to the capacity over the number of workers:\n\n{list}\n")
}

/// Leaks, exposures and bound over all trials of a variant.
fn dirty_cells(variant: &VariantRecord) -> [String; 3] {
    let Some(DirtyTotals { leaks, exposures, bound }) = dirty_totals(variant) else {
        return [NONE.to_owned(), NONE.to_owned(), NONE.to_owned()];
    };
    let leaks = if leaks > 0 { format!("**{}**", show_count(leaks)) } else { "0".to_owned() };
    [leaks, show_count(exposures), show_percentage(bound)]
}
