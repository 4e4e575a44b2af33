//! What responses look like when nobody else is active, and what is wrong with one that does not look so.
//!
//! Canaries prove a leak where a server repeats them. Many servers show who asks only in a derived form: a hash, a mask,
//! a language, a length, a plan. So each persona is asked alone a few times, with the same request. What is constant for
//! every persona, but not the same for all, tells whom a response is for; whatever varies for one is noise, for all of
//! them. A response to one persona that holds what only another persona's responses held is a leak:
//!
//! - *swap*: wherever responses to the two differ, it equals the other's;
//! - *learned*: it holds something that only the other's responses do.
//!
//! Two kinds of things are compared. Words at a slot (see [`slots`]), however short: `Hola`, `7`, `pro`. And long words
//! wherever they stand (see [`word_owners`]): a hash that turns up in an error page, or in a list whose order is random.
//!
//! **False accusations.** A value drawn at random for each response, such as one of three advertisements, may by chance be
//! constant for each persona. [`Baseline::doubt`] bounds the probability of that (see [`significance`]), times the number of
//! places that turned out to vary among few values, each of which could have been constant. With 4 personas asked
//! 4 times each it is at most 5e-4, with 8 times each 6e-8. If only one persona differs from the rest, and nothing else
//! varies, an accusation stands after 11 rounds of 2 personas, 8 of 3, 7 of 4, 6 of 6 and 5 of 12; if all differ, after
//! 4 rounds of 4. So an accusation is first a reason to ask again:
//! [`Baseline::refine`] takes further solo responses, and the accusation [stands](Baseline::stands) only if they agree and
//! [`LARGEST_DOUBT`] is not exceeded. All personas must be asked again, not only the accused: the noise of one shows in
//! all.
//!
//! This holds if noise is independent of who asks. What follows the worker, the connection or the time is, only if each
//! solo request goes over a fresh connection and the order of personas is drawn anew in each round: four personas in
//! fixed order before two workers that take turns would make each process number look like somebody's. And further solo
//! responses must come from a server that has not kept what leaked: restart it first, or its stale values refute the truth.
//!
//! A response that is not like the usual ones (another status, or most landmarks of the body missing) is never read by
//! slots, and never makes the baseline poorer: only long words count in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

mod significance;
mod word_owners;
#[cfg(test)]
mod simulated;
mod slots;
#[cfg(test)]
mod tests;
mod words;

use slots::{Cell, PageSlots, Reading};
use word_owners::WordOwners;
use words::PageWord;

/// Personas are numbered from 0, without gaps.
pub type PersonaNumber = usize;

/// An accusation stands if chance explains it with at most this probability.
pub const LARGEST_DOUBT: f64 = 1e-6;
/// How many signs of one leak are kept: the least doubtful ones.
const MOST_SIGNS: usize = 8;

/// A response as the oracles see it: status line and headers as they came, and the decoded body.
#[derive(Debug, Clone, Copy)]
pub struct PageText<'a> {
    pub head: &'a [u8],
    pub body: &'a [u8],
}

/// What is known of the responses to each persona.
#[derive(Debug)]
pub struct Baseline {
    slots: PageSlots,
    shown: WordOwners,
    /// The number of those who do not say who they are, if any are known.
    nobody: Option<PersonaNumber>,
    /// Those of usual responses.
    statuses: Vec<u16>,
    /// The first usual response to each persona, head and body.
    samples: Vec<Option<(Vec<u8>, Vec<u8>)>>,
    /// How many things varied so little that each could have looked like identity; at least 1.
    chances: usize,
    /// What has turned out to be shown without its owners.
    exonerated: BTreeSet<MarkKey>,
}

/// A mark, to be compared: landmark, offset and value; or a word, wherever it stands.
pub type MarkKey = (usize, usize, u64);

/// What is wrong with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// It equals another persona's, as far as these two can be told from each other.
    Swap,
    /// It holds what only another persona's responses hold.
    Learned,
}

/// A response that holds another persona's data.
#[derive(Debug, Clone)]
pub struct Accusation {
    pub oracle: Mismatch,
    /// Whose it is; several if they cannot be told from each other by it.
    pub of: Vec<PersonaNumber>,
    /// Never empty, the least doubtful first.
    pub signs: Vec<Sign>,
}

/// One word that should not stand in a response.
#[derive(Debug, Clone)]
pub struct Sign {
    pub place: ResponsePart,
    /// Where it stands in the head or the body, in bytes.
    pub range: Range<usize>,
    pub text: String,
    mark: Mark,
    owners: Vec<PersonaNumber>,
}

/// A part of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponsePart {
    StatusLine,
    /// Its name in lower case.
    Header(String),
    Body,
}

/// By what a sign is recognised.
#[derive(Debug, Clone, Copy)]
enum Mark {
    Slot(Cell),
    Word(u64),
}

impl Sign {
    fn key(&self) -> MarkKey {
        match self.mark {
            Mark::Slot(cell) => (cell.landmark, cell.offset, cell.value),
            Mark::Word(word) => (usize::MAX, 0, word),
        }
    }
}

impl Accusation {
    /// The fewest who may own what it goes by, and the marks that none but these own.
    pub fn sharpest(&self) -> (Vec<PersonaNumber>, Vec<MarkKey>) {
        let fewest = self.signs.iter().map(|sign| &sign.owners).min_by_key(|owners| owners.len());
        let owners = fewest.cloned().unwrap_or_default();
        let is_theirs = |sign: &&Sign| sign.owners.iter().all(|owner| owners.contains(owner));
        let marks = self.signs.iter().filter(is_theirs).map(Sign::key).collect();
        (owners, marks)
    }

    /// Whether it goes by one of these.
    pub fn goes_by(&self, marks: &[MarkKey]) -> bool {
        self.signs.iter().any(|sign| marks.contains(&sign.key()))
    }
}

impl fmt::Display for ResponsePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResponsePart::StatusLine => f.write_str("status line"),
            ResponsePart::Header(name) => write!(f, "header {name}"),
            ResponsePart::Body => f.write_str("body"),
        }
    }
}

impl Baseline {
    /// Learns from solo responses to those who all say who they are.
    #[cfg(test)]
    pub fn learn(solo: &[(PersonaNumber, PageText<'_>)]) -> Self {
        Baseline::learn_beside(solo, None)
    }

    /// Learns from solo responses, in any order. What is the same for everybody or varies for somebody tells nothing. The responses
    /// with the number `nobody` went to requests that did not say who asks. These need not look like the others at all: a page
    /// behind a login answers them with a redirect or a refusal.
    pub fn learn_beside(solo: &[(PersonaNumber, PageText<'_>)], nobody: Option<PersonaNumber>) -> Self {
        let personas = solo.iter().map(|(persona, _)| persona + 1).max().unwrap_or(0);
        let statuses = usual_statuses(solo, personas);
        let words: Vec<Vec<PageWord>> = solo.iter().map(|(_, reply)| words::words(*reply)).collect();
        let has_usual_status =
            |(_, reply): &(PersonaNumber, PageText<'_>)| statuses.contains(&words::status(reply.head));
        let usual: Vec<(PersonaNumber, &[PageWord])> = solo
            .iter()
            .zip(&words)
            .filter(|(solo, _)| has_usual_status(solo) && Some(solo.0) != nobody)
            .map(|((persona, _), words)| (*persona, words.as_slice()))
            .collect();
        let slots = PageSlots::choose(&usual, personas);
        let mut baseline = Baseline {
            slots,
            shown: WordOwners::new(personas),
            nobody,
            statuses,
            samples: vec![None; personas],
            chances: 1,
            exonerated: BTreeSet::new(),
        };
        for ((persona, reply), words) in solo.iter().zip(&words) {
            baseline.take(*persona, *reply, words);
        }
        baseline.settle();
        baseline
    }

    /// Takes a response that was not given alone: what it holds that nobody gets alone shows which places tell nothing.
    pub fn notice(&mut self, persona: PersonaNumber, reply: PageText<'_>) {
        let reading = self.slots.read_telling(&words::words(reply));
        if reading.is_usual && self.has_usual_status(reply) {
            self.slots.notice(persona, &reading);
        }
    }

    /// No more accuses by these.
    pub fn exonerate(&mut self, marks: &[MarkKey]) {
        self.exonerated.extend(marks);
    }

    /// Whether responses to some of these can be told apart by something that chance explains with no more than `most`.
    pub fn tells_beyond(&self, most: f64, personas: usize) -> bool {
        let pairs = (0..personas).flat_map(|to| (0..personas).map(move |of| (to, of)));
        let mut examples = pairs.filter(|(to, of)| to != of).filter_map(|(to, of)| self.example(to, of));
        examples.any(|accusation| self.doubt(&accusation) <= most)
    }

    /// Takes a further solo response, to a persona that was there from the start. What it shows to vary becomes noise.
    pub fn refine(&mut self, persona: PersonaNumber, reply: PageText<'_>) {
        if persona < self.samples.len() {
            self.take(persona, reply, &words::words(reply));
            self.settle();
        }
    }

    fn take(&mut self, persona: PersonaNumber, reply: PageText<'_>, words: &[PageWord]) {
        let mut reading = self.slots.read(words);
        reading.is_usual &= self.has_usual_status(reply);
        let mut long: Vec<u64> = long_words(reply, words).filter_map(|word| word.value).collect();
        long.sort_unstable();
        long.dedup();
        self.shown.take(persona, long.into_iter(), reading.is_usual || Some(persona) == self.nobody);
        if reading.is_usual {
            self.slots.take(persona, &reading);
            self.samples[persona].get_or_insert_with(|| (reply.head.to_vec(), reply.body.to_vec()));
        }
    }

    fn has_usual_status(&self, reply: PageText<'_>) -> bool {
        self.statuses.contains(&words::status(reply.head))
    }

    fn settle(&mut self) {
        self.slots.settle();
        self.chances = (self.slots.fickle() + self.shown.fickle()).max(1);
    }

    /// What a response to `to` would be accused of if it were one that `of` got alone: what a leak would look like. `None`
    /// if the two cannot be told from each other.
    pub fn example(&self, to: PersonaNumber, of: PersonaNumber) -> Option<Accusation> {
        let (head, body) = self.samples.get(of)?.as_ref()?;
        self.judge(to, PageText { head, body })
    }

    /// Whether a response to one of them can be told from one to the other.
    pub fn tells_apart(&self, a: PersonaNumber, b: PersonaNumber) -> bool {
        self.example(a, b).or_else(|| self.example(b, a)).is_some()
    }

    /// Whether a response shows whose it is: it looks as usual, and holds what some personas are shown and others are not. In
    /// one that does not, such as a notice that the server is busy, no leak would be seen.
    pub fn is_marked(&self, reply: PageText<'_>) -> bool {
        let people = || (0..self.samples.len()).filter(|number| Some(*number) != self.nobody);
        let words = words::words(reply);
        let some_not_all = |held: &dyn Fn(PersonaNumber) -> bool| people().any(held) && !people().all(held);
        let by_word = |word: &PageWord| {
            let owners = word.value.and_then(|value| self.shown.owners(value)).unwrap_or_default();
            some_not_all(&|number| owners.contains(&number))
        };
        if long_words(reply, &words).any(by_word) {
            return true;
        }
        let reading = self.slots.read_telling(&words);
        let by_slot = |cell: &Cell| {
            let slot = self.slots.telling(*cell);
            slot.is_some_and(|slot| some_not_all(&|number| slot.holds(number, cell.value)))
        };
        reading.is_usual && self.has_usual_status(reply) && reading.cells.iter().any(by_slot)
    }

    /// What is wrong with a response to `to`. Nothing can be said of one to a persona without usual solo responses.
    pub fn judge(&self, to: PersonaNumber, reply: PageText<'_>) -> Option<Accusation> {
        if self.shown.replies_to(to) == 0 {
            return None;
        }
        let words = words::words(reply);
        let reading = self.slots.read_telling(&words);
        let mut signs = self.signs_anywhere(to, reply, &words);
        let mut swapped = Vec::new();
        if reading.is_usual && self.has_usual_status(reply) {
            signs.extend(self.signs_at_slots(to, reply, &words, &reading));
            let is_named = |of: &PersonaNumber| signs.iter().any(|sign| sign.owners.contains(of));
            let equals = |of: &PersonaNumber| self.equals(to, *of, reply, &words, &reading);
            swapped = (0..self.samples.len()).filter(is_named).filter(equals).collect();
        }
        // What nobody gets, too, is what anybody gets whom the server does not know, or has no time for.
        let accuses = |sign: &Sign| {
            self.nobody.is_none_or(|nobody| !sign.owners.contains(&nobody)) && !self.exonerated.contains(&sign.key())
        };
        signs.retain(accuses);
        let (oracle, of) = match swapped.is_empty() {
            true => (Mismatch::Learned, most_named(&signs, self.samples.len())),
            false => (Mismatch::Swap, swapped),
        };
        signs.retain(|sign| sign.owners.iter().any(|owner| of.contains(owner)));
        signs.sort_by(|a, b| self.doubt_of(a).total_cmp(&self.doubt_of(b)));
        signs.truncate(MOST_SIGNS);
        (!signs.is_empty()).then_some(Accusation { oracle, of, signs })
    }

    fn signs_at_slots(
        &self,
        to: PersonaNumber,
        reply: PageText<'_>,
        words: &[PageWord],
        reading: &Reading,
    ) -> Vec<Sign> {
        // A page of a persona is foreign to nobody, whose own looks different altogether.
        let is_stranger = Some(to) == self.nobody && self.samples[to].is_none();
        let sign = |cell: &Cell| {
            let word = &words[cell.word?];
            let slot = self.slots.telling(*cell)?;
            if !is_stranger && !slot.is_foreign(to, cell.value) {
                return None;
            }
            let owners = (0..self.samples.len()).filter(|owner| slot.holds(*owner, cell.value)).collect();
            self.sign(reply, word, Mark::Slot(*cell), owners)
        };
        reading.cells.iter().filter_map(sign).collect()
    }

    fn signs_anywhere(&self, to: PersonaNumber, reply: PageText<'_>, words: &[PageWord]) -> Vec<Sign> {
        let sign = |word: &PageWord| {
            let value = word.value?;
            let owners = self.shown.foreign_owners(value, to)?;
            self.sign(reply, word, Mark::Word(value), owners)
        };
        long_words(reply, words).filter_map(sign).collect()
    }

    fn sign(&self, reply: PageText<'_>, word: &PageWord, mark: Mark, owners: Vec<PersonaNumber>) -> Option<Sign> {
        let text = String::from_utf8_lossy(text_of(reply, word)).into_owned();
        let place = words::place(reply.head, word);
        (!owners.is_empty()).then_some(Sign { place, range: word.range.clone(), text, mark, owners })
    }

    /// Whether a response to `to` equals those to `of` wherever responses to these two differ.
    fn equals(
        &self,
        to: PersonaNumber,
        of: PersonaNumber,
        reply: PageText<'_>,
        words: &[PageWord],
        reading: &Reading,
    ) -> bool {
        let tells_otherwise = |cell: &Cell| {
            self.slots.telling(*cell).is_some_and(|slot| slot.tells_apart(to, of) && !slot.holds(of, cell.value))
        };
        let is_own = |word: &PageWord| {
            let owners = word.value.and_then(|value| self.shown.owners(value)).unwrap_or_default();
            owners.contains(&to) && !owners.contains(&of)
        };
        !reading.cells.iter().any(tells_otherwise) && !long_words(reply, words).any(is_own)
    }

    /// The greatest probability with which chance alone explains an accusation; 1 if solo responses have refuted it.
    pub fn doubt(&self, accusation: &Accusation) -> f64 {
        accusation.signs.iter().map(|sign| self.doubt_of(sign)).fold(1.0, f64::min)
    }

    fn doubt_of(&self, sign: &Sign) -> f64 {
        let chance = match sign.mark {
            Mark::Slot(cell) => self.slots.chance(cell),
            Mark::Word(word) => self.shown.chance(word),
        };
        chance.map_or(1.0, |chance| (chance * self.chances as f64).min(1.0))
    }

    /// Whether an accusation is beyond doubt. If not: more solo responses either refute it or make it stand.
    pub fn stands(&self, accusation: &Accusation) -> bool {
        self.doubt(accusation) <= LARGEST_DOUBT
    }
}

/// The statuses of usual responses: the most frequent one, and for each persona that never gets it its own most frequent
/// one. Any other is a whim of the server, a 503 perhaps.
fn usual_statuses(solo: &[(PersonaNumber, PageText<'_>)], personas: usize) -> Vec<u16> {
    let statuses: Vec<(PersonaNumber, u16)> =
        solo.iter().map(|(persona, reply)| (*persona, words::status(reply.head))).collect();
    let overall = most_frequent(statuses.iter().map(|(_, status)| *status));
    let own =
        (0..personas).map(|persona| statuses.iter().filter(move |(of, _)| *of == persona).map(|(_, status)| *status));
    own.map(|own| if own.clone().any(|status| status == overall) { overall } else { most_frequent(own) }).collect()
}

fn most_frequent(statuses: impl Iterator<Item = u16>) -> u16 {
    let mut counts = BTreeMap::<u16, usize>::new();
    statuses.for_each(|status| *counts.entry(status).or_default() += 1);
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(0, |(status, _)| status)
}

fn text_of<'a>(reply: PageText<'a>, word: &PageWord) -> &'a [u8] {
    let part = if word.in_body { reply.body } else { reply.head };
    &part[word.range.clone()]
}

fn long_words<'a>(reply: PageText<'a>, words: &'a [PageWord]) -> impl Iterator<Item = &'a PageWord> + 'a {
    words.iter().filter(move |word| words::is_long(text_of(reply, word)))
}

/// Those whom most signs name.
fn most_named(signs: &[Sign], personas: usize) -> Vec<PersonaNumber> {
    let named = |persona: &PersonaNumber| signs.iter().filter(|sign| sign.owners.contains(persona)).count();
    let most = (0..personas).map(|persona| named(&persona)).max().unwrap_or(0);
    (0..personas).filter(|persona| named(persona) == most).collect()
}
