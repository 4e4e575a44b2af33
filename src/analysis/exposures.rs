//! What the dirty checks of a variant's trials add up to.

use crate::record::{DirtyRecord, VariantRecord};
use crate::stats::upper_bound_95;

/// Leaks and exposures of all trials, and at most what share of these exposures leaks.
#[derive(Debug, Clone, Copy)]
pub struct DirtyTotals {
    pub leaks: u64,
    pub exposures: u64,
    pub bound: f64,
}

/// `None` where no trial has a dirty check.
///
/// Trials of one variant expose the same server to the same, so that theirs are exposures of one rate, and the bound is that
/// of all. A check that could not conclude adds nothing to what is known: then it is the weakest of the trials.
pub fn dirty_totals(variant: &VariantRecord) -> Option<DirtyTotals> {
    let checks: Vec<&DirtyRecord> = variant.trials.iter().filter_map(|trial| trial.dirty.as_ref()).collect();
    let sum = |count: fn(&DirtyRecord) -> u64| checks.iter().map(|check| count(check)).fold(0, u64::saturating_add);
    let (leaks, exposures) = (sum(|check| check.leaks), sum(|check| check.exposures));
    let bound = match checks.as_slice() {
        [] => return None,
        // As the record has it.
        [only] => only.bound,
        all if all.iter().all(|check| check.inconclusive.is_none()) => upper_bound_95(leaks, exposures),
        all => all.iter().map(|check| check.bound).fold(0.0, f64::max),
    };
    Some(DirtyTotals { leaks, exposures, bound })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Trial;

    fn variant(checks: &[DirtyRecord]) -> VariantRecord {
        let trial = |dirty: &DirtyRecord| Trial { dirty: Some(dirty.clone()), ..Trial::default() };
        VariantRecord {
            name: "one".to_owned(),
            settings: Default::default(),
            server: String::new(),
            planned_trials: 1,
            trials: checks.iter().map(trial).collect(),
            verdicts: Vec::new(),
            ..VariantRecord::default()
        }
    }

    #[test]
    fn the_bound_of_several_trials_is_that_of_all_their_exposures() {
        let check = DirtyRecord { exposures: 234, bound: upper_bound_95(0, 234), ..DirtyRecord::default() };
        let of = |checks: &[DirtyRecord]| dirty_totals(&variant(checks)).map(|totals| (totals.exposures, totals.bound));
        let two = [check.clone(), check.clone()];
        assert_eq!(of(&two), Some((468, upper_bound_95(0, 468))));
        assert!((of(&two).unwrap().1 - 0.0064).abs() < 1e-4);
        assert_eq!(of(&two[..1]), Some((234, check.bound)));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_trial_that_could_not_conclude_makes_no_bound_tighter() {
        let check = DirtyRecord { exposures: 234, bound: upper_bound_95(0, 234), ..DirtyRecord::default() };
        let blind = DirtyRecord { inconclusive: Some("a planted leak was not seen".to_owned()), ..check.clone() };
        assert_eq!(dirty_totals(&variant(&[check.clone(), blind])).unwrap().bound, check.bound);
    }
}
