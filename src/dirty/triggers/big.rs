//! A body of more than 64 KiB, then others on the same connection: what was left of it in a buffer is taken for theirs.

use super::super::class::LeakClass;
use super::super::evidence::Leak;
use super::super::recipe::{Anomaly, Line, Recipe, RecipeRequest};
use super::in_sweep::{InSweep, SweepPart};
use super::{Family, Situation, Strategy};

pub(super) struct Big;

impl Strategy for Big {
    fn family(&self) -> Family {
        Family::Wire
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        situation.closes()
    }

    fn recipe(&self, situation: &Situation, _round: u64) -> Recipe {
        let shots = vec![
            RecipeRequest::twisted(Anomaly::Big),
            RecipeRequest::plain(),
            situation.follower(),
            RecipeRequest::plain(),
        ];
        Recipe::of(vec![Line::of(shots).on_one_connection()])
    }

    fn class(&self, _leak: &Leak, _round: &[Leak]) -> Option<LeakClass> {
        Some(LeakClass::Connection)
    }

    fn in_sweep(&self) -> Option<&dyn InSweep> {
        Some(self)
    }
}

impl InSweep for Big {
    fn lines(&self, part: &mut SweepPart<'_>) -> Vec<Line> {
        vec![Line::of(vec![part.twisted(Anomaly::Big), part.next(), part.next_nobody()]).on_one_connection()]
    }
}
