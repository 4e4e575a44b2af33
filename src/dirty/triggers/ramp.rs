//! More and more at once: a ring or a pool of slots shows only when more are in flight than it has.

use super::super::class::LeakClass;
use super::super::recipe::{Line, Recipe, RecipeRequest};
use super::{Family, Situation, Strategy};

/// How many at once: each size that small pools have is exceeded by one, and each power of two.
const LEVELS: [usize; 12] = [5, 9, 33, 2, 3, 4, 17, 6, 7, 8, 13, 65];
/// Those who ask again and again do so this often.
const IN_A_ROW: usize = 3;
/// At once, whatever the number of workers.
const MOST: usize = 260;

pub(super) struct Ramp;

impl Strategy for Ramp {
    fn family(&self) -> Family {
        Family::Overlap
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        situation.one_at_a_time()
    }

    /// Each level as it is; then as many for each worker, over connections that are kept: one that has accepted a
    /// connection has all its requests, so that each worker has the same few in flight over and over.
    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let level = LEVELS[round as usize / 2 % LEVELS.len()];
        let workers = situation.premises.workers.unwrap_or(1).max(1) as usize;
        if round.is_multiple_of(2) {
            return Recipe::of(vec![Line::of(vec![RecipeRequest::plain()]); level]);
        }
        let at_once = (level * workers).min(MOST.max(level));
        Recipe::of(vec![Line::of(vec![RecipeRequest::plain(); IN_A_ROW]).on_one_connection(); at_once])
    }

    fn least_rounds(&self) -> u64 {
        2 * LEVELS.len() as u64
    }

    fn first_look(&self) -> u64 {
        6
    }

    fn class_of_overlap(&self) -> LeakClass {
        LeakClass::Capacity
    }
}
