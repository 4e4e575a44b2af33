//! A long value, then a short one, then none: what a pooled buffer was not cleared of shows behind the shorter one.

use super::super::recipe::{Anomaly, Line, Recipe, RecipeRequest};
use super::in_sweep::{InSweep, SweepPart};
use super::{Family, Situation, Strategy, followers};

pub(super) struct Residue;

impl Strategy for Residue {
    fn family(&self) -> Family {
        Family::Sequence
    }

    fn obstacle(&self, _situation: &Situation) -> Option<String> {
        None
    }

    /// On one connection, or each over its own, in turn.
    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let (long, short) = (RecipeRequest::twisted(Anomaly::LongCanary), RecipeRequest::twisted(Anomaly::ShortCanary));
        if round.is_multiple_of(2) {
            let shots = vec![long, short, situation.follower(), long, situation.follower(), short];
            return Recipe::of(vec![Line::of(shots).on_one_connection()]);
        }
        let lines = std::iter::once(Line::of(vec![long; 4]));
        let lines = lines.chain(followers(situation, situation.followers(), short, 0));
        Recipe::of(lines.chain(followers(situation, 4, situation.follower(), 1)).collect())
    }

    fn least_rounds(&self) -> u64 {
        2
    }

    fn in_sweep(&self) -> Option<&dyn InSweep> {
        Some(self)
    }
}

impl InSweep for Residue {
    fn only_reads(&self) -> bool {
        true
    }

    fn lines(&self, part: &mut SweepPart<'_>) -> Vec<Line> {
        let short = RecipeRequest { twist: Anomaly::ShortCanary, ..part.next() };
        vec![Line::of(vec![part.twisted(Anomaly::LongCanary), short, part.nobody()]).on_one_connection()]
    }
}
