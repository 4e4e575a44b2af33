//! Clients that leave in the middle, then others: a connection to a backend that is given back with a response still
//! under way hands that response to whoever comes next, and everybody after that gets their predecessor's.
//!
//! A pool may heal: one that looks for unread data when it lends a connection throws that away once the late response has
//! come. Then only somebody who asks between the client's leaving and that response gets it.

use super::super::class::LeakClass;
use super::super::evidence::Leak;
use super::super::recipe::{Anomaly, Line, Recipe, RecipeRequest, SleepLength, Start, Until};
use super::in_sweep::{InSweep, SweepPart};
use super::{Family, Situation, Strategy};

/// How far into their handling clients leave: one each, at once, and the next round a little earlier or later.
const PARTS: [f64; 4] = [0.05, 0.2, 0.5, 0.8];
const SHIFTS: [f64; 3] = [1.0, 0.7, 0.4];
/// Others come this many milliseconds after each that leaves: within any time that a late response may need, and also when the
/// server takes a while to notice who left.
const DELAYS_MS: [f64; 5] = [0.0, 1.0, 3.0, 10.0, 30.0];
/// Rows of followers after the last has left: more than there can be connections to a backend that those who left have
/// used, as the last that was given back is often the first that is used again. How many in each: half of them at once,
/// half when the work that was left must have ended.
const ROWS: usize = 2 * PARTS.len();
const IN_A_ROW: usize = 4;
/// Every other row begins this many milliseconds later, when the server must have noticed who left.
const NOTICED_MS: f64 = 5.0;

/// On a busy server: clients that leave one after the other, in lines side by side, among rows of others, each on a
/// connection of its own that is open already: this many requests that one is about to begin at any moment.
const LEAVING_LINES: usize = 4;
const BUSY_ROWS: usize = 8;
/// How far into their handling these leave; beside others it takes longer than alone.
const BUSY_PARTS: [f64; 6] = [0.2, 0.6, 1.2, 0.4, 0.8, 2.0];
/// For how long they go on leaving at least, and how many of a line at least and at most.
const BUSY_MS: f64 = 200.0;
const LEAVE_IN_A_LINE: (usize, usize) = (3, 40);
/// Requests of a busy row at most: bounds the memory of a round.
const MOST_IN_A_ROW: u32 = 250;

/// In a sweep: how far into their handling clients leave, and how many at once at most: of more a busy server would not have
/// begun to handle the last ones when they leave.
const SWEEP_PARTS: [f64; 4] = [0.5, 0.2, 0.8, 0.05];
const MOST_LEAVE: usize = 16;

pub(super) struct Abort;

impl Strategy for Abort {
    fn family(&self) -> Family {
        Family::Leaving
    }

    fn obstacle(&self, _situation: &Situation) -> Option<String> {
        None
    }

    /// A server that has nothing else to do, and a busy one, in turn.
    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        // With the long sleep every other time: it is no use where a time-out of the server's comes first.
        let nap = if matches!(round % 4, 0 | 3) { SleepLength::Short } else { SleepLength::Long };
        let takes = if nap == SleepLength::Long { situation.long } else { None };
        let shift = SHIFTS[(round / 4) as usize % SHIFTS.len()];
        let leaves = |part: f64| {
            let after = situation.part_of(takes, part * shift).max(0.5);
            RecipeRequest { nap, ..RecipeRequest::twisted(Anomaly::Abort(after)) }
        };
        match round % 2 == 1 && situation.one_at_a_time().is_none() {
            true => busy(situation, &leaves, situation.part_of(takes, 1.0)),
            false => quiet(situation, &leaves, situation.part_of(takes, 1.0)),
        }
    }

    fn least_rounds(&self) -> u64 {
        8
    }

    fn first_look(&self) -> u64 {
        2
    }

    fn class(&self, _leak: &Leak, _round: &[Leak]) -> Option<LeakClass> {
        Some(LeakClass::Pool)
    }

    fn in_sweep(&self) -> Option<&dyn InSweep> {
        Some(self)
    }
}

impl InSweep for Abort {
    fn turns(&self) -> u64 {
        3
    }

    fn at_once(&self, most: usize) -> usize {
        most.min(MOST_LEAVE)
    }

    fn leaves(&self) -> bool {
        true
    }

    fn lines(&self, part: &mut SweepPart<'_>) -> Vec<Line> {
        let takes = part.situation.part_of(None, SWEEP_PARTS[part.variation % SWEEP_PARTS.len()]);
        let left = Line::of(vec![part.twisted(Anomaly::Abort(takes.max(0.5)))]);
        let pause_ms = DELAYS_MS[part.variation % DELAYS_MS.len()];
        let soon = RecipeRequest { pause_ms, ..part.next() };
        vec![left, Line::of(vec![soon]).starting(part.after_first())]
    }
}

/// A few leave, each followed by others at once and a little later; then come many. `takes`: milliseconds of handling.
fn quiet(situation: &Situation, leaves: &impl Fn(f64) -> RecipeRequest, takes: f64) -> Recipe {
    let leaving = PARTS.map(|part| Line::of(vec![leaves(part)]));
    let delays = if situation.one_at_a_time().is_none() { &DELAYS_MS[..] } else { &DELAYS_MS[..1] };
    let soon = (0..leaving.len()).flat_map(|left| delays.iter().map(move |delay| (left, *delay))).enumerate();
    let soon = soon.map(|(index, (left, pause_ms))| {
        let shot = RecipeRequest { pause_ms, ..situation.on_some_page(index) };
        Line::of(vec![shot]).starting(Start::After(left))
    });
    let rows = (0..ROWS).map(|row| {
        let mut shots: Vec<RecipeRequest> =
            (0..IN_A_ROW).map(|position| situation.on_some_page(row + position)).collect();
        shots[0].pause_ms = if row.is_multiple_of(2) { 0.0 } else { NOTICED_MS };
        shots[IN_A_ROW / 2].pause_ms = takes;
        Line::of(shots).starting(Start::After(leaving.len() - 1))
    });
    Recipe::of(leaving.iter().cloned().chain(soon).chain(rows).collect())
}

/// Many leave, one after the other, among others who ask and ask.
fn busy(situation: &Situation, leaves: &impl Fn(f64) -> RecipeRequest, takes: f64) -> Recipe {
    let (fewest, most) = LEAVE_IN_A_LINE;
    let count = ((BUSY_MS / takes.max(0.5)) as usize).clamp(fewest, most);
    let leaving = (0..LEAVING_LINES).map(|line| {
        let shots = (0..count).map(|position| leaves(BUSY_PARTS[(line + position) % BUSY_PARTS.len()]));
        Line::of(shots.collect())
    });
    let apart = situation.part_of(None, 1.0) / BUSY_ROWS as f64;
    let rows = (0..BUSY_ROWS).map(|row| Line {
        until: Some(Until { line: row % LEAVING_LINES, most: MOST_IN_A_ROW }),
        ..Line::of(vec![situation.on_some_page(row), situation.on_some_page(row + 1)])
            .on_one_connection()
            .starting(Start::At(apart * row as f64))
    });
    Recipe::of(leaving.chain(rows).collect())
}
