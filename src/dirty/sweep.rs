//! A sweep: a whole application at once. Every operation is asked alone, then after each other, then beside each other, until
//! every two of them have met; a value of one request in the response to any other is a leak.
//!
//! A canary names the request that brought it, so that a storm of hundreds needs no search for who leaked into whom: one
//! response names victim and source. What a write has stored for everybody is told from what leaked by asking again, alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, info_span};

use super::client::CheckClient;
use super::evidence::FoundBy;
use super::recipe::Recipe;
use super::stopwatch::Stopwatch;
use super::triggers::Situation;
use super::{DirtyProgress, Phased, Premises};
use crate::net::target::Target;
use crate::scenario::{self, SweepSpec};

mod asking;
mod assignment;
mod cleanup;
mod control;
mod document;
mod edge;
mod findings;
mod forms;
mod leaks;
mod ledger;
mod orders;
mod principal_sightings;
mod principals;
mod probe;
mod settle;
mod shrink;
mod sightings;
#[cfg(test)]
mod tests;
mod unusual;

pub(super) use cleanup::remove_created;
pub use document::{DocumentError, DocumentFetcher, FetchedDocument};
pub use edge::CarrierKind;
pub use findings::{Finding, LeakingPair, OperationResult, OrderCounts, StoredPlace, SweepFindings, UnsettledPlace};
pub(super) use principals::equip;

use super::client::Created;
use assignment::Assignment;
use leaks::Leaks;
use ledger::Ledger;

/// A part of a sweep, on one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepPhase {
    /// All operations, in every order.
    Asking,
    /// Whether what was stored is still there on a server that was started anew.
    Settling,
    /// The least that shows each leak.
    Shrinking,
}

/// A sweep under way: ask for its [`Sweep::next_phase`], give that a server, [`Sweep::run`] it, and so on to the end.
pub struct Sweep<'a> {
    plan: &'a scenario::DirtySpec,
    spec: &'a SweepSpec,
    clock: Stopwatch,
    /// Made for the first server.
    client: Option<CheckClient>,
    situation: Situation,
    ledger: Ledger,
    leaks: Leaks,
    created: Vec<Created>,
    findings: SweepFindings,
    progress: Arc<DirtyProgress>,
    /// The part that was begun last.
    part: Option<SweepPhase>,
    /// The round under way: judged also if it is cut short.
    current: Option<(FoundBy, Recipe, Duration)>,
    rounds: u64,
    /// The server handles any number of requests at a time, as far as is seen.
    takes_any_number: bool,
    /// Nothing is sent before, where the scenario sets a rate.
    allowed_from: Duration,
    /// Of each open place, whether all lone requests showed another's value there.
    always_seen: BTreeMap<(usize, String), bool>,
    /// By place, how often it was asked from where the values there come.
    traced: BTreeMap<(usize, String), usize>,
    /// Under way while it is found out which operations bring what principals are known by.
    assignment: Option<Assignment>,
    /// Tries until now: tells one from the next.
    tries: u64,
    random: StdRng,
    began: Instant,
    idle_since: Instant,
}

impl<'a> Sweep<'a> {
    /// `owned`: runner starts the server. The plan has a sweep whose operations are known; `None` if it has none.
    pub fn new(
        plan: &'a scenario::DirtySpec,
        premises: Premises,
        owned: bool,
        seed: u64,
        progress: Arc<DirtyProgress>,
    ) -> Option<Self> {
        let spec = plan.sweep.as_ref().filter(|sweep| !sweep.operations.is_empty())?;
        let situation = Situation {
            premises,
            owned,
            seed,
            also: spec.operations.len() - 1,
            http2: plan.version == scenario::Version::Two,
            ..Situation::default()
        };
        Some(Sweep {
            plan,
            spec,
            clock: Stopwatch::stopped(),
            client: None,
            situation,
            ledger: Ledger::new(&spec.operations),
            leaks: Leaks::default(),
            created: Vec::new(),
            findings: SweepFindings::default(),
            progress,
            part: None,
            current: None,
            rounds: 0,
            takes_any_number: false,
            allowed_from: Duration::ZERO,
            always_seen: BTreeMap::new(),
            traced: BTreeMap::new(),
            assignment: None,
            tries: 0,
            random: StdRng::seed_from_u64(seed),
            began: Instant::now(),
            idle_since: Instant::now(),
        })
    }

    /// Whether there was a server to ask.
    pub fn has_begun(&self) -> bool {
        self.part.is_some()
    }

    /// A part on a server, to its end or until `cancel`. What was created is removed, also after an interruption.
    async fn carry_out(&mut self, part: SweepPhase, target: &Target, cancel: &CancellationToken) {
        let mut client = CheckClient::aimed(self.client.take(), self.plan, target, self.situation.seed, &self.clock);
        self.ledger.prepare_forms(self.spec, &mut client, target);
        self.client = Some(client);
        self.findings.starts.count += 1;
        self.findings.starts.took += self.idle_since.elapsed();
        self.part = Some(part);
        self.clock.go();
        let name = format!("{part:?}").to_lowercase();
        let span = info_span!("phase", phase = name);
        let work = async {
            debug!("phase begins: {name}");
            match part {
                SweepPhase::Asking => self.ask_all(target).await,
                SweepPhase::Settling => self.settle_anew().await,
                SweepPhase::Shrinking => self.shrink().await,
            }
        };
        let finished = cancel.run_until_cancelled(work.instrument(span.clone())).await;
        self.conclude_round();
        self.findings.interrupted |= finished.is_none();
        span.in_scope(|| debug!(interrupted = finished.is_none(), leaks = self.leaks.count(), "phase ended: {name}"));
        // Also after an interruption.
        self.clean_up().await;
        self.clock.stop();
        self.idle_since = Instant::now();
    }

    /// Whether the time of the sweep is up.
    fn is_out_of_time(&self) -> bool {
        self.client.as_ref().is_some_and(CheckClient::is_shut_out) || self.clock.now() >= self.plan.budget.time
    }

    /// Tells how far it has come.
    fn tell_progress(&self) {
        self.progress.exposures.store(self.ledger.exposures(), Ordering::Relaxed);
        self.progress.leaks.store(self.leaks.count(), Ordering::Relaxed);
    }
}

impl Phased for Sweep<'_> {
    type Phase = SweepPhase;

    fn next_phase(&self) -> Option<SweepPhase> {
        let futile = self.findings.interrupted || !self.findings.problems.is_empty();
        match self.part {
            None => Some(SweepPhase::Asking),
            Some(_) if futile => None,
            Some(SweepPhase::Asking) if self.situation.owned && self.leaks.has_open() => Some(SweepPhase::Settling),
            Some(SweepPhase::Asking | SweepPhase::Settling) => {
                self.leaks.has_confirmed().then_some(SweepPhase::Shrinking)
            }
            Some(SweepPhase::Shrinking) => None,
        }
    }

    /// What is only read does not change it.
    fn shares(&self, part: SweepPhase) -> bool {
        part == SweepPhase::Shrinking && !self.situation.owned
    }

    fn doing(phase: SweepPhase) -> Option<&'static str> {
        match phase {
            SweepPhase::Asking => None,
            SweepPhase::Settling => Some("looking what is stored and what leaked"),
            SweepPhase::Shrinking => Some("narrowing leaks down"),
        }
    }

    fn run(&mut self, part: SweepPhase, target: &Target, cancel: &CancellationToken) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.carry_out(part, target, cancel));
        Ok(())
    }

    fn time(&self) -> Stopwatch {
        self.clock.clone()
    }
}
