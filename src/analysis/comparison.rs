//! Variants side by side, like with like: what each comes to over its trials, which is best where, and what speaks against it.

use crate::record::{ComparisonRecord, VariantRecord};

mod bands;
mod figures;
mod grid;
mod objective;
mod risks;
pub mod search;
mod settle;
mod versus;

pub use figures::figures;
pub use grid::{Grid, GridPart};
pub use objective::Objective;
pub use settle::{Unsettled, crossings, ratios, settle, unsettled};
pub use versus::value_of;

/// The comparison of a run's variants; `None` where there is one trial, which has nothing beside it.
pub fn compare(variants: &[VariantRecord]) -> Option<ComparisonRecord> {
    let trials: usize = variants.iter().map(|variant| variant.trials.len()).sum();
    if trials < 2 {
        return None;
    }
    let grid = Grid::of(variants);
    let objective = Objective::of(variants);
    let conditions = versus::conditions(variants, &grid, objective);
    let bands = bands::bands(&conditions);
    Some(ComparisonRecord {
        figures: variants.iter().map(figures::figures).collect(),
        alternatives: grid.alternatives.iter().map(|alternative| alternative.name.clone()).collect(),
        metric: objective.map(|objective| objective.metric.name()).unwrap_or_default(),
        better: objective.map(|objective| objective.better).unwrap_or_default(),
        key: grid.key.clone(),
        risks: risks::risks(variants, &conditions, grid.alternatives.len()),
        conditions,
        bands,
        crossovers: Vec::new(),
        drift: None,
    })
}
