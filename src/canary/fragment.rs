//! Parts of earlier canaries: what is left in a buffer that a shorter value was written over.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use super::{DOMAIN, Found, code};

/// Characters that are looked up at once; no fragment is shorter.
const GRAM: usize = 8;
/// No fragment tells less than 8 characters of a word: 40 bits.
const LEAST_BITS: f64 = 40.0;
/// Chance accuses at most one text in 2^20.
const CERTAINTY_BITS: f64 = 20.0;
/// Buckets of the filter, a power of two.
const BUCKETS: usize = 1 << 16;

/// An index over the canaries issued last.
///
/// A fragment is part of a canary behind its mark, where every character looks random: `b` bits of information each, 5 of a
/// word, 4 of a UUID (dashes, version and variant tell nothing), log2(10) = 3.3 of digits. Somewhere among `t` characters of
/// text, chance repeats one of `g` places in the index for `n` characters with a probability of at most `t g 2^(-b n)`,
/// whatever the text is, as long as it does not depend on the canaries. So a fragment must have
///
/// `b n >= max(40, log2(t) + log2(g) + 20)` bits,
///
/// and chance then accuses fewer than one text in a million. The characters that this takes:
///
/// | text   | earlier canaries       | word | UUID | digits |
/// | ------ | ---------------------- | ---- | ---- | ------ |
/// | 1 KB   | 30 of ordinary length  | 8    | 10   | 13     |
/// | 10 KB  | 300 of ordinary length | 10   | 12   | 14     |
/// | 1 MB   | 300, a quarter long    | 11   | 14   | 17     |
#[derive(Debug)]
pub struct Fragments {
    capacity: usize,
    issued: VecDeque<Issued>,
    /// The number of the first of `issued`, counted from the first ever.
    first: usize,
    /// The number of a canary and the place in it, for each of its places.
    places: HashMap<[u8; GRAM], Vec<(usize, usize)>>,
    /// How many places fall into each bucket: most texts hold none of them.
    filter: Vec<u16>,
    /// Places of all canaries.
    total: usize,
}

#[derive(Debug)]
struct Issued {
    owner: u64,
    /// What stands behind the mark.
    text: Vec<u8>,
    /// What each of its characters tells, in bits.
    bits: Vec<f64>,
}

/// A part of an earlier canary that stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Whose canary it is a part of.
    pub owner: u64,
    /// Where it stands in the text, in bytes.
    pub range: Range<usize>,
    /// How many of its characters are random.
    pub length: usize,
}

impl Fragments {
    /// Remembers the last `capacity` canaries; up to 300 or so cost little.
    pub fn new(capacity: usize) -> Self {
        Fragments {
            capacity: capacity.max(1),
            issued: VecDeque::new(),
            first: 0,
            places: HashMap::new(),
            filter: vec![0; BUCKETS],
            total: 0,
        }
    }

    /// Remembers a canary as [`super::Canaries::make`] made it; the oldest is forgotten if there are too many.
    pub fn add(&mut self, owner: u64, canary: &str) {
        if self.issued.len() == self.capacity {
            self.forget();
        }
        let issued = Issued::of(owner, canary);
        let number = self.first + self.issued.len();
        for (place, gram) in grams(&issued.text).enumerate() {
            self.places.entry(gram).or_default().push((number, place));
            self.filter[bucket(gram)] += 1;
            self.total += 1;
        }
        self.issued.push_back(issued);
    }

    /// The fragment in `text` that tells most, if one tells enough. `whole` are all canaries in the text in order, as
    /// [`super::Canaries::scan`] found them: their parts do not count. Neither do parts of canaries of `own`, which must have
    /// been added before. Neither do those that do not `accuse`.
    pub fn find(
        &self,
        text: &[u8],
        own: u64,
        whole: &[Found],
        accuses: impl Fn(&Fragment) -> bool,
    ) -> Option<Fragment> {
        let needed = (text.len() as f64).log2() + (self.total as f64).log2() + CERTAINTY_BITS;
        let least = needed.max(LEAST_BITS);
        let mut best: Option<(f64, Fragment)> = None;
        let mut start = 0;
        let gaps = whole.iter().map(|found| found.range.clone()).chain(std::iter::once(text.len()..text.len()));
        for known in gaps {
            let gap = start..known.start.max(start);
            start = known.end.max(start);
            self.find_between(&text[gap.clone()], own, &mut |bits, found| {
                if bits < least || best.as_ref().is_some_and(|(most, _)| bits <= *most) {
                    return;
                }
                let range = gap.start + found.range.start..gap.start + found.range.end;
                let found = Fragment { range, ..found };
                if accuses(&found) {
                    best = Some((bits, found));
                }
            });
        }
        best.map(|(_, fragment)| fragment)
    }

    /// Visits every fragment of [`GRAM`] or more characters, with its bits.
    fn find_between(&self, text: &[u8], own: u64, visit: &mut impl FnMut(f64, Fragment)) {
        // Up to where each canary has been compared, so that a fragment is read once.
        let mut compared: HashMap<(usize, usize), usize> = HashMap::new();
        // Up to where the text is a part of an own canary, which another may share.
        let mut own_end = 0;
        for (at, gram) in grams(text).enumerate() {
            if self.filter[bucket(gram)] == 0 {
                continue;
            }
            let places = || self.places.get(&gram).into_iter().flatten().map(|(number, place)| (number, *place));
            let end_of = |issued: &Issued, place: usize| {
                at + text[at..].iter().zip(&issued.text[place..]).take_while(|(a, b)| a == b).count()
            };
            for (number, place) in places() {
                let issued = &self.issued[number - self.first];
                if issued.owner == own && at + GRAM > own_end {
                    own_end = end_of(issued, place);
                }
            }
            for (number, place) in places() {
                let issued = &self.issued[number - self.first];
                // The same for all grams of one fragment: where the canary would begin.
                let diagonal = (*number, at + issued.text.len() - place);
                if issued.owner == own || compared.get(&diagonal).is_some_and(|end| *end > at) {
                    continue;
                }
                let end = end_of(issued, place);
                compared.insert(diagonal, end);
                if end > own_end {
                    let bits = &issued.bits[place..place + end - at];
                    let length = bits.iter().filter(|bits| **bits > 0.0).count();
                    visit(bits.iter().sum(), Fragment { owner: issued.owner, range: at..end, length });
                }
            }
        }
    }

    fn forget(&mut self) {
        let Some(oldest) = self.issued.pop_front() else { return };
        for gram in grams(&oldest.text) {
            if let Some(places) = self.places.get_mut(&gram) {
                places.retain(|(number, _)| *number != self.first);
                if places.is_empty() {
                    self.places.remove(&gram);
                }
            }
            self.filter[bucket(gram)] -= 1;
            self.total -= 1;
        }
        self.first += 1;
    }
}

impl Issued {
    fn of(owner: u64, canary: &str) -> Self {
        let canary = canary.strip_suffix(DOMAIN).unwrap_or(canary).as_bytes();
        let (mark, each) = match (canary.contains(&b'-'), canary.iter().all(u8::is_ascii_digit)) {
            (true, _) => (code::NUMBER_MARK.len(), 4.0),
            // The length, of which there are few, tells nothing.
            (_, true) => (code::NUMBER_MARK.len() + 1, 10f64.log2()),
            _ => (code::WORD_MARK.len() + 1, 5.0),
        };
        // Dashes, version and variant.
        let says_nothing = |at: usize| canary[8] == b'-' && [8, 13, 14, 18, 19, 23].contains(&at);
        let bits = (mark..canary.len()).map(|at| if says_nothing(at) { 0.0 } else { each });
        Issued { owner, bits: bits.collect(), text: canary[mark..].to_vec() }
    }
}

fn grams(text: &[u8]) -> impl Iterator<Item = [u8; GRAM]> {
    (0..text.len()).map_while(|at| text[at..].first_chunk().copied())
}

/// Fibonacci hashing.
fn bucket(gram: [u8; GRAM]) -> usize {
    (u64::from_le_bytes(gram).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BUCKETS.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use rand::{Rng as _, RngExt as _, SeedableRng as _};

    use super::*;
    use crate::canary::{Canaries, CanaryShape, Length};

    const MINE: u64 = 1_000_000;

    /// Canaries of one shape by their owners, and the index over them.
    fn issued(shape: CanaryShape, length: Length, count: usize) -> (Canaries, Vec<String>, Fragments) {
        let mut canaries = Canaries::new(11);
        let all: Vec<String> = (0..count as u64).map(|owner| canaries.make(owner, shape, length)).collect();
        let mut fragments = Fragments::new(count);
        (0..).zip(&all).for_each(|(owner, canary)| fragments.add(owner, canary));
        (canaries, all, fragments)
    }

    fn find(canaries: &Canaries, fragments: &Fragments, text: &str, own: u64) -> Option<Fragment> {
        fragments.find(text.as_bytes(), own, &canaries.scan(text.as_bytes()), |_| true)
    }

    #[test]
    fn the_tail_of_a_longer_value_is_traced_to_its_owner() {
        for shape in [CanaryShape::Word, CanaryShape::Email, CanaryShape::Digits] {
            let (mut canaries, all, fragments) = issued(shape, Length::Long, 5);
            let short = canaries.make(MINE, shape, Length::Short);
            let word = all[3].strip_suffix(DOMAIN).unwrap_or(&all[3]);
            let tail = &word[word.len() - 13..];
            let found = find(&canaries, &fragments, &format!("<p>{short} {tail}</p>"), MINE).unwrap();
            assert_eq!((found.owner, found.length), (3, 13), "{shape:?}");
            assert_eq!(found.range, short.len() + 4..short.len() + 17);
        }
    }

    #[test]
    fn eight_characters_of_a_word_tell_and_seven_do_not() {
        let (canaries, all, fragments) = issued(CanaryShape::Word, Length::Any, 20);
        let of = |count: usize| find(&canaries, &fragments, &format!("<p>{}!</p>", &all[7][4..4 + count]), MINE);
        assert_eq!(of(8), Some(Fragment { owner: 7, range: 3..11, length: 8 }));
        assert_eq!(of(7), None);
    }

    #[test]
    fn digits_and_uuids_take_more_characters_for_the_same_certainty() {
        for (shape, least) in [(CanaryShape::Digits, 13), (CanaryShape::Uuid, 10)] {
            let (canaries, all, fragments) = issued(shape, Length::Any, 5);
            // The last group of a UUID has 12 digits and no dash.
            let of = |count: usize| find(&canaries, &fragments, &all[2][all[2].len() - count..], MINE);
            assert_eq!(of(least).map(|found| (found.owner, found.length)), Some((2, least)), "{shape:?}");
            assert_eq!(of(least - 1), None, "{shape:?}");
        }
    }

    #[test]
    fn dashes_version_and_variant_of_a_uuid_do_not_count() {
        let (canaries, all, fragments) = issued(CanaryShape::Uuid, Length::Any, 5);
        let found = find(&canaries, &fragments, &all[1][3..30], MINE).unwrap();
        assert_eq!((found.owner, found.range, found.length), (1, 0..27, 27 - 4 - 2));
    }

    #[test]
    fn the_longest_of_several_is_told() {
        let (canaries, all, fragments) = issued(CanaryShape::Word, Length::Long, 5);
        let text = format!("{} {} {}", &all[0][5..20], &all[1][5..60], &all[2][5..30]);
        assert_eq!(find(&canaries, &fragments, &text, MINE), Some(Fragment { owner: 1, range: 16..71, length: 55 }));
    }

    #[test]
    fn whole_canaries_and_parts_of_the_own_one_are_no_fragments() {
        let (canaries, all, fragments) = issued(CanaryShape::Word, Length::Long, 5);
        assert_eq!(find(&canaries, &fragments, &format!("{} {}", all[0], all[1]), MINE), None);
        assert_eq!(find(&canaries, &fragments, &all[2][9..90], 2), None);
        assert_eq!(find(&canaries, &fragments, &all[2][9..90], 3).map(|found| found.owner), Some(2));
    }

    #[test]
    fn one_that_is_excused_hides_no_other() {
        let (_, all, fragments) = issued(CanaryShape::Word, Length::Long, 5);
        let text = format!("{} {}", &all[1][5..60], &all[2][5..30]);
        let found = fragments.find(text.as_bytes(), MINE, &[], |found| found.owner != 1);
        assert_eq!(found, Some(Fragment { owner: 2, range: 56..81, length: 25 }));
    }

    #[test]
    fn the_oldest_are_forgotten_and_leave_nothing_behind() {
        let (mut canaries, all, mut fragments) = issued(CanaryShape::Word, Length::Any, 50);
        for owner in 50..100 {
            fragments.add(owner, &canaries.make(owner, CanaryShape::Uuid, Length::Any));
        }
        assert!(all.iter().all(|old| find(&canaries, &fragments, &old[4..], MINE).is_none()));
        for _ in 0..50 {
            fragments.forget();
        }
        assert!(
            fragments.places.is_empty() && fragments.total == 0 && fragments.filter.iter().all(|count| *count == 0)
        );
    }

    /// 1 MB each of texts that a clean server may well send.
    fn innocent() -> Vec<(&'static str, Vec<u8>)> {
        const SIZE: usize = 1_000_000;
        let mut random = rand::rngs::StdRng::seed_from_u64(5);
        let mut bytes = vec![0; SIZE];
        random.fill_bytes(&mut bytes);
        let mut of = |alphabet: &[u8]| (0..SIZE).map(|_| alphabet[random.random_range(0..alphabet.len())]).collect();
        vec![
            ("hexadecimal", of(b"0123456789abcdef")),
            ("base 32", of(b"0123456789abcdefghjkmnpqrstvwxyz")),
            ("digits", of(b"0123456789")),
            ("words", of(b"eeetaoinshrdlu    ")),
            ("base64", base64::engine::general_purpose::STANDARD.encode(&bytes).into_bytes()),
            ("bytes", bytes),
        ]
    }

    #[test]
    fn chance_accuses_nobody() {
        let mut canaries = Canaries::new(12);
        let mut fragments = Fragments::new(300);
        for owner in 0..300 {
            let shape = [CanaryShape::Word, CanaryShape::Uuid, CanaryShape::Digits][owner as usize % 3];
            let length = [Length::Any, Length::Long, Length::Short][owner as usize / 3 % 3];
            fragments.add(owner, &canaries.make(owner, shape, length));
        }
        for (kind, text) in innocent() {
            // Pages of 10 KB, which are judged one by one.
            let pages = text.chunks(10_000);
            let accused: Vec<_> = pages.filter_map(|page| fragments.find(page, MINE, &[], |_| true)).collect();
            assert_eq!(accused, [], "{kind}");
        }
    }

    #[test]
    fn what_the_own_canary_shares_with_another_accuses_nobody() {
        let word = |tail: &str| format!("zq0{}{tail}", "0123456789abcdef");
        let mut fragments = Fragments::new(2);
        fragments.add(1, &word("mine"));
        fragments.add(2, &word("theirs"));
        let find = |text: &[u8], own| fragments.find(text, own, &[], |_| true);
        let text = word("min");
        assert_eq!(find(text.as_bytes(), 1), None);
        assert_eq!(find(text.as_bytes(), MINE).map(|found| found.owner), Some(1));
        assert_eq!(find(word("the").as_bytes(), 1).map(|found| found.owner), Some(2));
    }
}
