//! What further pairs of trials change: conditions that are settled, and places where the best alternative changes.

use crate::record::{ComparisonRecord, ConditionRecord, CrossoverRecord, VersusOutcome, VersusRecord};
use crate::stats::interval::{Interval, OF_A_RATIO, ratio_of};

use super::bands::bands;

/// Single trials that are further apart than by this factor are taken to differ. Those of one thing on a machine that does
/// nothing else are within a few percent of each other; a quarter is far beyond that.
const FAR_APART: f64 = 1.25;

/// Two alternatives of which it is not known which is better under a condition; all by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsettled {
    pub condition: usize,
    pub best: usize,
    pub other: usize,
}

/// The best of each condition and the others that no difference to it is seen of.
pub fn unsettled(comparison: &ComparisonRecord) -> Vec<Unsettled> {
    let of = |(condition, of): (usize, &ConditionRecord)| {
        let open = of.versus.iter().filter(|versus| !versus.outcome.differs());
        let best = of.best;
        open.filter_map(move |versus| Some(Unsettled { condition, best: best?, other: versus.alternative }))
            .collect::<Vec<_>>()
    };
    comparison.conditions.iter().enumerate().flat_map(of).collect()
}

/// Adds what further pairs of trials showed: how many times as good `best` was as `other`. The bands follow.
pub fn settle(comparison: &mut ComparisonRecord, pair: Unsettled, ratios: &[f64]) {
    let Some(condition) = comparison.conditions.get_mut(pair.condition).filter(|_| !ratios.is_empty()) else { return };
    // An earlier pair may have made another one the best.
    if condition.best != Some(pair.best) {
        return;
    }
    let Some(versus) = condition.versus.iter_mut().find(|versus| versus.alternative == pair.other) else { return };
    versus.pairs.extend(ratios);
    *versus = beside(pair.other, std::mem::take(&mut versus.pairs));
    if versus.ratio.value < 1.0 {
        let ahead: Vec<f64> = versus.pairs.iter().map(|ratio| 1.0 / ratio).collect();
        let by = 1.0 / versus.ratio.value;
        for versus in &mut condition.versus {
            *versus = match versus.alternative == pair.other {
                true => beside(pair.best, ahead.clone()),
                false => beside(versus.alternative, versus.pairs.iter().map(|ratio| ratio * by).collect()),
            };
        }
        condition.best = Some(pair.other);
    }
    comparison.bands = bands(&comparison.conditions);
}

/// The best beside another alternative, from pairs of trials.
pub(super) fn beside(alternative: usize, pairs: Vec<f64>) -> VersusRecord {
    let ratio = ratio_of(&pairs, OF_A_RATIO);
    VersusRecord { alternative, ratio, outcome: outcome(ratio), pairs, undisturbed: false }
}

/// What a ratio tells of those whose ratio it is.
fn outcome(ratio: Interval) -> VersusOutcome {
    match (ratio.ends(), ratio.side_of_one()) {
        (Some(_), Some(_)) => VersusOutcome::Differ,
        (Some((low, high)), None) => VersusOutcome::NoDifference { at_most: high.max(1.0 / low) - 1.0 },
        (None, _) if ratio.value.max(1.0 / ratio.value) >= FAR_APART => VersusOutcome::DifferInOneTrial,
        (None, _) => VersusOutcome::NotTold,
    }
}

/// How many times as good one alternative was as another in each pair of trials under a condition; empty where neither was best.
pub fn ratios(comparison: &ComparisonRecord, condition: usize, one: usize, other: usize) -> Vec<f64> {
    let Some(condition) = comparison.conditions.get(condition) else { return Vec::new() };
    let beside = |alternative: usize| condition.versus.iter().find(|versus| versus.alternative == alternative);
    match condition.best {
        Some(best) if best == one => beside(other).map(|versus| versus.pairs.clone()).unwrap_or_default(),
        Some(best) if best == other => {
            beside(one).map(|versus| versus.pairs.iter().map(|ratio| 1.0 / ratio).collect()).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// Each place between two bands, where it is still to be found.
pub fn crossings(comparison: &ComparisonRecord) -> Vec<CrossoverRecord> {
    let neighbours = comparison.bands.windows(2).filter(|pair| pair[0].last + 1 == pair[1].first);
    let place = |pair: &[crate::record::BandRecord]| {
        let (below, above) = (*pair[0].alternatives.first()?, *pair[1].alternatives.first()?);
        Some(CrossoverRecord { below, above, between: (pair[0].last, pair[1].first), at: None, points: Vec::new() })
    };
    neighbours.filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::compare;
    use super::super::grid::tests::variant;
    use super::*;

    fn comparison() -> ComparisonRecord {
        let at =
            |server: &str, sleep: &str, rate: f64| variant(json!({ "server": server, "load.sleep": sleep }), &[rate]);
        compare(&[at("a", "0ms", 100.0), at("a", "1ms", 10.0), at("b", "0ms", 95.0), at("b", "1ms", 90.0)]).unwrap()
    }

    #[test]
    fn further_pairs_settle_a_condition_and_a_place_appears() {
        let mut open = comparison();
        let pair = Unsettled { condition: 0, best: 0, other: 1 };
        assert_eq!((unsettled(&open), crossings(&open).len()), (vec![pair], 0));
        settle(&mut open, pair, &[1.06, 1.05, 1.05, 1.06, 1.05]);
        assert_eq!(open.conditions[0].versus[0].outcome, VersusOutcome::Differ);
        let place = &crossings(&open)[0];
        assert_eq!((place.below, place.above, place.between), (0, 1, (0, 1)));
        assert!(unsettled(&open).is_empty());
        assert_eq!(ratios(&open, 1, 0, 1), [10.0 / 90.0]);
    }

    #[test]
    fn the_other_may_turn_out_to_be_the_best() {
        let mut open = comparison();
        settle(&mut open, Unsettled { condition: 0, best: 0, other: 1 }, &[0.9, 0.9, 0.9, 0.9, 0.9]);
        assert_eq!((open.conditions[0].best, open.conditions[0].versus[0].alternative), (Some(1), 0));
        assert!(open.conditions[0].versus[0].ratio.value > 1.05);
        assert_eq!(open.bands.len(), 1);
    }
}
