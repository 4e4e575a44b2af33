//! What is known of each operation, of each request, and of which operations have met.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use super::super::client::CheckClient;
use super::super::observation::{Observation, Seen};
use super::super::{Premises, exposure, text};
use super::forms;
use crate::exchange::Outcome;
use crate::net::target::Target;
use crate::scenario::import::Effect;
use crate::scenario::{SweepOperation, SweepSpec};

/// Requests that are remembered: more than any response holds on to.
const REMEMBERED: usize = 60_000;
/// Requests of one principal that come into question as the source of what all of them carry.
const RECENT: usize = 64;
/// Requests of one operation that do.
const PAST: usize = 48;

/// What is known of all operations.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub operations: Vec<OperationState>,
    /// By the owner of its canary.
    requests: HashMap<u64, Seen>,
    order: VecDeque<u64>,
    /// The latest requests of each principal, by the owner of its canary.
    recent: HashMap<u64, VecDeque<u64>>,
    /// The latest requests of each operation.
    history: Vec<VecDeque<PastRequest>>,
    /// Principals of whom a write was answered well: what they are known by may be stored.
    writers: HashMap<u64, ()>,
    pairs: PairSet,
    /// Requests that overlapped another, of those that were to.
    pub meant_to_overlap: u64,
    pub overlapped: u64,
}

/// A request of an operation, as far as it tells whose it was.
#[derive(Debug, Clone, Copy)]
struct PastRequest {
    sent: Duration,
    done: Duration,
    principal: u64,
    /// Of its own canary.
    owner: u64,
    /// It failed, or its client left.
    is_odd: bool,
}

/// What is known of an operation.
#[derive(Debug, Default)]
pub(super) struct OperationState {
    /// Which of its carriers hold a canary when it is sent.
    pub keeps: Vec<bool>,
    /// It is asked in rounds; false for what is only sent to clean up.
    pub is_asked: bool,
    pub effect: Option<Effect>,
    pub requests: u64,
    /// With a status below 400.
    pub answered: u64,
    pub exposures: u64,
    pub statuses: BTreeMap<u16, u64>,
    /// How the first lone request was answered.
    pub alone: Option<u16>,
    /// Why a lone request got no response, if it did not.
    pub failure: Option<&'static str>,
    /// How long a lone request takes.
    pub took: Duration,
    /// Its responses show a value of the request itself.
    pub reflects: bool,
    /// Its responses show what all requests of a principal carry.
    pub reflects_identity: bool,
    /// A leak would show in its responses: they are text.
    pub tells: bool,
}

impl Ledger {
    pub fn new(operations: &[SweepOperation]) -> Self {
        let states = operations.iter().map(|one| OperationState {
            keeps: (0..one.operation.carriers.len()).map(|index| !one.plain.contains(&index)).collect(),
            is_asked: !one.cleanup,
            effect: Some(one.operation.effect),
            ..OperationState::default()
        });
        Ledger {
            operations: states.collect(),
            pairs: PairSet::new(operations.len()),
            history: vec![VecDeque::new(); operations.len()],
            ..Ledger::default()
        }
    }

    /// Gives the client each operation's request, as far as it is known how that is answered well.
    pub fn prepare_forms(&self, spec: &SweepSpec, client: &mut CheckClient, target: &Target) {
        let creates = |one: &SweepOperation| {
            let name = one.operation.creates.as_ref().filter(|_| one.operation.effect == Effect::Write)?;
            one.operation.captures.iter().find(|capture| capture.name == *name).cloned()
        };
        client.note_creations_of(spec.operations.iter().map(creates).collect());
        for (page, (operation, state)) in spec.operations.iter().zip(&self.operations).enumerate() {
            client.forms.set_page(page, &forms::request(operation, &state.keeps), target);
        }
    }

    /// The operations that are asked in rounds, of which a lone request was answered well.
    pub fn able(&self) -> Vec<usize> {
        let able = |(page, state): (usize, &OperationState)| (state.is_asked && state.is_exercised()).then_some(page);
        self.operations.iter().enumerate().filter_map(able).collect()
    }

    /// Takes a round: every request is remembered and counted. `overlapping`: they were meant to overlap. How many were exposed.
    pub fn take(&mut self, round: &mut [Observation], premises: Premises, overlapping: bool) -> u64 {
        for observation in round.iter_mut() {
            let tells = text::is_text(&observation.reply) || observation.all_canaries().next().is_some();
            observation.seen.tells = tells;
            let seen = &observation.seen;
            let Some(state) = self.operations.get_mut(seen.page) else { continue };
            state.requests += 1;
            state.tells |= tells && seen.status().is_some();
            if let Some(status) = seen.status() {
                *state.statuses.entry(status).or_default() += 1;
                state.answered += u64::from(status < 400);
            }
            if let (Some(Effect::Write), Some(status), Some(principal)) = (state.effect, seen.status(), seen.principal)
                && status < 400
            {
                self.writers.insert(principal, ());
            }
        }
        let all: Vec<&Seen> = round.iter().map(|observation| &observation.seen).collect();
        let mut exposures = 0;
        for (seen, exposed) in all.iter().zip(exposure::exposed(&all, premises)) {
            exposures += u64::from(exposed);
            if let Some(state) = self.operations.get_mut(seen.page) {
                state.exposures += u64::from(exposed);
            }
        }
        let mut met = vec![false; all.len()];
        if !premises.one_at_a_time() {
            exposure::each_overlap(&all, &mut |one, other| {
                met[one] = true;
                met[other] = true;
                self.pairs.insert(all[one].page, all[other].page);
                self.pairs.insert(all[other].page, all[one].page);
            });
        }
        if overlapping {
            self.meant_to_overlap += all.len() as u64;
            self.overlapped += met.iter().filter(|met| **met).count() as u64;
        }
        let seen: Vec<Seen> = all.into_iter().cloned().collect();
        seen.into_iter().for_each(|seen| self.remember(seen));
        exposures
    }

    /// Learns from a lone request.
    pub fn note_alone(&mut self, observation: &Observation) {
        let seen = &observation.seen;
        let Some(state) = self.operations.get_mut(seen.page) else { return };
        let holds = |owner: Option<u64>| owner.is_some_and(|own| observation.all_canaries().any(|it| it.owner == own));
        match (seen.status(), state.alone) {
            // The best of them counts: the first may have come before what it needs.
            (Some(status), known) if known.is_none_or(|known| status < known) => {
                state.alone = Some(status);
                state.took = seen.exchange.service_time();
            }
            _ => {}
        }
        if let Outcome::Failed(failure) = seen.exchange.outcome {
            state.failure = Some(failure.name());
        }
        state.reflects |= holds(seen.identity);
        state.reflects_identity |= holds(seen.principal);
    }

    /// Requests whose responses count for nothing: the server gave each its own.
    pub fn remember_planted(&mut self, observations: Vec<Observation>) {
        observations.into_iter().for_each(|observation| self.remember(observation.seen));
    }

    fn remember(&mut self, seen: Seen) {
        let Some(owner) = seen.identity else { return };
        if let (Some(principal), Some(past)) = (seen.principal, self.history.get_mut(seen.page)) {
            let is_odd = seen.role.is_odd();
            past.push_back(PastRequest { sent: seen.sent(), done: seen.exchange.done, principal, owner, is_odd });
            if past.len() > PAST {
                past.pop_front();
            }
            let recent = self.recent.entry(principal).or_default();
            recent.push_back(owner);
            if recent.len() > RECENT {
                recent.pop_front();
            }
        }
        self.order.push_back(owner);
        self.requests.insert(owner, seen);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.requests.remove(&oldest);
        }
    }

    /// The request that brought a canary of this owner; of a principal, which brings it with each, the last that was sent before
    /// the victim was answered. With whether it is a principal's.
    pub fn source(&self, owner: u64, victim: &Seen) -> Option<(&Seen, bool)> {
        if let Some(seen) = self.requests.get(&owner) {
            return Some((seen, false));
        }
        let recent = self.recent.get(&owner)?.iter().filter_map(|owner| self.requests.get(owner));
        let earlier = recent.filter(|seen| seen.sent() <= victim.exchange.done);
        earlier.max_by_key(|seen| seen.sent()).map(|seen| (seen, true))
    }

    /// The requests from which the victim may have got what a principal is known by, one an operation: one of the latest of it
    /// before the victim was answered, `several` of them, or the latest that failed or whose client left, if that was the
    /// principal's; or one of the principal that was under way meanwhile.
    pub fn suspects(&self, principal: u64, victim: &Seen, several: usize) -> Vec<(usize, u64)> {
        let suspect = |past: &VecDeque<PastRequest>| {
            let before = || past.iter().filter(|one| one.sent <= victim.exchange.done && !victim.brought(one.owner));
            let mut latest: Vec<&PastRequest> = before().collect();
            latest.sort_by_key(|one| std::cmp::Reverse(one.sent));
            let odd = latest.iter().find(|one| one.is_odd).copied();
            let mut latest = odd.into_iter().chain(latest.into_iter().take(several));
            let latest = latest.find(|one| one.principal == principal);
            let meanwhile = || before().rev().find(|one| one.principal == principal && one.done >= victim.sent());
            latest.or_else(meanwhile).map(|one| one.owner)
        };
        self.history.iter().enumerate().filter_map(|(page, past)| Some((page, suspect(past)?))).collect()
    }

    /// The operations that the principal has asked for before the victim was answered, as far back as is remembered: what is
    /// kept for a time may come from any of them.
    pub fn asked_before(&self, principal: u64, victim: &Seen) -> Vec<usize> {
        let asked = |past: &&VecDeque<PastRequest>| {
            past.iter().any(|one| one.principal == principal && one.sent <= victim.exchange.done)
        };
        self.history.iter().enumerate().filter(|(_, past)| asked(past)).map(|(page, _)| page).collect()
    }

    /// The latest request of a principal for an operation.
    pub fn latest(&self, page: usize, principal: u64) -> Option<&Seen> {
        let past = self.history.get(page)?.iter().rev().find(|one| one.principal == principal)?;
        self.requests.get(&past.owner)
    }

    /// The request that carried a canary of its own by this owner.
    pub fn request(&self, owner: u64) -> Option<&Seen> {
        self.requests.get(&owner)
    }

    /// Whether what a request brought may have been stored: it is a write that was answered well. What a principal is known by
    /// may be stored once one of its writes was.
    pub fn may_be_stored(&self, source: &Seen, of_principal: bool) -> bool {
        if of_principal {
            return source.principal.is_some_and(|principal| self.writers.contains_key(&principal));
        }
        let state = self.operations.get(source.page);
        state.is_some_and(|state| state.effect == Some(Effect::Write))
            && source.status().is_none_or(|status| status < 400)
    }

    /// What all requests of a principal carry was stored when it signed up.
    pub fn note_signed_up(&mut self, principal: u64) {
        self.writers.insert(principal, ());
    }

    /// Chances to leak, of all operations.
    pub fn exposures(&self) -> u64 {
        self.operations.iter().map(|state| state.exposures).sum()
    }

    /// The share of ordered pairs of the operations that were answered, of which both were handled at one time.
    pub fn met(&self) -> f64 {
        let able = self.able();
        let pairs = able.len() * able.len();
        let met = able.iter().flat_map(|one| able.iter().map(move |other| (*one, *other)));
        let met = met.filter(|(one, other)| self.pairs.contains(*one, *other)).count();
        if pairs == 0 { 0.0 } else { met as f64 / pairs as f64 }
    }
}

impl OperationState {
    /// A lone request was answered well, or any later one.
    pub fn is_exercised(&self) -> bool {
        self.alone.is_some_and(|status| status < 400) || self.answered > 0
    }
}

/// A set of ordered pairs of operations.
#[derive(Debug, Default)]
struct PairSet {
    count: usize,
    bits: Vec<u64>,
}

impl PairSet {
    fn new(count: usize) -> Self {
        PairSet { count, bits: vec![0; (count * count).div_ceil(64)] }
    }

    fn index(&self, one: usize, other: usize) -> Option<(usize, u64)> {
        let at = (one < self.count && other < self.count).then_some(one * self.count + other)?;
        Some((at / 64, 1 << (at % 64)))
    }

    fn insert(&mut self, one: usize, other: usize) {
        if let Some((word, bit)) = self.index(one, other) {
            self.bits[word] |= bit;
        }
    }

    fn contains(&self, one: usize, other: usize) -> bool {
        self.index(one, other).is_some_and(|(word, bit)| self.bits[word] & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_ordered() {
        let mut pairs = PairSet::new(100);
        pairs.insert(3, 99);
        assert!(pairs.contains(3, 99) && !pairs.contains(99, 3) && !pairs.contains(3, 100));
        pairs.insert(100, 0);
        assert!(!pairs.contains(100, 0), "what is none of them is left out");
    }
}
