//! A mix of all, drawn from the seed: for what needs two conditions at once that nobody thought of.

use rand::{Rng as _, RngExt as _, SeedableRng as _};

use super::super::recipe::{Anomaly, Line, Recipe, RecipeRequest, SleepLength, Start};
use super::{Family, Situation, Strategy};

/// Lines, requests on each, and how far apart they begin, in milliseconds.
const LINES: std::ops::RangeInclusive<usize> = 4..=16;
const SHOTS: std::ops::RangeInclusive<usize> = 1..=6;
const APART_MS: f64 = 100.0;

pub(super) struct Storm;

impl Strategy for Storm {
    fn family(&self) -> Family {
        Family::Storm
    }

    fn obstacle(&self, situation: &Situation) -> Option<String> {
        situation.one_at_a_time()
    }

    fn recipe(&self, situation: &Situation, round: u64) -> Recipe {
        let mut random = rand::rngs::StdRng::seed_from_u64(situation.seed ^ round);
        let lines = (0..random.random_range(LINES)).map(|_| Line {
            reuse: random.random_bool(0.5),
            shots: (0..random.random_range(SHOTS)).map(|_| shot(situation, &mut random)).collect(),
            ..Line::default().starting(Start::At(random.random_range(0.0..APART_MS)))
        });
        Recipe::of(lines.collect())
    }
}

/// Half of them plain; the rest as unusual as the situation allows.
fn shot(situation: &Situation, random: &mut rand::rngs::StdRng) -> RecipeRequest {
    let number = random.next_u64() as usize;
    match random.random_range(0..16) {
        0 | 1 => situation.follower(),
        2 => RecipeRequest::long(),
        3 => RecipeRequest::twisted(Anomaly::LongCanary),
        4 => RecipeRequest::twisted(Anomaly::ShortCanary),
        5 => RecipeRequest {
            nap: SleepLength::Short,
            ..RecipeRequest::twisted(Anomaly::Abort(situation.part_of(None, 0.5).max(0.5)))
        },
        6 if situation.malformed > 0 => RecipeRequest::twisted(Anomaly::Malformed(number % situation.malformed)),
        7 => RecipeRequest::twisted(Anomaly::Big),
        _ => RecipeRequest::plain(),
    }
}
