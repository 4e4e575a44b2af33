//! What a sweep found.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::PositiveControl;
use super::super::check::Starts;
use super::super::evidence::{Evidence, FoundBy};
use super::super::limit::Limit;
use super::super::samples::ResponseSamples;
use super::Sweep;
use super::edge::{CarrierKind, EdgeKey, EdgeState};
use super::leaks::Leaks;
use crate::scenario::template::Placeholder;

/// All that a sweep found.
#[derive(Debug, Default)]
pub struct SweepFindings {
    /// One a cause, the widest first.
    pub found: Vec<Finding>,
    /// Responses that held another request's data.
    pub leaks: u64,
    pub exposures: u64,
    /// One an operation, in the order of the plan.
    pub operations: Vec<OperationResult>,
    /// What was sent in which order.
    pub orders: BTreeMap<FoundBy, OrderCounts>,
    /// Where operations show what others have stored.
    pub stored: Vec<StoredPlace>,
    /// Where it cannot be told.
    pub unsettled: Vec<UnsettledPlace>,
    /// Responses with values that the scenario says everybody may see.
    pub allowed: u64,
    /// Of all ordered pairs of the operations that were answered, those of which both were handled at one time.
    pub met: f64,
    /// Of the requests that were meant to overlap, those that did; and how many there were.
    pub overlapped: (u64, u64),
    /// For how many it was asked.
    pub principals: u64,
    pub positive_control: Option<PositiveControl>,
    /// Why nothing could be found out; sentences without a full stop.
    pub problems: Vec<String>,
    /// Operations that need a capture which nobody gave, by their index: its name.
    pub unfilled: BTreeMap<usize, String>,
    pub created: u64,
    pub removed: u64,
    /// What was created and is still there: by which operation, and how much.
    pub left: Vec<(String, u64)>,
    pub duration: Duration,
    /// How long it was to take.
    pub time: Duration,
    pub interrupted: bool,
    pub starts: Starts,
    pub limit: Option<Limit>,
    pub samples: ResponseSamples,
    pub cut: u64,
    pub unsolicited: u64,
    pub undecoded: Option<(u64, String)>,
    /// The server handles one request at a time.
    pub one_at_a_time: bool,
    pub trace_seed: Option<u64>,
}

/// Requests of one order.
#[derive(Debug, Clone, Copy, Default)]
pub struct OrderCounts {
    pub requests: u64,
    pub rounds: u64,
    pub exposures: u64,
    pub leaks: u64,
    /// Requests without a response, or with one of 400 and above; not those that were to fail.
    pub failed: u64,
    pub took: Duration,
}

/// One cause of leaks.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The most frequent first.
    pub pairs: Vec<LeakingPair>,
    /// What all requests of a principal carry got about, not what one request brought.
    pub of_principals: bool,
    /// How many requests had been sent when it was first seen.
    pub after_requests: u64,
    /// The pair that was narrowed down, or that showed most often.
    pub evidence: Option<Evidence>,
}

/// Values that got from one operation to another; by their indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeakingPair {
    /// `None` where it is not known.
    pub source: Option<usize>,
    pub victim: usize,
    /// Responses that showed them.
    pub count: u64,
    /// The source is the likeliest of those that come into question.
    pub is_likely: bool,
}

/// What became of an operation.
#[derive(Debug, Clone, Default)]
pub struct OperationResult {
    pub requests: u64,
    pub exposures: u64,
    pub answered: u64,
    pub statuses: BTreeMap<u16, u64>,
    /// It was asked in rounds, and not only to clean up.
    pub is_asked: bool,
    /// How a lone request was answered.
    pub alone: Option<u16>,
    /// Why it got no response, if it did not.
    pub failure: Option<&'static str>,
    /// It was answered well at least once.
    pub is_exercised: bool,
    pub reflects: bool,
    pub reflects_identity: bool,
    pub tells: bool,
    /// Carriers in which the server takes no canary, by their index.
    pub plain: Vec<usize>,
}

/// A place in which an operation shows what others have stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPlace {
    pub sources: Vec<usize>,
    pub victim: usize,
    pub place: String,
}

/// A place of which it cannot be told whether it shows what was stored, or what leaked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsettledPlace {
    pub sources: Vec<usize>,
    pub victim: usize,
    pub place: String,
    /// Responses that held another request's data there.
    pub count: u64,
}

impl Finding {
    /// Of the edges that have one cause.
    pub(super) fn of(group: &[EdgeKey], leaks: &Leaks, evidence: Option<Evidence>) -> Finding {
        let mut counts: BTreeMap<(Option<usize>, usize), (u64, bool)> = BTreeMap::new();
        for key in group {
            let Some(edge) = leaks.edges.get(key) else { continue };
            let (count, is_likely) = counts.entry((key.source, key.victim)).or_insert((0, true));
            *count += edge.count;
            // Known in one place of the response is known.
            *is_likely &= edge.is_likely;
        }
        let pair = |((source, victim), (count, is_likely))| LeakingPair { source, victim, count, is_likely };
        let mut pairs: Vec<LeakingPair> = counts.into_iter().map(pair).collect();
        pairs.sort_by_key(|pair| (std::cmp::Reverse(pair.count), pair.source, pair.victim));
        let first = group.iter().filter_map(|key| leaks.edges.get(key)).map(|edge| edge.first.victim.request).min();
        Finding {
            pairs,
            of_principals: group.iter().all(|key| key.carrier == CarrierKind::Principal),
            after_requests: first.unwrap_or_default(),
            evidence,
        }
    }

    /// The operations that brought what was shown.
    pub fn sources(&self) -> BTreeSet<usize> {
        self.pairs.iter().filter_map(|pair| pair.source).collect()
    }

    /// The operations that showed it.
    pub fn victims(&self) -> BTreeSet<usize> {
        self.pairs.iter().map(|pair| pair.victim).collect()
    }
}

impl Sweep<'_> {
    /// What was found, until now.
    pub fn conclude(mut self) -> SweepFindings {
        self.close();
        self.leaks.trace_principals(&self.ledger);
        if self.findings.found.is_empty() {
            self.findings.found = self.rough_findings();
        }
        let places = |wanted: &[EdgeState]| {
            let mut places: BTreeMap<(usize, String), (BTreeSet<usize>, u64)> = BTreeMap::new();
            for (key, edge) in self.leaks.edges.iter().filter(|(_, edge)| wanted.contains(&edge.state)) {
                let (sources, count) = places.entry((key.victim, key.place.clone())).or_default();
                sources.extend(key.source);
                *count += edge.count;
            }
            places
        };
        let stored = places(&[EdgeState::Stored]).into_iter();
        let stored = stored.map(|((victim, place), (sources, _))| StoredPlace {
            sources: sources.into_iter().collect(),
            victim,
            place,
        });
        let unsettled = places(&[EdgeState::Open, EdgeState::Unsettled]).into_iter();
        let unsettled = unsettled.map(|((victim, place), (sources, count))| UnsettledPlace {
            sources: sources.into_iter().collect(),
            victim,
            place,
            count,
        });
        let (stored, unsettled) = (stored.collect(), unsettled.collect());
        let operations = self.ledger.operations.iter().map(|state| OperationResult {
            requests: state.requests,
            exposures: state.exposures,
            answered: state.answered,
            statuses: state.statuses.clone(),
            is_asked: state.is_asked,
            alone: state.alone,
            failure: state.failure,
            is_exercised: state.is_exercised(),
            reflects: state.reflects,
            reflects_identity: state.reflects_identity,
            tells: state.tells,
            plain: state.keeps.iter().enumerate().filter(|(_, keeps)| !**keeps).map(|(index, _)| index).collect(),
        });
        let operations = operations.collect();
        for (found_by, leaks) in &self.leaks.by_order {
            self.findings.orders.entry(*found_by).or_default().leaks = *leaks;
        }
        let traced = self.plan.request.has(|hole| *hole == Placeholder::Traceparent);
        SweepFindings {
            leaks: self.leaks.count(),
            exposures: self.ledger.exposures().max(self.leaks.count()),
            operations,
            stored,
            unsettled,
            allowed: self.leaks.allowed,
            met: self.ledger.met(),
            overlapped: (self.ledger.overlapped, self.ledger.meant_to_overlap),
            removed: self.findings.created.saturating_sub(self.created.len() as u64),
            left: self.left_behind(),
            duration: self.began.elapsed(),
            time: self.plan.budget.time,
            limit: self.client.as_ref().and_then(|client| client.limit()),
            samples: self.client.as_ref().map(|client| client.samples()).unwrap_or_default(),
            one_at_a_time: self.situation.premises.one_at_a_time(),
            trace_seed: traced.then_some(self.situation.seed),
            ..self.findings
        }
    }
}
