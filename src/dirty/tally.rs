//! Sums up a dirty check: counts per trigger, and a bounded selection of evidence.

use std::collections::{BTreeMap, VecDeque};

use super::Premises;
use super::client::Client;
use super::exposure;
use super::judge::{self, Class, Leak};
use super::observation::{Observation, Seen};

/// How many requests are remembered, so that an old canary can be traced to its request.
const REMEMBERED: usize = 20_000;
/// Leaks kept as evidence for each class, and bystanders for each leak.
const EVIDENCE_PER_CLASS: usize = 3;
const BYSTANDERS: usize = 60;

/// A fold over rounds.
#[derive(Debug, Default)]
pub struct Tally {
    pub exposures: u64,
    pub leaks: u64,
    pub triggers: BTreeMap<&'static str, TriggerTally>,
    pub evidence: Vec<Evidence>,
    remembered: VecDeque<Seen>,
}

/// The counts of one trigger.
#[derive(Debug, Clone, Copy, Default)]
pub struct TriggerTally {
    pub requests: u64,
    pub exposures: u64,
    pub leaks: u64,
    pub rounds: u64,
    pub rounds_with_leak: u64,
    /// Requests without an answer, or with one of 400 and above.
    pub failed: u64,
    /// Answers below 400 without any canary.
    pub missing: u64,
    /// Requests of one worker cannot overlap, as its mode says.
    pub serial: bool,
    /// See [`exposure::Exposures`].
    pub inside: u64,
    pub waited: u64,
}

impl TriggerTally {
    /// The server handles one request at a time: known, or seen from nearly all requests that were sent while a long one
    /// was open being answered only after it. Jitter may let a few look otherwise.
    pub fn one_at_a_time(&self) -> bool {
        self.serial || self.inside > 0 && self.waited * 100 >= self.inside * 95 && self.exposures * 20 <= self.requests
    }
}

/// A leak, the round it happened in, and who else was there.
#[derive(Debug, Clone)]
pub struct Evidence {
    pub trigger: &'static str,
    pub round: u64,
    pub leak: Leak,
    pub round_requests: u64,
    pub bystanders: Vec<Seen>,
}

impl Tally {
    /// Takes the control run. Nothing overlaps in it, but a stale value shows already here. Its requests count as exposures
    /// only if it does: a clean control says nothing of requests that overlap.
    pub(super) fn add_control(&mut self, alone: &[Observation], premises: Premises, client: &Client) {
        self.remember(alone);
        let leaks = self.judge(alone, premises, client);
        if !leaks.is_empty() {
            self.exposures += alone.len() as u64 - 1;
        }
        self.leaks += leaks.len() as u64;
        self.keep("control", 0, &leaks, alone);
    }

    pub(super) fn add_round(&mut self, name: &'static str, round: &[Observation], premises: Premises, client: &Client) {
        self.remember(round);
        let seen: Vec<&Seen> = round.iter().map(|observation| &observation.seen).collect();
        let exposures = exposure::count(&seen, premises);
        let leaks = self.judge(round, premises, client);
        let trigger = self.triggers.entry(name).or_default();
        trigger.requests += round.len() as u64;
        trigger.rounds += 1;
        trigger.exposures += exposures.overlapping;
        trigger.inside += exposures.inside;
        trigger.waited += exposures.waited;
        trigger.leaks += leaks.len() as u64;
        trigger.rounds_with_leak += u64::from(!leaks.is_empty());
        let failed = |seen: &&&Seen| seen.status().is_none_or(|status| status >= 400);
        trigger.failed += seen.iter().filter(failed).count() as u64;
        trigger.missing += seen.iter().filter(|seen| !failed(seen) && !seen.tells).count() as u64;
        trigger.serial = premises.one_at_a_time();
        let rounds = trigger.rounds;
        // A request that leaked was exposed, whatever the estimate says.
        self.exposures += exposures.any.max(leaks.len() as u64);
        self.leaks += leaks.len() as u64;
        self.keep(name, rounds, &leaks, round);
    }

    fn judge(&self, observations: &[Observation], premises: Premises, client: &Client) -> Vec<Leak> {
        let find = |request: u64| self.recall(request).cloned();
        observations.iter().filter_map(|observation| judge::judge(observation, client, premises, find)).collect()
    }

    fn remember(&mut self, observations: &[Observation]) {
        let mut seen: Vec<Seen> = observations.iter().map(|observation| observation.seen.clone()).collect();
        seen.sort_by_key(|seen| seen.request);
        self.remembered.extend(seen);
        let surplus = self.remembered.len().saturating_sub(REMEMBERED);
        self.remembered.drain(..surplus);
    }

    /// Requests are remembered in the order of their numbers.
    fn recall(&self, request: u64) -> Option<&Seen> {
        let at = self.remembered.binary_search_by_key(&request, |seen| seen.request).ok()?;
        self.remembered.get(at)
    }

    /// Keeps the first leaks of each class; of one round the longest wait, which tells the story best.
    fn keep(&mut self, trigger: &'static str, round: u64, leaks: &[Leak], observations: &[Observation]) {
        for class in [Class::Overlap, Class::Stale] {
            let kept = self.evidence.iter().filter(|evidence| evidence.leak.class == class).count();
            let best =
                leaks.iter().filter(|leak| leak.class == class).max_by_key(|leak| leak.victim.exchange.latency());
            let Some(leak) = best.filter(|_| kept < EVIDENCE_PER_CLASS) else { continue };
            let named = |seen: &Seen| {
                seen.request == leak.victim.request
                    || leak.source.as_ref().is_some_and(|source| source.request == seen.request)
            };
            let bystanders = observations.iter().map(|o| &o.seen).filter(|seen| !named(seen)).take(BYSTANDERS).cloned();
            self.evidence.push(Evidence {
                trigger,
                round,
                leak: leak.clone(),
                round_requests: observations.len() as u64,
                bystanders: bystanders.collect(),
            });
        }
    }
}
