//! The trial that stands for its variant.

use crate::record::{CapacityRecord, Trial, VariantRecord};

/// The trial of median throughput, else the one with most leaks; with its number from 1.
pub fn median_trial(variant: &VariantRecord) -> Option<(usize, &Trial)> {
    let mut loaded: Vec<(usize, &Trial, f64)> = Vec::new();
    for (index, trial) in variant.trials.iter().enumerate() {
        loaded.extend(trial.load.as_ref().map(|load| (index + 1, trial, load.throughput)));
    }
    loaded.sort_by(|a, b| a.2.total_cmp(&b.2));
    if let Some((number, trial, _)) = loaded.get(loaded.len().saturating_sub(1) / 2) {
        return Some((*number, trial));
    }
    let leaks = |trial: &Trial| trial.dirty.as_ref().map(|dirty| dirty.leaks);
    variant
        .trials
        .iter()
        .enumerate()
        .rev()
        .max_by_key(|(_, trial)| leaks(trial))
        .map(|(index, trial)| (index + 1, trial))
}

/// Of the searches for the capacity that a variant's trials made, the one of the median rate.
pub fn median_capacity(variant: &VariantRecord) -> Option<&CapacityRecord> {
    let mut all: Vec<&CapacityRecord> = variant.trials.iter().filter_map(|trial| trial.capacity.as_ref()).collect();
    all.sort_by(|a, b| a.rate.unwrap_or(0.0).total_cmp(&b.rate.unwrap_or(0.0)));
    all.get(all.len().saturating_sub(1) / 2).copied()
}
