//! The phases of a check, each from its begin to its end.

use std::cell::Cell;
use std::time::Duration;

use super::super::PositiveControl;
use super::super::declared::{self, ValueQuestion};
use super::super::diagnosis::ExperimentContext;
use super::super::events;
use super::super::evidence::{Evidence, FoundBy};
use super::super::experiment::Participants;
use super::super::hypothesis::Hypothesis;
use super::super::identity::Identity;
use super::super::judge;
use super::super::observation::Role;
use super::super::perform::Round;
use super::super::personas::{self, Personas, Suspicion};
use super::super::recipe::{Line, Recipe, RecipeRequest};
use super::super::relay::{Relay, Replies};
use super::super::totals::{FinishedRound, TriggerCounts};
use super::super::triggers::Family;
use super::super::uninformative;
use super::{CheckPhase, DirtyCheck, FAMILIES, FamilyOf};
use crate::net::dialer::Dialer;
use crate::scenario::Version;
use crate::trigger::Trigger;

/// Those whose rounds personas repeat.
const WELL_BEHAVED: [Family; 2] = [Family::Sequence, Family::Overlap];
/// A first look at a family takes no more than such a part of the time that is left.
const FIRST_LOOK_SHARE: u32 = 8;
/// A suspicion is worth at least so long.
const LEAST_VERIFY: Duration = Duration::from_secs(5);
/// From the end of a part to the begin of the next on a server of its own, where that is slow to start.
const SLOW_START: Duration = Duration::from_millis(700);
/// What a hypothesis is worth, and the part of that for rounds without those whose the values are: all but one.
const LEAST_CONTROL_GROUP: Duration = Duration::from_secs(3);
const MOST_CONTROL_GROUP: Duration = Duration::from_secs(15);
const CONTROL_GROUP_PARTS: u32 = 4;
/// How often a leak is planted until it is seen: one of two responses may be a refusal.
const PLANTINGS: u32 = 3;

impl DirtyCheck<'_> {
    pub(super) async fn run_phase(&mut self, part: CheckPhase) {
        if part == CheckPhase::ControlGroup {
            return self.control_group().await;
        }
        if self.personal && !self.gather().await {
            return;
        }
        match part {
            CheckPhase::Opening => self.opening().await,
            CheckPhase::FirstLook(FamilyOf(family)) | CheckPhase::Family(FamilyOf(family)) => self.family(family).await,
            CheckPhase::Personas => self.repeat_by_personas().await,
            CheckPhase::Verify => self.verify().await,
            CheckPhase::Rest => self.rest().await,
            // Done: only those log in who take part.
            CheckPhase::ControlGroup => {}
            CheckPhase::Diagnosis => self.diagnose().await,
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
            // One stream after the other takes long, and tells little: what goes to one is sent while others are open.
            if !self.situation.streams {
                self.family(Family::Sequence).await;
            }
        }
    }

    /// The same few ask, for what follows from who asks without being a canary: from here on where only they can be told
    /// apart, else once.
    async fn repeat_by_personas(&mut self) {
        let only_they = std::mem::replace(&mut self.personal, true);
        if (!only_they && !self.gather().await) || !self.get_to_know().await {
            self.personal = only_they;
            if only_they && self.findings.control.problems.is_empty() {
                let problem = "the time was up before each persona had been asked alone: give the check more";
                self.findings.control.problems.push(problem.to_owned());
            }
            return;
        }
        // What lone requests were answered is looked into first.
        if !self.personas.suspicions.is_empty() {
            self.personal = only_they;
            return;
        }
        if self.personas.can_tell() || self.findings.control.echoes {
            self.findings.alike = self.personas.alike();
            if self.findings.positive_control.is_none() {
                self.positive_control().await;
            }
            for family in if only_they { &WELL_BEHAVED[..1] } else { &WELL_BEHAVED[..] } {
                self.family(*family).await;
            }
        } else {
            let problem = uninformative::describe(&self.personas);
            self.findings.control.problems.push(problem);
        }
        self.personal = only_they;
    }

    /// Learns what each persona gets alone, if that is not known yet. False if the time does not suffice for it.
    async fn get_to_know(&mut self) -> bool {
        if self.personas.is_learned() {
            return true;
        }
        self.ask_nobody(personas::SOLO).await;
        for _ in 0..personas::SOLO {
            if self.is_out_of_time() {
                return false;
            }
            self.ask_alone().await;
        }
        let shut_out = self.personas.shut_out();
        let fine = shut_out.is_empty();
        self.findings.control.problems.extend(shut_out);
        let Some(client) = &self.client else { return false };
        self.personas.learn(client);
        for _ in personas::SOLO..personas::MOST_SOLO {
            if !fine || self.personas.is_sure() || self.is_out_of_time() {
                break;
            }
            self.ask_alone().await;
            self.client.iter().for_each(|client| self.personas.tell(client));
        }
        fine
    }

    /// Would a leak be seen? A server that refuses some requests at random is asked more than once.
    async fn positive_control(&mut self) {
        for _ in 0..PLANTINGS {
            self.plant().await;
            if self.findings.positive_control.as_ref().is_none_or(|control| control.found) {
                return;
            }
        }
    }

    /// Two requests, one after the other, whose responses a relay exchanges.
    async fn plant(&mut self) {
        let two = if self.personal { self.personas.two_apart(self.client.as_ref()) } else { Some(Vec::new()) };
        let (Some(client), Some(two), Ok(relay)) = (&mut self.client, two, Relay::bind().await) else { return };
        let over_a_relay = self.plan.version == Version::One;
        let Ok(endpoint) = relay.endpoint() else { return };
        let recipe = Recipe::of(vec![Line::of(vec![RecipeRequest::plain()]); 2]);
        if over_a_relay {
            let server = client.divert(Dialer::new(endpoint, None));
            let round = Round { client, recipe: &recipe, personas: &two, number: 0, role: Some(Role::Probe) };
            let replies = Replies { head_only: client.forms.head_only(), streams: client.streams() };
            relay.during(round.perform(), &server, replies).await;
            client.divert(server);
        } else {
            // The relay passes on HTTP/1.1: here the responses are exchanged when they have come.
            Round { client, recipe: &recipe, personas: &two, number: 0, role: Some(Role::Probe) }.perform().await;
            client.exchange_replies();
        }
        let (observations, _) = (client.take_observations(), client.take_strays());
        let told =
            |observation| judge::judge(observation, client).is_some() || self.personas.judge(observation).is_some();
        let found = observations.iter().any(told);
        let before = self.findings.positive_control.as_ref().map_or(0, |control| control.requests);
        let requests = before + observations.len() as u64;
        self.findings.positive_control = Some(PositiveControl { requests, found });
        tracing::debug!(requests, found, "two responses were exchanged on their way: is that seen?");
        self.findings.totals.remember_planted(observations);
    }

    /// As much of the diagnosis as one server is good for.
    async fn diagnose(&mut self) {
        let Some(client) = &self.client else { return };
        let participants = Participants { personas: &self.personas, in_turn: self.personal };
        let (situation, clock, time) = (&self.situation, &self.clock, self.plan.budget.time);
        let slow_start = self.starts.mean() > SLOW_START;
        let context = ExperimentContext {
            client,
            participants,
            situation,
            clock,
            time,
            slow_start,
            tries: Cell::new(self.tries.get()),
        };
        self.diagnosis.step(&mut self.findings.totals.evidence, &context).await;
        self.tries.set(context.tries.get());
    }

    /// Lone requests by each persona, on a server that has not seen what raised the suspicions, until each of these either
    /// stands or is refuted; or for as long as that is worth.
    async fn verify(&mut self) {
        let until = self.clock.now() + (self.plan.budget.time / 3).max(LEAST_VERIFY);
        if let Some(question) = self.personas.question(self.situation.owned) {
            return self.ask_others(question, until).await;
        }
        self.ask_nobody(2 * personas::SOLO).await;
        for _ in 0..personas::MOST_SOLO {
            self.ask_alone().await;
            if self.personas.are_settled() || self.clock.now() > until {
                break;
            }
        }
        self.findings.unsettled += self.personas.unsettled() as u64;
        self.personas.resolve();
        // What the suspicions cut short goes on.
        self.resume = self.findings.totals.leaks == 0;
    }

    /// Counts suspicions that stand as leaks.
    fn confirm(&mut self, standing: Vec<Evidence>) {
        standing.iter().for_each(events::leak_found);
        standing.into_iter().for_each(|evidence| self.findings.totals.confirm(evidence));
        self.note_proof();
        self.resume = self.findings.totals.leaks == 0;
    }

    /// Does a value that the scenario gives to one persona stand in responses to others because that one has asked? Others are
    /// asked alone, on a server that the owner of the value has not asked, then on one that the owner has asked first.
    async fn ask_others(&mut self, question: ValueQuestion, until: Duration) {
        let (first, owner) = match question {
            ValueQuestion::WithoutOwner(owner) => (None, owner),
            ValueQuestion::OwnerFirst(owner) => (Some(owner), owner),
        };
        let others = (self.personas.all.len() - 1).max(1);
        for round in 0..(declared::ENOUGH as usize).div_ceil(others) {
            let first = first.filter(|_| round == 0);
            let (recipe, order) = self.personas.others_after(first, owner, self.situation.seed);
            let Some(client) = &self.client else { return };
            Round { client, recipe: &recipe, personas: &order, number: 0, role: Some(Role::Probe) }.perform().await;
            let observations = client.take_observations();
            drop(client.take_strays());
            self.personas.take_note(&observations, client);
            let is_open = self.personas.question(self.situation.owned) == Some(question);
            if !is_open || self.clock.now() > until {
                break;
            }
        }
        // After the second server nothing more is to be had, and a response that did not come in time never will.
        let next = self.personas.question(self.situation.owned);
        if matches!(question, ValueQuestion::OwnerFirst(_)) || next.is_none() || next == Some(question) {
            self.findings.unsettled += u64::from(next == Some(question));
            let standing = self.personas.resolve_values(self.situation.owned);
            self.confirm(standing);
        }
    }

    /// Would what was seen be shown without those whose it is taken to be? See the module `hypothesis`. On a server that cannot be
    /// started anew their values may be there from before: there nothing is refuted, but left open.
    async fn control_group(&mut self) {
        let Some(mut hypothesis) = self.personas.take_hypothesis() else { return };
        let began = self.clock.now();
        let share = (self.plan.budget.time / 4).clamp(LEAST_CONTROL_GROUP, MOST_CONTROL_GROUP);
        let is_over = |check: &Self, part: u32| check.clock.now() > began + share * part / CONTROL_GROUP_PARTS;
        let bystanders = self.logged_in(hypothesis.bystanders(&self.personas.all)).await;
        while hypothesis.wants_without() && !is_over(self, CONTROL_GROUP_PARTS - 1) {
            let Some(bystanders) = &bystanders else { break };
            self.try_hypothesis(&mut hypothesis, bystanders, false).await;
        }
        let everybody = self.logged_in(self.personas.all.clone()).await;
        while hypothesis.wants_with() && !is_over(self, CONTROL_GROUP_PARTS) {
            let Some(everybody) = &everybody else { break };
            self.try_hypothesis(&mut hypothesis, everybody, true).await;
        }
        let standing = self.personas.close(hypothesis, self.situation.owned);
        self.confirm(standing);
    }

    /// These, logged in to the server at hand; `None` if one was refused.
    async fn logged_in(&self, mut who: Vec<Identity>) -> Option<Vec<Identity>> {
        self.client.as_ref()?.log_in(&mut who).await.ok().map(|()| who)
    }

    /// Rounds of what raised a suspicion, by these.
    async fn try_hypothesis(&mut self, hypothesis: &mut Hypothesis, who: &[Identity], with_owners: bool) {
        let Some(client) = &self.client else { return };
        let (recipe, copies) = hypothesis.again(!who.is_empty());
        Round { client, recipe: &recipe, personas: who, number: hypothesis.rounds(), role: None }.perform().await;
        let observations = client.take_observations();
        drop(client.take_strays());
        hypothesis.take(&observations, copies, with_owners, |observation| self.personas.judge(observation));
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
        let began = self.clock.now();
        if let Some(client) = &self.client {
            Round { client, recipe, personas: order, number: 0, role: Some(Role::Probe) }.perform().await;
        }
        let Some(client) = self.client.take() else { return };
        let observations = client.take_observations();
        // What comes unasked after lone requests is for the triggers to find.
        drop(client.take_strays());
        self.personas.take_note(&observations, &client);
        let took = self.clock.now().saturating_sub(began);
        let strays = Vec::new();
        let finished =
            FinishedRound { overlapping: false, found_by: FoundBy::Control, recipe, observations, strays, took };
        let mut totals = std::mem::take(&mut self.findings.totals);
        let (suspicions, observations) = totals.add_solo(finished, &self.context(&client));
        self.findings.totals = totals;
        suspicions.into_iter().filter(Suspicion::is_by_value).for_each(|suspicion| self.personas.suspect(suspicion));
        self.personas.take_solo(observations);
        self.client = Some(client);
    }

    /// Makes the personas if there are none yet, and logs them in to the server at hand. False if one was refused.
    async fn gather(&mut self) -> bool {
        let Some(client) = &self.client else { return false };
        self.personas.gather(client, personas::wanted(self.plan));
        let refused = client.log_in(&mut self.personas.all).await.err().unwrap_or_default();
        let fine = refused.is_empty();
        self.findings.control.problems.extend(refused);
        fine
    }

    /// The rounds of each trigger of a family that are due in this part, in turn; no longer than its share of the time that
    /// is left.
    async fn family(&mut self, family: Family) {
        let now = self.clock.now();
        let begun = FAMILIES.iter().position(|other| *other == family).map_or(0, |position| position + 1);
        let parts_left = match self.part {
            Some(CheckPhase::FirstLook(_)) => FIRST_LOOK_SHARE,
            _ => 2 + (FAMILIES.len() - begun) as u32,
        };
        let until = now + self.plan.budget.time.saturating_sub(now) / parts_left;
        let able: Vec<Trigger> =
            self.plan.triggers.iter().copied().filter(|trigger| self.may(*trigger, family)).collect();
        let most = able.iter().map(|trigger| self.due_rounds(*trigger)).max().unwrap_or(0);
        for round in 0..most {
            for &trigger in &able {
                if self.is_over() || (round > 0 && self.clock.now() > until) {
                    return;
                }
                if !self.has_time_for(trigger) {
                    continue;
                }
                let due = self.due_rounds(trigger);
                let done = self.rounds.entry(trigger).or_default();
                if *done <= round && round < due {
                    *done += 1;
                    self.round(trigger).await;
                }
            }
        }
    }

    /// How many rounds of a trigger are due in the part at hand.
    fn due_rounds(&self, trigger: Trigger) -> u64 {
        let strategy = trigger.strategy();
        // Streams take long, and each trigger is to have its turn.
        let first_look = if self.situation.streams { 1 } else { strategy.first_look() };
        match self.part {
            Some(CheckPhase::FirstLook(_)) => first_look,
            Some(CheckPhase::Family(FamilyOf(family))) if family != Family::Storm => {
                strategy.least_rounds().saturating_sub(first_look).max(1)
            }
            _ => strategy.least_rounds(),
        }
    }

    /// Rounds of all triggers, until enough has been exposed: every other one to the trigger that exposes most in a second.
    async fn rest(&mut self) {
        let may_follow = |trigger: &Trigger| trigger.strategy().family() != Family::Opening;
        let able: Vec<Trigger> = self.plan.triggers.iter().copied().filter(may_follow).collect();
        let able: Vec<Trigger> = able.into_iter().filter(|trigger| self.obstacle(*trigger).is_none()).collect();
        let mut turn = 0;
        while !self.is_over() && !self.has_enough() {
            let able: Vec<Trigger> = able.iter().copied().filter(|trigger| self.has_time_for(*trigger)).collect();
            if able.is_empty() {
                return;
            }
            let pace =
                |trigger: &&Trigger| self.findings.totals.triggers.get(trigger).map_or(f64::MAX, TriggerCounts::pace);
            let fastest = able.iter().max_by(|a, b| pace(a).total_cmp(&pace(b)));
            let next = fastest.copied().filter(|_| turn % 2 == 0).unwrap_or(able[turn / 2 % able.len()]);
            events::trigger_chosen(next, turn % 2 == 0);
            self.round(next).await;
            turn += 1;
        }
    }
}
