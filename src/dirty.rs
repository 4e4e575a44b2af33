//! The dirty check: does a value of one request turn up in the response to another?
//!
//! Control first (one request at a time), then triggers, each in rounds, until a proof, enough exposures or the end of
//! the time. Every response is judged; what is found is kept with its witnesses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::load::Target;
use crate::load::clock::Clock;
use crate::scenario;

#[cfg_attr(not(test), expect(dead_code, reason = "the oracles are wired in with the triggers that need them"))]
mod baseline;
mod client;
mod control;
pub mod exposure;
pub mod judge;
pub mod observation;
mod tally;
mod triggers;

use client::Client;
pub use control::Control;
pub use judge::{Class, Leak};
pub use observation::{Observation, Role, Seen};
pub use tally::{Evidence, Tally, TriggerTally};

/// All that a dirty check found.
#[derive(Debug, Default)]
pub struct Findings {
    pub control: Control,
    pub tally: Tally,
    pub duration: Duration,
    pub interrupted: bool,
}

/// How far a dirty check has come, for the progress line.
#[derive(Debug, Default)]
pub struct Progress {
    pub exposures: AtomicU64,
    pub leaks: AtomicU64,
}

/// What is known of the server under test.
#[derive(Debug, Clone, Copy, Default)]
pub struct Premises {
    /// How many workers serve, where that is known.
    pub workers: Option<u32>,
    /// How many requests a worker handles at once, where that is known and bounded.
    pub in_flight: Option<u32>,
}

impl Premises {
    /// Requests of one worker cannot overlap.
    pub fn one_at_a_time(self) -> bool {
        self.in_flight == Some(1)
    }
}

/// Runs a dirty check to its end or until `cancel`; blocks meanwhile. `Err` only if the machine refuses.
pub fn check(
    plan: &scenario::Dirty,
    target: &Target,
    premises: Premises,
    seed: u64,
    cancel: &CancellationToken,
    progress: &Arc<Progress>,
) -> std::io::Result<Findings> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clock = Clock::start();
    let client = Client::new(plan, target, seed, clock);
    let mut check = Check { plan, client, premises, findings: Findings::default(), under_way: None };
    let finished = runtime.block_on(cancel.run_until_cancelled(check.story(progress)));
    let interrupted = finished.is_none();
    if interrupted {
        // What had been answered until then counts.
        check.conclude_part();
    }
    Ok(Findings { interrupted, duration: clock.now(), ..check.findings })
}

/// A check under way.
struct Check<'a> {
    plan: &'a scenario::Dirty,
    client: Client,
    premises: Premises,
    findings: Findings,
    /// The trigger whose round is not over yet; the control run if none.
    under_way: Option<&'static str>,
}

impl Check<'_> {
    /// The whole check in order: control, then rounds of each trigger in turn.
    async fn story(&mut self, progress: &Progress) {
        control::run(&self.client, self.plan).await;
        self.conclude_part();
        if !self.findings.control.problems.is_empty() {
            return;
        }
        let triggers = triggers::all();
        'rounds: loop {
            for trigger in &triggers {
                if is_over(&self.findings.tally, self.plan, self.client.clock.now()) {
                    break 'rounds;
                }
                self.under_way = Some(trigger.name());
                trigger.round(&self.client, self.plan, self.premises).await;
                self.conclude_part();
                progress.exposures.store(self.findings.tally.exposures, Ordering::Relaxed);
                progress.leaks.store(self.findings.tally.leaks, Ordering::Relaxed);
            }
        }
    }

    /// Judges and counts what has been observed since the last part.
    fn conclude_part(&mut self) {
        let observations = self.client.take_observations();
        let tally = &mut self.findings.tally;
        match self.under_way {
            Some(trigger) => tally.add_round(trigger, &observations, self.premises, &self.client),
            None => {
                self.findings.control = Control::of(&observations);
                tally.add_control(&observations, self.premises, &self.client);
            }
        }
    }
}

/// Whether no further round is due: a proof, enough exposures, or no time left for one more.
fn is_over(tally: &Tally, plan: &scenario::Dirty, now: Duration) -> bool {
    let budget = plan.budget;
    let proven = tally.leaks > 0 && !budget.exhaustive;
    let one_more = plan.sleep.map_or(Duration::ZERO, |sleep| sleep.long);
    let out_of_time = now + one_more > budget.time && !tally.triggers.is_empty();
    proven || tally.exposures >= budget.exposures || out_of_time
}
