//! Stored or leaked? What a write brought may be shown to everybody on purpose, as in a guest book. It is asked for alone, by
//! others, when nothing else is under way, after it was sent once more.
//!
//! | asked alone | | it was |
//! | --- | --- | --- |
//! | never seen | though it was shown to requests that came after its own | stored, if in a list; else unsettled |
//! | never seen | else | leaked: it takes another request at the same time |
//! | always seen | beside the values of others | stored: a list |
//! | always seen | also on a server that was started anew, of somebody who has not asked | stored: it outlives the process |
//! | always seen | gone when what was created is removed | stored |
//! | always seen, alone | | unsettled: "last: X" cannot be told from a slot |
//! | sometimes seen | | unsettled |

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::debug;

use super::super::client::CheckClient;
use super::super::evidence::FoundBy;
use super::super::observation::{Observation, Role};
use super::super::perform::Round;
use super::super::sweep_order::SweepOrder;
use super::edge::{CarrierKind, EdgeKey, EdgeState};
use super::leaks::{OpenPlaces, Untraced};
use super::sightings;
use super::{Sweep, orders};

/// How often each of the others asks, and how many others.
const TIMES: usize = 3;
const OTHERS: usize = 2;
/// Of so many principals, two who have signed up neither first nor last can ask.
const TELLING: usize = 8;
/// How often, and for how many operations at most, it is asked from which of them a value came.
const TRACES: usize = 2;
/// So many operations may come into question, or this part of all: what asks for them is little beside all other requests.
const MOST_CANDIDATES: usize = 12;
const CANDIDATES_OF_ALL: usize = 10;
/// What shows after a while is waited for so much longer, and so long at most.
const A_LITTLE: Duration = Duration::from_millis(500);
const MOST_WAIT: Duration = Duration::from_secs(8);
/// Places that are looked into.
const MOST_PLACES: usize = 200;

/// What lone requests showed at a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    answered: usize,
    shown: usize,
    /// The values of two others at least stood in one response.
    several: bool,
}

impl Seen {
    /// `askers`: principals whose data does not count.
    fn take(&mut self, observation: &Observation, place: &str, askers: &[u64], client: &CheckClient) {
        if observation.seen.status().is_none_or(|status| status >= 400) {
            return;
        }
        self.answered += 1;
        let mut owners = sightings::owners_at(observation, place, client);
        owners.retain(|owner| !askers.iter().any(|asker| client.may_share(*asker, *owner)));
        self.shown += usize::from(!owners.is_empty());
        let groups: BTreeSet<String> = owners.iter().map(|owner| client.group_of(*owner)).collect();
        self.several |= groups.len() >= 2;
    }

    fn state(self) -> EdgeState {
        match self {
            Seen { answered: 0, .. } => EdgeState::Unsettled,
            Seen { shown: 0, .. } => EdgeState::Leaked,
            Seen { answered, shown, several: true } if answered == shown => EdgeState::Stored,
            Seen { .. } => EdgeState::Open,
        }
    }
}

/// Of so many principals, those who ask for what is open, by their index.
///
/// They have signed up neither first nor last, so that "newest member: X" is nobody of them.
fn askers(count: usize) -> Vec<Option<usize>> {
    (0..OTHERS.min(count.max(1))).map(|other| (count > 0).then_some(count / 4 + other)).collect()
}

impl Sweep<'_> {
    /// Looks into all that is open, on the server at hand.
    pub(super) async fn settle(&mut self) {
        self.look_into(self.leaks.open_places()).await;
        self.trace().await;
        if self.leaks.has_open() && !self.created.is_empty() {
            self.settle_by_removal().await;
        }
    }

    /// Looks into what is open and was not looked into before, where nothing is known to leak. What principals are known by
    /// can wait: it accuses if it is not found to be stored.
    pub(super) async fn settle_new(&mut self) {
        let mut places = self.leaks.open_places();
        places.retain(|at, edges| {
            let can_wait = edges.iter().all(|key| key.carrier == CarrierKind::Principal);
            !can_wait && !self.always_seen.contains_key(at) && !self.leaks.has_leaked_at(at.0, &at.1)
        });
        self.look_into(places).await;
        self.trace().await;
    }

    /// Asks for an operation after each of those from which a value in its responses may have come, where that is not known: as
    /// they were asked then, as what a client that left has left behind is shown by nothing else.
    async fn trace(&mut self) {
        let most = MOST_CANDIDATES.max(self.ledger.able().len() / CANDIDATES_OF_ALL);
        for Untraced { victim, place, candidates } in self.leaks.untraced(&self.ledger) {
            if candidates.len() > most || self.is_out_of_time() {
                continue;
            }
            let tries = self.traced.entry((victim, place)).or_default();
            let turn = *tries;
            *tries += 1;
            if turn < TRACES {
                let trigger = candidates.iter().find_map(|(_, trigger)| *trigger);
                let found_by = trigger.map_or(FoundBy::Sweep(SweepOrder::Sequence), FoundBy::Trigger);
                self.round(found_by, self.one_by_one(&candidates, Some(victim), turn)).await;
            }
        }
    }

    /// Looks for what is open with lone requests. What is kept may show later, as where it goes through a queue: what stayed with
    /// the server, and is not seen at once, is looked for again.
    async fn look_into(&mut self, places: OpenPlaces) {
        let mut late: Vec<(usize, String, Vec<EdgeKey>)> = Vec::new();
        let mut wait = Duration::ZERO;
        for ((page, place), edges) in places.into_iter().take(MOST_PLACES) {
            self.bring_again(&edges).await;
            let seen = self.ask_others(page, &place, false).await;
            let stay = self.leaks.stay_of(&edges);
            if stay.is_one() && seen.state() == EdgeState::Leaked {
                wait = wait.max(stay.soonest.unwrap_or_default());
                late.push((page, place, edges));
            } else {
                self.note_seen(page, place, &edges, seen);
            }
        }
        if late.is_empty() {
            return;
        }
        for (_, _, edges) in &late {
            self.bring_again(edges).await;
        }
        tokio::time::sleep((wait + A_LITTLE).min(MOST_WAIT).min(self.time_left() / 10)).await;
        for (page, place, edges) in late {
            let seen = self.ask_others(page, &place, false).await;
            self.note_seen(page, place, &edges, seen);
        }
    }

    /// Notes what lone requests showed of what is open.
    fn note_seen(&mut self, page: usize, place: String, edges: &[EdgeKey], seen: Seen) {
        let stay = self.leaks.stay_of(edges);
        debug!(page, place, ?stay, "how long stayed what was brought there?");
        match seen.state() {
            EdgeState::Stored => self.note_stored(page, &place, edges),
            // Whether it stays in a store or elsewhere, nobody can tell; but a list is a store.
            EdgeState::Leaked | EdgeState::Open if stay.is_one() && stay.is_list => {
                self.note_stored(page, &place, edges);
            }
            EdgeState::Leaked if !stay.is_one() => self.note(edges, EdgeState::Leaked),
            EdgeState::Leaked | EdgeState::Open | EdgeState::Unsettled => {
                self.always_seen.insert((page, place), seen.answered == seen.shown && seen.answered > 0);
            }
        }
    }

    /// Sends a write again whose data was seen, for a principal who does not ask afterwards: what was written last may have been
    /// without a canary, and would not be known again.
    async fn bring_again(&mut self, edges: &[EdgeKey]) {
        let Some(source) = edges.iter().find_map(|key| key.source) else { return };
        let Some(client) = &self.client else { return };
        client.only_principal(client.principals().checked_sub(1));
        self.round(FoundBy::Sweep(SweepOrder::Sequence), orders::sequence(&[source], false)).await;
        if let Some(client) = &self.client {
            client.only_principal(None);
        }
    }

    /// What is gone once its source was removed was stored with that.
    async fn settle_by_removal(&mut self) {
        self.clean_up().await;
        for ((page, place), edges) in self.leaks.open_places().into_iter().take(MOST_PLACES) {
            let from_created = |key: &EdgeKey| {
                let source = key.source.and_then(|source| self.spec.operations.get(source));
                source.is_some_and(|source| source.operation.creates.is_some())
            };
            if !edges.iter().any(from_created) || !self.always_seen.contains_key(&(page, place.clone())) {
                continue;
            }
            let seen = self.ask_others(page, &place, false).await;
            let always = self.always_seen.get(&(page, place.clone())).copied().unwrap_or_default();
            if always && seen.shown == 0 && seen.answered > 0 {
                self.note_stored(page, &place, &edges);
            }
        }
        // What the operations need was removed with the rest.
        let creators = self.spec.operations.iter().filter_map(|one| one.operation.creates.as_deref());
        let names: Vec<&str> = creators.collect();
        if let Some(client) = &self.client {
            client.forget_captures(&names);
        }
        self.fill_captures().await;
    }

    /// Whether what is open is still shown by a server that was started anew, and that nobody has written to.
    pub(super) async fn settle_anew(&mut self) {
        if !self.gather().await {
            return;
        }
        for ((page, place), edges) in self.leaks.open_places().into_iter().take(MOST_PLACES) {
            let seen = self.ask_others(page, &place, true).await;
            let always = self.always_seen.get(&(page, place.clone())).copied().unwrap_or_default();
            match seen.shown > 0 && always {
                true => self.note_stored(page, &place, &edges),
                false => self.note(&edges, EdgeState::Unsettled),
            }
        }
    }

    /// An operation asked alone, by a few principals, one after the other. On a server that was started anew their own data does
    /// not count: it is there because they ask, as in a cache.
    async fn ask_others(&mut self, page: usize, place: &str, anew: bool) -> Seen {
        let mut seen = Seen::default();
        let Some(client) = &self.client else { return seen };
        let count = client.principals();
        let askers = askers(count);
        let numbers = askers.iter().filter_map(|index| Some(client.principal((*index)?)?.number));
        let not_counted: Vec<u64> = numbers.filter(|_| anew && count >= TELLING).collect();
        for asker in askers {
            client.only_principal(asker);
            for _ in 0..TIMES {
                let recipe = orders::sequence(&[page], false);
                Round { client, recipe: &recipe, personas: &[], number: 0, role: Some(Role::Probe) }.perform().await;
                let mut observations = client.take_observations();
                drop(client.take_strays());
                observations.iter().for_each(|observation| seen.take(observation, place, &not_counted, client));
                self.ledger.take(&mut observations, self.situation.premises, false);
            }
        }
        client.only_principal(None);
        let name = self.spec.operations.get(page).map_or("", |one| one.name());
        let Seen { answered, shown, several } = seen;
        debug!(request = name, place, anew, answered, shown, several, "asked alone, by others: stored or leaked?");
        seen
    }

    /// At the end: what all requests of a user carry has leaked if it is not known to be stored.
    pub(super) fn close(&mut self) {
        for edges in self.leaks.open_places().into_values() {
            self.note(&edges, EdgeState::Unsettled);
        }
    }

    /// What stands there was stored: nothing that stands there later leaks.
    fn note_stored(&mut self, page: usize, place: &str, edges: &[EdgeKey]) {
        if let Some(client) = &self.client {
            client.permit(page, place.to_owned());
        }
        self.note(edges, EdgeState::Stored);
    }

    fn note(&mut self, edges: &[EdgeKey], state: EdgeState) {
        for key in edges {
            // What all requests of a user carry is in no body: only what is known to be stored is no leak.
            let accuses = state == EdgeState::Unsettled && key.carrier == CarrierKind::Principal;
            self.leaks.note_settled(key, if accuses { EdgeState::Leaked } else { state });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_alone_has_signed_up_neither_first_nor_last() {
        assert_eq!(askers(16), [Some(4), Some(5)]);
        assert_eq!(askers(TELLING), [Some(2), Some(3)]);
        assert_eq!(askers(2), [Some(0), Some(1)]);
        assert_eq!(askers(1), [Some(0)]);
        assert_eq!(askers(0), [None]);
    }

    #[test]
    fn what_lone_requests_show_tells_stored_from_leaked() {
        let of = |answered, shown, several| Seen { answered, shown, several }.state();
        assert_eq!(of(6, 0, false), EdgeState::Leaked);
        assert_eq!(of(6, 6, true), EdgeState::Stored);
        assert_eq!(of(6, 6, false), EdgeState::Open, "the last one of a slot, or of a page that shows it");
        assert_eq!(of(6, 3, true), EdgeState::Open);
        assert_eq!(of(0, 0, false), EdgeState::Unsettled);
    }
}
