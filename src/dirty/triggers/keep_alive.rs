//! Others on one connection, in turn: what a server keeps with the connection, the next one on it gets.

use super::super::class::LeakClass;
use super::super::evidence::Leak;
use super::super::recipe::{Line, Recipe, RecipeRequest};
use super::in_sweep::{InSweep, SweepPart};
use super::{Family, Situation, Strategy};

/// Pairs of requests on the connection.
const PAIRS: usize = 3;

pub(super) struct KeepAlive;

impl Strategy for KeepAlive {
    fn family(&self) -> Family {
        Family::Sequence
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        situation.closes()
    }

    fn recipe(&self, situation: &Situation, _round: u64) -> Recipe {
        let shots = (0..PAIRS).flat_map(|_| [RecipeRequest::plain(), situation.follower()]).collect();
        Recipe::of(vec![Line::of(shots).on_one_connection()])
    }

    fn class(&self, _leak: &Leak, _round: &[Leak]) -> Option<LeakClass> {
        Some(LeakClass::Connection)
    }

    fn in_sweep(&self) -> Option<&dyn InSweep> {
        Some(self)
    }
}

impl InSweep for KeepAlive {
    fn lines(&self, part: &mut SweepPart<'_>) -> Vec<Line> {
        let shots = vec![part.own(), part.next_nobody(), part.next(), part.nobody()];
        vec![Line::of(shots).on_one_connection()]
    }
}
