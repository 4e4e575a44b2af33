//! Two records beside each other, as text for a terminal.

use crate::analysis::records::{Change, MetricChange, RecordDifference, VariantChange};
use crate::record::Record;
use crate::rule::{Unit, quantity};
use crate::stats::interval::Interval;
use crate::units::{Quantity, counted, show_count, show_percentage};

use super::escape::{cell, clean, clip, code, code_cell, inline};
use super::table::{Align, Table, pad};

/// What is to be said of records that differ in more than was asked; a line each.
pub fn differences(all: &[RecordDifference]) -> Vec<String> {
    let shown = |value: &Option<String>| value.as_ref().map_or("not there".to_owned(), |value| clip(&clean(value), 60));
    all.iter().map(|of| format!("{}: {} and {}", of.key, shown(&of.before), shown(&of.after))).collect()
}

/// Each variant with its metrics; the one that decides first, with what became of it. Ends in a line break.
pub fn changes(all: &[VariantChange], tolerance: f64) -> String {
    let mut out = String::new();
    for variant in all {
        let (before, after) = variant.trials;
        let trials = match before == after {
            true => format!("{} each", counted(before as u64, "trial")),
            false => format!("{} and {}", counted(before as u64, "trial"), show_count(after as u64)),
        };
        out += &format!("{}  {}  ({trials})\n", word(variant.change()), clip(&clean(&variant.variant), 80));
        let width = variant.metrics.iter().map(|metric| metric.metric.len()).max().unwrap_or(0);
        for metric in &variant.metrics {
            out += &format!("        {}  {}\n", pad(&metric.metric, width, Align::Left), line(metric, tolerance));
        }
        if let Some((before, after)) = variant.leaks {
            out += &format!(
                "        {}  {} -> {}\n",
                pad("leaks", width, Align::Left),
                show_count(before),
                show_count(after)
            );
        }
    }
    out
}

/// The same as a page of its own: what was compared, and each variant with its metrics.
pub fn page(all: &[VariantChange], tolerance: f64, (before, after): (&Record, &Record)) -> String {
    let title = format!("{}: {} and {}", after.scenario.name, before.started, after.started);
    let mut page = format!("# {}\n\nBeyond {}, at 99 % (Welch).\n\n", inline(&title), show_percentage(tolerance));
    for variant in all {
        page += &format!("## {}: {}\n\n", code(&variant.variant), in_words(variant.change()));
        let columns = ["metric", "before", "after", "times", "verdict"];
        let mut table = Table::new(columns.map(|column| (column, Align::Left)));
        for metric in &variant.metrics {
            let shown = |value: f64| cell(&quantity(value, metric.unit.unwrap_or(Unit::Number)).text());
            table.row([
                code_cell(&metric.metric),
                shown(metric.before),
                shown(metric.after),
                metric.ratio.map(times).unwrap_or_default(),
                metric.change.map(in_words).unwrap_or_default().to_owned(),
            ]);
        }
        if let Some((before, after)) = variant.leaks {
            table.row(["leaks".to_owned(), show_count(before), show_count(after)]);
        }
        page += &table.markdown();
    }
    super::html::plain_page(&page)
}

/// The same as a sentence says it.
fn in_words(change: Change) -> &'static str {
    match change {
        Change::Within => "same",
        Change::Better => "better",
        Change::Worse => "worse",
        Change::CannotBeTold => "cannot be told",
    }
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Within => "SAME  ",
        Change::Better => "BETTER",
        Change::Worse => "WORSE ",
        Change::CannotBeTold => "?     ",
    }
}

fn line(metric: &MetricChange, tolerance: f64) -> String {
    let shown = |value: f64| quantity(value, metric.unit.unwrap_or(Unit::Number)).text();
    let ratio = metric.ratio.map(|ratio| format!("  x {}", times(ratio))).unwrap_or_default();
    let judged = metric.change.map(|change| match change {
        Change::Within => format!("; no difference beyond {}", show_percentage(tolerance)),
        Change::Better => format!("; better by more than {}", show_percentage(tolerance)),
        Change::Worse => format!("; worse by more than {}", show_percentage(tolerance)),
        Change::CannotBeTold if metric.ratio.and_then(Interval::ends).is_none() => {
            "; two trials or more of each tell how far it varies by itself (`repeats` in [matrix])".to_owned()
        }
        Change::CannotBeTold => {
            format!("; whether it differs by more than {} cannot be told", show_percentage(tolerance))
        }
    });
    format!("{} -> {}{ratio}{}", shown(metric.before), shown(metric.after), judged.unwrap_or_default())
}

/// `0.83 (0.80 to 0.86)`.
fn times(ratio: Interval) -> String {
    let shown = Quantity::number(ratio.value);
    ratio.ends().map_or_else(|| shown.text(), |(low, high)| shown.with_ends(low, high))
}
