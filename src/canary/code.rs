//! How a canary is put together and read: symbols, numbers and the checksum.

use std::ops::Range;

use super::Length;

/// Crockford's base 32: no letter that could be mistaken for a digit. Its first 16 are the hexadecimal digits, its first
/// 10 the decimal ones.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// What each byte stands for, upper case as lower case; 255 if for nothing.
pub(super) static VALUES: [u8; 256] = values();

pub(super) const WORD_MARK: &[u8; 2] = b"zq";
/// Of UUIDs and digits: no letter, so it is the same in upper case, and it cannot overlap itself.
pub(super) const NUMBER_MARK: &[u8; 3] = b"709";
pub(super) const UUID_FILLER: usize = 9;
pub(super) const UUID_VARIANTS: &[u8; 4] = b"89ab";
/// Where version and variant stand among the 32 digits of a UUID.
pub(super) const VERSION_AT: usize = 12;
pub(super) const VARIANT_AT: usize = 16;
/// Before which of the 32 digits of a UUID there is a dash.
pub(super) const DASHES: [usize; 4] = [8, 12, 16, 20];

/// The longest word, in characters.
pub(super) const LONGEST: usize = 197;
/// Owners are below this.
const OWNERS: u64 = 1 << 35;

pub(super) const WORD: Code = Code { base: 32, owner: 7, checksum: 7 };
pub(super) const HEX: Code = Code { base: 16, owner: 9, checksum: 9 };
pub(super) const DECIMAL: Code = Code { base: 10, owner: 11, checksum: 9 };

/// How the numbers of a shape are written.
pub(super) struct Code {
    pub base: u64,
    /// Characters of the owner; they must hold every number below 2^35.
    owner: usize,
    /// Characters of the checksum.
    checksum: usize,
}

impl Code {
    /// Characters of owner and checksum together.
    pub const fn tail(&self) -> usize {
        self.owner + self.checksum
    }

    /// Appends owner and checksum to mark, length and filler.
    pub fn seal(&self, key: u64, text: &mut Vec<u8>, owner: u64) {
        let room = self.base.pow(self.owner as u32);
        let shifted = (owner + hash(key, text) % room) % room;
        self.push(text, shifted, self.owner);
        let checksum = self.checksum_of(key, text);
        self.push(text, checksum, self.checksum);
    }

    /// The owner that a whole canary in lower case names, if its checksum is right.
    pub fn open(&self, key: u64, text: &[u8]) -> Option<u64> {
        let (body, checksum) = text.split_at_checked(text.len().checked_sub(self.checksum)?)?;
        let (head, shifted) = body.split_at_checked(body.len().checked_sub(self.owner)?)?;
        if self.read(checksum)? != self.checksum_of(key, body) {
            return None;
        }
        let room = self.base.pow(self.owner as u32);
        let owner = (self.read(shifted)? + room - hash(key, head) % room) % room;
        (owner < OWNERS).then_some(owner)
    }

    /// Whether all of `text` are symbols of this code.
    pub fn spells(&self, text: &[u8]) -> bool {
        text.iter().all(|byte| u64::from(VALUES[usize::from(*byte)]) < self.base)
    }

    fn checksum_of(&self, key: u64, body: &[u8]) -> u64 {
        hash(key, body) % self.base.pow(self.checksum as u32)
    }

    fn push(&self, text: &mut Vec<u8>, number: u64, characters: usize) {
        for index in (0..characters).rev() {
            text.push(symbol(number / self.base.pow(index as u32) % self.base));
        }
    }

    fn read(&self, text: &[u8]) -> Option<u64> {
        text.iter().try_fold(0, |number, byte| Some(number * self.base + value(*byte, self.base)?))
    }
}

/// Which length symbols a word may have. Below 16 are the ordinary lengths, up to 19 those that still fit a local part.
pub(super) fn word_symbols(length: Length) -> Range<usize> {
    match length {
        Length::Any => 0..16,
        Length::Long => 20..32,
        Length::Short => 0..1,
    }
}

/// Which length symbols the word of an e-mail address may have.
pub(super) fn local_part_symbols(length: Length) -> Range<usize> {
    match length {
        Length::Long => 16..20,
        Length::Any | Length::Short => word_symbols(length),
    }
}

/// Which length symbols digits may have.
pub(super) fn digits_symbols(length: Length) -> Range<usize> {
    match length {
        Length::Any => 0..5,
        Length::Long => 4..5,
        Length::Short => 0..1,
    }
}

/// The filler of a word by its length symbol: 21 to 36, 52 to 64 or 120 to 197 characters in all.
pub(super) fn word_filler(symbol: usize) -> usize {
    match symbol {
        0..16 => 4 + symbol,
        16..20 => 35 + 4 * (symbol - 16),
        _ => 103 + 7 * (symbol - 20),
    }
}

/// The filler of digits by their length symbol: 26 to 30 digits in all.
pub(super) fn digits_filler(symbol: usize) -> usize {
    2 + symbol
}

pub(super) fn symbol(value: u64) -> u8 {
    ALPHABET[value as usize % ALPHABET.len()]
}

/// What a symbol stands for, if it is one of the first `base`.
pub(super) fn value(byte: u8, base: u64) -> Option<u64> {
    Some(u64::from(VALUES[usize::from(byte)])).filter(|value| *value < base)
}

/// A UUID of 30 digits, with its version, variant and dashes.
pub(super) fn with_dashes(digits: &[u8], variant: u8) -> String {
    let mut text = String::with_capacity(36);
    let (before, rest) = digits.split_at(VERSION_AT);
    let (between, after) = rest.split_at(VARIANT_AT - VERSION_AT - 1);
    let whole = before.iter().chain(b"4").chain(between).chain(std::slice::from_ref(&variant)).chain(after);
    for (index, digit) in whole.enumerate() {
        if DASHES.contains(&index) {
            text.push('-');
        }
        text.push(char::from(*digit));
    }
    text
}

const fn values() -> [u8; 256] {
    let mut values = [255; 256];
    let mut index = 0;
    while index < ALPHABET.len() {
        values[ALPHABET[index] as usize] = index as u8;
        values[ALPHABET[index].to_ascii_uppercase() as usize] = index as u8;
        index += 1;
    }
    values
}

/// FNV-1a over key and text, then the finaliser of MurmurHash3, so that every bit depends on every byte.
fn hash(key: u64, text: &[u8]) -> u64 {
    let hash =
        key.to_le_bytes().iter().chain(text).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
