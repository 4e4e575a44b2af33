//! The figures of a variant that other programs get.

use super::ScenarioOutcome;
use crate::analysis::comparison::figures;
use crate::analysis::exposures::dirty_totals;
use crate::record::VariantRecord;
use crate::rule::{Metric, Unit};

/// A figure of a variant, in the base unit of its metric.
pub(super) struct ExportedFigure {
    /// `latency.p99`.
    pub metric: String,
    pub unit: Unit,
    pub value: f64,
}

/// Medians over the trials of what a report tells of each variant, and what a dirty check found.
pub(super) fn of(variant: &VariantRecord) -> Vec<ExportedFigure> {
    let measured = figures(variant).into_iter().map(|figure| {
        let unit = Metric::parse(&figure.metric).map_or(Unit::Number, |metric| metric.unit());
        ExportedFigure { metric: figure.metric, unit, value: figure.interval.value }
    });
    let dirty = dirty_totals(variant).into_iter().flat_map(|of| {
        let figure = |metric: &str, unit, value| ExportedFigure { metric: metric.to_owned(), unit, value };
        [
            figure("dirty.leaks", Unit::Count, of.leaks as f64),
            figure("dirty.exposures", Unit::Count, of.exposures as f64),
            figure("dirty.bound", Unit::Percentage, of.bound),
        ]
    });
    measured.chain(dirty).filter(|figure| figure.value.is_finite()).collect()
}

/// The figures of all variants of a night, each with its scenario and variant.
pub(super) fn all(outcomes: &[ScenarioOutcome]) -> impl Iterator<Item = (&str, &str, ExportedFigure)> {
    outcomes.iter().flat_map(|outcome| {
        let variants = outcome.record.iter().flat_map(|record| &record.variants);
        let figures = variants.flat_map(|variant| of(variant).into_iter().map(move |figure| (variant, figure)));
        figures.map(move |(variant, figure)| (outcome.name.as_str(), variant.name.as_str(), figure))
    })
}
