use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::{SHAPES, word_of};
use crate::canary::{Canaries, CanaryEncoding, CanaryShape, Length};

/// Ways to write a text; the second part of some says which of its characters are escaped.
#[derive(Debug, Clone, Copy)]
enum Writing {
    Percent(u64),
    HtmlDecimal(u64),
    HtmlHex(u64),
    JsonU(u64),
    JsonX(u64),
    Base64,
    Base64Url,
    Mime,
    Hex,
    UpperHex,
}

use Writing::*;

impl Writing {
    fn write(self, text: &str) -> String {
        let some = |which: u64, escape: &dyn Fn(u32) -> String| -> String {
            let escaped = |at: usize, c: char| which >> (at % 64) & 1 == 1 || "%&\\".contains(c);
            text.chars().enumerate().map(|(at, c)| if escaped(at, c) { escape(c.into()) } else { c.into() }).collect()
        };
        let bytes = |byte: &dyn Fn(u8) -> String| text.bytes().map(byte).collect();
        match self {
            Percent(which) => some(which, &|c| format!("%{c:02X}")),
            HtmlDecimal(which) => some(which, &|c| format!("&#{c};")),
            HtmlHex(which) => some(which, &|c| format!("&#x{c:04x};")),
            JsonU(which) => some(which, &|c| format!("\\u{c:04x}")),
            JsonX(which) => some(which, &|c| format!("\\x{c:02x}")),
            Base64 => STANDARD.encode(text),
            Base64Url => URL_SAFE_NO_PAD.encode(text),
            Mime => {
                let lines: Vec<String> = STANDARD
                    .encode(text)
                    .as_bytes()
                    .chunks(76)
                    .map(|line| String::from_utf8_lossy(line).into())
                    .collect();
                lines.join("\r\n")
            }
            Hex => bytes(&|byte| format!("{byte:02x}")),
            UpperHex => bytes(&|byte| format!("{byte:02X}")),
        }
    }

    fn layers(self) -> usize {
        if matches!(self, Mime) { 2 } else { 1 }
    }

    fn encoding(self) -> CanaryEncoding {
        match self {
            Percent(_) => CanaryEncoding::Percent,
            HtmlDecimal(_) | HtmlHex(_) => CanaryEncoding::Html,
            JsonU(_) | JsonX(_) => CanaryEncoding::Json,
            Base64 | Base64Url | Mime => CanaryEncoding::Base64,
            Hex | UpperHex => CanaryEncoding::Hex,
        }
    }
}

/// All characters escaped, or some.
fn writing() -> impl Strategy<Value = Writing> {
    let which = || prop_oneof![Just(u64::MAX), any::<u64>()];
    prop_oneof![
        which().prop_map(Percent),
        which().prop_map(HtmlDecimal),
        which().prop_map(HtmlHex),
        which().prop_map(JsonU),
        which().prop_map(JsonX),
        proptest::sample::select(&[Base64, Base64Url, Mime, Hex, UpperHex]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_canary_is_found_in_any_nest_of_three_encodings(
        writings in proptest::collection::vec(writing(), 1..=3),
        shape in proptest::sample::select(&SHAPES),
        length in proptest::sample::select(&[Length::Any, Length::Long, Length::Short]),
        seed: u64,
        owner in 0u64..1 << 35,
        (before, after) in ("[ -$'-/:-@g-y]{0,100}", "[ -$'-/:-@g-y]{0,100}"),
        glued in "[A-Za-z]{0,3}",
        upper: bool,
    ) {
        prop_assume!(writings.iter().map(|writing| writing.layers()).sum::<usize>() <= 3);
        let mut canaries = Canaries::new(seed);
        let canary = canaries.make(owner, shape, length);
        let written = if upper { canary.to_uppercase() } else { canary.clone() };
        let text = writings.iter().fold(format!("{before}{written}{after}"), |text, writing| writing.write(&text));
        let text = format!("{glued}{text}");
        let found = canaries.scan(text.as_bytes());
        prop_assert_eq!(found.len(), 1, "{}", text);
        prop_assert_eq!((found[0].owner, found[0].canary.as_str()), (owner, word_of(&canary)));
        let mut overwritten = text.clone();
        overwritten.replace_range(found[0].range.clone(), "!");
        prop_assert_eq!(canaries.scan(overwritten.as_bytes()), [], "not where it was said to stand: {}", text);
    }

    #[test]
    fn where_an_encoded_canary_stands_is_exact(
        writing in writing(),
        shape in proptest::sample::select(&SHAPES),
        owner in 0u64..1 << 35,
        (before, after) in ("[ -$'-/:-@g-y]{0,50}", "[ -$'-/:-@g-y]{0,50}"),
    ) {
        let mut canaries = Canaries::new(owner);
        let canary = canaries.make(owner, shape, Length::Any);
        let text = writing.write(&format!("{before}{canary}{after}"));
        let found = canaries.scan(text.as_bytes());
        prop_assert_eq!(found.len(), 1, "{}", text);
        // The first and the last character of a base64 text may belong to its neighbours as well.
        let base64 = writing.encoding() == CanaryEncoding::Base64;
        let cut = |end: usize| writing.write(&format!("{before}{canary}{after}")[..end]).replace('=', if base64 { "" } else { "=" }).len();
        let (start, end) = (cut(before.len()), cut(before.len() + word_of(&canary).len()));
        prop_assert_eq!(found[0].range.end, end, "{} {:?}", text, found);
        prop_assert!(start - found[0].range.start <= usize::from(base64), "{}", text);
        let raw = text[found[0].range.clone()] == *word_of(&canary);
        prop_assert_eq!(found[0].encoding, if raw { CanaryEncoding::Plain } else { writing.encoding() });
    }
}

#[test]
fn a_token_tells_whose_it_is() {
    let mut canaries = Canaries::new(1);
    for (owner, shape) in SHAPES.into_iter().enumerate() {
        let canary = canaries.make(owner as u64, shape, Length::Any);
        let claims = format!(r#"{{"sub":"{canary}","iat":1516239022}}"#);
        let (head, claims) = (URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(claims));
        let text = format!("set-cookie: token=key_{head}.{claims}.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c; path=/");
        let found = canaries.scan(text.as_bytes());
        assert_eq!((found.len(), found[0].owner, found[0].encoding), (1, owner as u64, CanaryEncoding::Base64));
    }
}

#[test]
fn a_canary_amid_binary_is_found_in_base64() {
    let mut canaries = Canaries::new(2);
    for before in 0..4 {
        let canary = canaries.make(9, CanaryShape::Word, Length::Short);
        let packed = [&vec![0xff; before], canary.as_bytes(), &[0xff, 0xfb, 0x00]].concat();
        assert_eq!(canaries.count(STANDARD.encode(&packed).as_bytes(), &canary), 1);
        assert_eq!(canaries.count(URL_SAFE_NO_PAD.encode(&packed).as_bytes(), &canary), 1);
    }
}

#[test]
fn base64_in_lines_within_json_is_found() {
    let mut canaries = Canaries::new(3);
    let canary = canaries.make(5, CanaryShape::Word, Length::Long);
    let lines = Mime.write(&format!("{}{canary}", "Dear all,\n".repeat(20)));
    let json = format!(r#"{{"mail":"{}"}}"#, lines.replace("\r\n", "\\r\\n").replace('/', "\\/"));
    assert_eq!(canaries.count(json.as_bytes(), &canary), 1);
}
