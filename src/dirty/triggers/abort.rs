//! Clients that leave in the middle, then others: a connection to a backend that is given back with an answer still
//! under way hands that answer to whoever comes next, and everybody after that gets their predecessor's.

use super::super::recipe::{Line, Nap, Recipe, Shot, Start, Twist};
use super::{Family, Situation, Trigger};

/// How far into their handling clients leave: one each, at once, and the next round a little earlier or later.
const PARTS: [f64; 4] = [0.05, 0.2, 0.5, 0.8];
const SHIFTS: [f64; 2] = [1.0, 0.7];
/// Rows of followers: more than there can be connections to a backend that those who left have used, as the last that was
/// given back is often the first that is used again. How many in each.
const ROWS: usize = 2 * PARTS.len();
const IN_A_ROW: usize = 6;
/// Every other row begins so many milliseconds later, when the server must have noticed who left.
const NOTICED_MS: f64 = 5.0;

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
        // With the long sleep every other time: it is no use where a time-out of the server's comes first.
        let nap = if round.is_multiple_of(2) { Nap::Short } else { Nap::Long };
        let takes = if nap == Nap::Long { situation.long } else { None };
        let shift = SHIFTS[round as usize / 2 % SHIFTS.len()];
        let leaving = PARTS.map(|part| {
            let after = situation.part_of(takes, part * shift).max(0.5);
            Line::of(vec![Shot { nap, ..Shot::twisted(Twist::Abort(after)) }])
        });
        // At once, and when the work that was left must have ended.
        let rest = situation.part_of(takes, 1.0);
        let rows = (0..ROWS).map(|row| {
            let mut shots = vec![Shot::plain(); IN_A_ROW];
            shots[0].pause_ms = if row.is_multiple_of(2) { 0.0 } else { NOTICED_MS };
            shots[IN_A_ROW / 2].pause_ms = rest;
            Line::of(shots).starting(Start::After(leaving.len() - 1))
        });
        Recipe::of(leaving.iter().cloned().chain(rows).collect())
    }

    fn least_rounds(&self) -> u64 {
        2 * SHIFTS.len() as u64
    }

    fn first_look(&self) -> u64 {
        2
    }
}
