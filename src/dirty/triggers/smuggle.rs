//! A request that a server may refuse before it has read the body, which looks like another request: a server that keeps
//! the connection all the same takes it for one, and from then on gives everybody a response that is not theirs.

use super::super::class::LeakClass;
use super::super::evidence::Leak;
use super::super::recipe::{Anomaly, Line, Recipe, RecipeRequest};
use super::{Family, Situation, Strategy};

/// Ways to have it refused; see `request_forms::smuggling`.
const WAYS: u64 = 4;

pub(super) struct Smuggle;

impl Strategy for Smuggle {
    fn family(&self) -> Family {
        Family::Wire
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        let told = || "over HTTP/2 it is plain where a request ends".to_owned();
        situation.http2.then(told).or_else(|| situation.closes())
    }

    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let smuggling = RecipeRequest::twisted(Anomaly::Smuggling((round % WAYS) as usize));
        let shots = vec![smuggling, RecipeRequest::plain(), situation.follower(), RecipeRequest::plain()];
        Recipe::of(vec![Line::of(shots).on_one_connection()])
    }

    fn least_rounds(&self) -> u64 {
        WAYS
    }

    fn first_look(&self) -> u64 {
        2
    }

    fn class(&self, _leak: &Leak, _round: &[Leak]) -> Option<LeakClass> {
        Some(LeakClass::Desync)
    }
}
