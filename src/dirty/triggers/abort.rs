//! Clients that leave in the middle, then others: a connection to a backend that is given back with an answer still
//! under way hands that answer to whoever comes next, and everybody after that gets their predecessor's.

use super::super::recipe::{Line, Nap, Recipe, Shot, Start, Twist};
use super::{Family, Situation, Trigger};

/// How far into their handling clients leave, in turn.
const PARTS: [f64; 4] = [0.5, 0.2, 0.8, 0.05];
/// Clients that leave, at once.
const LEAVING: usize = 4;
/// Rows of followers, and how many in each.
const ROWS: usize = 3;
const IN_A_ROW: usize = 6;

#[derive(Debug)]
pub(super) struct Abort;

impl Trigger for Abort {
    fn name(&self) -> &'static str {
        "abort"
    }

    fn family(&self) -> Family {
        Family::Leaving
    }

    fn obstacle(&self, _situation: &Situation) -> Option<String> {
        None
    }

    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let part = PARTS[round as usize % PARTS.len()];
        // With the long sleep every other time: it is no use where a time-out of the server's comes first.
        let nap = if (round / PARTS.len() as u64).is_multiple_of(2) { Nap::Short } else { Nap::Long };
        let takes = if nap == Nap::Long { situation.long } else { None };
        let after = situation.part_of(takes, part).max(0.5);
        let leaving = Line::of(vec![Shot { nap, ..Shot::twisted(Twist::Abort(after)) }]);
        // At once, and when the work that was left must have ended.
        let rest = situation.part_of(takes, 1.0);
        let mut row = vec![Shot::plain(); IN_A_ROW];
        row[IN_A_ROW / 2].pause_ms = rest;
        let rows = (0..ROWS).map(|_| Line::of(row.clone()).starting(Start::After(0)));
        Recipe::of((0..LEAVING).map(|_| leaving.clone()).chain(rows).collect())
    }

    fn least_rounds(&self) -> u64 {
        2 * PARTS.len() as u64
    }
}
