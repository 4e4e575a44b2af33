//! One request that says who asks, then many that do not: a response that greets by name then greets by another request's name.

use super::super::recipe::{Line, Recipe, RecipeRequest};
use super::in_sweep::{InSweep, SweepPart};
use super::{Family, Situation, Strategy, followers};

pub(super) struct Anonymous;

impl Strategy for Anonymous {
    fn family(&self) -> Family {
        Family::Sequence
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        situation.no_anonymous.clone()
    }

    fn recipe(&self, situation: &Situation, _round: u64) -> Recipe {
        let somebody = Line::of(vec![RecipeRequest::plain()]);
        Recipe::of(
            std::iter::once(somebody)
                .chain(followers(situation, situation.followers(), RecipeRequest::anonymous(), 0))
                .collect(),
        )
    }

    fn in_sweep(&self) -> Option<&dyn InSweep> {
        Some(self)
    }
}

impl InSweep for Anonymous {
    fn lines(&self, part: &mut SweepPart<'_>) -> Vec<Line> {
        let nobody = vec![part.next_nobody(), part.next_nobody()];
        vec![Line::of(vec![part.own()]), Line::of(nobody).starting(part.after_first())]
    }
}
