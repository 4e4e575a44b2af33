//! Bursts whose last bytes go out together: the only way into a race that is open for a millisecond.

use super::super::class::LeakClass;
use super::super::recipe::{Line, Recipe, RecipeRequest, Start};
use super::in_sweep::{InSweep, SweepPart};
use super::{Family, Situation, Strategy};

/// The smallest burst, and how much larger others are.
const FEWEST: u64 = 20;
const SPREAD: u64 = 31;
/// As many more as there are pairs of workers, up to this many: a worker that gets one alone shows nothing.
const MOST: u64 = 200;

/// How many requests for one operation of a sweep get through the gate at once.
const IN_A_SWEEP: usize = 8;

pub(super) struct Gate;

impl Strategy for Gate {
    fn family(&self) -> Family {
        Family::Overlap
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        situation.one_at_a_time()
    }

    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let pairs = u64::from(situation.premises.workers.unwrap_or(1).div_ceil(2));
        let burst = ((FEWEST + round * 7 % SPREAD) * pairs.max(1)).min(MOST);
        Recipe::of((0..burst).map(|_| Line::of(vec![RecipeRequest::plain()]).starting(Start::Gate)).collect())
    }

    fn least_rounds(&self) -> u64 {
        20
    }

    fn first_look(&self) -> u64 {
        4
    }

    fn class_of_overlap(&self) -> LeakClass {
        LeakClass::NarrowRace
    }

    fn in_sweep(&self) -> Option<&dyn InSweep> {
        Some(self)
    }
}

impl InSweep for Gate {
    fn at_once(&self, most: usize) -> usize {
        most / IN_A_SWEEP
    }

    fn only_reads(&self) -> bool {
        true
    }

    fn lines(&self, part: &mut SweepPart<'_>) -> Vec<Line> {
        vec![Line::of(vec![part.own()]).starting(Start::Gate); IN_A_SWEEP]
    }
}
