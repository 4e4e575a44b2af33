//! Alternatives beside each other under one condition.

use crate::analysis::observed::observe;
use crate::analysis::undisturbed::undisturbed_rate;
use crate::record::{ConditionRecord, Trial, VariantRecord, VersusOutcome, VersusRecord};
use crate::rule::Metric;
use crate::stats::interval::{OF_A_RATIO, median, unpaired_ratio};

use super::settle::beside;
use super::{Grid, Objective};

/// What a trial that ran to its end shows of a metric; of a bound, the bound.
pub fn value_of(metric: Metric, trial: &Trial) -> Option<f64> {
    let ran = trial.failure.is_none() && !trial.interrupted;
    observe(metric, trial).filter(|_| ran).map(|value| value.likely()).filter(|value| value.is_finite())
}

/// All conditions, with the best alternative of each beside the others.
pub(super) fn conditions(
    variants: &[VariantRecord],
    grid: &Grid,
    objective: Option<Objective>,
) -> Vec<ConditionRecord> {
    let condition = |(part, of): (&super::GridPart, &Vec<Option<usize>>)| {
        let (best, versus) = objective.and_then(|objective| best_beside(variants, of, objective)).unzip();
        ConditionRecord {
            name: part.name.clone(),
            settings: part.settings.clone(),
            value: part.value,
            variants: of.clone(),
            best,
            versus: versus.unwrap_or_default(),
        }
    };
    grid.conditions.iter().zip(&grid.variants).map(condition).collect()
}

/// The best of some alternatives, by index, and how it compares with each other one; `None` where nothing was measured.
fn best_beside(
    variants: &[VariantRecord],
    of: &[Option<usize>],
    objective: Objective,
) -> Option<(usize, Vec<VersusRecord>)> {
    // In the order of the trials, so that those of one round are a pair; `None` for one that did not run.
    let figures: Vec<Vec<Option<f64>>> = of
        .iter()
        .map(|variant| {
            let trials = variant.map(|index| variants[index].trials.as_slice()).unwrap_or_default();
            trials.iter().map(|trial| value_of(objective.metric, trial)).collect()
        })
        .collect();
    let typical: Vec<Option<f64>> =
        figures.iter().map(|of| median(&of.iter().copied().flatten().collect::<Vec<_>>())).collect();
    let known = typical.iter().enumerate().filter_map(|(index, value)| Some((index, (*value)?)));
    let best = known.max_by(|(_, a), (_, b)| objective.ratio(*a, *b).total_cmp(&1.0))?.0;
    let versus = |other: usize| {
        let pairs = figures[best].iter().zip(&figures[other]).filter_map(|(one, other)| one.zip(*other));
        let pairs: Vec<f64> =
            pairs.map(|(one, other)| objective.ratio(one, other)).filter(|ratio| is_one(*ratio)).collect();
        let beside = (!pairs.is_empty()).then(|| beside(other, pairs))?;
        let both = of[best].zip(of[other]).filter(|_| objective.metric == Metric::Throughput);
        Some(both.and_then(|(one, other)| undisturbed(&beside, &variants[one], &variants[other])).unwrap_or(beside))
    };
    Some((best, (0..of.len()).filter(|other| *other != best).filter_map(versus).collect()))
}

/// The same by the rates of undisturbed stretches, if whole trials do not tell which is better and these do.
fn undisturbed(whole: &VersusRecord, best: &VariantRecord, other: &VariantRecord) -> Option<VersusRecord> {
    let rates = |variant: &VariantRecord| -> Option<Vec<f64>> {
        let ran = variant.trials.iter().filter(|trial| trial.failure.is_none() && !trial.interrupted);
        ran.map(|trial| undisturbed_rate(trial.load.as_ref()?)).collect()
    };
    if whole.outcome.differs() {
        return None;
    }
    // Nothing is left that both of a pair suffered: so trials are no pairs, and twice as many tell how much they vary.
    let ratio = unpaired_ratio(&rates(best)?, &rates(other)?, OF_A_RATIO)?;
    let told = ratio.side_of_one() == Some(std::cmp::Ordering::Greater);
    told.then(|| VersusRecord { ratio, outcome: VersusOutcome::Differ, undisturbed: true, ..whole.clone() })
}

/// Whether a number can be a ratio.
fn is_one(ratio: f64) -> bool {
    ratio.is_finite() && ratio > 0.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::compare;
    use super::super::grid::tests::variant;
    use super::*;
    use crate::record::Second;

    fn versus(one: &[f64], other: &[f64]) -> (usize, VersusRecord) {
        let variants = [variant(json!({ "server": "a" }), one), variant(json!({ "server": "b" }), other)];
        let comparison = compare(&variants).unwrap();
        let condition = &comparison.conditions[0];
        (condition.best.unwrap(), condition.versus[0].clone())
    }

    #[test]
    fn two_differ_only_where_the_interval_of_their_ratio_leaves_1_out() {
        let (best, beside) = versus(&[100.0, 101.0, 99.0], &[110.0, 111.0, 109.0]);
        assert_eq!((best, beside.alternative, beside.outcome), (1, 0, VersusOutcome::Differ));
        assert!((beside.ratio.value - 1.1).abs() < 0.001, "{beside:?}");
        let (_, beside) = versus(&[100.0, 110.0, 90.0], &[101.0, 100.0, 100.0]);
        assert!(matches!(beside.outcome, VersusOutcome::NoDifference { at_most } if at_most > 0.1), "{beside:?}");
    }

    #[test]
    fn single_trials_differ_only_where_they_are_far_apart() {
        assert_eq!(versus(&[100.0], &[460.0]).1.outcome, VersusOutcome::DifferInOneTrial);
        assert_eq!(versus(&[100.0], &[110.0]).1.outcome, VersusOutcome::NotTold);
    }

    #[test]
    fn where_trials_were_disturbed_their_undisturbed_stretches_tell() {
        let of = |server: &str, rates: [u64; 4], disturbed: usize| {
            let throughputs = rates.map(|rate| rate as f64 * 10.0);
            let mut variant = variant(json!({ "server": server }), &throughputs);
            for (number, (trial, rate)) in variant.trials.iter_mut().zip(rates).enumerate() {
                let load = trial.load.as_mut().unwrap();
                let row = |t: usize| if number == disturbed && t > 12 { rate / 2 } else { rate };
                let rows = (0..20).map(|t| Second {
                    t_s: t as f64 / 10.0,
                    length_s: 0.1,
                    completed: row(t),
                    ..Second::default()
                });
                load.timeline = rows.collect();
                load.throughput = load.timeline.iter().map(|row| row.completed as f64).sum::<f64>() / 2.0;
            }
            variant
        };
        let told = |other: [u64; 4]| {
            let variants = [of("a", [240, 241, 239, 240], 1), of("b", other, 2)];
            compare(&variants).unwrap().conditions[0].versus[0].clone()
        };
        let beside = told([228, 229, 228, 227]);
        assert_eq!((beside.outcome, beside.undisturbed), (VersusOutcome::Differ, true), "{beside:?}");
        assert!((beside.ratio.value - 1.053).abs() < 0.01, "{beside:?}");
        let same = told([240, 239, 240, 241]);
        assert!(!same.outcome.differs() && !same.undisturbed, "{same:?}");
    }

    #[test]
    fn a_trial_that_did_not_run_to_its_end_is_no_half_of_a_pair() {
        let (mut a, b) = (variant(json!({ "server": "a" }), &[100.0, 5.0, 100.0]), [50.0, 50.0, 51.0]);
        a.trials[1].interrupted = true;
        let comparison = compare(&[a, variant(json!({ "server": "b" }), &b)]).unwrap();
        assert!(comparison.conditions[0].versus[0].ratio.value > 1.9);
    }
}
