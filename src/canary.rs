//! Canaries: values that name their owner, which no text holds by chance.
//!
//! A canary is `zq`, one character for the length of its filler, the filler (random, 4 to 19 characters), the number of
//! its owner (7 characters) and a checksum (7 characters) over all of that and the key of the run. It is made of lower
//! case letters and digits, so that URLs, headers, cookies, JSON and local parts of e-mail addresses carry it unchanged.

use std::ops::Range;

use memchr::memmem::Finder;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

/// Crockford's base 32: no letter that could be mistaken for a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const MARK: &[u8; 2] = b"zq";
const SHORTEST_FILLER: usize = 4;
const FILLER_LENGTHS: usize = 16;
/// 7 characters hold 35 bits.
const NUMBER_CHARACTERS: usize = 7;
const NUMBER_BITS: u32 = 35;

/// Makes the canaries of one run, and knows its own from others.
#[derive(Debug)]
pub struct Canaries {
    key: u64,
    random: rand::rngs::StdRng,
    finder: Finder<'static>,
}

/// A canary that stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The number given to [`Canaries::make`].
    pub owner: u64,
    /// Where it stands, in bytes.
    pub range: Range<usize>,
}

impl Canaries {
    /// The same seed makes the same canaries in the same order.
    pub fn new(seed: u64) -> Self {
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        Canaries { key: random.next_u64(), random, finder: Finder::new(MARK) }
    }

    /// A canary for request number `owner`, which must be below 2^35. Lengths differ from one to the next.
    pub fn make(&mut self, owner: u64) -> String {
        let length = self.random.random_range(0..FILLER_LENGTHS);
        let mut text = Vec::with_capacity(2 + 1 + SHORTEST_FILLER + length + 2 * NUMBER_CHARACTERS);
        text.extend_from_slice(MARK);
        text.push(ALPHABET[length]);
        for _ in 0..SHORTEST_FILLER + length {
            text.push(ALPHABET[self.random.random_range(0..ALPHABET.len())]);
        }
        push_number(&mut text, owner);
        let checksum = self.checksum(&text);
        push_number(&mut text, checksum);
        text.iter().map(|byte| char::from(*byte)).collect()
    }

    /// Every canary of this run in `text`, in order. One pass; what it costs does not depend on how many were made.
    pub fn scan<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = Found> + 'a {
        self.finder.find_iter(text).filter_map(move |at| self.read(text, at))
    }

    /// Reads the canary that starts at `at`, if one does.
    fn read(&self, text: &[u8], at: usize) -> Option<Found> {
        let length = value_of(*text.get(at + MARK.len())?).filter(|length| *length < FILLER_LENGTHS as u64)? as usize;
        let owner_at = at + MARK.len() + 1 + SHORTEST_FILLER + length;
        let checksum_at = owner_at + NUMBER_CHARACTERS;
        let end = checksum_at + NUMBER_CHARACTERS;
        let owner = read_number(text.get(owner_at..checksum_at)?)?;
        let checksum = read_number(text.get(checksum_at..end)?)?;
        (checksum == self.checksum(&text[at..checksum_at])).then_some(Found { owner, range: at..end })
    }

    /// FNV-1a over key and text, folded to 35 bits: chance passes once in 34 thousand million.
    fn checksum(&self, text: &[u8]) -> u64 {
        let hash = self.key.to_le_bytes().iter().chain(text).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        (hash ^ (hash >> NUMBER_BITS)) & ((1 << NUMBER_BITS) - 1)
    }
}

fn push_number(text: &mut Vec<u8>, number: u64) {
    for index in (0..NUMBER_CHARACTERS).rev() {
        text.push(ALPHABET[(number >> (5 * index)) as usize % ALPHABET.len()]);
    }
}

fn read_number(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |number, byte| Some(number << 5 | value_of(*byte)?))
}

fn value_of(byte: u8) -> Option<u64> {
    ALPHABET.iter().position(|known| *known == byte).map(|position| position as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_canary_names_its_owner_wherever_it_stands() {
        let mut canaries = Canaries::new(7);
        let (mine, theirs) = (canaries.make(17), canaries.make(4_000_000_000));
        let page = format!("HTTP/1.1 200 OK\r\nx-user: {mine}\r\n\r\nzqzq<p>Hello, {theirs}{mine}</p>zq");
        let owners: Vec<u64> = canaries.scan(page.as_bytes()).map(|found| found.owner).collect();
        assert_eq!(owners, [17, 4_000_000_000, 17]);
    }

    #[test]
    fn another_run_has_other_canaries() {
        let (mut one, other) = (Canaries::new(1), Canaries::new(2));
        let text = one.make(5);
        assert_eq!(other.scan(text.as_bytes()).count(), 0);
    }

    #[test]
    fn lengths_differ() {
        let mut canaries = Canaries::new(3);
        let lengths: std::collections::BTreeSet<usize> = (0..200).map(|owner| canaries.make(owner).len()).collect();
        assert_eq!((lengths.len(), lengths.first(), lengths.last()), (16, Some(&21), Some(&36)));
    }

    proptest! {
        #[test]
        fn a_changed_character_is_no_canary(at in 0usize..21, seed in 0u64..1000) {
            let mut canaries = Canaries::new(seed);
            let mut text = canaries.make(seed).into_bytes();
            text[at] = if text[at] == b'7' { b'8' } else { b'7' };
            prop_assert_eq!(canaries.scan(&text).count(), 0);
        }

        #[test]
        fn arbitrary_bytes_hold_no_canary(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(Canaries::new(0).scan(&bytes).count(), 0);
        }
    }
}
