//! A recorded leak once more: its recipe, carried out and judged as in a check.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::client::CheckClient;
use super::experiment::{Experiment, Participants, Reproduction, run_experiment};
use super::identity::Identity;
use super::observation::{RecipePlace, Role, Seen};
use super::perform::Round;
use super::personas::{self, Personas};
use super::recipe::{Line, Recipe, RecipeRequest, Start};
use super::stopwatch::Stopwatch;
use super::sweep;
use crate::net::target::Target;
use crate::scenario;

/// What came of a try.
#[derive(Debug)]
pub struct ReplayTry {
    pub requests: usize,
    /// Requests that got no response, other than those whose client left.
    pub unanswered: usize,
    pub answers: Vec<ReplayResponse>,
    pub leak: Option<Reproduction>,
}

/// How one request of a try was answered.
#[derive(Debug, Clone, Copy)]
pub struct ReplayResponse {
    pub place: RecipePlace,
    pub role: Role,
    /// `None` if it was not.
    pub status: Option<u16>,
    /// It held its own canary.
    pub own: bool,
}

impl ReplayResponse {
    fn of(seen: &Seen) -> ReplayResponse {
        ReplayResponse { place: seen.place, role: seen.role, status: seen.status(), own: seen.own }
    }
}

/// Tries, with other canaries each.
#[derive(Debug)]
pub struct LeakReplay<'a> {
    plan: &'a scenario::DirtySpec,
    client: Option<CheckClient>,
    personas: Personas,
    seed: u64,
    tries: u64,
    /// How many of them showed nothing.
    misses: usize,
    /// What tells the leak is what personas get when they ask alone.
    learns: bool,
}

/// How often each persona is asked alone: enough for an accusation to stand at once, of four personas.
const LESSONS: usize = 2 * personas::SOLO;

/// The server may take less time for a request than when the leak was recorded, and one that came in the middle of another
/// then comes after it. So a try that shows nothing moves those of the next one closer together, to such a part, in turn.
const CLOSER: [f64; 3] = [1.0, 0.5, 0.25];

impl<'a> LeakReplay<'a> {
    /// The error says why the recipe cannot be carried out with this scenario.
    pub fn new(plan: &'a scenario::DirtySpec, recipe: &Recipe, seed: u64) -> Result<Self, String> {
        let last = recipe.last_persona();
        let wanted = personas::wanted(plan);
        if let Some(index) = last.filter(|index| *index >= wanted) {
            return Err(format!("persona {index} asks in it, and there are {wanted}, from 0"));
        }
        Ok(LeakReplay {
            plan,
            client: None,
            personas: Personas::default(),
            seed,
            tries: 0,
            misses: 0,
            learns: last.is_some(),
        })
    }

    /// Personas must be asked alone first, on a server of their own: what leaks must not be learned.
    pub fn must_learn(&self) -> bool {
        self.learns && !self.personas.is_learned()
    }

    /// Asks each persona alone; blocks meanwhile. The error says what is in the way.
    pub fn learn(&mut self, cancel: &CancellationToken) -> Result<(), String> {
        let Some(client) = &self.client else { return Ok(()) };
        let personas = &mut self.personas;
        let lessons = async {
            if client.forms.without_anonymous().is_none() {
                ask(client, personas, &Personas::nobody_alone(LESSONS), &[]).await;
            }
            for _ in 0..LESSONS {
                let (recipe, order) = personas.solo_round(self.seed);
                ask(client, personas, &recipe, &order).await;
            }
        };
        let runtime = runtime().map_err(|error| error.to_string())?;
        if runtime.block_on(cancel.run_until_cancelled(lessons)).is_none() {
            return Ok(());
        }
        personas.learn(client);
        match self.personas.can_tell() || self.personas.has_values() {
            true => Ok(()),
            false => Err("answers to lone requests do not tell who asks any more".to_owned()),
        }
    }

    /// Turns to a server, and logs in there if the scenario says so. For so long as `patience` says requests are sent again
    /// while it is not there yet. Blocks; the error says who was refused, or what the
    /// machine refuses.
    pub fn aim(&mut self, target: &Target, patience: Option<Duration>) -> Result<(), String> {
        let mut client = CheckClient::aimed(self.client.take(), self.plan, target, self.seed, &Stopwatch::start());
        client.be_patient(patience);
        if self.plan.sweep.is_some() {
            let runtime = runtime().map_err(|error| error.to_string())?;
            let equipped = runtime.block_on(sweep::equip(&mut client, self.plan, target));
            equipped.map_err(|refused| refused.join("; "))?;
        } else if self.plan.login.is_some() || !self.plan.identities.is_empty() || self.learns {
            self.personas.gather(&client, personas::wanted(self.plan));
            let runtime = runtime().map_err(|error| error.to_string())?;
            runtime.block_on(client.log_in(&mut self.personas.all)).map_err(|refused| refused.join("; "))?;
        }
        self.client = Some(client);
        Ok(())
    }

    /// Removes what the tries of a sweep's leak have created on the server at hand, also after an interruption; blocks meanwhile.
    pub fn clean_up(&mut self) {
        if let (Some(spec), Some(client), Ok(runtime)) = (&self.plan.sweep, &self.client, runtime()) {
            runtime.block_on(sweep::remove_created(client, spec));
        }
    }

    /// Values that name who asked, beside a canary: those of a persona.
    pub fn values_of(&self, seen: &Seen) -> Vec<String> {
        seen.persona.map(|persona| self.personas.values_of(persona)).unwrap_or_default()
    }

    /// The values of all who ask.
    pub fn all_values(&self) -> Vec<String> {
        (0..self.personas.all.len()).flat_map(|persona| self.personas.values_of(persona)).collect()
    }

    /// One ordinary request, sent alone; blocks meanwhile. `None` as of [`run`](Self::run).
    pub fn control(&mut self, cancel: &CancellationToken) -> std::io::Result<Option<ReplayResponse>> {
        let tried = self.carry_out(&alone(), cancel)?;
        Ok(tried.and_then(|tried| tried.answers.first().copied()))
    }

    /// One try; blocks meanwhile. `None` if it was cancelled, or nothing was aimed at. `Err` only if the machine refuses.
    pub fn run(&mut self, recipe: &Recipe, cancel: &CancellationToken) -> std::io::Result<Option<ReplayTry>> {
        let tried = self.carry_out(&closer(recipe, CLOSER[self.misses % CLOSER.len()]), cancel)?;
        self.misses += usize::from(tried.as_ref().is_some_and(|tried| tried.leak.is_none()));
        Ok(tried)
    }

    fn carry_out(&mut self, recipe: &Recipe, cancel: &CancellationToken) -> std::io::Result<Option<ReplayTry>> {
        let Some(client) = &self.client else { return Ok(None) };
        self.tries += 1;
        let personal = self.plan.login.is_some() || !self.plan.identities.is_empty();
        let in_turn = personal && self.plan.sweep.is_none();
        let participants = Participants { personas: &self.personas, in_turn };
        let work = run_experiment(client, recipe, participants, self.tries);
        let tried = runtime()?.block_on(cancel.run_until_cancelled(work));
        Ok(tried.map(|Experiment { shown, observations, .. }| ReplayTry {
            requests: observations.len(),
            unanswered: observations.iter().filter(|o| o.seen.failed_to_be_answered()).count(),
            answers: observations.iter().map(|o| ReplayResponse::of(&o.seen)).collect(),
            leak: shown,
        }))
    }
}

/// The recipe with its lines begun after such a part of their time.
fn closer(recipe: &Recipe, part: f64) -> Recipe {
    let mut recipe = recipe.clone();
    for line in &mut recipe.lines {
        if let Start::At(millis) = &mut line.start {
            *millis *= part;
        }
    }
    recipe
}

/// One ordinary request.
fn alone() -> Recipe {
    Recipe::of(vec![Line::of(vec![RecipeRequest::plain()])])
}

async fn ask(client: &CheckClient, personas: &mut Personas, recipe: &Recipe, order: &[Identity]) {
    Round { client, recipe, personas: order, number: 0, role: Some(Role::Probe) }.perform().await;
    personas.take_solo(client.take_observations());
    drop(client.take_strays());
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_in_the_middle_of_another_comes_sooner_and_all_else_as_it_was() {
        let plain = || Line::of(vec![RecipeRequest::plain()]);
        let recipe = Recipe::of(vec![plain(), plain().starting(Start::At(8.0)), plain().starting(Start::After(0))]);
        let starts = |part| closer(&recipe, part).lines.iter().map(|line| line.start).collect::<Vec<_>>();
        assert_eq!(starts(0.25), [Start::At(0.0), Start::At(2.0), Start::After(0)]);
        assert_eq!(closer(&recipe, CLOSER[0]), recipe);
    }
}
