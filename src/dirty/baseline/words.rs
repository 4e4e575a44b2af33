//! Cuts a response into words, each with a key that says where it stands in the text around it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use super::{PageText, ResponsePart};

/// Headers that only frame a response or tell the time: they say nothing of whom it is for that the rest does not say.
/// A `content-length` changes with any noise in the body.
const SILENT_HEADERS: [&[u8]; 6] =
    [b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"date", b"age"];

/// A word from here on may be recognised wherever it stands, in bytes. At 6 random characters a clean server was accused
/// in a quarter of the runs, at 8 never.
const LONG: usize = 8;
/// ... if it is made of at least this many different ones: `--------` and `00000000` are ornaments.
const VARIETY: u32 = 4;

/// A word, or the start of a section: the status line, one header, the body.
#[derive(Debug, Clone)]
pub struct PageWord {
    /// Equal for equal words. A start has none.
    pub value: Option<u64>,
    /// Equal for equal words in the same section after the same separator: tells `<b` from `/b`, a JSON key from none.
    pub key: u64,
    pub in_body: bool,
    /// Where it stands in the head or the body, in bytes.
    pub range: Range<usize>,
}

/// All words of a response, in order. One pass over its bytes.
pub fn words(reply: PageText<'_>) -> Vec<PageWord> {
    let mut words = Vec::with_capacity((reply.head.len() + reply.body.len()) / 6);
    let mut start = 0;
    for line in reply.head.split_inclusive(|byte| *byte == b'\n') {
        let name = if start == 0 { &b""[..] } else { section_name(line) };
        let is_silent = SILENT_HEADERS.iter().any(|silent| silent.eq_ignore_ascii_case(name));
        if !is_silent && !line.trim_ascii().is_empty() {
            cut(&mut words, reply.head, start..start + line.len(), hash(1, name), false);
        }
        start += line.len();
    }
    cut(&mut words, reply.body, 0..reply.body.len(), hash(2, b""), true);
    words
}

/// What tells one header line from another: its name, and for a cookie that of the cookie (`set-cookie: sid`).
fn section_name(line: &[u8]) -> &[u8] {
    let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    let name = &line[..colon];
    let end = if name.eq_ignore_ascii_case(b"set-cookie") { b'=' } else { b':' };
    &line[..line.iter().position(|byte| *byte == end).unwrap_or(colon)]
}

fn cut(words: &mut Vec<PageWord>, text: &[u8], range: Range<usize>, section: u64, in_body: bool) {
    words.push(PageWord { value: None, key: section, in_body, range: range.start..range.start });
    let mut at = range.start;
    let mut separator = b' ';
    while at < range.end {
        if !is_of_word(text[at]) {
            separator = text[at];
            at += 1;
            continue;
        }
        let length = text[at..range.end].iter().position(|byte| !is_of_word(*byte)).unwrap_or(range.end - at);
        let value = hash(0, &text[at..at + length]);
        let key = hash(section ^ value, &[separator]);
        words.push(PageWord { value: Some(value), key, in_body, range: at..at + length });
        at += length;
    }
}

/// Letters, digits, whatever is not ASCII, and what masks, percent-encoding and names are made of.
const IS_OF_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        table[byte] =
            character.is_ascii_alphanumeric() || byte >= 0x80 || matches!(character, b'*' | b'@' | b'%' | b'_');
        byte += 1;
    }
    table
};

fn is_of_word(byte: u8) -> bool {
    IS_OF_WORD[usize::from(byte)]
}

/// Whether a word is too long and too varied to stand somewhere by chance.
pub fn is_long(word: &[u8]) -> bool {
    let different = word.iter().fold(0_u128, |set, byte| set | 1 << (byte & 0x7f)).count_ones();
    word.len() >= LONG && different >= VARIETY
}

/// The number in the status line; 0 if there is none.
pub fn status(head: &[u8]) -> u16 {
    // No reason need follow it.
    let word = head.split(u8::is_ascii_whitespace).nth(1).unwrap_or_default();
    str::from_utf8(word).ok().and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Names the place of a word in words of HTTP.
pub fn place(head: &[u8], word: &PageWord) -> ResponsePart {
    if word.in_body {
        return ResponsePart::Body;
    }
    match head[..word.range.start].iter().rposition(|byte| *byte == b'\n') {
        None => ResponsePart::StatusLine,
        Some(newline) => {
            let name = head[newline + 1..].split(|byte| *byte == b':').next().unwrap_or_default();
            ResponsePart::Header(String::from_utf8_lossy(name).to_lowercase())
        }
    }
}

/// FNV-1a.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// A map whose keys are hashes already.
pub type HashOf<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

#[derive(Debug, Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(self.0, bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
