//! Finds canaries that stand in a text as they are, or in another case.

use std::ops::Range;

use memchr::memmem::Finder;

use super::code::{self, Code};
use super::{CanaryEncoding, Found};

/// The marks by which a canary is noticed.
#[derive(Debug)]
pub(super) struct Marks {
    number: Finder<'static>,
}

impl Default for Marks {
    fn default() -> Self {
        Marks { number: Finder::new(code::NUMBER_MARK) }
    }
}

impl Marks {
    /// Appends every canary of the run with this key.
    pub fn each(&self, text: &[u8], key: u64, found: &mut Vec<Found>) {
        for at in memchr::memchr2_iter(b'z', b'Z', text) {
            if text.get(at + 1).is_some_and(|next| next.eq_ignore_ascii_case(&b'q')) {
                found.extend(read_word(text, at, key));
            }
        }
        for at in self.number.find_iter(text) {
            found.extend(read_digits(text, at, key).or_else(|| read_uuid(text, at, key)));
        }
    }
}

fn read_word(text: &[u8], at: usize, key: u64) -> Option<Found> {
    let length = code::value(*text.get(at + code::WORD_MARK.len())?, code::WORD.base)?;
    let head = code::WORD_MARK.len() + 1 + code::word_filler(length as usize);
    read(text, at..at + head + code::WORD.tail(), &code::WORD, key)
}

fn read_digits(text: &[u8], at: usize, key: u64) -> Option<Found> {
    let lengths = code::digits_symbols(super::Length::Any).end as u64;
    let length = code::value(*text.get(at + code::NUMBER_MARK.len())?, lengths)?;
    let head = code::NUMBER_MARK.len() + 1 + code::digits_filler(length as usize);
    read(text, at..at + head + code::DECIMAL.tail(), &code::DECIMAL, key)
}

/// Reads what stands in `range` and has no dashes.
fn read(text: &[u8], range: Range<usize>, code: &Code, key: u64) -> Option<Found> {
    // Behind the mark, whose letter is none of the symbols.
    let written = text.get(range.clone()).filter(|written| code.spells(&written[2..]))?;
    let mut lower = [0; code::LONGEST];
    let lower = &mut lower[..written.len()];
    lower.copy_from_slice(written);
    lower.make_ascii_lowercase();
    let owner = code.open(key, lower)?;
    let encoding = if lower == written { CanaryEncoding::Plain } else { CanaryEncoding::Case };
    Some(Found { owner, range, encoding, canary: super::to_string(lower) })
}

/// Reads a UUID, with any of its dashes or without.
fn read_uuid(text: &[u8], at: usize, key: u64) -> Option<Found> {
    let mut digits = [0; 32];
    let mut end = at;
    for (index, digit) in digits.iter_mut().enumerate() {
        if code::DASHES.contains(&index) && text.get(end) == Some(&b'-') {
            end += 1;
        }
        let written = *text.get(end)?;
        code::value(written, code::HEX.base)?;
        *digit = written.to_ascii_lowercase();
        end += 1;
    }
    let variant = digits[code::VARIANT_AT];
    if digits[code::VERSION_AT] != b'4' || !code::UUID_VARIANTS.contains(&variant) {
        return None;
    }
    let mut sealed = Vec::with_capacity(digits.len() - 2);
    sealed.extend_from_slice(&digits[..code::VERSION_AT]);
    sealed.extend_from_slice(&digits[code::VERSION_AT + 1..code::VARIANT_AT]);
    sealed.extend_from_slice(&digits[code::VARIANT_AT + 1..]);
    let owner = code::HEX.open(key, &sealed)?;
    let canary = code::with_dashes(&sealed, variant);
    let encoding = if text[at..end] == *canary.as_bytes() { CanaryEncoding::Plain } else { CanaryEncoding::Case };
    Some(Found { owner, range: at..end, encoding, canary })
}
