//! One recipe, tried again and again.

use std::time::Duration;

use super::super::attempt::{Attempt, Shown, attempt};
use super::super::observation::Observation;
use super::super::recipe::Recipe;
use super::{Asked, Bench};

/// Requests of a try that are kept.
const MOST_ASKED: usize = 40;

/// Tries of one recipe. A fold.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    pub tries: u64,
    pub shown: u64,
    /// What a try has brought stays with the server.
    pub kept: bool,
    pub last: Option<(Shown, Vec<Asked>)>,
}

impl Series {
    /// Tries a recipe so many times more; ends when it has shown the leak often `enough`, when what it brings stays, or
    /// when the time is up. A try that the end of the time cuts short does not count.
    pub async fn go_on(&mut self, recipe: &Recipe, tries: u64, enough: u64, bench: &Bench<'_>, until: Duration) {
        for _ in 0..tries {
            let left = until.saturating_sub(bench.clock.now());
            let work = attempt(bench.client, recipe, bench.cast, bench.number());
            let Ok(Attempt { shown, kept, observations, .. }) = tokio::time::timeout(left, work).await else { return };
            self.kept |= kept;
            self.tries += 1;
            if let Some(shown) = shown {
                self.shown += 1;
                let asked = |o: Observation| Asked {
                    place: o.seen.place,
                    canary: o.seen.canary,
                    token: o.token,
                    bytes: o.request,
                };
                self.last = Some((shown, observations.into_iter().take(MOST_ASKED).map(asked).collect()));
            }
            if self.shown >= enough || self.kept {
                return;
            }
        }
    }
}
