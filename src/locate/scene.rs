//! One process with the two requests of a leak in it: who did what.

use std::collections::{BTreeMap, BTreeSet};

use super::Moment;
use super::event::{Access, AccessKind, HolderPath, ProbeEvent, ProbeFact};
use super::history::{History, ProcessHistory};
use super::party::{Party, Showing};

/// The most reads of one process that are looked at: bounds the time.
const MOST_READS: usize = 300;

/// Whether the responses to both are there: what tells of the leak has been written.
pub fn is_complete(history: &History, showing: &Showing) -> bool {
    let answered = |who: &Party| {
        history.processes.iter().any(|process| {
            let requests = requests_of(process, who);
            process.events.iter().any(|event| {
                let is_end = matches!(event.what, ProbeFact::Response { .. });
                is_end && event.request.is_some_and(|request| requests.contains(&request))
            })
        })
    };
    [Some(&showing.victim), showing.source.as_ref()].into_iter().flatten().all(|who| who.is_nobody() || answered(who))
}

/// The requests of a process that bring what names somebody.
fn requests_of(process: &ProcessHistory, who: &Party) -> Vec<u64> {
    let brings = |event: &ProbeEvent| match &event.what {
        ProbeFact::Request { own, .. } | ProbeFact::Own { own } if who.owns_any(own) => event.request,
        _ => None,
    };
    process.events.iter().filter_map(brings).collect()
}

/// The request of each event. What a unit does after the answer to an implied request, it does for the next one.
fn owners(process: &ProcessHistory) -> Vec<Option<u64>> {
    let mut owners: Vec<Option<u64>> = process.events.iter().map(|event| event.request).collect();
    let is_implied = |event: &&ProbeEvent| matches!(event.what, ProbeFact::Request { implied: true, .. });
    let implied: BTreeSet<u64> = process.events.iter().filter(is_implied).filter_map(|event| event.request).collect();
    let mut answered: BTreeSet<u64> = BTreeSet::new();
    // Of each unit, what it has done since an answer.
    let mut open: BTreeMap<&str, (u64, Vec<usize>)> = BTreeMap::new();
    for (index, event) in process.events.iter().enumerate() {
        let Some(request) = event.request.filter(|request| implied.contains(request)) else { continue };
        if open.get(event.unit.as_str()).is_some_and(|(before, _)| *before != request) {
            let (_, since) = open.remove(event.unit.as_str()).unwrap_or_default();
            since.into_iter().for_each(|index| owners[index] = Some(request));
        }
        match event.what {
            ProbeFact::Response { .. } => drop(answered.insert(request)),
            ProbeFact::Access(_) if answered.contains(&request) => {
                open.entry(&event.unit).or_insert_with(|| (request, Vec::new())).1.push(index);
            }
            _ => {}
        }
    }
    owners
}

/// One process, and who of the two was in it.
pub(super) struct Scene<'a> {
    pub process: &'a ProcessHistory,
    /// The requests that are the victim's, and the source's.
    pub victims: Vec<u64>,
    pub sources: Vec<u64>,
    /// The request of each event.
    pub requests: Vec<Option<u64>>,
    pub victim: &'a Party,
    pub source: &'a Party,
}

/// An access, with its index in the process.
pub(super) type At<'a> = (usize, &'a Access);

impl<'a> Scene<'a> {
    pub fn of(process: &'a ProcessHistory, victim: &'a Party, source: &'a Party) -> Scene<'a> {
        let requests = owners(process);
        let mut scene = Scene { process, victims: Vec::new(), sources: Vec::new(), requests, victim, source };
        scene.sources = requests_of(process, source);
        scene.victims = if victim.is_nobody() { scene.of_nobody() } else { requests_of(process, victim) };
        let sources = &scene.sources;
        // One that brings both names is no witness of either.
        scene.victims.retain(|request| !sources.contains(request));
        scene
    }

    /// The requests that bring nothing, and were answered with the source's value.
    fn of_nobody(&self) -> Vec<u64> {
        let events = &self.process.events;
        let brings = |request: u64| {
            events.iter().filter(|event| event.request == Some(request)).any(|event| match &event.what {
                ProbeFact::Request { own, .. } | ProbeFact::Own { own } => !own.is_empty(),
                _ => false,
            })
        };
        let got = |event: &ProbeEvent| match &event.what {
            ProbeFact::Response { canaries } if self.source.owns_any(canaries) => event.request,
            _ => None,
        };
        events.iter().filter_map(got).filter(|request| !brings(*request)).collect()
    }

    pub fn accesses(&self) -> impl DoubleEndedIterator<Item = At<'a>> + use<'a> {
        self.process.events.iter().enumerate().filter_map(|(index, event)| match &event.what {
            ProbeFact::Access(access) => Some((index, &**access)),
            _ => None,
        })
    }

    pub fn request(&self, (index, _): At<'_>) -> Option<u64> {
        self.requests[index]
    }

    pub fn is_victims(&self, at: At<'_>) -> bool {
        self.request(at).is_some_and(|request| self.victims.contains(&request))
    }

    pub fn is_sources(&self, at: At<'_>) -> bool {
        self.request(at).is_some_and(|request| self.sources.contains(&request))
    }

    /// What the victim's requests read of the source's, in order; bounded.
    pub fn reads(&self) -> impl Iterator<Item = At<'a>> {
        let is_read = |at: &At<'a>| at.1.kind != AccessKind::Store && self.is_victims(*at);
        self.accesses().filter(move |at| is_read(at) && self.source.owns_any(&at.1.canaries)).take(MOST_READS)
    }

    /// The first call to which the victim's request gave the source's value, wherever it had that from.
    pub fn given(&self) -> Option<At<'a>> {
        self.accesses().find(|at| self.is_victims(*at) && self.source.owns_any(&at.1.argument_canaries))
    }

    /// Paths to what holds the source's value, each once.
    pub fn holders(&self) -> Vec<&'a HolderPath> {
        let mut all: Vec<&HolderPath> = Vec::new();
        for event in &self.process.events {
            if let ProbeFact::Holders { canaries, paths } = &event.what
                && self.source.owns_any(canaries)
            {
                let new: Vec<_> = paths.iter().filter(|path| !all.iter().any(|held| held.path == path.path)).collect();
                all.extend(new);
            }
        }
        all
    }

    /// Whether the request of an access was answered with the source's value.
    pub fn is_answered(&self, at: At<'_>) -> bool {
        self.process.events.iter().any(|event| match &event.what {
            ProbeFact::Response { canaries } => event.request == self.request(at) && self.source.owns_any(canaries),
            _ => false,
        })
    }

    /// Whether a value leaves its request by this: into an object that others reach, or into a call.
    pub fn lets_go(&self, at: At<'a>) -> bool {
        match at.1.kind {
            AccessKind::Store => !at.1.is_local && self.source.owns_any(&at.1.canaries),
            AccessKind::Call => self.source.owns_any(&at.1.argument_canaries),
            AccessKind::Load => false,
        }
    }

    /// The source's last such access before a read.
    pub fn last_of_source(&self, read: Option<At<'a>>, is_one: impl Fn(At<'a>) -> bool) -> Option<At<'a>> {
        let before = read.map_or(usize::MAX, |read| read.0);
        self.accesses().rev().find(|at| {
            let owned = self.source.owns_any(&at.1.canaries) || self.source.owns_any(&at.1.argument_canaries);
            at.0 < before && owned && self.is_sources(*at) && is_one(*at)
        })
    }

    pub fn moment(&self, at: At<'_>) -> Moment {
        let event = &self.process.events[at.0];
        let began = self.process.events.iter().filter(|event| {
            event.request.is_some_and(|request| self.victims.contains(&request) || self.sources.contains(&request))
        });
        let began = began.map(|event| event.at_us).min().unwrap_or(event.at_us);
        Moment {
            place: at.1.place.clone(),
            unit: event.unit.clone(),
            request: self.request(at),
            at_ms: (event.at_us - began) as f64 / 1e3,
            within: self.within(at),
        }
    }

    /// How far its request had come, going by the first and the last event of that.
    pub fn within(&self, at: At<'_>) -> Option<f64> {
        let request = self.request(at)?;
        let of_it = |(_, owner): &(&ProbeEvent, &Option<u64>)| **owner == Some(request);
        let times = || self.process.events.iter().zip(&self.requests).filter(of_it).map(|(event, _)| event.at_us);
        let (from, to) = (times().min()?, times().max()?);
        let since = self.process.events[at.0].at_us - from;
        (to > from).then(|| (since as f64 / (to - from) as f64).clamp(0.0, 1.0))
    }
}
