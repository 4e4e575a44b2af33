//! The dirty check: does a value of one request turn up in the response to another?
//!
//! The first request after a start, then a control run (one request at a time), then triggers, family by family, each
//! family on a server of its own where runner can start one; until a proof, or enough exposures, or the end of the time.
//! Every response is judged; what is found is kept with its witnesses and with the recipe that showed it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::load::Target;
use crate::load::clock::Clock;
use crate::scenario;

mod attempt;
mod baseline;
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
mod personas;
pub mod recipe;
mod relay;
mod replay;
mod tally;
mod triggers;

use client::Client;
use diagnosis::{Bench, Diagnosis};
use identity::Identity;
use perform::Round;
use personas::Personas;
use recipe::{Line, Recipe, Shot};
use relay::Relay;
use tally::{Court, Ended};
use triggers::{Family, Situation, Trigger};

pub use class::Class;
pub use control::Control;
pub use judge::Oracle;
pub use observation::{Observation, Role, Seen};
pub use replay::{Replay, Shown, Try};
pub use tally::{Evidence, Leak, Tally, TriggerTally};

/// All that a dirty check found.
#[derive(Debug, Default)]
pub struct Findings {
    pub control: Control,
    /// `None` if it did not take place.
    pub positive_control: Option<PositiveControl>,
    pub tally: Tally,
    /// Why triggers were not exercised, by name; sentences without a full stop.
    pub obstacles: BTreeMap<&'static str, String>,
    /// The server handles one request at a time: known, or seen.
    pub one_at_a_time: bool,
    pub duration: Duration,
    pub interrupted: bool,
}

/// A leak that runner planted itself: two replies, exchanged on their way.
#[derive(Debug, Clone, Copy)]
pub struct PositiveControl {
    pub requests: u64,
    /// The check saw it.
    pub found: bool,
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
    /// Lone requests by the same few, over and over, then well-behaved requests by them: for what follows from who asks
    /// without being its canary.
    Personas,
    /// Lone requests once more: do suspicions stand?
    Verify,
    /// All triggers, for the exposures that are still missing.
    Rest,
    /// After a leak: the least that shows it.
    Diagnosis,
}

/// A family of triggers, as seen from outside: a part is only handed back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyOf(Family);

/// The families in the order of their parts.
const FAMILIES: [Family; 5] = [Family::Overlap, Family::Wire, Family::Error, Family::Leaving, Family::Storm];
/// Those whose rounds personas repeat.
const WELL_BEHAVED: [Family; 2] = [Family::Sequence, Family::Overlap];
/// A suspicion is worth at least so long.
const LEAST_VERIFY: Duration = Duration::from_secs(5);

/// Why a trigger was not exercised that could have been.
pub const NO_TURN: &str = "its turn had not come when the check ended";

/// A check under way: ask for its [`Check::next_part`], give that a server, [`Check::run`] it, and so on to the end.
pub struct Check<'a> {
    plan: &'a scenario::Dirty,
    clock: Clock,
    /// Made for the first server.
    client: Option<Client>,
    situation: Situation,
    triggers: Vec<Box<dyn Trigger>>,
    findings: Findings,
    diagnosis: Diagnosis,
    personas: Personas,
    /// Personas ask, not strangers.
    personal: bool,
    /// The last part that was begun, those that verify left out.
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
            triggers: triggers::all().into_iter().filter(|trigger| plan.triggers.contains(&trigger.name())).collect(),
            findings: Findings::default(),
            diagnosis: Diagnosis::default(),
            personas: Personas::default(),
            personal: plan.login.is_some() || !plan.identities.is_empty(),
            part: None,
            progress,
        }
    }

    /// What comes next; `None` at the end.
    pub fn next_part(&self) -> Option<Part> {
        self.next_to_find().or_else(|| {
            let (evidence, time) = (&self.findings.tally.evidence, self.plan.budget.time);
            let due = !self.findings.interrupted && self.diagnosis.is_due(evidence, self.clock.now(), time);
            due.then_some(Part::Diagnosis)
        })
    }

    /// No more diagnosis: its server did not start, or died.
    pub fn give_up_diagnosis(&mut self) {
        self.diagnosis.give_up();
    }

    /// The next part that may find a leak.
    fn next_to_find(&self) -> Option<Part> {
        let findings = &self.findings;
        let proven = findings.tally.leaks > 0 && !self.plan.budget.exhaustive;
        let futile = !findings.control.problems.is_empty() || findings.interrupted;
        let Some(last) = self.part else { return Some(Part::Opening) };
        if proven || futile {
            return None;
        }
        if !self.personas.suspicions.is_empty() {
            return Some(Part::Verify);
        }
        self.regular_parts().skip_while(|part| *part != last).skip(1).find(|part| self.is_due(*part))
    }

    /// All parts in their order, but for those that verify.
    fn regular_parts(&self) -> impl Iterator<Item = Part> {
        let families = FAMILIES.into_iter().map(|family| Part::Family(FamilyOf(family)));
        // Where only personas can be told apart, they must be known before anything else.
        let (before, after) = if self.personal { (Some(Part::Personas), None) } else { (None, Some(Part::Personas)) };
        std::iter::once(Part::Opening).chain(before).chain(families).chain(after).chain([Part::Rest])
    }

    fn is_due(&self, part: Part) -> bool {
        !self.is_out_of_time()
            && match part {
                Part::Opening | Part::Personas | Part::Verify => true,
                Part::Family(FamilyOf(family)) => self.triggers.iter().any(|trigger| self.may(&**trigger, family)),
                Part::Rest => !self.has_enough(),
                Part::Diagnosis => false,
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
        if part != Part::Verify {
            self.part = Some(part);
        }
        let finished = runtime.block_on(cancel.run_until_cancelled(self.story(part)));
        self.findings.interrupted |= finished.is_none();
        Ok(())
    }

    /// What was found, until now.
    pub fn conclude(mut self) -> Findings {
        for trigger in &self.triggers {
            let tried = self.findings.tally.triggers.get(trigger.name());
            // Where one shows that the server handles one request at a time, the others' rounds showed no more.
            let why = match trigger.obstacle(&self.situation) {
                Some(why) if tried.is_none_or(|tally| tally.leaks == 0) => why,
                None if tried.is_none() => NO_TURN.to_owned(),
                _ => continue,
            };
            self.findings.obstacles.insert(trigger.name(), why);
        }
        let one_at_a_time = self.situation.premises.one_at_a_time();
        Findings { duration: self.clock.now(), one_at_a_time, ..self.findings }
    }

    async fn story(&mut self, part: Part) {
        if self.personal {
            self.gather().await;
        }
        match part {
            Part::Opening => self.opening().await,
            Part::Family(FamilyOf(family)) => self.family(family).await,
            Part::Personas => self.persevere().await,
            Part::Verify => self.verify().await,
            Part::Rest => self.rest().await,
            Part::Diagnosis => self.diagnose().await,
        }
    }

    async fn opening(&mut self) {
        self.family(Family::Opening).await;
        if self.is_over() {
            return;
        }
        self.control().await;
        // Answers without canaries tell nothing, unless what else they hold does.
        self.personal |= !self.findings.control.echoes;
        if !self.is_over() && self.findings.control.problems.is_empty() && !self.personal {
            self.positive_control().await;
            self.family(Family::Sequence).await;
        }
    }

    /// The same few ask, for what follows from who asks without being a canary: from here on where only they can be told
    /// apart, else once.
    async fn persevere(&mut self) {
        let only_they = std::mem::replace(&mut self.personal, true);
        self.gather().await;
        self.ask_nobody(personas::SOLO).await;
        for _ in 0..personas::SOLO {
            self.ask_alone().await;
        }
        self.personas.learn();
        if self.personas.can_tell() || self.findings.control.echoes {
            if self.findings.positive_control.is_none() {
                self.positive_control().await;
            }
            for family in if only_they { &WELL_BEHAVED[..1] } else { &WELL_BEHAVED[..] } {
                self.family(*family).await;
            }
        } else {
            let problem =
                "no answer to a lone request holds its own canary, and nothing else in them tells who asked".to_owned();
            self.findings.control.problems.push(problem);
        }
        self.personal = only_they;
    }

    /// Would a leak be seen? Two requests, one after the other, whose replies a relay exchanges.
    async fn positive_control(&mut self) {
        let two = if self.personal { self.personas.two_apart(self.client.as_ref()) } else { Some(Vec::new()) };
        let (Some(client), Some(two), Ok(relay)) = (&mut self.client, two, Relay::bind().await) else { return };
        let Ok(endpoint) = relay.endpoint() else { return };
        let server = client.divert(endpoint);
        let recipe = Recipe::of(vec![Line::of(vec![Shot::plain()]); 2]);
        let round = Round { client, recipe: &recipe, personas: &two, number: 0, role: Some(Role::Probe) };
        relay.during(round.perform(), &server, client.forms.head_only()).await;
        let (observations, _) = (client.take_observations(), client.take_strays());
        client.divert(server);
        let told =
            |observation| judge::judge(observation, client).is_some() || self.personas.judge(observation).is_some();
        let found = observations.iter().any(told);
        self.findings.positive_control = Some(PositiveControl { requests: observations.len() as u64, found });
        self.findings.tally.remember(observations);
    }

    /// As much of the diagnosis as one server is good for.
    async fn diagnose(&mut self) {
        let Some(client) = &self.client else { return };
        let personas = if self.personal { &self.personas.all[..] } else { &[] };
        let (situation, clock, time) = (&self.situation, self.clock, self.plan.budget.time);
        let bench = Bench { client, personas, situation, clock, time, tries: Cell::new(0) };
        self.diagnosis.step(&mut self.findings.tally.evidence, &bench).await;
    }

    /// Lone requests by each persona, on a server that has not seen what raised the suspicions, until each of these either
    /// stands or is refuted; or for as long as that is worth.
    async fn verify(&mut self) {
        let until = self.clock.now() + (self.plan.budget.time / 3).max(LEAST_VERIFY);
        self.ask_nobody(personas::MOST_SOLO).await;
        for _ in 0..personas::MOST_SOLO {
            self.ask_alone().await;
            if self.personas.are_settled() || self.clock.now() > until {
                break;
            }
        }
        for evidence in self.personas.resolve() {
            self.findings.tally.convict(evidence);
        }
    }

    /// Lone requests by nobody, before anybody else asks: what somebody leaves behind must not be learned as nobody's.
    async fn ask_nobody(&mut self, times: usize) {
        if self.situation.no_anonymous.is_none() {
            self.ask_solo(&Personas::nobody_alone(times), &[]).await;
        }
    }

    /// A lone request by each persona.
    async fn ask_alone(&mut self) {
        let (recipe, order) = self.personas.solo_round(self.situation.seed);
        self.ask_solo(&recipe, &order).await;
    }

    async fn ask_solo(&mut self, recipe: &Recipe, order: &[Identity]) {
        let Some(client) = &self.client else { return };
        Round { client, recipe, personas: order, number: 0, role: Some(Role::Probe) }.perform().await;
        self.personas.take_solo(client.take_observations());
        // What comes unasked after lone requests is for the triggers to find.
        drop(client.take_strays());
    }

    /// Makes the personas if there are none yet, and logs them in to the server at hand.
    async fn gather(&mut self) {
        let Some(client) = &self.client else { return };
        self.personas.gather(client, personas::wanted(self.plan));
        if let Err(problem) = client.log_in(&mut self.personas.all).await {
            self.findings.control.problems.push(problem);
        }
    }

    /// The least rounds of each trigger of a family, in turn; no longer than its share of the time that is left.
    async fn family(&mut self, family: Family) {
        let now = self.clock.now();
        let parts_left = 2 + FAMILIES.iter().filter(|other| **other > family).count() as u32;
        let until = now + self.plan.budget.time.saturating_sub(now) / parts_left;
        let able: Vec<usize> =
            (0..self.triggers.len()).filter(|index| self.may(&*self.triggers[*index], family)).collect();
        let most = able.iter().map(|index| self.triggers[*index].least_rounds()).max().unwrap_or(0);
        for round in 0..most {
            for &index in &able {
                if self.is_over() || (round > 0 && self.clock.now() > until) {
                    return;
                }
                if round < self.triggers[index].least_rounds() {
                    self.round(index).await;
                }
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
            let personas = if performing.check.personal { &performing.check.personas.all[..] } else { &[] };
            Round { client, recipe, personas, number, role }.perform().await;
        }
    }

    /// Judges what the client has observed in a round.
    fn conclude_round(&mut self, client: &Client, trigger: Option<&'static str>, recipe: &Recipe, took: Duration) {
        let (observations, strays) = (client.take_observations(), client.take_strays());
        if trigger.is_none() {
            self.findings.control = Control::of(&observations, client);
        }
        let court = Court { client, premises: self.situation.premises, personas: &self.personas };
        let family = self.triggers.iter().find(|known| Some(known.name()) == trigger).map(|known| known.family());
        let overlapping = matches!(family, Some(Family::Overlap | Family::Storm));
        let ended = Ended { overlapping, trigger: trigger.unwrap_or("control"), recipe, observations, strays, took };
        let tally = &mut self.findings.tally;
        match trigger {
            Some(_) => {
                let suspicions = tally.add_round(ended, &court);
                suspicions.into_iter().for_each(|suspicion| self.personas.suspect(suspicion));
            }
            None => tally.add_control(ended, &court),
        }
        if tally.triggers.get("overlap").is_some_and(TriggerTally::one_at_a_time) {
            self.situation.premises.in_flight = Some(1);
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
        (self.findings.tally.leaks > 0 && !self.plan.budget.exhaustive)
            || !self.personas.suspicions.is_empty()
            || self.is_out_of_time()
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
