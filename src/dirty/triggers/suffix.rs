//! The page's URL with an ending like that of a file that anybody may have, such as `/account/x.css`: a server may still
//! answer with the page, and a cache in front of it keep what it takes for a file, for everybody.

use super::super::class::LeakClass;
use super::super::evidence::Leak;
use super::super::observation::Observation;
use super::super::recipe::{Anomaly, Line, Principal, Recipe, RecipeRequest};
use super::super::request_forms::SUFFIXES;
use super::{Family, Situation, Strategy};

pub(super) struct Suffix;

impl Strategy for Suffix {
    fn family(&self) -> Family {
        Family::Wire
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        if !situation.same_url {
            return Some("who asks is part of the URL, so that no two ask for the same".to_owned());
        }
        let refused = situation.suffixed == Some(false);
        refused.then(|| "the server answers nobody with the page where its URL ends like that of a file".to_owned())
    }

    /// One ending after the other, each for somebody, somebody else, and nobody.
    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let suffixed =
            |who| RecipeRequest { who, ..RecipeRequest::twisted(Anomaly::Suffixed(round as usize % SUFFIXES)) };
        let mut shots = vec![suffixed(Principal::Another); 2];
        shots.extend(situation.no_anonymous.is_none().then(|| suffixed(Principal::Nobody)));
        Recipe { same_url: true, ..Recipe::of(vec![Line::of(shots)]) }
    }

    fn least_rounds(&self) -> u64 {
        SUFFIXES as u64
    }

    fn first_look(&self) -> u64 {
        SUFFIXES as u64
    }

    fn class(&self, _leak: &Leak, _round: &[Leak]) -> Option<LeakClass> {
        Some(LeakClass::Cache)
    }

    /// Whether the server answers with the page where its URL ends like that of a file; told when each ending was tried.
    fn learn_from_responses(&self, round: &[Observation], rounds: u64, situation: &mut Situation) {
        let like_the_page = round.iter().any(|of| of.seen.own && of.seen.status().is_some_and(|status| status < 400));
        if like_the_page {
            situation.suffixed = Some(true);
        } else if rounds >= SUFFIXES as u64 {
            situation.suffixed.get_or_insert(false);
        }
    }
}
