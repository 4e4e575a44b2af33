//! Rounds: carried out, judged and counted.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::{Instrument as _, debug, debug_span};

use super::super::client::CheckClient;
use super::super::control::{self, Control};
use super::super::events::{self, RoundCounts};
use super::super::evidence::FoundBy;
use super::super::observation::Role;
use super::super::perform::Round;
use super::super::recipe::{Line, Recipe, RecipeRequest};
use super::super::totals::{FinishedRound, JudgeContext};
use super::super::triggers::Family;
use super::DirtyCheck;
use crate::trigger::Trigger;

/// Ordinary requests after the first leak: lines side by side, as many as there are likely connections to a backend, and
/// requests on each; no longer than this.
const SIDE_BY_SIDE: usize = 4;
const IN_A_ROW: usize = 4;
const MOST_AFTERMATH: Duration = Duration::from_secs(2);

/// What a round is for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Control,
    Trigger(Trigger),
    /// What ordinary requests get after the first leak.
    Aftermath,
}

impl Purpose {
    /// What its recipe is counted under.
    const fn found_by(self) -> FoundBy {
        match self {
            Purpose::Trigger(trigger) => FoundBy::Trigger(trigger),
            Purpose::Control | Purpose::Aftermath => FoundBy::Control,
        }
    }
}

impl DirtyCheck<'_> {
    /// One round of a trigger, judged and counted.
    pub(super) async fn round(&mut self, trigger: Trigger) {
        let number = self.rounds_of(trigger);
        let mut recipe = trigger.strategy().recipe(&self.situation, number);
        // Over HTTP/2 requests overlap on one connection as well as on several.
        let alone = matches!(trigger.strategy().family(), Family::Opening | Family::Sequence);
        recipe.http2 = self.situation.http2;
        recipe.one_connection = recipe.http2 && !alone && number.is_multiple_of(2);
        let clean = self.findings.totals.leaks == 0;
        let span = debug_span!("round", trigger = trigger.name(), number);
        self.perform(Purpose::Trigger(trigger), &recipe, number).instrument(span).await;
        if clean && self.findings.totals.leaks > 0 {
            self.aftermath().await;
        }
    }

    /// How many rounds of a trigger there were.
    fn rounds_of(&self, trigger: Trigger) -> u64 {
        self.findings.totals.triggers.get(&trigger).map_or(0, |totals| totals.rounds)
    }

    /// What ordinary requests get on the server that has just leaked: a leak may have needed an accident that a diagnosis
    /// will not meet again.
    async fn aftermath(&mut self) {
        let line = Line::of(vec![RecipeRequest::plain(); IN_A_ROW]);
        let side_by_side = if self.situation.premises.one_at_a_time() { 1 } else { SIDE_BY_SIDE };
        let recipe = Recipe::of(vec![line; side_by_side]);
        // Those that take longer are left out.
        let _ = tokio::time::timeout(MOST_AFTERMATH, self.perform(Purpose::Aftermath, &recipe, 0)).await;
    }

    /// The control run, judged; from now on it is known how the server answers a lone request.
    pub(super) async fn control(&mut self) {
        let clean = self.findings.totals.leaks == 0;
        let recipe = Recipe { http2: self.situation.http2, ..control::recipe() };
        self.perform(Purpose::Control, &recipe, 0).await;
        if clean && self.findings.totals.leaks > 0 {
            self.aftermath().await;
        }
        let Control { requests, echoes, alone, keeps_alive, ref problems, .. } = self.findings.control;
        debug!(requests, echoes, ?alone, keeps_alive, problems = problems.len(), "control run judged");
        self.situation.alone = self.findings.control.alone;
        self.situation.keeps_alive = Some(self.findings.control.keeps_alive);
        self.situation.streams = self.client.as_ref().is_some_and(CheckClient::has_met_streams);
        for trigger in &self.plan.triggers {
            if let Some(why) = self.obstacle(*trigger) {
                debug!(trigger = trigger.name(), why, "trigger left out");
                self.findings.obstacles.insert(*trigger, why);
            }
        }
    }

    /// Carries out a recipe. Also a round that is cut short is judged: what had been answered until then counts.
    async fn perform(&mut self, purpose: Purpose, recipe: &Recipe, number: u64) {
        let Some(client) = self.client.take() else { return };
        let mut performing = Performing { check: self, client: Some(client), purpose, recipe, began: Duration::ZERO };
        performing.began = performing.check.clock.now();
        if let Some(client) = &performing.client {
            let role = if matches!(purpose, Purpose::Trigger(_)) { None } else { Some(Role::Probe) };
            let personas = if performing.check.personal { &performing.check.personas.all[..] } else { &[] };
            Round { client, recipe, personas, number, role }.perform().await;
        }
    }

    /// Judges what the client has observed in a round.
    fn conclude_round(&mut self, client: &CheckClient, purpose: Purpose, recipe: &Recipe, took: Duration) {
        let (observations, strays) = (client.take_observations(), client.take_strays());
        self.personas.take_note(&observations, client);
        if let Purpose::Trigger(trigger) = purpose {
            self.personas.notice(trigger, &observations);
            let rounds = self.rounds_of(trigger) + 1;
            trigger.strategy().learn_from_responses(&observations, rounds, &mut self.situation);
        }
        if matches!(purpose, Purpose::Control) {
            let control = Control::of(&observations);
            let mut problems = std::mem::take(&mut self.findings.control.problems);
            problems.extend(control.problems);
            self.findings.control = Control { problems, ..control };
        }
        let found_by = purpose.found_by();
        let family = found_by.trigger().map(|trigger| trigger.strategy().family());
        let overlapping = matches!(family, Some(Family::Overlap | Family::Storm));
        let finished = FinishedRound { overlapping, found_by, recipe, observations, strays, took };
        let (before, requests) = (&self.findings.totals, finished.observations.len());
        let (exposures, leaks, evidence) = (before.exposures, before.leaks, before.evidence.len());
        let mut totals = std::mem::take(&mut self.findings.totals);
        let context = self.context(client);
        let suspicions = match purpose {
            Purpose::Trigger(_) => totals.add_round(finished, &context),
            Purpose::Control => totals.add_control(finished, &context),
            Purpose::Aftermath => {
                totals.add_aftermath(finished, &context);
                Vec::new()
            }
        };
        let (exposures, leaks) = (totals.exposures - exposures, totals.leaks - leaks);
        let counts = RoundCounts { requests, exposures, leaks, took };
        events::round_ended(found_by, counts, totals.evidence.get(evidence..).unwrap_or_default());
        suspicions.into_iter().for_each(|suspicion| self.personas.suspect(suspicion));
        self.findings.totals = totals;
        self.note_proof();
        let totals = &self.findings.totals;
        if let Some((trigger, counts)) = found_by.trigger().and_then(|trigger| totals.triggers.get_key_value(&trigger))
        {
            trigger.strategy().learn_from_counts(counts, &mut self.situation);
        }
        self.progress.exposures.store(totals.exposures, Ordering::Relaxed);
        self.progress.leaks.store(totals.leaks, Ordering::Relaxed);
    }

    /// What it takes to judge.
    pub(super) fn context<'c>(&'c self, client: &'c CheckClient) -> JudgeContext<'c> {
        let can_tell = !self.personal || self.personas.is_learned();
        let (premises, personas) = (self.situation.premises, &self.personas);
        JudgeContext {
            client,
            premises,
            personas,
            can_tell,
            personal: self.personal,
            echoes: self.findings.control.echoes,
        }
    }

    /// Notes when the first leak was proven.
    pub(super) fn note_proof(&mut self) {
        if self.findings.totals.leaks > 0 {
            self.findings.first_proof.get_or_insert(self.began.elapsed());
        }
    }
}

/// A round under way: judged when it is dropped, whether it ended or was cut short.
struct Performing<'c, 'a> {
    check: &'c mut DirtyCheck<'a>,
    client: Option<CheckClient>,
    purpose: Purpose,
    recipe: &'c Recipe,
    began: Duration,
}

impl Drop for Performing<'_, '_> {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let took = self.check.clock.now().saturating_sub(self.began);
            self.check.conclude_round(&client, self.purpose, self.recipe, took);
            self.check.client = Some(client);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::TcpListener;

    use super::*;
    use crate::dirty::client::tests::plan;
    use crate::dirty::{DirtyProgress, Premises};
    use crate::net::target::Target;
    use crate::scenario::{RequestSpec, Template};

    #[tokio::test]
    async fn a_check_that_is_cut_short_after_its_first_leak_keeps_what_it_has_observed() {
        // Nobody answers what it asks.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plan = plan(RequestSpec::get(&Template::parse("/?q={canary}").unwrap()));
        let target = Target::tcp(listener.local_addr().unwrap(), None);
        let mut check = DirtyCheck::new(&plan, Premises::default(), true, 1, Arc::new(DirtyProgress::default()));
        check.client = Some(CheckClient::new(&plan, &target, 1, check.clock.clone()));
        let cut = tokio::time::timeout(Duration::from_millis(50), check.aftermath()).await;
        assert!(cut.is_err() && check.client.is_some());
    }
}
