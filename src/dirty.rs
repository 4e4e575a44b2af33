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
#[derive(Debug, Clone, Copy)]
pub struct Premises {
    /// How many workers serve, where that is known.
    pub workers: Option<u32>,
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
    let mut findings = Findings::default();
    let finished = runtime.block_on(cancel.run_until_cancelled(async {
        let client = Client::new(plan, target, seed, clock);
        story(plan, &client, premises, &mut findings, progress).await;
    }));
    findings.interrupted = finished.is_none();
    findings.duration = clock.now();
    Ok(findings)
}

/// The whole check in order: control, then rounds of each trigger in turn.
async fn story(
    plan: &scenario::Dirty,
    client: &Client,
    premises: Premises,
    findings: &mut Findings,
    progress: &Progress,
) {
    let alone = control::run(client, plan).await;
    findings.control = Control::of(&alone);
    findings.tally.add_control(&alone, client);
    if !findings.control.problems.is_empty() {
        return;
    }
    let triggers = triggers::all();
    'rounds: loop {
        for trigger in &triggers {
            if is_over(&findings.tally, plan, client.clock.now()) {
                break 'rounds;
            }
            let round = trigger.round(client, plan, premises).await;
            findings.tally.add_round(trigger.name(), &round, premises, client);
            progress.exposures.store(findings.tally.exposures, Ordering::Relaxed);
            progress.leaks.store(findings.tally.leaks, Ordering::Relaxed);
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
