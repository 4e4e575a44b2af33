//! The trial that stands for its variant.

use crate::record::{Trial, VariantRecord};

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
