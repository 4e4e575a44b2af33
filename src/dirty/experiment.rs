//! One try to show a leak: a recipe carried out, and whether one of its requests got another request's data.

use super::client::{CheckClient, Stray};
use super::judge::{self, Foreign};
use super::observation::{Observation, RecipePlace, Seen};
use super::oracle::LeakOracle;
use super::perform::Round;
use super::personas::Personas;
use super::recipe::Recipe;

/// What came of a try.
#[derive(Debug, Default)]
pub(super) struct Experiment {
    pub shown: Option<Reproduction>,
    /// Every response held what one and the same earlier request had brought: it stays with the server.
    pub kept: bool,
    /// A response held a part of another request's canary.
    pub fragment: bool,
    /// A response came that nobody had asked for.
    pub unasked: bool,
    /// Where in the recipe the responses stand that held another request's data, and whose it is, if that is known.
    pub foreign: Vec<(RecipePlace, Option<u64>)>,
    /// Of the two requests of the leak that was shown, the later took no time of its own, and got the same bytes.
    pub joined: bool,
    pub observations: Vec<Observation>,
}

/// A leak between two requests of one try.
#[derive(Debug, Clone)]
pub struct Reproduction {
    pub victim: Seen,
    /// `None` for a response that nobody asked for and that holds no canary.
    pub source: Option<Seen>,
    /// `body`, `header x-user`.
    pub place: String,
    pub oracle: LeakOracle,
}

/// Who asks in a try.
#[derive(Debug, Clone, Copy)]
pub(super) struct Participants<'a> {
    pub personas: &'a Personas,
    /// Personas ask also where a recipe does not name them.
    pub in_turn: bool,
}

/// Carries out a recipe; `number` tells one try from the next.
pub(super) async fn run_experiment(
    client: &CheckClient,
    recipe: &Recipe,
    participants: Participants<'_>,
    number: u64,
) -> Experiment {
    // A try before this one may have been cut short.
    drop((client.take_observations(), client.take_strays()));
    let named = recipe.last_persona().is_some();
    let personas = if participants.in_turn || named { &participants.personas.all[..] } else { &[] };
    Round { client, recipe, personas, number, role: None }.perform().await;
    let (observations, strays) = (client.take_observations(), client.take_strays());
    Experiment::of(observations, &strays, client, Some(participants.personas).filter(|_| named))
}

/// Another persona's data in a response, going by what lone requests get, if that is beyond doubt.
fn derived(
    observation: &Observation,
    among: &[Observation],
    client: &CheckClient,
    personas: &Personas,
) -> Option<Foreign> {
    let asked = |owner: u64| {
        let of_owner = among.iter().map(|o| &o.seen).filter(|seen| seen.identity == Some(owner));
        of_owner.map(Seen::sent).max()
    };
    let last = |owners: &[u64]| owners.iter().copied().max_by_key(|owner| asked(*owner));
    let (accusation, foreign) = personas.foreign(observation, client, last)?;
    personas.stands(&accusation).then_some(foreign)
}

impl Experiment {
    fn of(
        observations: Vec<Observation>,
        strays: &[Stray],
        client: &CheckClient,
        personas: Option<&Personas>,
    ) -> Experiment {
        let last = |request| observations.iter().map(|o| &o.seen).find(|seen| seen.request == request);
        let mut found = judge::walk(&observations, strays, last, client);
        if let Some(personas) = personas {
            let told = |of: &Observation| {
                derived(of, &observations, client, personas).or_else(|| Some(personas.given(of, client)?.1))
            };
            found.extend(observations.iter().filter_map(|of| Some((&of.seen, told(of)?))));
        }
        let shown = found.iter().find_map(|(victim, foreign)| shown(victim, foreign, &observations));
        let owner = found.first().and_then(|(_, foreign)| foreign.owner);
        let answered = observations.iter().filter(|observation| observation.seen.status().is_some()).count();
        let kept = shown.is_none()
            && owner.is_some()
            && found.len() >= answered
            && found.iter().all(|(_, foreign)| foreign.owner == owner);
        let told_by = |oracle| found.iter().any(|(_, foreign)| foreign.oracle == oracle);
        let (fragment, unasked) = (told_by(LeakOracle::Fragment), told_by(LeakOracle::Number));
        let joined = shown.as_ref().is_some_and(|shown| shown.is_joined(&observations));
        let foreign = found.iter().map(|(victim, foreign)| (victim.place, foreign.owner)).collect();
        Experiment { shown, kept, fragment, unasked, foreign, joined, observations }
    }

    /// Whether any response held another request's data, of this try or of one before.
    pub fn is_foreign(&self) -> bool {
        !self.foreign.is_empty()
    }

    /// The responses that held another request's data.
    pub fn foreign_answers(&self) -> impl Iterator<Item = &Observation> {
        self.observations.iter().filter(|o| self.foreign.iter().any(|(place, _)| *place == o.seen.place))
    }
}

/// The later of two requests that are joined takes at most this part of what the earlier one takes; they end no further
/// apart than this part of it.
const OF_ITS_OWN: f64 = 0.85;
const TOGETHER: f64 = 0.25;

impl Reproduction {
    /// Whether the victim was sent later, waited only for what the source waited for, and got the same bytes: its handler
    /// was not asked. One whose value is written over by a later request gets that one's instead.
    fn is_joined(&self, among: &[Observation]) -> bool {
        let Some(source) = &self.source else { return false };
        let body = |seen: &Seen| {
            among.iter().find(|o| o.seen.request == seen.request).map(|observation| &observation.reply.body)
        };
        let (waited, whole) = (self.victim.exchange.service_time(), source.exchange.service_time());
        let apart = self.victim.exchange.done.abs_diff(source.exchange.done);
        source.own
            && source.sent() < self.victim.sent()
            && self.victim.sent() < source.exchange.done
            && waited <= whole.mul_f64(OF_ITS_OWN)
            && apart <= whole.mul_f64(TOGETHER)
            && body(&self.victim) == body(source)
    }
}

/// The leak, if the data belongs to one of these requests.
fn shown(victim: &Seen, foreign: &Foreign, among: &[Observation]) -> Option<Reproduction> {
    let source = match foreign.owner {
        None => None,
        Some(owner) => {
            let requests = || among.iter().map(|o| &o.seen);
            let own = requests().find(|seen| seen.identity == Some(owner));
            // All requests of a principal carry its canary: the one before the response is the likeliest.
            let of_principal = || {
                let earlier = requests().filter(|seen| seen.brought(owner) && seen.sent() <= victim.exchange.done);
                earlier.max_by_key(|seen| seen.sent())
            };
            Some(own.or_else(of_principal)?.clone())
        }
    };
    Some(Reproduction { victim: victim.clone(), source, place: foreign.place.clone(), oracle: foreign.oracle })
}
