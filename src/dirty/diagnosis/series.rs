//! One recipe, tried again and again.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::evidence::SentRequest;
use super::super::experiment::{Experiment, Reproduction};
use super::super::observation::Observation;
use super::super::recipe::Recipe;
use super::{ExperimentContext, hints};

/// Requests of a try that are kept.
const MOST_ASKED: usize = 40;
/// This many tries that bring nothing but what an earlier one had brought are no accident.
const HELD: u64 = 2;

/// Tries of one recipe. A fold.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    pub tries: u64,
    pub shown: u64,
    /// What a try has brought stays with the server.
    pub kept: bool,
    /// Tries in which nothing was shown but what an earlier one had brought, and whose that and all else was.
    held: u64,
    owners: BTreeSet<u64>,
    /// In how many of the tries that showed it, one request was joined to the other.
    pub joined: u64,
    /// A response with another request's data says that it comes from a cache.
    pub from_a_cache: bool,
    /// A response came that nobody had asked for.
    pub unasked: bool,
    /// One held its own canary as well: its handler was asked.
    pub own_too: bool,
    pub last: Option<(Reproduction, Vec<SentRequest>)>,
}

impl Series {
    /// Tries a recipe this many times more; ends when it has shown the leak often `enough`, when what it brings stays, or
    /// when the time is up. A try that the end of the time cuts short does not count.
    pub async fn go_on(
        &mut self,
        recipe: &Recipe,
        tries: u64,
        enough: u64,
        context: &ExperimentContext<'_>,
        until: Duration,
    ) {
        for _ in 0..tries {
            let Some(tried) = context.try_in_time(recipe, until).await else { return };
            self.take(tried, context.situation.premises.workers.unwrap_or(1));
            if self.shown >= enough || self.kept {
                return;
            }
        }
    }

    /// Counts a try.
    fn take(&mut self, tried: Experiment, workers: u32) {
        self.tries += 1;
        self.owners.extend(tried.foreign.iter().filter_map(|(_, owner)| *owner));
        self.held += u64::from(tried.is_foreign() && tried.shown.is_none());
        // Each worker keeps what it was asked first.
        self.kept |= tried.kept || (self.held >= HELD && self.owners.len() <= workers as usize);
        self.from_a_cache |= tried.foreign_answers().any(|answer| hints::from_a_cache(&answer.reply.head));
        self.own_too |= tried.foreign_answers().any(|answer| answer.seen.own);
        self.unasked |= tried.unasked;
        self.joined += u64::from(tried.joined);
        let Some(shown) = tried.shown else { return };
        self.shown += 1;
        let asked = |o: Observation| SentRequest {
            status: o.seen.status(),
            place: o.seen.place,
            canary: o.seen.canary,
            captured: o.captured,
            bytes: o.request,
        };
        self.last = Some((shown, tried.observations.into_iter().take(MOST_ASKED).map(asked).collect()));
    }
}
