//! A request whose handler fails, then others: what the failure left undone shows in their answers.

use super::super::recipe::{Line, Recipe, Shot, Twist};
use super::{Family, Situation, Trigger, followers};

#[derive(Debug)]
pub(super) struct Error;

impl Trigger for Error {
    fn name(&self) -> &'static str {
        "error"
    }

    fn family(&self) -> Family {
        Family::Error
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        (situation.malformed == 0).then(|| "there is nothing in the request that could be spoilt".to_owned())
    }

    /// Each way of spoiling in turn; followers on the same connection and over their own.
    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let spoilt = Shot::twisted(Twist::Malformed(round as usize % situation.malformed.max(1)));
        let failing = Line::of(vec![spoilt, situation.follower(), Shot::plain()]).on_one_connection();
        let own = followers(situation.followers() / 2, Shot::plain(), 0);
        let nobody = followers(situation.followers() / 2, situation.follower(), 0);
        Recipe::of(std::iter::once(failing).chain(own).chain(nobody).collect())
    }

    fn least_rounds(&self) -> u64 {
        24
    }

    fn first_look(&self) -> u64 {
        4
    }
}
