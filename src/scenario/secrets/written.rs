//! How a value may be written in a text: plainly, percent-encoded, as between quotes, in HTML, base64 or hexadecimal, and
//! up to two of these nested.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Escapes may be nested so deep: JSON in a query, a query in HTML.
const DEEPEST: usize = 2;
/// An escape of an escape takes at most this many bytes for one.
pub(super) const LONGEST_ESCAPE: usize = 24;
/// Fewer characters of base64 stand in any text.
const SHORTEST_PACKED: usize = 4;
/// A value with a digit in it and this many characters is found in upper and lower case.
const TELLING: usize = 8;
/// Digits of an HTML entity, with leading zeros.
const LONGEST_ENTITY: usize = 8;

/// One way to write a value, once escapes are undone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Form {
    pub bytes: Vec<u8>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Characters; a plus stands for a space, as in forms.
    Text {
        any_case: bool,
    },
    Hex,
    /// Part of base64; on each side there may be a character with a few bits of the value.
    Base64 {
        before: bool,
        after: bool,
    },
}

/// Every form of a value.
pub(super) fn forms(value: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut add = |form: Form| {
        if !forms.contains(&form) {
            forms.push(form);
        }
    };
    let any_case = value.len() >= TELLING && value.bytes().any(|byte| byte.is_ascii_digit());
    for layer in layers(value.as_bytes()) {
        // What is left of an escape alone would stand in any text.
        if 2 * layer.bytes.len() >= value.len().min(TELLING) {
            add(Form { bytes: layer.bytes, kind: Kind::Text { any_case } });
        }
    }
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    add(Form { bytes: hex.into_bytes(), kind: Kind::Hex });
    for phase in 0..3 {
        let padded = [&vec![0; phase], value.as_bytes()].concat();
        for packed in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            let (start, end) = ((phase * 8).div_ceil(6), padded.len() * 8 / 6);
            let (before, after) = (phase > 0, padded.len() % 3 > 0);
            if end >= start + SHORTEST_PACKED {
                let bytes = packed.as_bytes()[start..end].to_vec();
                add(Form { bytes, kind: Kind::Base64 { before, after } });
            }
        }
    }
    forms
}

impl Form {
    /// Whether it is made of the value's own characters.
    pub fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text { .. })
    }

    /// Whether a text begins with this part of the form.
    pub fn begins(&self, text: &[u8], part: Range<usize>) -> bool {
        let part = &self.bytes[part];
        text.len() >= part.len() && part.iter().zip(text).all(|(own, given)| self.is_same(*own, *given))
    }

    fn is_same(&self, own: u8, given: u8) -> bool {
        let is_space = |byte: u8| matches!(byte, b' ' | b'+');
        match self.kind {
            Kind::Text { any_case: true } if own.eq_ignore_ascii_case(&given) => true,
            Kind::Text { .. } => own == given || is_space(own) && is_space(given),
            Kind::Hex => own.eq_ignore_ascii_case(&given),
            Kind::Base64 { .. } => own == given,
        }
    }

    /// The bytes with which it may begin.
    pub fn first(&self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(|byte| self.bytes.first().is_some_and(|first| self.is_same(*first, *byte)))
    }

    /// What is found at this place of a text, with the characters beside it that tell a few bits.
    pub fn widened(&self, text: &[u8], at: usize) -> Range<usize> {
        let end = at + self.bytes.len();
        let Kind::Base64 { before, after } = self.kind else { return at..end };
        let is_packed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
        let start = if before && at > 0 && is_packed(&text[at - 1]) { at - 1 } else { at };
        start..end + usize::from(after && text.get(end).is_some_and(is_packed))
    }
}

/// A text with escapes undone, and where each of its bytes comes from.
#[derive(Debug)]
pub(super) struct Layer {
    pub bytes: Vec<u8>,
    /// `None` for the text itself.
    origins: Option<Vec<(u32, u32)>>,
}

/// The text as it is, and with escapes undone once, twice and so on as long as there are any.
pub(super) fn layers(text: &[u8]) -> Vec<Layer> {
    let mut layers = vec![Layer { bytes: text.to_vec(), origins: None }];
    while layers.len() <= DEEPEST {
        let Some(next) = layers.last().and_then(Layer::undone) else { break };
        layers.push(next);
    }
    layers
}

impl Layer {
    /// Where in the text itself a stretch of it stands.
    pub fn origin(&self, range: Range<usize>) -> Range<usize> {
        match &self.origins {
            None => range,
            Some(origins) => {
                let last = range.end.max(range.start + 1) - 1;
                origins[range.start].0 as usize..origins[last].1 as usize
            }
        }
    }

    /// `None` if there is nothing to undo.
    fn undone(&self) -> Option<Layer> {
        let text = &self.bytes;
        let (mut bytes, mut origins) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
        let (mut at, mut any) = (0, false);
        while at < text.len() {
            let (stands_for, length) = match escape(text, at) {
                Some(escape) => escape,
                None => (Stands::Byte(text[at]), 1),
            };
            any |= length > 1;
            let origin = self.origin(at..at + length);
            let before = bytes.len();
            match stands_for {
                Stands::Byte(byte) => bytes.push(byte),
                Stands::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            let origin = (origin.start as u32, origin.end as u32);
            origins.extend(std::iter::repeat_n(origin, bytes.len() - before));
            at += length;
        }
        any.then_some(Layer { bytes, origins: Some(origins) })
    }
}

enum Stands {
    Byte(u8),
    Char(char),
}

/// What the escape at `at` stands for, and how long it is.
fn escape(text: &[u8], at: usize) -> Option<(Stands, usize)> {
    let next = *text.get(at + 1)?;
    match (text[at], next) {
        (b'%', _) => Some((Stands::Byte(pair(text, at + 1)?), 3)),
        (b'\\', b'u') => unicode(text, at),
        (b'\\', b'x') => Some((Stands::Byte(pair(text, at + 2)?), 4)),
        (b'\\', b'n') => Some((Stands::Byte(b'\n'), 2)),
        (b'\\', b'r') => Some((Stands::Byte(b'\r'), 2)),
        (b'\\', b't') => Some((Stands::Byte(b'\t'), 2)),
        (b'\\', b'/' | b'\\' | b'"' | b'\'') => Some((Stands::Byte(next), 2)),
        // The braces of a template stand for one when they are doubled, and are doubled where it is shown.
        (b'{', b'{') | (b'}', b'}') => Some((Stands::Byte(next), 2)),
        // A quote between the quotes of a shell.
        (b'\'', b'\\') if text[at..].starts_with(br"'\''") => Some((Stands::Byte(b'\''), 4)),
        (b'&', b'#') => entity(text, at),
        (b'&', _) => {
            let named = [("&amp;", b'&'), ("&lt;", b'<'), ("&gt;", b'>'), ("&quot;", b'"'), ("&apos;", b'\'')];
            let found = named.into_iter().find(|(name, _)| text[at..].starts_with(name.as_bytes()));
            found.map(|(name, byte)| (Stands::Byte(byte), name.len()))
        }
        _ => None,
    }
}

/// `\u00e4`, or two of these that are one character.
fn unicode(text: &[u8], at: usize) -> Option<(Stands, usize)> {
    let unit = |at: usize| Some(u16::from(pair(text, at)?) << 8 | u16::from(pair(text, at + 2)?));
    let one = unit(at + 2)?;
    if let Some(c) = char::from_u32(one.into()) {
        return Some((Stands::Char(c), 6));
    }
    let two = text[at + 6..].starts_with(br"\u").then(|| unit(at + 8)).flatten()?;
    let c = char::decode_utf16([one, two]).next()?.ok()?;
    Some((Stands::Char(c), 12))
}

/// `&#39;`, `&#x27;`.
fn entity(text: &[u8], at: usize) -> Option<(Stands, usize)> {
    let (radix, start) = if matches!(text.get(at + 2)?, b'x' | b'X') { (16, at + 3) } else { (10, at + 2) };
    let digits = text[start..].iter().take(LONGEST_ENTITY).take_while(|byte| (**byte as char).is_digit(radix)).count();
    let number = std::str::from_utf8(&text[start..start + digits]).ok()?;
    let c = char::from_u32(u32::from_str_radix(number, radix).ok()?)?;
    let end = start + digits;
    Some((Stands::Char(c), end + usize::from(text.get(end) == Some(&b';')) - at))
}

/// A byte in two hexadecimal digits.
fn pair(text: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| (*byte as char).to_digit(16));
    u8::try_from(digit(at)? << 4 | digit(at + 1)?).ok()
}
