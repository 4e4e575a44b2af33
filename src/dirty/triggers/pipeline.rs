//! Several requests on one connection before the first response: answers must come in that order, one for each.
//!
//! Servers lose the order where the first takes long and the others are ready before it, and where they put aside what came
//! behind a request in the same packet, and take what comes in a later packet first.

use super::super::class::LeakClass;
use super::super::evidence::Leak;
use super::super::recipe::{Anomaly, Line, Recipe, RecipeRequest, SleepLength};
use super::in_sweep::{InSweep, SweepPart};
use super::{Family, Situation, Strategy};

const LENGTHS: [usize; 4] = [3, 2, 5, 8];
/// How long after the packet before it another is sent, in milliseconds, or as a part of what a lone request takes.
const SOON_MS: [f64; 3] = [2.0, 10.0, 0.5];
const LATER: f64 = 1.2;
const LEAST_LATER_MS: f64 = 5.0;

pub(super) struct Pipeline;

impl Strategy for Pipeline {
    fn family(&self) -> Family {
        Family::Wire
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        situation.closes()
    }

    /// All in one packet; two by two; each in a packet of its own: side by side, each over a connection of its own. The
    /// first is slow, has a large body, or is like the others, in turn.
    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let length = LENGTHS[round as usize % LENGTHS.len()];
        let soon = SOON_MS[round as usize % SOON_MS.len()];
        let first = match round % 3 {
            0 => RecipeRequest::long(),
            1 => RecipeRequest::twisted(Anomaly::Big),
            _ => RecipeRequest::plain(),
        };
        let takes = situation.long.filter(|_| first.nap == SleepLength::Long);
        let in_packets_of = |most: usize| {
            let pause = |position: usize| if position > 0 && position.is_multiple_of(most) { soon } else { 0.0 };
            let mut shots: Vec<RecipeRequest> = (0..length)
                .map(|position| RecipeRequest { pause_ms: pause(position), ..RecipeRequest::plain() })
                .collect();
            shots[0] = first;
            // When all before must have been answered: also a server that has put something aside goes on then.
            let later = situation.part_of(takes, LATER).max(LEAST_LATER_MS);
            shots.extend(
                [RecipeRequest::plain(), situation.follower()].map(|shot| RecipeRequest { pause_ms: later, ..shot }),
            );
            Line { pipelined: true, ..Line::of(shots).on_one_connection() }
        };
        Recipe::of(vec![in_packets_of(length), in_packets_of(2), in_packets_of(1)])
    }

    fn least_rounds(&self) -> u64 {
        3 * LENGTHS.len() as u64
    }

    fn first_look(&self) -> u64 {
        3
    }

    fn class(&self, _leak: &Leak, _round: &[Leak]) -> Option<LeakClass> {
        Some(LeakClass::Desync)
    }

    fn in_sweep(&self) -> Option<&dyn InSweep> {
        Some(self)
    }
}

impl InSweep for Pipeline {
    fn lines(&self, part: &mut SweepPart<'_>) -> Vec<Line> {
        let shots = vec![part.own(), part.next(), part.next_nobody()];
        vec![Line { pipelined: true, ..Line::of(shots).on_one_connection() }]
    }
}
