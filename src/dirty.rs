//! The dirty check: does a value of one request turn up in the response to another?
//!
//! The first request after a start, then a control run (one request at a time), then triggers, family by family, each
//! family on a server of its own where runner can start one; until a proof, or enough exposures, or the end of the time.
//! Every response is judged; what is found is kept with its witnesses and with the recipe that showed it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::load::Target;
use crate::load::clock::Clock;
use crate::scenario;

mod attempt;
pub mod class;
mod client;
mod control;
pub mod diagnosis;
pub mod exposure;
mod forms;
mod identity;
pub mod judge;
pub mod observation;
mod perform;
pub mod recipe;
mod tally;
mod triggers;

use client::Client;
use perform::Round;
use recipe::Recipe;
use tally::Ended;
use triggers::{Family, Situation, Trigger};

pub use class::Class;
pub use control::Control;
pub use judge::Oracle;
pub use observation::{Observation, Role, Seen};
pub use tally::{Evidence, Leak, Tally, TriggerTally};

/// All that a dirty check found.
#[derive(Debug, Default)]
pub struct Findings {
    pub control: Control,
    pub tally: Tally,
    /// Why triggers were not exercised, by name; sentences without a full stop.
    pub obstacles: BTreeMap<&'static str, String>,
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

/// A part of a check, which wants a server that nothing was asked of before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first request after the start, the control run, and requests that follow each other.
    Opening,
    /// The triggers of a family.
    Family(FamilyOf),
    /// All triggers, for the exposures that are still missing.
    Rest,
}

/// A family of triggers, as seen from outside: a part is only handed back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyOf(Family);

/// The families in the order of their parts.
const FAMILIES: [Family; 5] = [Family::Overlap, Family::Error, Family::Leaving, Family::Wire, Family::Storm];

/// A check under way: ask for its [`Check::next_part`], give that a server, [`Check::run`] it, and so on to the end.
pub struct Check<'a> {
    plan: &'a scenario::Dirty,
    clock: Clock,
    /// Made for the first server.
    client: Option<Client>,
    situation: Situation,
    triggers: Vec<Box<dyn Trigger>>,
    findings: Findings,
    /// The last part that was begun.
    part: Option<Part>,
    progress: Arc<Progress>,
}

impl<'a> Check<'a> {
    /// `owned`: each part gets a server that was started for it.
    pub fn new(plan: &'a scenario::Dirty, premises: Premises, owned: bool, seed: u64, progress: Arc<Progress>) -> Self {
        Check {
            plan,
            clock: Clock::start(),
            client: None,
            situation: Situation {
                premises,
                long: plan.sleep.map(|sleep| sleep.long),
                owned,
                seed,
                ..Situation::default()
            },
            triggers: triggers::all(),
            findings: Findings::default(),
            part: None,
            progress,
        }
    }

    /// What comes next; `None` at the end.
    pub fn next_part(&self) -> Option<Part> {
        let findings = &self.findings;
        let proven = findings.tally.leaks > 0 && !self.plan.budget.exhaustive;
        let futile = !findings.control.problems.is_empty() || findings.interrupted;
        let begun = match self.part {
            None => return Some(Part::Opening),
            Some(_) if proven || futile || self.is_out_of_time() => return None,
            Some(Part::Opening) => 0,
            Some(Part::Family(FamilyOf(last))) => FAMILIES.iter().filter(|family| **family <= last).count(),
            Some(Part::Rest) => FAMILIES.len() + 1,
        };
        let open = |family: &&Family| self.triggers.iter().any(|trigger| self.may(&**trigger, **family));
        match FAMILIES.get(begun..)?.iter().find(open) {
            Some(family) => Some(Part::Family(FamilyOf(*family))),
            None => (begun <= FAMILIES.len() && !self.has_enough()).then_some(Part::Rest),
        }
    }

    /// Runs a part to its end or until `cancel`; blocks meanwhile. `Err` only if the machine refuses.
    pub fn run(&mut self, part: Part, target: &Target, cancel: &CancellationToken) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = match self.client.take() {
            Some(mut client) => {
                client.aim(self.plan, target);
                client
            }
            None => Client::new(self.plan, target, self.situation.seed, self.clock),
        };
        self.situation.no_anonymous = client.forms.without_anonymous().map(str::to_owned);
        self.situation.malformed = client.forms.malformed();
        self.situation.same_url = client.forms.same_url;
        self.client = Some(client);
        self.part = Some(part);
        let finished = runtime.block_on(cancel.run_until_cancelled(self.story(part)));
        self.findings.interrupted |= finished.is_none();
        Ok(())
    }

    /// What was found, until now.
    pub fn conclude(self) -> Findings {
        Findings { duration: self.clock.now(), ..self.findings }
    }

    async fn story(&mut self, part: Part) {
        match part {
            Part::Opening => self.opening().await,
            Part::Family(FamilyOf(family)) => self.family(family).await,
            Part::Rest => self.rest().await,
        }
    }

    async fn opening(&mut self) {
        self.family(Family::Opening).await;
        if self.is_over() {
            return;
        }
        self.control().await;
        if self.findings.control.problems.is_empty() {
            self.family(Family::Sequence).await;
        }
    }

    /// The least rounds of each trigger of a family; no longer than its share of the time that is left.
    async fn family(&mut self, family: Family) {
        let now = self.clock.now();
        let parts_left = 2 + FAMILIES.iter().filter(|other| **other > family).count() as u32;
        let until = now + self.plan.budget.time.saturating_sub(now) / parts_left;
        for index in 0..self.triggers.len() {
            if !self.may(&*self.triggers[index], family) {
                continue;
            }
            for round in 0..self.triggers[index].least_rounds() {
                if self.is_over() || (round > 0 && self.clock.now() > until) {
                    break;
                }
                self.round(index).await;
            }
        }
    }

    /// Rounds of all triggers, until enough has been exposed: every other one to the trigger that exposes most in a second.
    async fn rest(&mut self) {
        let able: Vec<usize> = (0..self.triggers.len())
            .filter(|index| self.triggers[*index].family() != Family::Opening && self.obstacle(*index).is_none())
            .collect();
        let mut turn = 0;
        while !able.is_empty() && !self.is_over() && !self.has_enough() {
            let pace = |index: &&usize| {
                let tally = self.findings.tally.triggers.get(self.triggers[**index].name());
                tally.map_or(f64::MAX, TriggerTally::pace)
            };
            let fastest = able.iter().max_by(|a, b| pace(a).total_cmp(&pace(b)));
            let index = if turn % 2 == 0 { fastest.copied() } else { None };
            self.round(index.unwrap_or(able[turn / 2 % able.len()])).await;
            turn += 1;
        }
    }

    /// One round of a trigger, judged and counted.
    async fn round(&mut self, index: usize) {
        let trigger = &self.triggers[index];
        let name = trigger.name();
        let number = self.findings.tally.triggers.get(name).map_or(0, |tally| tally.rounds);
        let recipe = trigger.recipe(&self.situation, number);
        self.perform(Some(name), &recipe, number).await;
    }

    /// The control run, judged; from now on it is known how the server answers a lone request.
    async fn control(&mut self) {
        self.perform(None, &control::recipe(), 0).await;
        self.situation.alone = self.findings.control.alone;
        self.situation.keeps_alive = Some(self.findings.control.keeps_alive);
        for index in 0..self.triggers.len() {
            if let Some(why) = self.obstacle(index) {
                self.findings.obstacles.insert(self.triggers[index].name(), why);
            }
        }
    }

    /// Carries out a recipe for a trigger, or for the control run if there is none. Also a round that is cut short is
    /// judged: what had been answered until then counts.
    async fn perform(&mut self, trigger: Option<&'static str>, recipe: &Recipe, number: u64) {
        let Some(client) = self.client.take() else { return };
        let mut performing = Performing { check: self, client: Some(client), trigger, recipe, began: Duration::ZERO };
        performing.began = performing.check.clock.now();
        if let Some(client) = &performing.client {
            let role = trigger.is_none().then_some(Role::Probe);
            Round { client, recipe, personas: &[], number, role }.perform().await;
        }
    }

    /// Judges what the client has observed in a round.
    fn conclude_round(&mut self, client: &Client, trigger: Option<&'static str>, recipe: &Recipe, took: Duration) {
        let (observations, strays) = (client.take_observations(), client.take_strays());
        if trigger.is_none() {
            self.findings.control = Control::of(&observations, client);
        }
        let ended = Ended { trigger: trigger.unwrap_or("control"), recipe, observations, strays, took };
        let tally = &mut self.findings.tally;
        match trigger {
            Some(_) => tally.add_round(ended, self.situation.premises, client),
            None => tally.add_control(ended, self.situation.premises, client),
        }
        self.progress.exposures.store(tally.exposures, Ordering::Relaxed);
        self.progress.leaks.store(tally.leaks, Ordering::Relaxed);
    }

    fn may(&self, trigger: &dyn Trigger, family: Family) -> bool {
        trigger.family() == family && trigger.obstacle(&self.situation).is_none()
    }

    fn obstacle(&self, index: usize) -> Option<String> {
        self.triggers[index].obstacle(&self.situation)
    }

    /// Whether no further round is due: a proof, or no time for one more.
    fn is_over(&self) -> bool {
        (self.findings.tally.leaks > 0 && !self.plan.budget.exhaustive) || self.is_out_of_time()
    }

    fn is_out_of_time(&self) -> bool {
        let one_more = self.situation.long.unwrap_or_default();
        self.clock.now() + one_more > self.plan.budget.time && !self.findings.tally.triggers.is_empty()
    }

    fn has_enough(&self) -> bool {
        self.findings.tally.exposures >= self.plan.budget.exposures
    }
}

/// A round under way: judged when it is dropped, whether it ended or was cut short.
struct Performing<'c, 'a> {
    check: &'c mut Check<'a>,
    client: Option<Client>,
    trigger: Option<&'static str>,
    recipe: &'c Recipe,
    began: Duration,
}

impl Drop for Performing<'_, '_> {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let took = self.check.clock.now().saturating_sub(self.began);
            self.check.conclude_round(&client, self.trigger, self.recipe, took);
            self.check.client = Some(client);
        }
    }
}
