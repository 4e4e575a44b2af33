//! The first section of a report of several variants: what to decide, and on what grounds.

use crate::record::{ComparisonRecord, ConditionRecord, Record, VariantRecord};
use crate::report::decision;
use crate::report::escape::{code, code_cell, inline};
use crate::report::format::{NONE, capital};
use crate::report::table::{
    Align::{Left, Right},
    Table,
};
use crate::rule::Unit;

/// Nothing where there is nothing to decide.
pub(super) fn decision(record: &Record) -> String {
    let Some(comparison) = &record.comparison else { return String::new() };
    let Some(recommended) = decision::recommendation(comparison) else { return String::new() };
    let mut out = format!("## Decision\n\n**{}.**", inline(&capital(&recommended)));
    if let Some(leaking) = decision::leaking(comparison) {
        out += &format!(" **But {}.**", inline(&leaking));
    }
    out += "\n\n";
    out += &table(comparison, &record.variants);
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
fn table(comparison: &ComparisonRecord, variants: &[VariantRecord]) -> String {
    let Some((metric, unit)) = decision::metric(comparison) else { return String::new() };
    let first = if comparison.conditions.iter().any(|condition| !condition.name.is_empty()) { metric } else { "" };
    let heads = comparison.alternatives.iter().map(|name| (name.as_str(), Right));
    let mut table = Table::new(std::iter::once((first, Left)).chain(heads));
    for condition in &comparison.conditions {
        let name = if condition.name.is_empty() { metric.to_owned() } else { code_cell(&condition.name) };
        let cells = (0..comparison.alternatives.len()).map(|of| cell(comparison, variants, condition, of, unit));
        table.row(std::iter::once(name).chain(cells));
    }
    table.markdown()
}

/// What an alternative came to, and, where another was better, what part of that this is.
fn cell(
    comparison: &ComparisonRecord,
    variants: &[VariantRecord],
    condition: &ConditionRecord,
    alternative: usize,
    unit: Unit,
) -> String {
    let variant = condition.variants.get(alternative).copied().flatten().filter(|index| *index < variants.len());
    let figures = variant.and_then(|index| comparison.figures.get(index));
    let figure = figures.and_then(|figures| figures.iter().find(|figure| figure.metric == comparison.metric));
    let Some(figure) = figure else { return NONE.to_owned() };
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
