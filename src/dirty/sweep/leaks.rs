//! Values of one request in responses to others: which operation brought them, and which showed them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::classify::classify;
use super::super::client::{CheckClient, Stray};
use super::super::evidence::{FoundBy, Leak};
use super::super::observation::{Observation, Role};
use super::super::recipe::Recipe;
use super::super::sweep_order::SweepOrder;
use super::edge::{CarrierKind, Edge, EdgeKey, EdgeState, KeptRound, Stay};
use super::ledger::Ledger;
use super::principal_sightings::{PrincipalSighting, PrincipalSightings};
use super::sightings::{self, ValueSighting};
use crate::scenario::SweepSpec;
use crate::scenario::sweep::SharedData;
use crate::trigger::Trigger;

/// Edges whose round is kept whole, for the report.
const MOST_ROUNDS: usize = 120;

/// A round to be judged.
pub(super) struct LeakRound<'a> {
    pub found_by: FoundBy,
    pub number: u64,
    pub recipe: &'a Recipe,
    pub observations: &'a [Observation],
    pub strays: &'a [Stray],
    pub one_at_a_time: bool,
}

/// A value of another request, as it was found in a round.
struct Found {
    key: EdgeKey,
    leak: Leak,
    may_be_stored: bool,
    stay: Stay,
    /// Of what all requests of a principal carry, if it helps to tell where it comes from.
    of_principal: Option<PrincipalSighting>,
}

/// Places of operations' responses of which it is not known how values of others got there, with the edges that end there.
pub(super) type OpenPlaces = BTreeMap<(usize, String), Vec<EdgeKey>>;

/// Data at a place of an operation's responses that may have come from several operations.
pub(super) struct Untraced {
    pub victim: usize,
    pub place: String,
    /// With the trigger of requests as odd as the one that is suspected.
    pub candidates: Vec<(usize, Option<Trigger>)>,
}

/// A fold over rounds.
#[derive(Debug, Default)]
pub(super) struct Leaks {
    pub edges: BTreeMap<EdgeKey, Edge>,
    /// Responses with values that the scenario says everybody may see.
    pub allowed: u64,
    /// Responses with another request's data, by the order that showed them.
    pub by_order: BTreeMap<FoundBy, u64>,
    rounds_kept: usize,
    /// Requests whose responses leaked.
    responses: u64,
}

impl Leaks {
    /// Takes a round.
    pub fn take(&mut self, round: &LeakRound<'_>, ledger: &Ledger, spec: &SweepSpec, client: &CheckClient) {
        let mut found: Vec<Found> = Vec::new();
        let strays = round.strays.iter().filter_map(|stray| {
            let last = round.observations.iter().find(|observation| observation.seen.request == stray.after)?;
            let sighting = sightings::in_stray(stray, &last.seen, client)?;
            Some((last, sighting))
        });
        let answers = round.observations.iter().flat_map(|observation| {
            let all = sightings::in_response(observation, client);
            let several = |place: &str| {
                let groups = all.iter().filter(|one| one.key == place).filter_map(|one| one.owner);
                groups.map(|owner| client.group_of(owner)).collect::<BTreeSet<_>>().len().max(1)
            };
            let counted: Vec<(usize, ValueSighting)> = all.iter().map(|one| (several(&one.key), one.clone())).collect();
            counted.into_iter().map(move |(several, sighting)| (observation, several, sighting))
        });
        let strays = strays.map(|(last, sighting)| (last, 1, sighting));
        for (observation, several, sighting) in answers.chain(strays) {
            let victim = &observation.seen;
            let source = sighting.owner.and_then(|owner| ledger.source(owner, victim));
            let name = |page: usize| spec.operations.get(page).map_or("", |one| one.name());
            let may_come_from = |shared: &SharedData| match source {
                // All requests of a principal carry it: whichever of them stored it.
                Some((_, true)) => spec.operations.iter().any(|one| shared.allows(one.name(), name(victim.page))),
                Some((seen, false)) => shared.allows(name(seen.page), name(victim.page)),
                None => shared.allows("", name(victim.page)),
            };
            if spec.shared.iter().any(may_come_from) {
                self.allowed += 1;
                continue;
            }
            let carrier = match source {
                Some((_, true)) => CarrierKind::Principal,
                Some((_, false)) => CarrierKind::Request,
                None => CarrierKind::Unknown,
            };
            let may_be_stored = match source {
                Some((seen, of_principal)) => ledger.may_be_stored(seen, of_principal),
                // A principal that has only signed up.
                None => spec.signup.is_some() && sighting.owner.is_some(),
            };
            let key = EdgeKey {
                // Of a principal it is found out later, from all sightings.
                source: source.filter(|(_, of_principal)| !of_principal).map(|(seen, _)| seen.page),
                victim: victim.page,
                carrier,
                place: sighting.key,
            };
            let source = source.map(|(seen, _)| seen.clone());
            let together = source.as_ref().is_some_and(|source| source.coincided_with(victim));
            let leak = Leak {
                oracle: sighting.oracle,
                victim: victim.clone(),
                overlapped: together && !round.one_at_a_time,
                source,
                place: sighting.place,
                excerpt: sighting.excerpt,
                own_present: victim.own,
                verbatim: true,
            };
            let of_principal = match (carrier, sighting.owner) {
                (CarrierKind::Principal, Some(principal)) => {
                    let known = self.sightings_at(victim.page, &key.place);
                    known.is_none_or(PrincipalSightings::want_more).then(|| PrincipalSighting {
                        suspects: ledger.suspects(principal, victim, several),
                        asked: match known.is_none_or(|known| known.want_all_of(principal)) {
                            true => ledger.asked_before(principal, victim),
                            false => Vec::new(),
                        },
                        principal,
                        leak: leak.clone(),
                    })
                }
                _ => None,
            };
            let stay = match carrier {
                CarrierKind::Request => Stay::of(&leak, several > 1),
                CarrierKind::Principal | CarrierKind::Unknown => Stay::default(),
            };
            found.push(Found { key, leak, may_be_stored, stay, of_principal });
        }
        self.add(round, found);
    }

    fn sightings_at(&self, victim: usize, place: &str) -> Option<&PrincipalSightings> {
        let key = EdgeKey { source: None, victim, carrier: CarrierKind::Principal, place: place.to_owned() };
        Some(&self.edges.get(&key)?.sightings)
    }

    fn add(&mut self, round: &LeakRound<'_>, found: Vec<Found>) {
        if found.is_empty() {
            return;
        }
        let mut kept: Option<Arc<KeptRound>> = None;
        let mut responses: BTreeSet<u64> = BTreeSet::new();
        for Found { key, leak, may_be_stored, stay, of_principal } in found {
            if !may_be_stored {
                responses.insert(leak.victim.request);
            }
            let (overlapped, state) = (u64::from(leak.overlapped), state(may_be_stored));
            if let Some(edge) = self.edges.get_mut(&key) {
                edge.count += 1;
                edge.overlapped += overlapped;
                edge.stay = edge.stay.and(stay);
                edge.sightings.extend(of_principal);
                if state == EdgeState::Leaked && edge.state != EdgeState::Stored {
                    edge.state = state;
                }
                continue;
            }
            let kept = kept.get_or_insert_with(|| {
                self.rounds_kept += 1;
                let seen = round.observations.iter().map(|observation| observation.seen.clone());
                let is_kept = self.rounds_kept <= MOST_ROUNDS;
                Arc::new(KeptRound {
                    recipe: if is_kept { round.recipe.clone() } else { Recipe::default() },
                    seen: if is_kept { seen.collect() } else { Vec::new() },
                    requests: round.observations.len() as u64,
                })
            });
            let mut sightings = PrincipalSightings::default();
            sightings.extend(of_principal);
            let guess = classify(shown_by(round.found_by, &leak), &leak, std::slice::from_ref(&leak), false);
            let edge = Edge {
                state,
                count: 1,
                overlapped,
                first: leak,
                guess,
                found_by: round.found_by,
                round: round.number,
                kept: Arc::clone(kept),
                sightings,
                stay,
                is_likely: false,
            };
            self.edges.insert(key, edge);
        }
        *self.by_order.entry(round.found_by).or_default() += responses.len() as u64;
        self.responses += responses.len() as u64;
    }

    /// Finds out from which operations what principals are known by has come, where that is not known.
    pub fn trace_principals(&mut self, ledger: &Ledger) {
        let unknown = |key: &EdgeKey| key.carrier == CarrierKind::Principal && key.source.is_none();
        let keys: Vec<EdgeKey> = self.edges.keys().filter(|key| unknown(key)).cloned().collect();
        for key in keys {
            // What requests have brought there says from where it comes.
            let known: BTreeSet<usize> = self.leaked_at(key.victim, &key.place).filter_map(|key| key.source).collect();
            if let Some(edge) = self.edges.get_mut(&key).filter(|_| !known.is_empty()) {
                edge.sightings.note_sources(&known.into_iter().collect::<Vec<_>>());
            }
            let traced = self.edges.get(&key).map(|edge| edge.traced(key.victim, ledger)).unwrap_or_default();
            if traced.is_empty() {
                continue;
            }
            self.edges.remove(&key);
            self.edges
                .extend(traced.into_iter().map(|(page, edge)| (EdgeKey { source: Some(page), ..key.clone() }, edge)));
        }
    }

    /// Responses that leaked, as far as it is known.
    pub fn count(&self) -> u64 {
        self.responses
    }

    /// Counts what turned out to have leaked.
    pub fn note_settled(&mut self, key: &EdgeKey, state: EdgeState) {
        let Some(edge) = self.edges.get_mut(key) else { return };
        let of_order = self.by_order.entry(edge.found_by).or_default();
        match (edge.state == EdgeState::Leaked, state == EdgeState::Leaked) {
            (false, true) => {
                self.responses += edge.count;
                *of_order += edge.count;
            }
            (true, false) => {
                self.responses = self.responses.saturating_sub(edge.count);
                *of_order = of_order.saturating_sub(edge.count);
            }
            (true, true) | (false, false) => {}
        }
        edge.state = state;
    }

    /// Whether it is not known of something whether it leaked or was stored.
    pub fn has_open(&self) -> bool {
        self.edges.values().any(|edge| edge.state == EdgeState::Open)
    }

    /// Whether anything has leaked.
    pub fn has_confirmed(&self) -> bool {
        self.edges.values().any(|edge| edge.state == EdgeState::Leaked)
    }

    /// What principals are known by that has got to places of which nobody knows from where.
    pub fn untraced(&self, ledger: &Ledger) -> Vec<Untraced> {
        let is_open = |edge: &Edge| edge.state == EdgeState::Leaked || edge.state == EdgeState::Open;
        let mut untraced = self.of_principals(ledger, |_, edge| is_open(edge));
        untraced.retain(|one| one.candidates.len() > 1);
        untraced
    }

    /// What principals are known by that has leaked to places, where the time of their requests does not tell from where.
    pub fn unsure(&self, ledger: &Ledger) -> Vec<Untraced> {
        let is_unsure = |key: &EdgeKey, edge: &Edge| {
            edge.state == EdgeState::Leaked && !edge.sightings.tell_source(key.victim, ledger)
        };
        self.of_principals(ledger, is_unsure)
    }

    /// What principals are known by, where nothing that a known request brought has leaked.
    fn of_principals(&self, ledger: &Ledger, is_wanted: impl Fn(&EdgeKey, &Edge) -> bool) -> Vec<Untraced> {
        let wanted = self.edges.iter().filter(|(key, edge)| {
            key.carrier == CarrierKind::Principal && is_wanted(key, edge) && !self.has_leaked_at(key.victim, &key.place)
        });
        let untraced = |(key, edge): (&EdgeKey, &Edge)| {
            let (place, candidates) = (key.place.clone(), edge.sightings.candidates(ledger));
            Untraced { victim: key.victim, place, candidates }
        };
        wanted.map(untraced).collect()
    }

    /// It was found out from which operations comes what principals are known by at that place.
    pub fn note_sources(&mut self, victim: usize, place: &str, sources: &[usize]) {
        let key = EdgeKey { source: None, victim, carrier: CarrierKind::Principal, place: place.to_owned() };
        if let Some(edge) = self.edges.get_mut(&key) {
            edge.sightings.note_sources(sources);
        }
    }

    /// Whether what a known request brought has leaked to that place of an operation's responses.
    pub fn has_leaked_at(&self, victim: usize, place: &str) -> bool {
        self.leaked_at(victim, place).next().is_some()
    }

    fn leaked_at<'a>(&'a self, victim: usize, place: &'a str) -> impl Iterator<Item = &'a EdgeKey> {
        let leaked = move |(key, edge): &(&EdgeKey, &Edge)| {
            let here = key.victim == victim && key.place == place;
            here && edge.state == EdgeState::Leaked && key.carrier == CarrierKind::Request
        };
        self.edges.iter().filter(leaked).map(|(key, _)| key)
    }

    /// How what these brought stayed with the server.
    pub fn stay_of(&self, edges: &[EdgeKey]) -> Stay {
        let stays = edges.iter().filter_map(|key| Some(self.edges.get(key)?.stay));
        stays.fold(Stay::default(), Stay::and)
    }

    /// The places that are open, each with all edges that end there.
    pub fn open_places(&self) -> OpenPlaces {
        let mut places = OpenPlaces::new();
        for (key, _) in self.edges.iter().filter(|(_, edge)| edge.state == EdgeState::Open) {
            places.entry((key.victim, key.place.clone())).or_default().push(key.clone());
        }
        places
    }
}

const fn state(may_be_stored: bool) -> EdgeState {
    if may_be_stored { EdgeState::Open } else { EdgeState::Leaked }
}

/// What showed a leak: where none of both failed or left, it was no failure and nobody's leaving, though others did.
fn shown_by(found_by: FoundBy, leak: &Leak) -> FoundBy {
    let is_any =
        |role: Role| leak.victim.role == role || leak.source.as_ref().is_some_and(|source| source.role == role);
    match found_by {
        FoundBy::Trigger(Trigger::Error) if !is_any(Role::Failing) => FoundBy::Sweep(SweepOrder::Mix),
        FoundBy::Trigger(Trigger::Abort) if !is_any(Role::Leaving) => FoundBy::Sweep(SweepOrder::Mix),
        _ => found_by,
    }
}
