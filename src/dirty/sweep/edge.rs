//! Values that got from one operation into one place of another's responses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::class::Guess;
use super::super::evidence::{Evidence, FoundBy, Leak};
use super::super::observation::Seen;
use super::super::recipe::Recipe;
use super::super::totals::bystanders::bystanders;
use super::ledger::Ledger;
use super::principal_sightings::PrincipalSightings;

/// A value stays with the server if it is shown to a request that was sent so long after its own was answered: what a handler clears
/// after its response is gone by then.
const CLEARED_WITHIN: Duration = Duration::from_millis(50);
/// Values stay if one of so many does.
const STAYING_OF: u64 = 20;

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
    /// The round that showed it first.
    pub kept: Arc<KeptRound>,
    /// Of what all requests of a principal carry.
    pub sightings: PrincipalSightings,
    /// How it stayed with the server beyond its request.
    pub stay: Stay,
    /// Its source is the likeliest one, and not known.
    pub is_likely: bool,
}

/// How what requests brought stayed with the server after they had ended well, as far as later responses show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stay {
    /// Values that were shown, and those of them that were shown to requests which were sent after that.
    pub total: u64,
    pub count: u64,
    /// The least time after which one was shown.
    pub soonest: Option<Duration>,
    /// Values of two others at least stood there in one response, as in a list.
    pub is_list: bool,
}

impl Stay {
    /// Of one value: how long its request had ended before, if it had.
    pub fn of(leak: &Leak, is_list: bool) -> Stay {
        let ended = leak.source.as_ref().filter(|source| !source.role.is_odd() && source.status().is_some());
        let before = ended.filter(|source| source.exchange.done + CLEARED_WITHIN <= leak.victim.sent());
        let soonest = before.map(|source| leak.victim.exchange.done.saturating_sub(source.exchange.done));
        Stay { total: 1, count: u64::from(soonest.is_some()), soonest, is_list }
    }

    /// Both together.
    pub fn and(self, other: Stay) -> Stay {
        let soonest = self.soonest.into_iter().chain(other.soonest).min();
        let (total, count) = (self.total + other.total, self.count + other.count);
        Stay { total, count, soonest, is_list: self.is_list || other.is_list }
    }

    /// Whether they stayed.
    pub fn is_one(self) -> bool {
        self.count > 0 && self.count * STAYING_OF >= self.total
    }
}

/// What is kept of a round.
#[derive(Debug, Default)]
pub(super) struct KeptRound {
    pub recipe: Recipe,
    pub seen: Vec<Seen>,
    pub requests: u64,
}

impl Edge {
    /// What was seen of principals, by the operation from which it has come: those few that explain nearly all sightings; if there
    /// are none, each sighting's own likeliest. Empty if nothing is known of it.
    pub fn traced(&self, victim: usize, ledger: &Ledger) -> BTreeMap<usize, Edge> {
        let sources = self.sightings.sources(victim, ledger);
        let is_likely = !self.sightings.tell_source(victim, ledger);
        let (mut traced, mut total) = (BTreeMap::<usize, Edge>::new(), 0_u64);
        for one in self.sightings.iter() {
            let suspect = one.suspects.iter().find(|(page, _)| sources.contains(page));
            let suspect = suspect.and_then(|(page, owner)| Some((*page, ledger.request(*owner)?.clone())));
            // Asked too long ago to be among the suspects.
            let earlier =
                || sources.iter().find_map(|page| Some((*page, ledger.latest(*page, one.principal)?.clone())));
            let likeliest = || one.leak.source.clone().filter(|_| sources.is_empty()).map(|seen| (seen.page, seen));
            let Some((page, source)) = suspect.or_else(earlier).or_else(likeliest) else { continue };
            total += 1;
            let entry = traced.entry(page).or_insert_with(|| {
                let source = Some(source);
                let together = source.as_ref().is_some_and(|source| source.coincided_with(&one.leak.victim));
                let first = Leak { source, overlapped: together && self.overlapped > 0, ..one.leak.clone() };
                let (kept, sightings) = (Arc::clone(&self.kept), PrincipalSightings::default());
                Edge { count: 0, overlapped: 0, first, kept, sightings, is_likely, ..*self }
            });
            entry.count += 1;
            entry.overlapped += u64::from(one.leak.overlapped);
        }
        // Counts are those of all sightings, of which a few were looked into.
        traced.values_mut().for_each(|one| one.count = (one.count * self.count).div_ceil(total));
        traced
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_few_of_many_values_did_is_no_staying() {
        let one = |count: u64, millis: u64| Stay {
            total: 1,
            count,
            soonest: (count > 0).then(|| Duration::from_millis(millis)),
            is_list: false,
        };
        let all = |stays: &[Stay]| stays.iter().copied().fold(Stay::default(), Stay::and);
        assert!(!all(&[]).is_one());
        assert!(!all(&[one(0, 0); 9]).is_one(), "all overlapped");
        let some = all(&[one(1, 300), one(0, 0), one(1, 200)]);
        assert!(some.is_one());
        assert_eq!((some.total, some.count, some.soonest), (3, 2, Some(Duration::from_millis(200))));
        let mut many = vec![one(0, 0); 40];
        many.push(one(1, 60));
        assert!(!all(&many).is_one(), "one of 41");
    }
}
