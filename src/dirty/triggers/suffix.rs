//! The page's URL with an ending like that of a file that anybody may have, such as `/account/x.css`: a server may still
//! answer with the page, and a cache in front of it keep what it takes for a file, for everybody.

use super::super::forms::SUFFIXES;
use super::super::recipe::{Line, Recipe, Shot, Twist, Who};
use super::{Family, Situation, Trigger};

#[derive(Debug)]
pub(super) struct Suffix;

impl Trigger for Suffix {
    fn name(&self) -> &'static str {
        "suffix"
    }

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
        let suffixed = |who| Shot { who, ..Shot::twisted(Twist::Suffixed(round as usize % SUFFIXES)) };
        let mut shots = vec![suffixed(Who::Another); 2];
        shots.extend(situation.no_anonymous.is_none().then(|| suffixed(Who::Nobody)));
        Recipe { same_url: true, ..Recipe::of(vec![Line::of(shots)]) }
    }

    fn least_rounds(&self) -> u64 {
        SUFFIXES as u64
    }

    fn first_look(&self) -> u64 {
        SUFFIXES as u64
    }
}
