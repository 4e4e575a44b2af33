//! Several requests on one connection before the first answer: answers must come in that order, one for each.

use super::super::recipe::{Line, Recipe, Shot};
use super::{Family, Situation, Trigger};

const LENGTHS: [usize; 3] = [2, 4, 8];

#[derive(Debug)]
pub(super) struct Pipeline;

impl Trigger for Pipeline {
    fn name(&self) -> &'static str {
        "pipeline"
    }

    fn family(&self) -> Family {
        Family::Wire
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        situation.closes()
    }

    /// The first is slow in every other round, so that the others could overtake it.
    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let length = LENGTHS[round as usize % LENGTHS.len()];
        let mut shots = vec![Shot::plain(); length];
        if round.is_multiple_of(2) {
            shots[0] = Shot::long();
        }
        shots.push(situation.follower());
        Recipe::of(vec![Line { pipelined: true, ..Line::of(shots).on_one_connection() }])
    }

    fn least_rounds(&self) -> u64 {
        2 * LENGTHS.len() as u64
    }

    fn first_look(&self) -> u64 {
        2
    }
}
