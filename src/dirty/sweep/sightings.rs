//! What a response holds of others.

use std::collections::BTreeSet;

use super::super::client::{CheckClient, Stray};
use super::super::judge::{self, Foreign};
use super::super::observation::{Observation, Seen};
use super::super::oracle::LeakOracle;
use super::super::place;
use crate::net::sink::BufferedResponse;

/// A value of another request in a response.
#[derive(Debug, Clone)]
pub(super) struct ValueSighting {
    pub owner: Option<u64>,
    pub oracle: LeakOracle,
    /// Without indices, so that it is known again.
    pub key: String,
    pub place: String,
    pub excerpt: String,
}

impl ValueSighting {
    fn of(foreign: Foreign) -> ValueSighting {
        let Foreign { owner, oracle, place, excerpt, .. } = foreign;
        ValueSighting { owner, oracle, key: place.clone(), place, excerpt }
    }
}

/// Whether a value may stand in the response to whoever asked: it is theirs, or of somebody with whom they share.
fn is_own(seen: &Seen, owner: u64, client: &CheckClient) -> bool {
    seen.brought(owner) || seen.identity.is_some_and(|own| client.may_share(own, owner))
}

/// All that a response holds of others, once for each owner and place.
pub(super) fn in_response(observation: &Observation, client: &CheckClient) -> Vec<ValueSighting> {
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
                if is_own(seen, one.owner, client) || client.is_public(text, &one.range) {
                    continue;
                }
                let key = place::of(in_head, text, one.range.start);
                let key = hop.map_or_else(|| key.clone(), |hop| format!("{key} of redirect {hop}"));
                if client.permits(seen.page, &key) || !known.insert((one.owner, key.clone())) {
                    continue;
                }
                found.push(ValueSighting {
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
        // A part of another request's canary, as there is no whole one.
        found.extend(judge::judge(observation, client).map(ValueSighting::of));
    }
    found
}

/// In a response that nobody had asked for, after the response to `last`.
pub(super) fn in_stray(stray: &Stray, last: &Seen, client: &CheckClient) -> Option<ValueSighting> {
    judge::judge_stray(&stray.bytes, last, client).map(ValueSighting::of)
}

/// The others whose values stand at a place of a response, by what they may share: principals, or requests of nobody else.
pub(super) fn owners_at(observation: &Observation, place: &str, client: &CheckClient) -> BTreeSet<u64> {
    let of = |reply: &BufferedResponse, in_head: bool, all: &[crate::canary::Found]| {
        let text = if in_head { &reply.head } else { &reply.body };
        let here = all.iter().filter(|one| place::of(in_head, text, one.range.start) == place);
        here.map(|one| one.owner).filter(|owner| !is_own(&observation.seen, *owner, client)).collect::<Vec<_>>()
    };
    let (reply, canaries) = (&observation.reply, &observation.canaries);
    of(reply, false, &canaries.body).into_iter().chain(of(reply, true, &canaries.head)).collect()
}
