//! Two requests at once, and nothing else: the second writes between the first's write and its read.

use super::super::recipe::{Line, Recipe, RecipeRequest, Start};
use super::{Family, Situation, Strategy};

/// Where in the first request the second comes, in turn.
const PARTS: [f64; 5] = [0.0, 0.1, 0.3, 0.5, 0.8];

pub(super) struct Pair;

impl Strategy for Pair {
    fn family(&self) -> Family {
        Family::Overlap
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        situation.one_at_a_time()
    }

    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let part = PARTS[round as usize % PARTS.len()];
        let second = Line::of(vec![RecipeRequest::plain()]).starting(Start::At(situation.part_of(None, part)));
        Recipe::of(vec![Line::of(vec![RecipeRequest::plain()]), second])
    }

    fn least_rounds(&self) -> u64 {
        2 * PARTS.len() as u64
    }

    fn first_look(&self) -> u64 {
        PARTS.len() as u64
    }
}
