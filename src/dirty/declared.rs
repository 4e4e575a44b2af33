//! Values that the scenario itself gives to one identity, such as a name or an e-mail address.
//!
//! One in the response to somebody else, which lacks that one's own, is a leak, unless it is ordinary text of the page:
//! an article by `ann` names her whoever asks. What tells the two apart is whether she has asked before. So it is counted,
//! for each value, in how many responses to others it stands on servers that its owner has asked, and on servers that its
//! owner has not asked. It is a leak if it is there only since its owner has asked, too often for chance.

use std::ops::Range;
use std::time::Duration;

use super::baseline::LARGEST_DOUBT;
use super::identity::Identity;
use super::observation::Observation;
use crate::scenario::request::ValueEncoding;
use crate::stats::chance_of_none;

/// A shorter value is a language or a size, in bytes.
const SHORTEST: usize = 3;
/// A shorter number is a price, a count or a year.
const SHORTEST_NUMBER: usize = 6;
/// How often others are asked on a server that the owner has not asked, and on one that the owner has asked first.
pub(super) const ENOUGH: u64 = 24;
/// On a server that cannot be started anew: nearly all responses to others hold the value.
const NEARLY_ALL: f64 = 0.9;

/// One value, and in how many responses to others it stood.
#[derive(Debug)]
struct Value {
    /// The index of the persona whose it is.
    owner: usize,
    text: String,
    forms: Vec<Vec<u8>>,
    /// On servers that its owner had not asked.
    before: Count,
    /// On servers that its owner had asked; in those without a value of the one who asked.
    after: Count,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    shown: u64,
    responses: u64,
}

/// All values of all identities.
#[derive(Debug, Default)]
pub(super) struct DeclaredValues {
    values: Vec<Value>,
    /// For each persona, the forms of all that it is given, however short.
    own: Vec<Vec<Vec<u8>>>,
    /// Who has asked the server at hand.
    asked: Vec<bool>,
}

/// Another identity's value in a response.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    /// The index of the value.
    pub value: usize,
    /// The persona whose it is.
    pub owner: usize,
    pub text: String,
    pub in_head: bool,
    pub range: Range<usize>,
}

/// What more there is to learn of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueQuestion {
    /// Does it show on a server that its owner, this persona, has not asked?
    WithoutOwner(usize),
    /// How often does it show on a server that this persona has asked first?
    OwnerFirst(usize),
}

impl DeclaredValues {
    pub fn of(personas: &[Identity]) -> Self {
        let own = personas.iter().map(|one| one.fields.values().flat_map(|value| forms(value)).collect()).collect();
        let mut values = Vec::new();
        for (owner, one) in personas.iter().enumerate() {
            let others = || personas.iter().enumerate().filter(move |(other, _)| *other != owner);
            let is_shared = |value: &str| {
                let value = value.to_lowercase();
                others().any(|(_, other)| {
                    other
                        .fields
                        .values()
                        .any(|its| stands_in(its.to_lowercase().as_bytes(), value.as_bytes()).is_some())
                })
            };
            for text in one.fields.values().filter(|text| is_telling(text) && !is_shared(text)) {
                let (before, after) = (Count::default(), Count::default());
                values.push(Value { owner, text: text.clone(), forms: forms(text), before, after });
            }
        }
        DeclaredValues { values, own, asked: vec![false; personas.len()] }
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The server at hand has just been started.
    pub fn start_anew(&mut self) {
        self.asked.fill(false);
    }

    /// Counts responses. `number` tells which persona asked (`None` for one that counts for nothing, the number of personas
    /// for nobody), `may_share` who may see whose values.
    pub fn take(
        &mut self,
        observations: &[Observation],
        number: impl Fn(&Observation) -> Option<usize>,
        may_share: impl Fn(usize, usize) -> bool,
    ) {
        if self.values.is_empty() {
            return;
        }
        let mut first_asked: Vec<Option<Duration>> = vec![None; self.asked.len()];
        for observation in observations {
            if let Some(first) = number(observation).and_then(|asker| first_asked.get_mut(asker)) {
                let sent = observation.seen.sent();
                *first = Some(first.map_or(sent, |first| first.min(sent)));
            }
        }
        for observation in observations {
            let Some(asker) = number(observation) else { continue };
            let parts = lowered(observation);
            let named = observation.seen.own || self.holds_own(asker, &parts);
            for value in self.values.iter_mut().filter(|value| value.owner != asker && !may_share(asker, value.owner)) {
                let asked = self.asked[value.owner]
                    || first_asked[value.owner].is_some_and(|first| first <= observation.seen.exchange.done);
                let shown = value.forms.iter().any(|form| parts.iter().any(|part| stands_in(part, form).is_some()));
                // A refusal says nothing of what the page shows.
                let well = observation.seen.status().is_some_and(|status| status < 400);
                let count = if asked { &mut value.after } else { &mut value.before };
                count.responses += u64::from(well || shown);
                count.shown += u64::from(shown && !(asked && named));
            }
        }
        for (asked, first) in self.asked.iter_mut().zip(first_asked) {
            *asked |= first.is_some();
        }
    }

    /// Another's value in a response to `asker` that holds none of its own, if that is no ordinary text.
    pub fn sighting(
        &self,
        observation: &Observation,
        asker: usize,
        accuses: impl Fn(&Sighting) -> bool,
    ) -> Option<Sighting> {
        if self.values.is_empty() || observation.seen.status().is_none() {
            return None;
        }
        let parts = lowered(observation);
        if observation.seen.own || self.holds_own(asker, &parts) {
            return None;
        }
        let foreign =
            self.values.iter().enumerate().filter(|(_, value)| value.owner != asker && value.before.shown == 0);
        let sightings = foreign.flat_map(|(index, value)| {
            let find = |part: &[u8]| value.forms.iter().find_map(|form| stands_in(part, form));
            let sighting = |in_head: bool, range| Sighting {
                value: index,
                owner: value.owner,
                text: value.text.clone(),
                in_head,
                range,
            };
            let [head, body] = &parts;
            find(body)
                .map(|range| sighting(false, range))
                .into_iter()
                .chain(find(head).map(|range| sighting(true, range)))
        });
        sightings.into_iter().find(|sighting| accuses(sighting))
    }

    fn holds_own(&self, asker: usize, parts: &[Vec<u8>; 2]) -> bool {
        let own = self.own.get(asker).map(Vec::as_slice).unwrap_or_default();
        own.iter().any(|form| parts.iter().any(|part| stands_in(part, form).is_some()))
    }

    /// What is still to be asked of a value; `None` where nothing more would change what is known. `owned`: servers can be
    /// started anew.
    pub fn question(&self, value: usize, owned: bool) -> Option<ValueQuestion> {
        let value = &self.values[value];
        if value.before.shown > 0 {
            return None;
        }
        if owned && value.before.responses < ENOUGH {
            return Some(ValueQuestion::WithoutOwner(value.owner));
        }
        (value.after.responses < 2 * ENOUGH && !self.is_leaked(value, owned))
            .then_some(ValueQuestion::OwnerFirst(value.owner))
    }

    /// Whether a value stands in responses to others because its owner has asked.
    pub fn stands(&self, value: usize, owned: bool) -> bool {
        self.is_leaked(&self.values[value], owned)
    }

    fn is_leaked(&self, value: &Value, owned: bool) -> bool {
        let Value { before, after, .. } = value;
        let often = after.shown as f64 >= NEARLY_ALL * after.responses as f64 && after.responses >= ENOUGH;
        before.shown == 0
            && match owned {
                true => chance_of_none(after.shown, after.responses, before.responses) <= LARGEST_DOUBT,
                false => often,
            }
    }

    /// A value that all others are shown, also where its owner has not asked: ordinary text, or a page that was kept before.
    pub fn shown_to_all(&self) -> Option<&str> {
        let all = |count: &Count| count.responses > 0 && count.shown == count.responses;
        self.values.iter().find(|value| all(&value.before)).map(|value| value.text.as_str())
    }
}

/// Long enough that it says whose it is.
fn is_telling(value: &str) -> bool {
    let least = if value.chars().any(char::is_alphabetic) { SHORTEST } else { SHORTEST_NUMBER };
    value.len() >= least
}

/// A value as responses may have it, in lower case.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let html = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let written = ValueEncoding::ALL.iter().map(|encoding| encoding.encode(value));
    let all = written.chain([html.replace('\'', "&#39;"), html.replace('\'', "&#x27;"), html]);
    let mut all: Vec<Vec<u8>> =
        all.map(|form| form.to_lowercase().into_bytes()).filter(|form| !form.is_empty()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Head and body in lower case. ASCII alone: a text keeps its length, so that places in it are places in what came.
fn lowered(observation: &Observation) -> [Vec<u8>; 2] {
    [observation.reply.head.to_ascii_lowercase(), observation.reply.body.to_ascii_lowercase()]
}

/// Where a value stands in a text as a word of its own.
fn stands_in(text: &[u8], value: &[u8]) -> Option<Range<usize>> {
    let of_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80 || *byte == b'_';
    let escaped = |at: usize| at >= 3 && text[at - 3] == b'%';
    let is_word = |at: &usize| {
        let begins = *at == 0 || !of_word(&text[at - 1]) || escaped(*at);
        begins && text.get(at + value.len()).is_none_or(|next| !of_word(next))
    };
    let at = memchr::memmem::find_iter(text, value).find(is_word)?;
    Some(at..at + value.len())
}

#[cfg(test)]
mod tests;
