use proptest::prelude::*;
use std::collections::BTreeSet;

use super::*;

mod encodings;

pub(super) const SHAPES: [CanaryShape; 4] =
    [CanaryShape::Word, CanaryShape::Email, CanaryShape::Uuid, CanaryShape::Digits];
const LENGTHS: [Length; 3] = [Length::Any, Length::Long, Length::Short];

/// The part of a canary by which it is recognised.
pub(super) fn word_of(canary: &str) -> &str {
    canary.strip_suffix(DOMAIN).unwrap_or(canary)
}

#[test]
fn a_canary_names_its_owner_wherever_it_stands() {
    let mut canaries = Canaries::new(7);
    let mut make = |owner| canaries.make(owner, CanaryShape::Word, Length::Any);
    let (mine, theirs) = (make(17), make(4_000_000_000));
    let page = format!("HTTP/1.1 200 OK\r\nx-user: {mine}\r\n\r\nzqzq<p>Hello, {theirs}{mine}</p>zq");
    let owners: Vec<u64> = canaries.scan(page.as_bytes()).iter().map(|found| found.owner).collect();
    assert_eq!(owners, [17, 4_000_000_000, 17]);
    assert_eq!((canaries.count(page.as_bytes(), &mine), canaries.count(page.as_bytes(), &theirs)), (2, 1));
}

#[test]
fn the_pattern_matches_every_canary_whole_and_little_else() {
    let pattern = regex::Regex::new(PATTERN).unwrap();
    let mut canaries = Canaries::new(11);
    for (shape, length) in SHAPES.into_iter().flat_map(|shape| LENGTHS.map(|length| (shape, length))) {
        for owner in [1, 77, 4_000_000_000] {
            let canary = canaries.make(owner, shape, length);
            for text in [format!("<p>{canary}</p>"), format!("user={canary}&x=1"), canary.to_uppercase()] {
                let found = pattern.find(&text).unwrap().as_str();
                assert_eq!(found.to_lowercase(), word_of(&canary), "{text}");
            }
        }
    }
    for text in ["zq", "zqzqzq", "709", "order 70912345", "the quick brown fox", "zq0123456789abcdefgh"] {
        assert!(!pattern.is_match(text), "{text}");
    }
}

#[test]
fn another_run_has_other_canaries() {
    let (mut one, other) = (Canaries::new(1), Canaries::new(2));
    for shape in SHAPES {
        let text = one.make(5, shape, Length::Any);
        assert_eq!((one.scan(text.as_bytes()).len(), other.scan(text.as_bytes()).len()), (1, 0));
    }
}

#[test]
fn lengths_differ_and_keep_within_what_is_promised() {
    let mut canaries = Canaries::new(3);
    let mut lengths = |shape, length| {
        let all: BTreeSet<usize> = (0..300).map(|owner| word_of(&canaries.make(owner, shape, length)).len()).collect();
        (all.len(), *all.first().unwrap(), *all.last().unwrap())
    };
    assert_eq!(lengths(CanaryShape::Word, Length::Any), (16, 21, 36));
    assert_eq!(lengths(CanaryShape::Word, Length::Long), (12, 120, 197));
    assert_eq!(lengths(CanaryShape::Word, Length::Short), (1, 21, 21));
    assert_eq!(lengths(CanaryShape::Email, Length::Any), (16, 21, 36));
    assert_eq!(lengths(CanaryShape::Email, Length::Long), (4, 52, 64));
    assert_eq!(lengths(CanaryShape::Digits, Length::Any), (5, 26, 30));
    assert_eq!(lengths(CanaryShape::Digits, Length::Long), (1, 30, 30));
    assert_eq!(lengths(CanaryShape::Uuid, Length::Any), (1, 36, 36));
}

#[test]
fn a_uuid_is_recognised_without_dashes_and_in_upper_case() {
    let mut canaries = Canaries::new(4);
    let uuid = canaries.make(12, CanaryShape::Uuid, Length::Any);
    for (written, encoding) in [
        (uuid.clone(), CanaryEncoding::Plain),
        (uuid.replace('-', ""), CanaryEncoding::Case),
        (uuid.to_uppercase(), CanaryEncoding::Case),
        (uuid.to_uppercase().replace('-', ""), CanaryEncoding::Case),
    ] {
        let found = canaries.scan(format!("709-{written}a").as_bytes());
        assert_eq!(found, [Found { owner: 12, range: 4..4 + written.len(), encoding, canary: uuid.clone() }]);
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_found_once() {
    let mut canaries = Canaries::new(4);
    let uuid = canaries.make(12, CanaryShape::Uuid, Length::Any);
    assert!(uuid.starts_with('7'));
    let found = canaries.scan(format!("%3{uuid} %3{uuid}").as_bytes());
    let ranges: Vec<_> = found.into_iter().map(|found| (found.range, found.encoding)).collect();
    assert_eq!(ranges, [(2..38, CanaryEncoding::Plain), (41..77, CanaryEncoding::Plain)]);
}

proptest! {
    #[test]
    fn any_canary_is_found_alone_and_in_mixed_case(
        seed: u64,
        owner in 0u64..1 << 35,
        shape in proptest::sample::select(&SHAPES),
        length in proptest::sample::select(&LENGTHS),
        upper: u64,
        around in "[ -~]{0,30}",
    ) {
        let mut canaries = Canaries::new(seed);
        let canary = canaries.make(owner, shape, length);
        let word = word_of(&canary);
        let flipped: String = canary
            .char_indices()
            .map(|(at, c)| if upper >> (at % 64) & 1 == 1 { c.to_ascii_uppercase() } else { c })
            .collect();
        for (written, encoding) in [(&canary, CanaryEncoding::Plain), (&flipped, CanaryEncoding::Case)] {
            let encoding = if written[..word.len()] == *word { CanaryEncoding::Plain } else { encoding };
            let range = around.len()..around.len() + word.len();
            let found = canaries.scan(format!("{around}{written}{around}").as_bytes());
            prop_assert_eq!(found, [Found { owner, range, encoding, canary: word.to_owned() }]);
        }
    }

    #[test]
    fn canaries_have_the_form_of_their_shape(seed: u64, owner in 0u64..1 << 35) {
        let mut canaries = Canaries::new(seed);
        let uuid = canaries.make(owner, CanaryShape::Uuid, Length::Any);
        let groups: Vec<usize> = uuid.split('-').map(str::len).collect();
        prop_assert_eq!(groups, [8, 4, 4, 4, 12]);
        prop_assert!(uuid.chars().all(|c| c == '-' || c.is_ascii_hexdigit()), "{}", uuid);
        prop_assert!(&uuid[14..15] == "4" && "89ab".contains(&uuid[19..20]), "{}", uuid);
        let digits = canaries.make(owner, CanaryShape::Digits, Length::Any);
        prop_assert!(digits.chars().all(|c| c.is_ascii_digit()) && !digits.starts_with('0'), "{}", digits);
    }

    #[test]
    fn a_changed_character_is_no_canary(at in 0usize..36, seed in 0u64..1000, shape in proptest::sample::select(&SHAPES)) {
        let mut canaries = Canaries::new(seed);
        let mut text = word_of(&canaries.make(seed, shape, Length::Any)).as_bytes().to_vec();
        let at = at % text.len();
        // A UUID has two bits of variant that say nothing.
        prop_assume!(shape != CanaryShape::Uuid || at != 19);
        text[at] = if text[at] == b'7' { b'8' } else { b'7' };
        prop_assert_eq!(canaries.scan(&text), []);
    }

    #[test]
    fn arbitrary_bytes_hold_no_canary(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(Canaries::new(0).scan(&bytes), []);
    }
}
