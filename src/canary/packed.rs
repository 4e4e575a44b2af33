//! Base64 and hexadecimal: characters that each stand for a few bits.
//!
//! A text could be packed from any of its characters on, so every phase is tried: does it unpack to as many printable
//! bytes in a row as a canary has? Chance says no soon (a unit of random base64 is printable one time in nine), and the search goes on
//! behind the last unit that said so. Only what is printable is unpacked, so a picture in base64 costs next to nothing.

use std::ops::Range;

/// Bit 31: at least one character that belongs to no such text.
const FOREIGN: u32 = 1 << 31;
static BASE64: [[u32; 256]; 4] = table(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6);
static HEX: [[u32; 256]; 2] = table(b"0123456789abcdef", 4);

/// How characters are packed: `N` of them are a unit of whole bytes.
pub(super) trait Packing<const N: usize> {
    /// Bits that a character stands for.
    const BITS: usize;
    /// A canary of the shortest kind (21 bytes) holds this many whole units however it lies.
    const LEAST: usize;

    /// The bytes of a unit, the first highest, and [`FOREIGN`].
    fn unpack(unit: &[u8; N]) -> u32;
}

/// Both alphabets of RFC 4648.
pub(super) struct Base64;

impl Packing<4> for Base64 {
    const BITS: usize = 6;
    const LEAST: usize = 6;

    fn unpack(unit: &[u8; 4]) -> u32 {
        let bits = |index: usize| BASE64[index][usize::from(unit[index])];
        bits(0) | bits(1) | bits(2) | bits(3)
    }
}

/// In lower or upper case.
pub(super) struct Hex;

impl Packing<2> for Hex {
    const BITS: usize = 4;
    const LEAST: usize = 21;

    fn unpack(unit: &[u8; 2]) -> u32 {
        HEX[0][usize::from(unit[0])] | HEX[1][usize::from(unit[1])]
    }
}

/// What a stretch of packed text stands for.
pub(super) struct Unpacked {
    /// Where in the original the first byte begins.
    origin: usize,
    bits: usize,
    pub text: Vec<u8>,
}

impl Unpacked {
    /// The characters that hold these bytes.
    pub fn original(&self, range: &Range<usize>) -> Range<usize> {
        self.origin + range.start * 8 / self.bits..self.origin + (range.end * 8).div_ceil(self.bits)
    }
}

/// Whether a character belongs to base64 of either alphabet; those of hexadecimal do too.
pub(super) fn is_base64(character: u8) -> bool {
    BASE64[0][usize::from(character)] != FOREIGN
}

/// How many characters at the beginning of `text` belong to base64.
fn base64_prefix(text: &[u8]) -> usize {
    // As `is_base64` has it, but without its table, so that the compiler judges many characters at once.
    let belongs = |character: u8| {
        let letter = (character | 0x20).wrapping_sub(b'a') < 26;
        let digit = character.wrapping_sub(b'0') < 10;
        letter | digit | (character == b'+') | (character == b'/') | (character == b'-') | (character == b'_')
    };
    let all = |chunk: &&[u8]| chunk.iter().fold(true, |all, character| all & belongs(*character));
    let chunks = 32 * text.chunks_exact(32).take_while(all).count();
    chunks + text[chunks..].iter().take_while(|character| is_base64(**character)).count()
}

/// Every stretch of `text` of which all characters are of base64 or hexadecimal, enough of them for a canary.
pub(super) fn runs(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let least = 4 * Base64::LEAST;
    let mut start = 0;
    std::iter::from_fn(move || {
        while let Some(next) = text.get(start..start + least) {
            match next.iter().rposition(|character| !is_base64(*character)) {
                Some(last) => start += last + 1,
                None => {
                    let run = start..start + least + base64_prefix(&text[start + least..]);
                    start = run.end + 1;
                    return Some(run);
                }
            }
        }
        None
    })
}

/// Every stretch of a run of `text` that unpacks to printable bytes, enough of them for a canary.
pub(super) fn each<const N: usize, P: Packing<N>>(text: &[u8], run: Range<usize>, mut visit: impl FnMut(&Unpacked)) {
    for phase in run.start..(run.start + N).min(run.end) {
        let (units, rest) = text[phase..run.end].as_chunks::<N>();
        let mut start = 0;
        while let Some(next) = units.get(start..start + P::LEAST) {
            if let Some(last) = next.iter().rposition(|unit| !is_printable::<N, P>(P::unpack(unit))) {
                start += last + 1;
                continue;
            }
            let more = units[start + P::LEAST..].iter().take_while(|unit| is_text::<N, P>(P::unpack(unit))).count();
            let end = start + P::LEAST + more;
            visit(&unpack::<N, P>(phase, units, rest, start..end));
            start = end + 1;
        }
    }
}

/// Unpacks a stretch, and the units on both sides of it, of which the canary may hold a part.
fn unpack<const N: usize, P: Packing<N>>(phase: usize, units: &[[u8; N]], rest: &[u8], run: Range<usize>) -> Unpacked {
    let first = run.start.saturating_sub(1);
    let mut last = [b'='; N];
    match units.get(run.end) {
        Some(unit) => last = *unit,
        None => last[..rest.len()].copy_from_slice(rest),
    }
    let bytes = const { N * P::BITS / 8 };
    let mut text = vec![0; (run.end - first + 1) * bytes];
    for (unit, into) in units[first..run.end].iter().chain([&last]).zip(text.chunks_exact_mut(bytes)) {
        into.copy_from_slice(&P::unpack(unit).to_be_bytes()[4 - bytes..]);
    }
    Unpacked { origin: phase + first * N, bits: P::BITS, text }
}

/// Whether all bytes of a unit are from 32 to 127: bit 7 is clear, and bit 6 or 5 is set.
fn is_printable<const N: usize, P: Packing<N>>(unit: u32) -> bool {
    let wanted = const { 0x0040_4040 >> (24 - N * P::BITS) };
    // `&`, not `&&`: one jump that cannot be foretold is enough.
    (unit & (FOREIGN | 0x0080_8080) == 0) & ((unit | unit << 1) & wanted == wanted)
}

/// Whether all bytes of a unit are printable or white space.
fn is_text<const N: usize, P: Packing<N>>(unit: u32) -> bool {
    let bytes = || unit.to_be_bytes().into_iter().skip(4 - N * P::BITS / 8);
    is_printable::<N, P>(unit) || unit & FOREIGN == 0 && bytes().all(|byte| matches!(byte, 9 | 10 | 13 | 32..=127))
}

/// What each character stands for at each place of a unit. Letters that are not told apart by case are in both.
const fn table<const N: usize>(alphabet: &[u8], bits: usize) -> [[u32; 256]; N] {
    let mut table = [[FOREIGN; 256]; N];
    let mut place = 0;
    while place < N {
        let shift = (N - 1 - place) * bits;
        let mut value = 0;
        while value < alphabet.len() {
            table[place][alphabet[value] as usize] = (value as u32) << shift;
            if bits == 4 {
                table[place][alphabet[value].to_ascii_uppercase() as usize] = (value as u32) << shift;
            }
            value += 1;
        }
        if bits == 6 {
            table[place][b'-' as usize] = 62 << shift;
            table[place][b'_' as usize] = 63 << shift;
        }
        place += 1;
    }
    table
}
