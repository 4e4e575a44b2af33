//! More and more at once: a ring or a pool of slots shows only when more are in flight than it has.

use super::super::recipe::{Line, Recipe, Shot};
use super::{Family, Situation, Trigger};

/// One above each power of two, as pools have such sizes.
const LEVELS: [usize; 7] = [2, 3, 5, 9, 17, 33, 65];

#[derive(Debug)]
pub(super) struct Ramp;

impl Trigger for Ramp {
    fn name(&self) -> &'static str {
        "ramp"
    }

    fn family(&self) -> Family {
        Family::Overlap
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        situation.one_at_a_time()
    }

    fn recipe(&self, _situation: &Situation, round: u64) -> Recipe {
        let level = LEVELS[round as usize % LEVELS.len()];
        Recipe::of((0..level).map(|_| Line::of(vec![Shot::plain()])).collect())
    }

    fn least_rounds(&self) -> u64 {
        2 * LEVELS.len() as u64
    }

    fn first_look(&self) -> u64 {
        LEVELS.len() as u64
    }
}
