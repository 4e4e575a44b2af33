//! The first request after a start says who asks; if the server keeps that for good, everybody later is taken for it.

use super::super::class::LeakClass;
use super::super::evidence::Leak;
use super::super::recipe::{Line, Recipe, RecipeRequest, Start};
use super::{Family, Situation, Strategy};

/// Later requests, per worker: the second of a worker tells.
const LATER_PER_WORKER: usize = 3;
const MOST_LATER: usize = 24;

pub(super) struct First;

impl Strategy for First {
    fn family(&self) -> Family {
        Family::Opening
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        (!situation.owned).then(|| "runner did not start the server, which has answered others before".to_owned())
    }

    fn recipe(&self, situation: &Situation, _round: u64) -> Recipe {
        let workers = situation.premises.workers.unwrap_or(1) as usize;
        let later = Line::of(vec![RecipeRequest::plain(); (LATER_PER_WORKER * workers).min(MOST_LATER)])
            .starting(Start::After(0));
        Recipe { fresh_server: true, ..Recipe::of(vec![Line::of(vec![RecipeRequest::plain()]), later]) }
    }

    fn least_rounds(&self) -> u64 {
        1
    }

    fn class(&self, _leak: &Leak, round: &[Leak]) -> Option<LeakClass> {
        let source = |leak: &Leak| leak.source.as_ref().map(|source| source.request);
        let all_from_one = round.iter().all(|leak| source(leak).is_some() && source(leak) == source(&round[0]));
        all_from_one.then_some(LeakClass::StickyFirst)
    }
}
