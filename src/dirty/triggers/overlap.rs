//! One long request around several short ones: what the long one wrote before its sleep, a short one overwrites before
//! the long one reads it again.

use super::super::recipe::{Line, Recipe, RecipeRequest, Start, Until};
use super::super::totals::TriggerCounts;
use super::{Family, Situation, Strategy};

/// Short requests at once, per worker: enough that several reach the worker that has the long one.
const AT_ONCE_PER_WORKER: u32 = 4;
const MOST_AT_ONCE: u32 = 64;
/// Short requests on one connection in a round, at most. Bounds the memory of a round.
const MOST_IN_A_ROW: u32 = 250;
/// How many in a row where no sleep tells long from short.
const IN_A_ROW_WITHOUT_SLEEP: usize = 5;
/// The head start of the long request, as a part of its sleep, and at most.
const HEAD_START_PART: f64 = 0.05;
const MOST_HEAD_START_MS: f64 = 20.0;

pub(super) struct Overlap;

impl Strategy for Overlap {
    fn family(&self) -> Family {
        Family::Overlap
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        situation.one_at_a_time()
    }

    fn recipe(&self, situation: &Situation, _round: u64) -> Recipe {
        let at_once = (AT_ONCE_PER_WORKER * situation.premises.workers.unwrap_or(1)).min(MOST_AT_ONCE);
        let head_start = situation.part_of(situation.long, HEAD_START_PART).min(MOST_HEAD_START_MS);
        let (row, until) = match situation.long {
            Some(_) => (1, Some(Until { line: 0, most: MOST_IN_A_ROW })),
            None => (IN_A_ROW_WITHOUT_SLEEP, None),
        };
        let short = Line {
            until,
            ..Line::of(vec![RecipeRequest::plain(); row]).on_one_connection().starting(Start::At(head_start))
        };
        let long = Line::of(vec![RecipeRequest::long()]);
        Recipe::of(std::iter::once(long).chain((0..at_once).map(|_| short.clone())).collect())
    }

    /// Short requests that all wait for the long one to end are handled one at a time.
    fn learn_from_counts(&self, counts: &TriggerCounts, situation: &mut Situation) {
        if counts.one_at_a_time() {
            situation.premises.in_flight = Some(1);
        }
    }
}
