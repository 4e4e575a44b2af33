//! A request so slow that the server's own time-out may fire, then others on its connection and beside it: the response
//! that comes too late must not be anybody else's.

use super::super::class::LeakClass;
use super::super::evidence::Leak;
use super::super::recipe::{Anomaly, Line, Recipe, RecipeRequest, SleepLength, Start, Until};
use super::in_sweep::{InSweep, SweepPart};
use super::{Family, Situation, Strategy};

/// How long a request stops in its middle, in milliseconds.
const HALT_MS: f64 = 1500.0;
/// How long the slow request's connection is watched after its response, in steps.
const AFTERWARDS: usize = 4;
/// Requests beside the slow one.
const BESIDE: usize = 2;
const MOST_IN_A_ROW: u32 = 40;
/// Rows of requests after it, and how many in each: this many that none of the connections to a backend is left out.
const ROWS: usize = 6;
const IN_A_ROW: usize = 3;

/// The same in a sweep, where many operations have their turn.
const SWEEP_HALT_MS: f64 = 300.0;

pub(super) struct Slow;

impl Strategy for Slow {
    fn family(&self) -> Family {
        Family::Leaving
    }

    fn obstacle(&self, _situation: &Situation) -> Option<String> {
        None
    }

    /// A slow handler where the scenario has a `{sleep}`, and a slow client, in turn.
    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let slow = match situation.long {
            Some(_) if round.is_multiple_of(2) => RecipeRequest { nap: SleepLength::Longest, ..RecipeRequest::plain() },
            _ => RecipeRequest::twisted(Anomaly::Halting(HALT_MS)),
        };
        let later = RecipeRequest { pause_ms: HALT_MS / AFTERWARDS as f64, ..RecipeRequest::plain() };
        let mut shots = vec![slow, RecipeRequest::plain()];
        shots.extend(vec![later; AFTERWARDS]);
        let beside = Line {
            until: Some(Until { line: 0, most: MOST_IN_A_ROW }),
            ..Line::of(vec![RecipeRequest { pause_ms: 50.0, ..RecipeRequest::plain() }]).starting(Start::At(20.0))
        };
        let lines = std::iter::once(Line::of(shots).on_one_connection());
        let rows = (0..ROWS).map(|_| Line::of(vec![RecipeRequest::plain(); IN_A_ROW]).starting(Start::After(0)));
        Recipe::of(lines.chain((0..BESIDE).map(|_| beside.clone())).chain(rows).collect())
    }

    fn least_rounds(&self) -> u64 {
        2
    }

    fn class(&self, _leak: &Leak, _round: &[Leak]) -> Option<LeakClass> {
        Some(LeakClass::Pool)
    }

    fn in_sweep(&self) -> Option<&dyn InSweep> {
        Some(self)
    }
}

impl InSweep for Slow {
    fn lines(&self, part: &mut SweepPart<'_>) -> Vec<Line> {
        vec![Line::of(vec![part.twisted(Anomaly::Halting(SWEEP_HALT_MS)), part.next()]).on_one_connection()]
    }
}
