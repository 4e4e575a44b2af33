//! A recorded leak once more: its recipe, carried out and judged as in a check.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::attempt::{Attempt, attempt};
use super::client::Client;
use super::observation::Seen;
use super::personas::{self, Personas};
use super::recipe::Recipe;
use crate::load::Target;
use crate::load::clock::Clock;
use crate::scenario;

/// What came of a try.
#[derive(Debug)]
pub struct Try {
    pub requests: usize,
    /// Requests that got no answer, other than those whose client left.
    pub unanswered: usize,
    pub leak: Option<Shown>,
}

/// A leak between two requests of a try.
#[derive(Debug)]
pub struct Shown {
    pub victim: Seen,
    /// `None` for a response that nobody asked for and that holds no canary.
    pub source: Option<Seen>,
    /// `body`, `header x-user`.
    pub place: String,
    /// How long the victim had waited.
    pub waited: Duration,
}

/// Tries, with other canaries each.
#[derive(Debug)]
pub struct Replay<'a> {
    plan: &'a scenario::Dirty,
    client: Option<Client>,
    personas: Personas,
    seed: u64,
    tries: u64,
}

impl<'a> Replay<'a> {
    pub fn new(plan: &'a scenario::Dirty, seed: u64) -> Self {
        Replay { plan, client: None, personas: Personas::default(), seed, tries: 0 }
    }

    /// Turns to a server, and logs in there if the scenario says so. Blocks; the error says who was refused, or what the
    /// machine refuses.
    pub fn aim(&mut self, target: &Target) -> Result<(), String> {
        let mut client =
            self.client.take().unwrap_or_else(|| Client::new(self.plan, target, self.seed, Clock::start()));
        client.aim(self.plan, target);
        if self.plan.login.is_some() || !self.plan.identities.is_empty() {
            self.personas.gather(&client, personas::wanted(self.plan));
            let runtime = runtime().map_err(|error| error.to_string())?;
            runtime.block_on(client.log_in(&mut self.personas.all))?;
        }
        self.client = Some(client);
        Ok(())
    }

    /// One try; blocks meanwhile. `None` if it was cancelled, or nothing was aimed at. `Err` only if the machine refuses.
    pub fn run(&mut self, recipe: &Recipe, cancel: &CancellationToken) -> std::io::Result<Option<Try>> {
        let Some(client) = &self.client else { return Ok(None) };
        self.tries += 1;
        let work = attempt(client, recipe, &self.personas.all, self.tries);
        let tried = runtime()?.block_on(cancel.run_until_cancelled(work));
        Ok(tried.map(|Attempt { shown, observations, .. }| Try {
            requests: observations.len(),
            unanswered: observations.iter().filter(|o| o.seen.failed_to_be_answered()).count(),
            leak: shown.map(|shown| Shown {
                waited: shown.victim.exchange.latency(),
                victim: shown.victim,
                source: shown.source,
                place: shown.place,
            }),
        }))
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
