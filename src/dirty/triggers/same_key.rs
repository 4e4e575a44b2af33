//! The same URL for everybody: a cache, or a server that joins equal requests, hands out another request's response if its key
//! leaves out who asks.

use super::super::class::LeakClass;
use super::super::evidence::Leak;
use super::super::recipe::{Line, Recipe, RecipeRequest, Start};
use super::{Family, Situation, Strategy};

/// Where in the first request the others come, where they overlap it.
const PARTS: [f64; 3] = [0.0, 0.2, 0.5];

pub(super) struct SameKey;

impl Strategy for SameKey {
    fn family(&self) -> Family {
        Family::Sequence
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        (!situation.same_url).then(|| "who asks is part of the URL, so that no two ask for the same".to_owned())
    }

    /// One after the other, then overlapping, in turn.
    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let lines = if round.is_multiple_of(2) {
            let mut shots = vec![RecipeRequest::plain(); 3];
            shots.extend(situation.no_anonymous.is_none().then(RecipeRequest::anonymous));
            vec![Line::of(shots)]
        } else {
            let at = |part: &f64| Start::At(situation.part_of(None, *part));
            PARTS.iter().map(|part| Line::of(vec![RecipeRequest::plain()]).starting(at(part))).collect()
        };
        Recipe { same_url: true, ..Recipe::of(lines) }
    }

    fn least_rounds(&self) -> u64 {
        4
    }

    fn class(&self, leak: &Leak, _round: &[Leak]) -> Option<LeakClass> {
        (!leak.overlapped && leak.victim.identity.is_some()).then_some(LeakClass::Cache)
    }
}
