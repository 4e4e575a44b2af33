//! Values of one request in responses to others: which operation brought them, and which showed them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::class::Guess;
use super::super::classify::classify;
use super::super::client::{CheckClient, Stray};
use super::super::evidence::{Evidence, FoundBy, Leak};
use super::super::observation::{Observation, Role, Seen};
use super::super::oracle::LeakOracle;
use super::super::recipe::Recipe;
use super::super::sweep_order::SweepOrder;
use super::super::totals::bystanders::bystanders;
use super::super::{judge, place};
use super::ledger::Ledger;
use crate::net::sink::BufferedResponse;
use crate::scenario::SweepSpec;
use crate::scenario::sweep::SharedData;
use crate::trigger::Trigger;

/// Edges whose round is kept whole, for the report.
const MOST_ROUNDS: usize = 120;
/// Sightings of principals at one place by which its source is found.
const MOST_SIGHTINGS: usize = 60;
/// So many operations at most explain all of them but for a tenth, and each of them so large a part of what is left.
const MOST_SOURCES: usize = 5;
const ENOUGH_EXPLAINED: f64 = 0.9;
const LEAST_EXPLAINED: f64 = 0.3;

/// What a canary is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CarrierKind {
    /// Of one request.
    Request,
    /// Of a principal: all of its requests that a server must recognise carry it.
    Principal,
    /// It is not known who brought it: too long ago, or nobody in this sweep.
    Unknown,
}

/// From which operation to which a value got, and where in the response it stood.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EdgeKey {
    pub source: Option<usize>,
    pub victim: usize,
    pub carrier: CarrierKind,
    pub place: String,
}

/// Whether values that got there have leaked, or were stored for everybody to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EdgeState {
    Leaked,
    /// They may have been stored: not known yet.
    Open,
    Stored,
    /// It was asked, and cannot be told.
    Unsettled,
}

/// All values that got from one operation into one place of another's responses.
#[derive(Debug)]
pub(super) struct Edge {
    pub state: EdgeState,
    pub count: u64,
    /// Of them, those whose requests were handled at one time.
    pub overlapped: u64,
    pub first: Leak,
    pub guess: Guess,
    pub found_by: FoundBy,
    pub round: u64,
    kept: Arc<KeptRound>,
    /// Of what all requests of a principal carry: the first few, by which its source is found.
    sightings: Vec<PrincipalSighting>,
}

/// What a principal is known by, in a response to another.
#[derive(Debug, Clone)]
struct PrincipalSighting {
    /// Operations from which it may have come, each with the owner of that request's own canary.
    suspects: Vec<(usize, u64)>,
    /// All operations that it had asked for; only of some sightings.
    asked: Vec<usize>,
    /// The owner of what was seen.
    principal: u64,
    leak: Leak,
}

/// More sources than so many explain anything.
const FEW_SOURCES: usize = 2;
/// Principals by whom it is found out what was kept for a time: at least, and at most.
const KEPT_OF: std::ops::RangeInclusive<usize> = 5..=12;

/// What is kept of a round.
#[derive(Debug, Default)]
struct KeptRound {
    recipe: Recipe,
    seen: Vec<Seen>,
    requests: u64,
}

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
    /// Of what all requests of a principal carry.
    suspects: Option<Suspects>,
}

/// Whose it is what all requests of a principal carry, and from which operations it may have come.
struct Suspects {
    principal: u64,
    /// The latest of each, with the owner of its own canary.
    latest: Vec<(usize, u64)>,
    asked: Vec<usize>,
}

/// Places of operations' responses of which it is not known how values of others got there, with the edges that end there.
pub(super) type OpenPlaces = BTreeMap<(usize, String), Vec<EdgeKey>>;

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

/// A value of another request in a response.
#[derive(Debug, Clone)]
struct Sighting {
    owner: Option<u64>,
    oracle: LeakOracle,
    /// Without indices, so that it is known again.
    key: String,
    place: String,
    excerpt: String,
}

impl Leaks {
    /// Takes a round.
    pub fn take(&mut self, round: &LeakRound<'_>, ledger: &Ledger, spec: &SweepSpec, client: &CheckClient) {
        let mut found: Vec<Found> = Vec::new();
        let strays = round.strays.iter().filter_map(|stray| {
            let last = round.observations.iter().find(|observation| observation.seen.request == stray.after)?;
            let foreign = judge::judge_stray(&stray.bytes, &last.seen, client)?;
            let sighting = Sighting {
                owner: foreign.owner,
                oracle: foreign.oracle,
                key: foreign.place.clone(),
                place: foreign.place,
                excerpt: foreign.excerpt,
            };
            Some((last, sighting))
        });
        let answers = round.observations.iter().flat_map(|observation| {
            let all = sightings(observation, client);
            let several = |place: &str| all.iter().filter(|other| other.key == place).count();
            let counted: Vec<(usize, Sighting)> = all.iter().map(|one| (several(&one.key), one.clone())).collect();
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
            let suspects = match (carrier, sighting.owner) {
                (CarrierKind::Principal, Some(owner)) if self.wants_sightings(victim.page, &sighting.key) => {
                    let asked = match self.wants_all_of(owner, victim.page, &sighting.key) {
                        true => ledger.asked_before(owner, victim),
                        false => Vec::new(),
                    };
                    Some(Suspects { principal: owner, latest: ledger.suspects(owner, victim, several), asked })
                }
                _ => None,
            };
            let key = EdgeKey {
                // Of a principal it is found out later, from all sightings.
                source: source.filter(|(_, of_principal)| !of_principal).map(|(seen, _)| seen.page),
                victim: victim.page,
                carrier,
                place: sighting.key.clone(),
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
            found.push(Found { key, leak, may_be_stored, suspects });
        }
        self.add(round, found);
    }

    /// Whether further sightings of principals there would tell where they come from.
    fn wants_sightings(&self, victim: usize, place: &str) -> bool {
        let key = EdgeKey { source: None, victim, carrier: CarrierKind::Principal, place: place.to_owned() };
        self.edges.get(&key).is_none_or(|edge| edge.sightings.len() < MOST_SIGHTINGS)
    }

    /// Whether it tells more from where what is kept for a time comes, if this one is known to be kept there.
    fn wants_all_of(&self, owner: u64, victim: usize, place: &str) -> bool {
        let key = EdgeKey { source: None, victim, carrier: CarrierKind::Principal, place: place.to_owned() };
        let Some(edge) = self.edges.get(&key) else { return true };
        let known = edge.sightings.iter().filter(|one| !one.asked.is_empty());
        known.clone().count() < *KEPT_OF.end() && known.clone().all(|one| one.principal != owner)
    }

    fn add(&mut self, round: &LeakRound<'_>, found: Vec<Found>) {
        if found.is_empty() {
            return;
        }
        let mut kept: Option<Arc<KeptRound>> = None;
        let mut responses: BTreeSet<u64> = BTreeSet::new();
        for Found { key, leak, may_be_stored, suspects } in found {
            if !may_be_stored {
                responses.insert(leak.victim.request);
            }
            let sighting = suspects.map(|Suspects { principal, latest, asked }| {
                let leak = leak.clone();
                PrincipalSighting { suspects: latest, asked, principal, leak }
            });
            let (overlapped, state) = (u64::from(leak.overlapped), state(may_be_stored));
            if let Some(edge) = self.edges.get_mut(&key) {
                edge.count += 1;
                edge.overlapped += overlapped;
                edge.sightings.extend(sighting);
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
                sightings: sighting.into_iter().collect(),
            };
            self.edges.insert(key, edge);
        }
        *self.by_order.entry(round.found_by).or_default() += responses.len() as u64;
        self.responses += responses.len() as u64;
    }

    /// Finds out from which operations what principals are known by has come, where that is not known: those few that explain
    /// nearly all sightings; of others, each sighting's own likeliest.
    pub fn trace_principals(&mut self, ledger: &Ledger) {
        let unknown = |key: &EdgeKey| key.carrier == CarrierKind::Principal && key.source.is_none();
        let keys: Vec<EdgeKey> = self.edges.keys().filter(|key| unknown(key)).cloned().collect();
        for key in keys {
            let Some(edge) = self.edges.get(&key).filter(|edge| !edge.sightings.is_empty()) else { continue };
            let sources = edge.sources(ledger);
            let total = edge.sightings.len() as u64;
            let mut traced: BTreeMap<usize, Edge> = BTreeMap::new();
            for one in &edge.sightings {
                let of_sources = one.suspects.iter().find(|(page, _)| sources.contains(page));
                let traced_to = of_sources.and_then(|(page, owner)| Some((*page, ledger.request(*owner)?.clone())));
                let kept = || {
                    let all = sources.iter().filter(|page| one.asked.contains(page));
                    all.filter_map(|page| Some((*page, ledger.latest(*page, one.principal)?.clone()))).next()
                };
                let traced_to = traced_to.or_else(kept);
                let likeliest = || one.leak.source.clone().map(|seen| (seen.page, seen));
                let Some((page, source)) = traced_to.or_else(likeliest) else { continue };
                let entry = traced.entry(page).or_insert_with(|| {
                    let source = Some(source);
                    let together = source.as_ref().is_some_and(|source| source.coincided_with(&one.leak.victim));
                    let leak = Leak { source, overlapped: together && edge.overlapped > 0, ..one.leak.clone() };
                    Edge {
                        count: 0,
                        overlapped: 0,
                        first: leak,
                        kept: Arc::clone(&edge.kept),
                        sightings: Vec::new(),
                        ..*edge
                    }
                });
                entry.count += 1;
                entry.overlapped += u64::from(one.leak.overlapped);
            }
            if traced.is_empty() {
                continue;
            }
            // Counts are those of all sightings, of which a few were looked into.
            let scale = |count: u64| (count * edge.count).div_ceil(total.max(1));
            let traced: Vec<(EdgeKey, Edge)> = traced
                .into_iter()
                .map(|(page, one)| {
                    (EdgeKey { source: Some(page), ..key.clone() }, Edge { count: scale(one.count), ..one })
                })
                .collect();
            self.edges.remove(&key);
            self.edges.extend(traced);
        }
    }

    /// Responses that leaked, as far as it is known.
    pub fn count(&self) -> u64 {
        self.responses
    }

    /// Counts what turned out to have leaked.
    pub fn note_settled(&mut self, key: &EdgeKey, state: EdgeState) {
        let Some(edge) = self.edges.get_mut(key) else { return };
        if state == EdgeState::Leaked && edge.state != EdgeState::Leaked {
            self.responses += edge.count;
            *self.by_order.entry(edge.found_by).or_default() += edge.count;
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

    /// What principals are known by that has got to places of which nobody knows from where: by these edges, with the operations
    /// that come into question.
    pub fn untraced(&self) -> Vec<(EdgeKey, Vec<usize>)> {
        let open = self.edges.iter().filter(|(key, edge)| {
            let is_open = edge.state == EdgeState::Leaked || edge.state == EdgeState::Open;
            is_open && key.carrier == CarrierKind::Principal && !self.has_leaked_at(key.victim, &key.place)
        });
        open.map(|(key, edge)| (key.clone(), edge.candidates())).filter(|(_, all)| all.len() > 1).collect()
    }

    /// Whether what a known request brought has leaked to that place of an operation's responses.
    pub fn has_leaked_at(&self, victim: usize, place: &str) -> bool {
        let leaked = |(key, edge): (&EdgeKey, &Edge)| {
            let here = key.victim == victim && key.place == place;
            here && edge.state == EdgeState::Leaked && key.carrier == CarrierKind::Request
        };
        self.edges.iter().any(leaked)
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

const fn state(may_be_stored: bool) -> EdgeState {
    if may_be_stored { EdgeState::Open } else { EdgeState::Leaked }
}

impl Edge {
    /// The few operations from which what principals are known by has come, if that can be told.
    fn sources(&self, ledger: &Ledger) -> Vec<usize> {
        let pages = |one: &PrincipalSighting| one.suspects.iter().map(|(page, _)| *page).collect::<Vec<_>>();
        let suspects: Vec<Vec<usize>> = self.sightings.iter().map(pages).collect();
        let is_odd = |owner: u64| ledger.request(owner).is_some_and(|seen| seen.role.is_odd());
        let odd = |page: usize| {
            self.sightings.iter().any(|one| one.suspects.iter().any(|(at, owner)| *at == page && is_odd(*owner)))
        };
        let latest = tracing_sources(&suspects.iter().map(Vec::as_slice).collect::<Vec<_>>(), &odd);
        let is_few = |sources: &[usize]| (1..=FEW_SOURCES).contains(&sources.len());
        if is_few(&latest) {
            return latest;
        }
        let asked = self.sightings.iter().map(|one| one.asked.as_slice()).filter(|asked| !asked.is_empty());
        let asked: Vec<&[usize]> = asked.collect();
        let in_all = asked
            .first()
            .map_or(0, |first| first.iter().filter(|page| asked.iter().all(|pages| pages.contains(page))).count());
        let kept = tracing_sources(&asked, &odd);
        // What many may explain is explained by chance.
        let is_telling = asked.len() >= *KEPT_OF.start() && in_all <= FEW_SOURCES;
        if is_telling && is_few(&kept) { kept } else { latest }
    }

    /// The operations that come into question, of those from which nearly all may have come; one, if it is known.
    pub fn candidates(&self) -> Vec<usize> {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for (page, _) in self.sightings.iter().flat_map(|one| &one.suspects) {
            *counts.entry(*page).or_default() += 1;
        }
        let most = counts.values().copied().max().unwrap_or_default();
        counts.into_iter().filter(|(_, count)| *count == most).map(|(page, _)| page).collect()
    }

    /// As evidence, for the report and for a diagnosis.
    pub fn evidence(&self) -> Evidence {
        Evidence {
            class: self.guess.class,
            alternatives: self.guess.alike(),
            firm: self.guess.firm,
            found_by: self.found_by,
            round: self.round,
            leak: self.first.clone(),
            round_requests: self.kept.requests,
            bystanders: bystanders(self.kept.seen.iter(), &self.first),
            recipe: self.kept.recipe.clone(),
            shrunk: None,
        }
    }
}

/// The fewest operations that explain what was seen, the one that explains most first: each sighting names those from which it may
/// have come. Of two that explain as many, one that is `odd`. Empty if a few do not explain nearly all.
fn tracing_sources(sightings: &[&[usize]], odd: &dyn Fn(usize) -> bool) -> Vec<usize> {
    let mut left: Vec<&[usize]> = sightings.to_vec();
    let mut sources = Vec::new();
    while !left.is_empty() && sources.len() < MOST_SOURCES {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for page in left.iter().flat_map(|suspects| suspects.iter()) {
            *counts.entry(*page).or_default() += 1;
        }
        let Some((page, count)) =
            counts.into_iter().max_by_key(|(page, count)| (*count, odd(*page), std::cmp::Reverse(*page)))
        else {
            break;
        };
        if (count as f64) < LEAST_EXPLAINED * left.len() as f64 {
            break;
        }
        sources.push(page);
        left.retain(|suspects| !suspects.contains(&page));
        if left.len() as f64 <= (1.0 - ENOUGH_EXPLAINED) * sightings.len() as f64 {
            return sources;
        }
    }
    Vec::new()
}

/// All that a response holds of others, once for each owner and place.
fn sightings(observation: &Observation, client: &CheckClient) -> Vec<Sighting> {
    let seen = &observation.seen;
    if seen.status().is_none() {
        return Vec::new();
    }
    let mut known: BTreeSet<(u64, String)> = BTreeSet::new();
    let mut found = Vec::new();
    let last = std::iter::once((None, &observation.reply, &observation.canaries));
    let hops = observation.hops.iter().enumerate().map(|(index, hop)| (Some(index + 1), &hop.reply, &hop.canaries));
    for (hop, reply, canaries) in last.chain(hops) {
        let parts: [(bool, &[u8], &[crate::canary::Found]); 2] =
            [(false, &reply.body, &canaries.body), (true, &reply.head, &canaries.head)];
        for (in_head, text, all) in parts {
            for one in all {
                let own = seen.brought(one.owner) || seen.identity.is_some_and(|own| client.may_share(own, one.owner));
                if own || client.is_public(text, &one.range) {
                    continue;
                }
                let key = place::of(in_head, text, one.range.start);
                let key = hop.map_or_else(|| key.clone(), |hop| format!("{key} of redirect {hop}"));
                if client.permits(seen.page, &key) || !known.insert((one.owner, key.clone())) {
                    continue;
                }
                found.push(Sighting {
                    owner: Some(one.owner),
                    oracle: LeakOracle::Canary,
                    place: key.clone(),
                    key,
                    excerpt: judge::excerpt(text, one.range.clone()),
                });
            }
        }
    }
    if found.is_empty() {
        found.extend(fragment(observation, client));
    }
    found
}

/// A part of another request's canary, where a response holds no whole one.
fn fragment(observation: &Observation, client: &CheckClient) -> Option<Sighting> {
    let foreign = judge::judge(observation, client)?;
    Some(Sighting {
        owner: foreign.owner,
        oracle: foreign.oracle,
        key: foreign.place.clone(),
        place: foreign.place,
        excerpt: foreign.excerpt,
    })
}

/// The others whose values stand at a place of a response, by what they may share: principals, or requests of nobody else.
pub(super) fn owners_at(observation: &Observation, place: &str, client: &CheckClient) -> BTreeSet<u64> {
    let of = |reply: &BufferedResponse, in_head: bool, all: &[crate::canary::Found]| {
        let text = if in_head { &reply.head } else { &reply.body };
        let here = all.iter().filter(|one| place::of(in_head, text, one.range.start) == place);
        let own = |owner: u64| {
            observation.seen.brought(owner) || observation.seen.identity.is_some_and(|own| client.may_share(own, owner))
        };
        here.map(|one| one.owner).filter(|owner| !own(*owner)).collect::<Vec<_>>()
    };
    let (reply, canaries) = (&observation.reply, &observation.canaries);
    of(reply, false, &canaries.body).into_iter().chain(of(reply, true, &canaries.head)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_what_explains_all_sightings() {
        // Operation 7 is always among them; others are by chance.
        let always: [&[usize]; 4] = [&[1, 7], &[2, 7, 9], &[7], &[1, 3, 7]];
        assert_eq!(tracing_sources(&always, &|_| false), [7]);
        let two: [&[usize]; 4] = [&[1], &[1, 5], &[2, 6], &[2]];
        assert_eq!(tracing_sources(&two, &|_| false), [1, 2]);
        assert_eq!(tracing_sources(&[&[1, 4]], &|page| page == 4), [4]);
        let any: Vec<Vec<usize>> = (0..20).map(|page| vec![page]).collect();
        let any: Vec<&[usize]> = any.iter().map(Vec::as_slice).collect();
        assert!(tracing_sources(&any, &|_| false).is_empty(), "everything is a source");
    }
}
