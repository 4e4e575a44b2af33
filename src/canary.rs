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
use schemars::JsonSchema;
use serde::Deserialize;

mod code;
mod escape;
mod fragment;
mod packed;
mod plain;

pub use fragment::{Fragment, Fragments};

/// The domain of e-mail canaries: reserved for tests (RFC 2606), so no mail ever leaves.
const DOMAIN: &str = "@mail.test";

/// How many encodings may be nested. The lines of folded base64 count as one.
const DEPTH: usize = 3;

/// Makes the canaries of one run, and knows its own from others.
#[derive(Debug)]
pub struct Canaries {
    key: u64,
    random: rand::rngs::StdRng,
    marks: plain::Marks,
}

/// What `{canary}` looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Shape")]
pub enum CanaryShape {
    /// Lower case letters and digits.
    // URLs, headers, cookies and JSON carry them unchanged. 21 to 36 characters.
    #[default]
    Word,
    /// A word and `@mail.test`.
    // The word alone is recognised too.
    Email,
    /// A UUID of version 4.
    // In lower case, 36 characters. Recognised without its dashes and in upper case too.
    Uuid,
    /// Decimal digits.
    // 26 to 30, the first not 0. Recognised inside a longer run of digits too: the checksum says where it ends.
    Digits,
}

impl CanaryShape {
    /// Every one of them.
    pub const ALL: [CanaryShape; 4] = [CanaryShape::Word, CanaryShape::Email, CanaryShape::Uuid, CanaryShape::Digits];

    /// As scenarios write it.
    pub fn name(self) -> &'static str {
        match self {
            CanaryShape::Word => "word",
            CanaryShape::Email => "email",
            CanaryShape::Uuid => "uuid",
            CanaryShape::Digits => "digits",
        }
    }

    /// The shape of this name.
    pub fn named(name: &str) -> Option<CanaryShape> {
        CanaryShape::ALL.into_iter().find(|shape| shape.name() == name)
    }
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
    pub encoding: CanaryEncoding,
    /// The canary as it was made; of an e-mail address, the word.
    pub canary: String,
}

/// How a canary is written; of nested encodings, the outermost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CanaryEncoding {
    /// As it was made.
    Plain,
    /// In upper or mixed case, or a UUID without its dashes.
    Case,
    /// `%7a`, all or some of its characters.
    Percent,
    /// `&#122;` or `&#x7a;`, all or some of its characters.
    Html,
    /// `\u007a` or `\x7a`, all or some of its characters.
    Json,
    /// Within a base64 text of either alphabet.
    Base64,
    /// Within a hexadecimal text.
    Hex,
}

impl CanaryEncoding {
    /// For reports.
    pub fn name(self) -> &'static str {
        match self {
            CanaryEncoding::Plain => "plain",
            CanaryEncoding::Case => "other case",
            CanaryEncoding::Percent => "percent-encoded",
            CanaryEncoding::Html => "HTML entities",
            CanaryEncoding::Json => "JSON escapes",
            CanaryEncoding::Base64 => "base64",
            CanaryEncoding::Hex => "hexadecimal",
        }
    }
}

/// Where a canary of any shape may stand, as a regular expression that Python, JavaScript and Rust read alike: what it
/// matches is one, but for chance. Of an e-mail address it matches the word. Each alternative begins with one letter, by
/// which Python looks for it first: that takes half as long.
pub const PATTERN: &str = concat!(
    "z[qQ][0-9a-hjkmnp-tv-zA-HJKMNP-TV-Z]{19,195}",
    "|Z[qQ][0-9a-hjkmnp-tv-zA-HJKMNP-TV-Z]{19,195}",
    "|709[0-9a-fA-F]{5}-?[0-9a-fA-F]{4}-?4[0-9a-fA-F]{3}-?[89abAB][0-9a-fA-F]{3}-?[0-9a-fA-F]{12}",
    "|709[0-9]{23,27}",
);

impl Canaries {
    /// The same seed makes the same canaries in the same order.
    pub fn new(seed: u64) -> Self {
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        Canaries { key: random.next_u64(), random, marks: plain::Marks::default() }
    }

    /// A canary for identity number `owner`, which must be below 2^35.
    pub fn make(&mut self, owner: u64, shape: CanaryShape, length: Length) -> String {
        match shape {
            CanaryShape::Word => self.word(owner, code::word_symbols(length)),
            CanaryShape::Email => self.word(owner, code::local_part_symbols(length)) + DOMAIN,
            CanaryShape::Uuid => self.uuid(owner),
            CanaryShape::Digits => self.digits(owner, code::digits_symbols(length)),
        }
    }

    /// Every canary of this run in `text`, in order of where it starts: as it is, or in up to [`DEPTH`] nested encodings.
    /// What it costs is linear in the text and does not depend on how many were made.
    pub fn scan(&self, text: &[u8]) -> Vec<Found> {
        self.scan_layer(text, DEPTH)
    }

    /// Scans a text, and what it stands for in up to `depth` layers of encoding.
    fn scan_layer(&self, text: &[u8], depth: usize) -> Vec<Found> {
        let mut found = Vec::new();
        self.marks.each(text, self.key, &mut found);
        if depth > 0 {
            escape::each(text, |unescaped| {
                let inner = self.scan_layer(&unescaped.text, depth - 1);
                let originals = unescaped.originals(text, &inner);
                found.extend(originals);
            });
            let mut unpacked = |unpacked: &packed::Unpacked, encoding| {
                let inner = self.scan_layer(&unpacked.text, depth - 1).into_iter();
                found.extend(inner.map(|it| Found { range: unpacked.original(&it.range), encoding, ..it }));
            };
            for run in packed::runs(text) {
                packed::each::<4, packed::Base64>(text, run.clone(), |base64| unpacked(base64, CanaryEncoding::Base64));
                packed::each::<2, packed::Hex>(text, run, |hex| unpacked(hex, CanaryEncoding::Hex));
            }
        }
        found.sort_by_key(|found| found.range.start);
        found.dedup_by(|next, kept| {
            // Of two readings of one place (`%3` before a 7 is a 7, too), the shorter is that of what was written.
            let same = next.canary == kept.canary && next.range.start < kept.range.end;
            if same && next.range.len() < kept.range.len() {
                std::mem::swap(next, kept);
            }
            same
        });
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
