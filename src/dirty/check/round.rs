//! Rounds: carried out, judged and counted.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::client::Client;
use super::super::control::{self, Control};
use super::super::observation::Role;
use super::super::perform::Round;
use super::super::recipe::Recipe;
use super::super::tally::{Court, Ended, TriggerTally};
use super::super::triggers::Family;
use super::Check;

impl Check<'_> {
    /// One round of a trigger, judged and counted.
    pub(super) async fn round(&mut self, index: usize) {
        let trigger = &self.triggers[index];
        let name = trigger.name();
        let number = self.findings.tally.triggers.get(name).map_or(0, |tally| tally.rounds);
        let recipe = trigger.recipe(&self.situation, number);
        self.perform(Some(name), &recipe, number).await;
    }

    /// The control run, judged; from now on it is known how the server answers a lone request.
    pub(super) async fn control(&mut self) {
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
            let control = Control::of(&observations, client);
            let mut problems = std::mem::take(&mut self.findings.control.problems);
            problems.extend(control.problems);
            self.findings.control = Control { problems, ..control };
        }
        let can_tell = !self.personal || self.personas.is_learned();
        let (premises, personas, personal) = (self.situation.premises, &self.personas, self.personal);
        let court = Court { client, premises, personas, can_tell, personal };
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
