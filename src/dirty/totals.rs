//! The totals of a dirty check: counts for each trigger, and a bounded selection of evidence.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use bystanders::bystanders;

use super::Premises;
use super::class::{Guess, LeakClass};
use super::classify::{self, classify};
use super::client::{CheckClient, Stray};
use super::evidence::{Evidence, FoundBy, Leak};
use super::exposure;
use super::judge::{self, Foreign};
use super::observation::{Observation, Seen};
use super::oracle::LeakOracle;
use super::personas::{Ground, Personas, Suspicion};
use super::recipe::{Principal, Recipe};
use super::text;
use crate::trigger::Trigger;

pub(super) mod bystanders;

/// How many requests are remembered, so that an old canary can be traced to its request.
const REMEMBERED: usize = 20_000;
/// Leaks kept as evidence for each class.
const EVIDENCE_PER_CLASS: usize = 3;

/// A round that has ended.
pub(super) struct FinishedRound<'a> {
    pub found_by: FoundBy,
    /// Its requests are meant to overlap.
    pub overlapping: bool,
    pub recipe: &'a Recipe,
    pub observations: Vec<Observation>,
    pub strays: Vec<Stray>,
    pub took: Duration,
}

/// What it takes to judge.
pub(super) struct JudgeContext<'a> {
    pub client: &'a CheckClient,
    pub premises: Premises,
    pub personas: &'a Personas,
    /// It is known how a response tells who asked.
    pub can_tell: bool,
    /// Only personas can be told apart.
    pub personal: bool,
    /// The answers of the control run held the canaries of their requests.
    pub echoes: bool,
}

/// The counts of one trigger.
#[derive(Debug, Clone, Copy, Default)]
pub struct TriggerCounts {
    pub requests: u64,
    /// Those that were neither to fail nor to be left.
    pub ordinary: u64,
    /// Chances to leak of any kind, those without overlap included; never fewer than leaks.
    pub exposures: u64,
    /// Those whose handling overlapped another's.
    pub overlapped: u64,
    pub leaks: u64,
    pub rounds: u64,
    pub rounds_with_leak: u64,
    /// Requests without a response, or with one of 400 and above; not those that were to fail.
    pub failed: u64,
    /// Answers below 400 without any canary.
    pub missing: u64,
    /// Its requests are meant to overlap.
    pub overlapping: bool,
    /// See [`exposure::Exposures`].
    pub inside: u64,
    pub waited: u64,
    pub took: Duration,
}

impl TriggerCounts {
    /// The server handles one request at a time, as seen from nearly all requests that were sent while a long one
    /// was open being answered only after it. Jitter may let a few look otherwise.
    pub fn one_at_a_time(&self) -> bool {
        self.inside > 0 && self.waited * 100 >= self.inside * 95 && self.overlapped * 20 <= self.requests
    }

    /// What a round has taken, on average.
    pub fn mean_time(&self) -> Duration {
        u32::try_from(self.rounds).ok().and_then(|rounds| self.took.checked_div(rounds)).unwrap_or_default()
    }

    /// Exposures per second.
    pub fn pace(&self) -> f64 {
        self.exposures as f64 / self.took.as_secs_f64().max(1e-6)
    }
}

/// A fold over rounds.
#[derive(Debug, Default)]
pub struct Totals {
    pub exposures: u64,
    pub leaks: u64,
    /// Responses of which the end was not kept.
    pub cut: u64,
    /// Connections on which something came that no request had asked for.
    pub unsolicited: u64,
    /// Responses of which the body could not be decoded, or not to its end, and why the first of them could not.
    pub undecoded: Option<(u64, String)>,
    pub triggers: BTreeMap<Trigger, TriggerCounts>,
    pub evidence: Vec<Evidence>,
    remembered: Memory,
    /// Rounds in which a suspicion has turned out to be a leak.
    confirmed: BTreeSet<(FoundBy, u64)>,
}

/// The requests of the near past, in the order of their numbers.
#[derive(Debug, Default)]
struct Memory {
    seen: VecDeque<Seen>,
    /// The numbers of each identity's requests.
    of: HashMap<u64, Vec<u64>>,
}

impl Totals {
    /// Takes the control run, and hands back what is no proof yet. Nothing overlaps in it, but a stale value shows already here. Its requests count as exposures
    /// only if it does: a clean control says nothing of requests that overlap.
    pub(super) fn add_control(
        &mut self,
        mut finished: FinishedRound<'_>,
        context: &JudgeContext<'_>,
    ) -> Vec<Suspicion> {
        self.prepare(&mut finished, context);
        let leaks = self.judge(&finished, context);
        if !leaks.is_empty() {
            let followed = finished.observations.len().saturating_sub(1);
            self.exposures += followed.max(leaks.len()) as u64;
        }
        self.leaks += leaks.len() as u64;
        self.keep(&finished, 0, &leaks, context.echoes);
        self.suspicions(&finished, 0, context)
    }

    /// Takes lone requests that are asked to learn from, and hands them back with what they raise.
    pub(super) fn add_solo(
        &mut self,
        mut finished: FinishedRound<'_>,
        context: &JudgeContext<'_>,
    ) -> (Vec<Suspicion>, Vec<Observation>) {
        self.prepare(&mut finished, context);
        (self.suspicions(&finished, 0, context), finished.observations)
    }

    /// Takes a round. What is no proof yet is handed back.
    pub(super) fn add_round(&mut self, mut finished: FinishedRound<'_>, context: &JudgeContext<'_>) -> Vec<Suspicion> {
        self.prepare(&mut finished, context);
        let round: Vec<&Seen> = finished.observations.iter().map(|observation| &observation.seen).collect();
        let exposures = exposure::count(&round, context.premises);
        let leaks = self.judge(&finished, context);
        // A request that leaked was exposed, whatever the estimate says.
        let exposed = exposures.any.max(leaks.len() as u64);
        let Some(name) = finished.found_by.trigger() else { return Vec::new() };
        let trigger = self.triggers.entry(name).or_default();
        trigger.requests += round.len() as u64;
        trigger.rounds += 1;
        trigger.exposures += exposed;
        trigger.overlapped += exposures.overlapping;
        trigger.inside += exposures.inside;
        trigger.waited += exposures.waited;
        trigger.leaks += leaks.len() as u64;
        trigger.rounds_with_leak += u64::from(!leaks.is_empty());
        let ordinary = || round.iter().filter(|seen| seen.is_well_behaved());
        let failed = |seen: &Seen| seen.status().is_none_or(|status| status >= 400);
        trigger.ordinary += ordinary().count() as u64;
        trigger.failed += ordinary().filter(|seen| failed(seen)).count() as u64;
        if context.can_tell {
            let silent = |seen: &&&Seen| !failed(seen) && !seen.tells && seen.identity.is_some();
            trigger.missing += ordinary().filter(silent).count() as u64;
        }
        trigger.overlapping = finished.overlapping;
        trigger.took += finished.took;
        let number = trigger.rounds;
        self.exposures += exposed;
        self.leaks += leaks.len() as u64;
        self.keep(&finished, number, &leaks, context.echoes);
        self.suspicions(&finished, number, context)
    }

    /// Counts what was a suspicion as the leak that it has turned out to be.
    pub(super) fn confirm(&mut self, evidence: Evidence) {
        self.leaks += 1;
        let found_by = evidence.found_by;
        if let Some(trigger) = found_by.trigger().and_then(|trigger| self.triggers.get_mut(&trigger)) {
            trigger.leaks += 1;
            let unseen = trigger.leaks.saturating_sub(trigger.exposures);
            trigger.exposures += unseen;
            self.exposures += unseen;
            trigger.rounds_with_leak += u64::from(self.confirmed.insert((found_by, evidence.round)));
        }
        if self.has_room(evidence.class) {
            self.evidence.push(evidence);
        }
    }

    /// Replies that look like those to somebody else, and hold no canary that would prove it.
    fn suspicions(&self, finished: &FinishedRound<'_>, round: u64, context: &JudgeContext<'_>) -> Vec<Suspicion> {
        let suspected = finished.observations.iter().filter_map(|observation| {
            let victim = &observation.seen;
            let last = |owners: &[u64]| {
                owners.iter().copied().max_by_key(|owner| self.remembered.source(*owner, victim).map(Seen::sent))
            };
            let by_solo = context.personas.foreign(observation, context.client, last);
            let (ground, foreign) = match by_solo.map(|(accusation, foreign)| (Ground::Solo(accusation), foreign)) {
                Some(found) => found,
                None => {
                    context.personas.given(observation, context.client).map(|(value, of)| (Ground::Value(value), of))?
                }
            };
            let leak = self.leak(victim, foreign, context.premises);
            let guess = classify(finished.found_by, &leak, &[], false);
            Some(Suspicion { evidence: evidence(finished, round, guess, &leak), ground })
        });
        suspected.collect()
    }

    /// Takes ordinary requests that came after the first leak, over connections of their own. If they too get answers that
    /// are late, it is a backend's answers that are, whatever connection showed it.
    pub(super) fn add_aftermath(&mut self, mut finished: FinishedRound<'_>, context: &JudgeContext<'_>) {
        self.prepare(&mut finished, context);
        if classify::late(&self.judge(&finished, context), context.echoes) == Some(LeakClass::Pool) {
            let told_otherwise = |evidence: &Evidence| evidence.firm && evidence.leak.oracle != LeakOracle::Canary;
            for evidence in self.evidence.iter_mut().filter(|evidence| !told_otherwise(evidence)) {
                (evidence.class, evidence.firm) = (LeakClass::Pool, true);
                evidence.alternatives.clear();
            }
        }
    }

    /// Remembers requests whose responses a relay exchanged: the server gave each its own, and they count for nothing else.
    pub(super) fn remember_planted(&mut self, observations: Vec<Observation>) {
        let given = |observation: Observation| Seen { own: true, ..observation.seen };
        self.remembered.add(observations.into_iter().map(given).collect());
    }

    /// Finds out which responses could show a leak, and remembers the requests.
    fn prepare(&mut self, finished: &mut FinishedRound<'_>, context: &JudgeContext<'_>) {
        self.unsolicited += context.client.take_unsolicited();
        for observation in &mut finished.observations {
            self.cut += u64::from(observation.is_cut());
            if let Some(why) = &observation.reply.undecoded {
                self.undecoded.get_or_insert_with(|| (0, why.to_string())).0 += 1;
            }
            let is_text = text::is_text(&observation.reply);
            let holds_any = observation.all_canaries().next().is_some();
            let seen = &observation.seen;
            // What nobody is shown could hold somebody's canary; a redirect to a login shows nothing.
            let nobodys = seen.identity.is_none() && !context.personal && seen.status().is_some_and(|s| s < 300);
            // An error page tells by what it holds alone.
            let may_tell = is_text && (seen.identity.is_some() || seen.status().is_some_and(|status| status < 400));
            observation.seen.tells = holds_any || nobodys || (may_tell && context.personas.tells(observation));
        }
        self.remembered.add(finished.observations.iter().map(|observation| observation.seen.clone()).collect());
    }

    fn judge(&self, finished: &FinishedRound<'_>, context: &JudgeContext<'_>) -> Vec<Leak> {
        let last = |request| self.remembered.request(request);
        let found = judge::walk(&finished.observations, &finished.strays, last, context.client).into_iter();
        found.map(|(victim, foreign)| self.leak(victim, foreign, context.premises)).collect()
    }

    fn leak(&self, victim: &Seen, foreign: Foreign, premises: Premises) -> Leak {
        let source = foreign.owner.and_then(|owner| self.remembered.source(owner, victim)).cloned();
        let together = source.as_ref().is_some_and(|source| source.coincided_with(victim));
        Leak {
            oracle: foreign.oracle,
            victim: victim.clone(),
            overlapped: together && !premises.one_at_a_time(),
            source,
            place: foreign.place,
            excerpt: foreign.excerpt,
            own_present: victim.own,
            verbatim: foreign.verbatim,
        }
    }

    /// Keeps the first leaks of each class; of one round the longest wait, which tells the story best.
    fn keep(&mut self, finished: &FinishedRound<'_>, round: u64, leaks: &[Leak], echoes: bool) {
        let mut best: BTreeMap<LeakClass, (Guess, &Leak)> = BTreeMap::new();
        for leak in leaks {
            let guess = classify(finished.found_by, leak, leaks, echoes);
            let (_, held) = best.entry(guess.class).or_insert((guess, leak));
            if leak.victim.exchange.latency() > held.victim.exchange.latency() {
                *held = leak;
            }
        }
        for (guess, leak) in best.into_values() {
            if self.has_room(guess.class) {
                self.evidence.push(evidence(finished, round, guess, leak));
            }
        }
    }

    fn has_room(&self, class: LeakClass) -> bool {
        self.evidence.iter().filter(|evidence| evidence.class == class).count() < EVIDENCE_PER_CLASS
    }
}

fn evidence(finished: &FinishedRound<'_>, round: u64, guess: Guess, leak: &Leak) -> Evidence {
    Evidence {
        class: guess.class,
        alternatives: guess.alike(),
        firm: guess.firm,
        found_by: finished.found_by,
        round,
        leak: leak.clone(),
        round_requests: finished.observations.len() as u64,
        bystanders: bystanders(finished.observations.iter().map(|observation| &observation.seen), leak),
        recipe: as_asked(finished, leak),
        shrunk: None,
    }
}

/// What was sent; where it matters which persona asked, with their names.
fn as_asked(finished: &FinishedRound<'_>, leak: &Leak) -> Recipe {
    let mut recipe = finished.recipe.clone();
    if leak.oracle.is_of_personas() {
        for seen in finished.observations.iter().map(|observation| &observation.seen) {
            let line = recipe.lines.get_mut(seen.place.line);
            let shot = line.and_then(|line| line.shots.get_mut(seen.place.shot));
            if let (Some(persona), Some(shot)) = (seen.persona, shot) {
                shot.who = Principal::Persona(persona);
            }
        }
    }
    recipe
}

impl Memory {
    fn add(&mut self, mut seen: Vec<Seen>) {
        seen.sort_by_key(|seen| seen.request);
        for seen in &seen {
            if let Some(identity) = seen.identity {
                self.of.entry(identity).or_default().push(seen.request);
            }
        }
        self.seen.extend(seen);
        let surplus = self.seen.len().saturating_sub(REMEMBERED);
        for gone in self.seen.drain(..surplus) {
            if let Some(identity) = gone.identity
                && let Some(requests) = self.of.get_mut(&identity)
            {
                requests.retain(|request| *request != gone.request);
                if requests.is_empty() {
                    self.of.remove(&identity);
                }
            }
        }
    }

    fn request(&self, request: u64) -> Option<&Seen> {
        let at = self.seen.binary_search_by_key(&request, |seen| seen.request).ok()?;
        self.seen.get(at)
    }

    /// The request of `owner` from which the victim got what it holds: the last that was sent before the victim was
    /// answered.
    fn source(&self, owner: u64, victim: &Seen) -> Option<&Seen> {
        let requests = self.of.get(&owner)?.iter().rev().filter_map(|request| self.request(*request));
        requests.filter(|seen| seen.sent() <= victim.exchange.done).max_by_key(|seen| seen.sent())
    }
}
