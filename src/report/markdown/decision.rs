//! The first section of a report of several variants: what to decide, and on what grounds.

use crate::record::{ComparisonRecord, ConditionRecord, Record};
use crate::report::chart;
use crate::report::decision;
use crate::report::escape::{code, code_cell, inline};
use crate::report::format::{NONE, capital};
use crate::report::table::{
    Align::{Left, Right},
    Table,
};
use crate::rule::Unit;

use super::{ReportPage, show};

/// Nothing where there is nothing to decide.
pub(super) fn decision(page: &mut ReportPage, record: &Record) {
    let Some(comparison) = &record.comparison else { return };
    let Some(recommended) = decision::recommendation(comparison) else { return };
    page.markdown += &format!("## Decision\n\n**{}.**", inline(&capital(&recommended)));
    if let Some(leaking) = decision::leaking(comparison) {
        page.markdown += &format!(" **But {}.**", inline(&leaking));
    }
    page.markdown += "\n\n";
    if let (Some(svg), Some(key)) = (chart::by_key(comparison, &record.variants), &comparison.key) {
        let title = format!("{} by {}", capital(&comparison.metric), key.path);
        show(page, "comparison.svg".to_owned(), &title, svg);
    }
    page.markdown += &grounds(comparison, record);
}

/// The table, and in words what the decision rests on, what speaks against each, and what would change it.
fn grounds(comparison: &ComparisonRecord, record: &Record) -> String {
    let mut out = table(comparison);
    out += "On what grounds:\n\n";
    for sentence in decision::grounds(comparison, &record.variants) {
        out += &format!("- {}.\n", inline(&capital(&sentence)));
    }
    out.push('\n');
    out += &risks(comparison);
    let would_change = decision::would_change(comparison, &record.variants);
    if !would_change.is_empty() {
        out += "What would change the answer:\n\n";
        would_change.iter().for_each(|sentence| out += &format!("- {}.\n", inline(&capital(sentence))));
        out.push('\n');
    }
    out
}

/// Alternatives by condition.
fn table(comparison: &ComparisonRecord) -> String {
    let Some((metric, unit)) = decision::metric(comparison) else { return String::new() };
    let first = if comparison.conditions.iter().any(|condition| !condition.name.is_empty()) { metric } else { "" };
    let heads = comparison.alternatives.iter().map(|name| (name.as_str(), Right));
    let mut table = Table::new(std::iter::once((first, Left)).chain(heads));
    for condition in &comparison.conditions {
        let name = if condition.name.is_empty() { metric.to_owned() } else { code_cell(&condition.name) };
        let cells = (0..comparison.alternatives.len()).map(|of| cell(comparison, condition, of, unit));
        table.row(std::iter::once(name).chain(cells));
    }
    table.markdown()
}

/// What an alternative came to, and, where another was better, what part of that this is.
fn cell(comparison: &ComparisonRecord, condition: &ConditionRecord, alternative: usize, unit: Unit) -> String {
    let Some(figure) = comparison.figure(condition, alternative) else { return NONE.to_owned() };
    let shown = decision::interval(figure.interval, unit);
    if condition.best == Some(alternative) { format!("**{shown}**") } else { shown }
}

fn risks(comparison: &ComparisonRecord) -> String {
    let risks = decision::risks(comparison);
    if risks.iter().all(|(_, risks)| risks.is_empty()) {
        return String::new();
    }
    let mut out = "What to keep in mind of each:\n\n".to_owned();
    for (alternative, risks) in risks.iter().filter(|(_, risks)| !risks.is_empty()) {
        let name = comparison.alternatives.get(*alternative).map(|name| code(name)).unwrap_or_default();
        out += &format!("- {name}: {}.\n", inline(&risks.join("; ")));
    }
    out + "\n"
}
