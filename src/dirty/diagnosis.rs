//! The diagnosis of a leak: the fewest requests and the simplest timing that still show it (as delta debugging does), how often they
//! do, and what causes remain.
//!
//! A leak's candidates are tried from the simplest up; the first that shows it more than once is tried again, to know how
//! often; then each question is asked whose answer would rule a cause out. All of it on as few servers as will do.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

use super::class::LeakClass;
use super::client::CheckClient;
use super::evidence::Evidence;
use super::experiment::{Experiment, Participants, run_experiment};
use super::recipe::Recipe;
use super::stopwatch::Stopwatch;
use super::triggers::Situation;

mod candidates;
mod case;
mod causes;
mod hints;
mod questions;
mod series;

use case::Case;

/// It takes at most this part of the check's time, and at least and at most so long.
const SHARE: u32 = 3;
const LEAST_TIME: Duration = Duration::from_secs(2);
const MOST_TIME: Duration = Duration::from_secs(10);
/// So much longer for questions whose answers tell causes apart.
const GRACE: Duration = Duration::from_secs(4);
/// A check with its diagnosis ends by then, or when its own time is up.
const OVERALL: Duration = Duration::from_secs(60);

/// Diagnoses the first leak of each class, one after the other.
#[derive(Debug, Default)]
pub(super) struct Diagnosis {
    began: Option<Duration>,
    /// The evidence that is still to be looked at, by index.
    waiting: VecDeque<usize>,
    case: Option<Case>,
    given_up: bool,
}

/// What tries need.
pub(super) struct ExperimentContext<'a> {
    pub client: &'a CheckClient,
    pub participants: Participants<'a>,
    pub situation: &'a Situation,
    pub clock: &'a Stopwatch,
    /// The time of the whole check.
    pub time: Duration,
    /// A server is ready late, so that few are started.
    pub slow_start: bool,
    /// How many tries there were: tells one from the next.
    pub tries: Cell<u64>,
}

/// So much later than others a try is cut short that creates something: what no response has named, nobody removes again.
const UNTIL_NAMED: Duration = Duration::from_secs(2);

impl ExperimentContext<'_> {
    /// A try, unless the time is up before its end: what is cut short says nothing.
    async fn try_in_time(&self, recipe: &Recipe, until: Duration) -> Option<Experiment> {
        let left = until.saturating_sub(self.clock.now());
        if left.is_zero() {
            return None;
        }
        let left = if self.client.creates(recipe) { left + UNTIL_NAMED } else { left };
        let work = run_experiment(self.client, recipe, self.participants, self.number());
        tokio::time::timeout(left, work).await.ok()
    }

    fn number(&self) -> u64 {
        self.tries.set(self.tries.get() + 1);
        self.tries.get()
    }
}

impl Diagnosis {
    /// Whether a further server is of use.
    pub fn is_due(&self, evidence: &[Evidence], now: Duration, time: Duration) -> bool {
        let anything = match self.began {
            None => !evidence.is_empty(),
            Some(_) => self.case.is_some() || !self.waiting.is_empty(),
        };
        anything && !self.given_up && now < self.until(now, time)
    }

    /// Whether it has had a server.
    pub fn has_begun(&self) -> bool {
        self.began.is_some()
    }

    /// Whether what is tried next tells nothing on a server that has been asked before.
    pub fn needs_a_fresh_server(&self) -> bool {
        self.case.as_ref().is_some_and(Case::needs_a_fresh_server)
    }

    /// Whether what is looked at may show on a server that was asked whether it is ready.
    pub fn may_follow_others(evidence: &[Evidence]) -> bool {
        !evidence.iter().any(|one| one.class == LeakClass::StickyFirst || one.recipe.fresh_server)
    }

    /// Nothing more.
    pub fn give_up(&mut self) {
        self.given_up = true;
    }

    fn until(&self, now: Duration, time: Duration) -> Duration {
        let grace = if self.case.as_ref().is_some_and(Case::asks) { GRACE } else { Duration::ZERO };
        let own = self.began.unwrap_or(now) + (time / SHARE).clamp(LEAST_TIME, MOST_TIME) + grace;
        own.min(OVERALL.max(time))
    }

    /// As much as one server is good for. What is found is written into the evidence.
    pub async fn step(&mut self, evidence: &mut [Evidence], context: &ExperimentContext<'_>) {
        if self.began.is_none() {
            self.began = Some(context.clock.now());
            self.waiting = first_of_each_class(evidence);
        }
        if self.case.is_none() {
            let Some(next) = self.waiting.pop_front() else { return };
            self.case = Some(Case::of(next, &evidence[next], context.situation));
        }
        let until = self.until(context.clock.now(), context.time);
        let Some(case) = &mut self.case else { return };
        case.step(context, until).await;
        let (over, now) = (case.is_over(), context.clock.now());
        if over || now >= self.until(now, context.time) {
            self.conclude(evidence, context.situation, context.client.quickest());
        }
    }

    /// Writes down what is known of the leak at hand, also if there was no time for all of it.
    pub fn conclude(&mut self, evidence: &mut [Evidence], situation: &Situation, quickest: Option<Duration>) {
        let Some(case) = self.case.take() else { return };
        let (index, follows) = (case.evidence, case.follows());
        let Some(one) = evidence.get_mut(index) else { return };
        let guess = one.class;
        if !case.conclude(one, situation, quickest) {
            return;
        }
        // What else the same round showed, and what nothing tells otherwise, has the same cause. And what ordinary requests
        // show that follow each other, they show whatever trigger was there as well.
        let (round, oracle) = ((one.found_by, one.round), one.leak.oracle);
        let (class, alternatives) = (one.class, one.alternatives.clone());
        for (other, same) in evidence.iter_mut().enumerate() {
            let alike = (same.found_by, same.round) == round || (follows && same.class == guess);
            if other != index && !same.firm && alike && same.leak.oracle == oracle {
                (same.class, same.alternatives) = (class, alternatives.clone());
                self.waiting.retain(|waiting| *waiting != other);
            }
        }
    }
}

/// Looks for the least that shows one leak, on the server at hand, until then; whether that was found. What only a server
/// that nothing was asked of would tell is left open.
pub(super) async fn narrow_down(evidence: &mut Evidence, context: &ExperimentContext<'_>, until: Duration) -> bool {
    let mut case = Case::of(0, evidence, context.situation);
    while !case.is_over() && !case.needs_a_fresh_server() && context.clock.now() < until {
        case.step(context, until).await;
    }
    case.conclude(evidence, context.situation, context.client.quickest())
}

fn first_of_each_class(evidence: &[Evidence]) -> VecDeque<usize> {
    let mut classes: Vec<LeakClass> = Vec::new();
    let mut first = VecDeque::new();
    for (index, one) in evidence.iter().enumerate() {
        if !classes.contains(&one.class) {
            classes.push(one.class);
            first.push_back(index);
        }
    }
    first
}
