//! Percent-encoding, HTML entities, JSON and JavaScript escapes, and lines of folded base64: read byte by byte.
//!
//! Most escapes stand for something that no canary holds, so only those that could be a part of one are looked at, each
//! with its system.

use std::ops::Range;

use super::{CanaryEncoding, Found, code, packed};

/// How far on each side of an escape the canary may reach of which it is a part: a long word in hexadecimal.
const REACH: usize = 2 * code::LONGEST;
/// Base64 in lines has at least this many characters in each (64 in PEM, 76 in MIME).
const SHORTEST_LINE: usize = 60;
/// Digits of an HTML entity, with leading zeros.
const LONGEST_ENTITY: usize = 7;

/// What one escape or one plain byte stands for.
struct Step {
    /// Bytes that it takes up.
    length: usize,
    /// What it stands for; nothing if it is the end of a folded line.
    byte: Option<u8>,
    /// `None` if it is a plain byte.
    escape: Option<Escape>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    Percent,
    Html,
    Json,
    Fold,
}

/// A stretch of text around escapes, and what it stands for.
pub(super) struct Unescaped {
    origin: Range<usize>,
    pub text: Vec<u8>,
}

/// Every stretch of `text` in which an escape could be a part of a canary.
pub(super) fn each(text: &[u8], mut visit: impl FnMut(&Unescaped)) {
    let mut folds = folds(text).peekable();
    let mut escape = next_relevant(text, 0);
    while let Some(at) = [escape, folds.peek().copied()].into_iter().flatten().min() {
        let stretch = Unescaped::around(text, at);
        visit(&stretch);
        let end = stretch.origin.end;
        while folds.next_if(|fold| *fold < end).is_some() {}
        escape = escape.and_then(|escape| if escape < end { next_relevant(text, end) } else { Some(escape) });
    }
}

/// Where the next escape from `at` on stands that could be a part of a canary.
fn next_relevant(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr3(b'%', b'&', b'\\', text.get(at..)?)?;
        // Where every character is escaped, the next one follows at once.
        while let Some(b'%' | b'&' | b'\\') = text.get(at) {
            match unescape(text, at) {
                Some((byte, length)) if is_relevant(text, at, byte, length) => return Some(at),
                Some((_, length)) => at += length,
                None => at += 1,
            }
        }
    }
}

/// Where lines of base64 are folded.
fn folds(text: &[u8]) -> impl Iterator<Item = usize> {
    let mut line = 0;
    memchr::memchr_iter(b'\n', text).filter(move |end| {
        let long = end - std::mem::replace(&mut line, end + 1) >= SHORTEST_LINE;
        long && ends_line(text, *end)
    })
}

/// Whether the escape at `at` stands for what a canary may hold, or for the beginning of another escape.
#[inline]
fn is_relevant(text: &[u8], at: usize, byte: u8, length: usize) -> bool {
    let follows = |known: &[u8]| text.get(at + length).is_some_and(|next| known.contains(next));
    match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' => true,
        b'%' => follows(b"%&\\0123456789abcdefABCDEF"),
        b'&' => follows(b"%&\\#"),
        b'\\' => follows(b"%&\\ux"),
        b'\r' | b'\n' => ends_line(text, at),
        _ => false,
    }
}

/// Whether what ends at `at` looks like a line of base64.
fn ends_line(text: &[u8], at: usize) -> bool {
    let before = text[..at].strip_suffix(b"\r").unwrap_or(&text[..at]);
    let line = before.len().checked_sub(SHORTEST_LINE).map(|start| &before[start..]);
    line.is_some_and(|line| line.iter().rev().all(|byte| packed::is_base64(*byte)))
}

#[inline]
fn step(text: &[u8], at: usize) -> Step {
    let escape = match text[at] {
        b'%' => Escape::Percent,
        b'&' => Escape::Html,
        b'\\' => Escape::Json,
        b'\n' if ends_line(text, at) => return Step { length: 1, byte: None, escape: Some(Escape::Fold) },
        b'\r' if text.get(at + 1) == Some(&b'\n') && ends_line(text, at) => {
            return Step { length: 2, byte: None, escape: Some(Escape::Fold) };
        }
        byte => return Step { length: 1, byte: Some(byte), escape: None },
    };
    match unescape(text, at) {
        Some((byte, length)) => Step { length, byte: Some(byte), escape: Some(escape) },
        None => Step { length: 1, byte: Some(text[at]), escape: None },
    }
}

/// What the escape at `at` stands for, and how long it is. A character outside Latin-1 counts as 255, which no canary holds.
#[inline]
fn unescape(text: &[u8], at: usize) -> Option<(u8, usize)> {
    match (text[at], text.get(at + 1)?) {
        (b'%', high) => Some((pair(*high, *text.get(at + 2)?)?, 3)),
        (b'\\', b'u') => Some((unicode(text.get(at + 2..at + 6)?)?, 6)),
        (b'\\', b'x') => Some((pair(*text.get(at + 2)?, *text.get(at + 3)?)?, 4)),
        (b'\\', b'n') => Some((b'\n', 2)),
        (b'\\', b'r') => Some((b'\r', 2)),
        (b'\\', same @ (b'/' | b'\\' | b'"' | b'\'')) => Some((*same, 2)),
        (b'&', b'#') => numeric_entity(text, at),
        (b'&', b'a') => text[at..].starts_with(b"&amp;").then_some((b'&', 5)),
        _ => None,
    }
}

/// `&#122;`, `&#x7a;`, with leading zeros or not; browsers do without the semicolon too.
fn numeric_entity(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let (base, start) = if text.get(at + 2)?.eq_ignore_ascii_case(&b'x') { (16, at + 3) } else { (10, at + 2) };
    let is_digit = |byte: &&u8| code::value(**byte, base).is_some();
    let digits = text[start..].iter().take(LONGEST_ENTITY).take_while(is_digit).count();
    let end = start + digits;
    let semicolon = usize::from(text.get(end) == Some(&b';'));
    (digits > 0).then_some((number(&text[start..end], base)?, end + semicolon - at))
}

/// A character in four hexadecimal digits.
#[inline]
fn unicode(digits: &[u8]) -> Option<u8> {
    let (high, low) = (pair(digits[0], digits[1])?, pair(digits[2], digits[3])?);
    Some(if high == 0 { low } else { u8::MAX })
}

/// A byte in two hexadecimal digits.
#[inline]
fn pair(high: u8, low: u8) -> Option<u8> {
    let (high, low) = (code::VALUES[usize::from(high)], code::VALUES[usize::from(low)]);
    (high | low < 16).then_some(high << 4 | low)
}

/// A number of a few digits, cut off at 255.
fn number(digits: &[u8], base: u64) -> Option<u8> {
    let number = digits.iter().try_fold(0, |number, digit| Some(number * base + code::value(*digit, base)?))?;
    Some(u8::try_from(number).unwrap_or(u8::MAX))
}

impl Unescaped {
    /// The system of the relevant escape at `escape`, and of those that follow soon.
    fn around(text: &[u8], escape: usize) -> Self {
        let start = escape.saturating_sub(REACH);
        let (mut at, mut end) = (start, escape + REACH);
        let mut unescaped = Vec::with_capacity(4 * REACH);
        while at < end.min(text.len()) {
            let step = step(text, at);
            if step.escape.is_some_and(|it| {
                it == Escape::Fold || step.byte.is_some_and(|byte| is_relevant(text, at, byte, step.length))
            }) {
                end = at + REACH;
            }
            if let Some(byte) = step.byte {
                unescaped.push(byte);
            }
            at += step.length;
        }
        Unescaped { origin: start..at, text: unescaped }
    }

    /// What was found in the unescaped text, in order of start, as it stands in the original. What holds no escape is left
    /// out: it is found in the original as well.
    pub fn originals(&self, original: &[u8], inner: &[Found]) -> Vec<Found> {
        let mut found = Vec::new();
        let (mut at, mut unescaped) = (self.origin.start, 0);
        for inner in inner {
            while unescaped < inner.range.start {
                let step = step(original, at);
                at += step.length;
                unescaped += usize::from(step.byte.is_some());
            }
            found.extend(as_written(original, at, inner));
        }
        found
    }
}

/// What was found unescaped, as it stands in the original from `at` on, if there is an escape in it.
fn as_written(original: &[u8], mut at: usize, inner: &Found) -> Option<Found> {
    let (mut start, mut unescaped) = (at, 0);
    let mut first = None;
    while unescaped < inner.range.len() {
        let step = step(original, at);
        let before_it = step.byte.is_none() && unescaped == 0;
        at += step.length;
        unescaped += usize::from(step.byte.is_some());
        if before_it {
            start = at;
        } else {
            first = first.or(step.escape);
        }
    }
    // A folded line says nothing of how its text is encoded.
    first.map(|escape| Found {
        range: start..at,
        encoding: escape.encoding().unwrap_or(inner.encoding),
        ..inner.clone()
    })
}

impl Escape {
    fn encoding(self) -> Option<CanaryEncoding> {
        match self {
            Escape::Percent => Some(CanaryEncoding::Percent),
            Escape::Html => Some(CanaryEncoding::Html),
            Escape::Json => Some(CanaryEncoding::Json),
            Escape::Fold => None,
        }
    }
}
