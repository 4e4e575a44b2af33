//! A body of more than 64 KiB, then others on the same connection: what was left of it in a buffer is taken for theirs.

use super::super::recipe::{Line, Recipe, Shot, Twist};
use super::{Family, Situation, Trigger};

#[derive(Debug)]
pub(super) struct Big;

impl Trigger for Big {
    fn name(&self) -> &'static str {
        "big"
    }

    fn family(&self) -> Family {
        Family::Wire
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        situation.closes()
    }

    fn recipe(&self, situation: &Situation, _round: u64) -> Recipe {
        let shots = vec![Shot::twisted(Twist::Big), Shot::plain(), situation.follower(), Shot::plain()];
        Recipe::of(vec![Line::of(shots).on_one_connection()])
    }
}
