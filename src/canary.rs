//! Canaries: values that name their owner, which no text holds by chance.
//!
//! A canary is a mark, a symbol for the length of its filler, the filler (random), the number of its owner and a checksum
//! over all of that and the key of the run. The number is shifted by a hash of what stands before it, so that all behind
//! the mark looks random: [`Fragments`] recognises any part of it.
//!
//! | shape  | text                                                | symbols   | chance forges one per candidate |
//! | ------ | --------------------------------------------------- | --------- | ------------------------------- |
//! | Word   | `zq` LENGTH filler (4 to 178) owner (7) checksum (7)| base 32   | 32^-7: 1 in 34 thousand million |
//! | Email  | a word, then `@mail.test`                           |           | as the word                     |
//! | Uuid   | `709` filler (9) owner (9) checksum (9), with its version, variant and dashes | base 16 | 16^-9: 1 in 68 thousand million |
//! | Digits | `709` LENGTH filler (2 to 6) owner (11) checksum (9)| base 10   | 10^-9: 1 in a thousand million  |
//!
//! A candidate is a place where the mark stands, which in random text is itself one place in a thousand or fewer.

use std::ops::Range;

use rand::{Rng as _, RngExt as _, SeedableRng as _};

mod code;
mod plain;

/// The domain of e-mail canaries: reserved for tests (RFC 2606), so no mail ever leaves.
const DOMAIN: &str = "@mail.test";

/// Makes the canaries of one run, and knows its own from others.
#[derive(Debug)]
pub struct Canaries {
    key: u64,
    random: rand::rngs::StdRng,
    marks: plain::Marks,
}

/// What a canary looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Lower case letters and digits, which URLs, headers, cookies and JSON carry unchanged. 21 to 36 characters.
    Word,
    /// A word and `@mail.test`. The word alone is recognised too.
    Email,
    /// A version 4 UUID in lower case, 36 characters. Recognised without its dashes and in upper case too.
    Uuid,
    /// 26 to 30 decimal digits, the first not 0. Recognised inside a longer run of digits too: the checksum says where it
    /// ends.
    Digits,
}

/// How long a canary is, within what its shape allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Length {
    /// One of several ordinary lengths, at random.
    Any,
    /// So long that a shorter value in the same buffer leaves a tail: a word of 120 to 197 characters, the local part of an
    /// e-mail address of 52 to 64 (RFC 5321 allows 64), 30 digits.
    Long,
    /// The shortest.
    Short,
}

/// A canary that stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The number given to [`Canaries::make`].
    pub owner: u64,
    /// Where it stands in the text, in bytes; of an e-mail address, where the word stands.
    pub range: Range<usize>,
    /// How it is written there.
    pub encoding: Encoding,
    /// The canary as it was made; of an e-mail address, the word.
    pub canary: String,
}

/// How a canary is written; of nested encodings, the outermost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// As it was made.
    Plain,
    /// In upper or mixed case, or a UUID without its dashes.
    Case,
}

impl Encoding {
    /// For reports.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Plain => "plain",
            Encoding::Case => "other case",
        }
    }
}

impl Canaries {
    /// The same seed makes the same canaries in the same order.
    pub fn new(seed: u64) -> Self {
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        Canaries { key: random.next_u64(), random, marks: plain::Marks::default() }
    }

    /// A canary for identity number `owner`, which must be below 2^35.
    pub fn make(&mut self, owner: u64, shape: Shape, length: Length) -> String {
        match shape {
            Shape::Word => self.word(owner, code::word_symbols(length)),
            Shape::Email => self.word(owner, code::local_part_symbols(length)) + DOMAIN,
            Shape::Uuid => self.uuid(owner),
            Shape::Digits => self.digits(owner, code::digits_symbols(length)),
        }
    }

    /// Every canary of this run in `text`, in order. What it costs does not depend on how many were made.
    pub fn scan(&self, text: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        self.marks.each(text, self.key, &mut found);
        found.sort_by_key(|found| found.range.start);
        found
    }

    /// How often `text` holds this canary, in any encoding.
    pub fn count(&self, text: &[u8], canary: &str) -> usize {
        let word = canary.strip_suffix(DOMAIN).unwrap_or(canary);
        self.scan(text).iter().filter(|found| found.canary == word).count()
    }

    fn word(&mut self, owner: u64, lengths: Range<usize>) -> String {
        let length = self.random.random_range(lengths);
        let mut text = code::WORD_MARK.to_vec();
        text.push(code::symbol(length as u64));
        self.fill(&mut text, code::word_filler(length), &code::WORD);
        code::WORD.seal(self.key, &mut text, owner);
        to_string(&text)
    }

    fn uuid(&mut self, owner: u64) -> String {
        let mut text = code::NUMBER_MARK.to_vec();
        self.fill(&mut text, code::UUID_FILLER, &code::HEX);
        code::HEX.seal(self.key, &mut text, owner);
        let variant = code::UUID_VARIANTS[self.random.random_range(0..code::UUID_VARIANTS.len())];
        code::with_dashes(&text, variant)
    }

    fn digits(&mut self, owner: u64, lengths: Range<usize>) -> String {
        let length = self.random.random_range(lengths);
        let mut text = code::NUMBER_MARK.to_vec();
        text.push(code::symbol(length as u64));
        self.fill(&mut text, code::digits_filler(length), &code::DECIMAL);
        code::DECIMAL.seal(self.key, &mut text, owner);
        to_string(&text)
    }

    fn fill(&mut self, text: &mut Vec<u8>, length: usize, code: &code::Code) {
        for _ in 0..length {
            text.push(code::symbol(self.random.random_range(0..code.base)));
        }
    }
}

fn to_string(ascii: &[u8]) -> String {
    ascii.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests;
