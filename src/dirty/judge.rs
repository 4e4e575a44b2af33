//! Judges a response: does it hold another request's data?

use std::ops::Range;

use super::client::{CheckClient, Stray};
use super::observation::{Observation, Seen};
use super::oracle::LeakOracle;
use super::place;
use crate::canary::CanaryEncoding;

/// Another request's data in a response.
#[derive(Debug, Clone)]
pub(super) struct Foreign {
    pub oracle: LeakOracle,
    /// Whose canary it is.
    pub owner: Option<u64>,
    /// `body`, `status line`, `header x-user`.
    pub place: String,
    /// The text around it.
    pub excerpt: String,
    /// It is the other's value itself, not what was made from it.
    pub verbatim: bool,
}

/// How much text stands on each side of a canary in an excerpt, in bytes.
const AROUND: usize = 60;

/// All data of other requests in the responses of a round, each with the request that got it: responses first, then what came
/// unasked, with the `last` request before it.
pub(super) fn walk<'a>(
    observations: &'a [Observation],
    strays: &[Stray],
    last: impl Fn(u64) -> Option<&'a Seen>,
    client: &CheckClient,
) -> Vec<(&'a Seen, Foreign)> {
    let answers = observations.iter().filter_map(|observation| Some((&observation.seen, judge(observation, client)?)));
    let unasked = strays.iter().filter_map(|stray| {
        let last = last(stray.after)?;
        Some((last, judge_stray(&stray.bytes, last, client)?))
    });
    answers.chain(unasked).collect()
}

/// Another request's data in a response, if there is any.
///
/// A response without any canary is no leak: an error page, a redirect or a notice that the server is busy hold none
/// either. They are counted apart, as nothing can be told from them.
pub(super) fn judge(observation: &Observation, client: &CheckClient) -> Option<Foreign> {
    observation.seen.status()?;
    let own = observation.seen.identity;
    let last = (None, &observation.reply, &observation.canaries);
    let hops = observation.hops.iter().enumerate().map(|(index, hop)| (Some(index + 1), &hop.reply, &hop.canaries));
    let parts = std::iter::once(last).chain(hops).flat_map(|(hop, reply, canaries)| {
        [(hop, false, &reply.body, &canaries.body), (hop, true, &reply.head, &canaries.head)]
    });
    parts.into_iter().find_map(|(hop, in_head, text, all)| {
        let may_share = |owner: u64| own.is_some_and(|own| client.may_share(own, owner));
        let page = observation.seen.page;
        let is_permitted = |range: &Range<usize>| {
            client.permits_any(page) && client.permits(page, &place::of(in_head, text, range.start))
        };
        let accuses = |owner: u64, range: &Range<usize>| {
            !may_share(owner) && !client.is_public(text, range) && !is_permitted(range)
        };
        let whole = all.iter().find(|found| accuses(found.owner, &found.range));
        let (oracle, encoding, owner, range) = match whole {
            Some(found) => (LeakOracle::Canary, Some(found.encoding), found.owner, found.range.clone()),
            None => {
                let part = client.fragment_in(text, own, all, |part| accuses(part.owner, &part.range))?;
                (LeakOracle::Fragment, None, part.owner, part.range)
            }
        };
        let place = if in_head { place::header_at(text, range.start) } else { "body".to_owned() };
        let place = hop.map_or_else(|| place.clone(), |hop| format!("{place} of redirect {hop}"));
        let encoding = encoding.filter(|encoding| *encoding != CanaryEncoding::Plain);
        let place = encoding.map_or_else(|| place.clone(), |encoding| format!("{place}, {}", encoding.name()));
        Some(Foreign { oracle, owner: Some(owner), place, excerpt: excerpt(text, range), verbatim: true })
    })
}

/// Whether the client was asked by the server to see a response that no request asked for, and whose. A server may say on
/// an idle connection that it closes it (408), or that what it took for a request is none (400): that is no leak.
pub(super) fn judge_stray(bytes: &[u8], last: &Seen, client: &CheckClient) -> Option<Foreign> {
    const STATUS: Range<usize> = 9..12;
    let canary = client.canaries_in(bytes).into_iter().next();
    let status = bytes.starts_with(b"HTTP/1.").then(|| bytes.get(STATUS)).flatten()?;
    if canary.is_none() && status >= b"400".as_slice() {
        return None;
    }
    Some(Foreign {
        oracle: LeakOracle::Number,
        owner: canary.as_ref().map(|found| found.owner).filter(|owner| Some(*owner) != last.identity),
        place: "a second response".to_owned(),
        excerpt: excerpt(bytes, canary.map_or(0..STATUS.end, |found| found.range)),
        verbatim: true,
    })
}

pub(super) fn excerpt(text: &[u8], range: Range<usize>) -> String {
    let (start, end) = (range.start.saturating_sub(AROUND), (range.end + AROUND).min(text.len()));
    String::from_utf8_lossy(&text[start..end]).into_owned()
}
