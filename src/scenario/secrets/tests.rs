use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;
use crate::scenario::request::ValueEncoding;

fn secrets(all: &[(&str, &str)]) -> Secrets {
    let mut secrets = Secrets::default();
    all.iter().for_each(|(name, value)| secrets.add(name, value));
    secrets
}

/// `%2F` as `%2f`.
fn with_small_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut left = 0;
    for c in text.chars() {
        left = if c == '%' { 3 } else { left };
        out.push(if left > 0 { c.to_ascii_lowercase() } else { c });
        left = usize::saturating_sub(left, 1);
    }
    out
}

#[test]
fn a_value_is_hidden_in_every_way_that_it_is_written() {
    let value = "p{w}/d \"é\"+&";
    let secrets = secrets(&[("DB_PASSWORD", value)]);
    let doubled = value.replace('{', "{{").replace('}', "}}");
    let all = ValueEncoding::ALL.iter().map(|encoding| encoding.encode(value)).chain([doubled]);
    for written in all.flat_map(|written| [with_small_escapes(&written), written]) {
        assert_eq!(secrets.hide(&format!("a{written}b")), "a${DB_PASSWORD}b", "{written}");
    }
    assert_eq!(secrets.hide("nothing of it"), "nothing of it");
}

// fault: secrets: a server logs a secret escaped for JSON, HTML, a URL or a shell -> hidden
#[test]
fn a_value_is_hidden_under_every_escape_of_servers_and_libraries() {
    let value = "it's/ä b😀\"9";
    let secrets = secrets(&[("DB_PASSWORD", value)]);
    let json = r#"it's\/\u00e4 b\ud83d\ude00\"9"#;
    let all = [
        json.to_owned(),
        json.to_uppercase().replace(r"\U", r"\u").replace("IT'S", "it's").replace(" B", " b"),
        "it&#39;s/&#228; b&#x1F600;&quot;9".to_owned(),
        "it&#039;s&#x2f;&#xe4; b😀&#34;9".to_owned(),
        "it%27s%2F%C3%A4+b%F0%9F%98%80%229".to_owned(),
        "it%27s%2f%c3%a4%20b%f0%9f%98%80%229".to_owned(),
        r#"it\x27s/\xc3\xa4 b\xf0\x9f\x98\x80\"9"#.to_owned(),
        r#"it'\''s/ä b😀"9"#.to_owned(),
        "IT'S/ä B😀\"9".to_owned(),
        value.bytes().map(|byte| format!("{byte:02X}")).collect(),
        // Nested: JSON in JSON, a query in a query, JSON in HTML, HTML in JSON.
        json.replace('\\', r"\\"),
        "it%2527s%252F%25C3%25A4%2520b%25F0%259F%2598%2580%25229".to_owned(),
        r"it&#39;s\/\u00e4 b\ud83d\ude00\&quot;9".to_owned(),
        r"it\u0026#39;s/ä b😀\u0026quot;9".to_owned(),
    ];
    for written in all {
        assert_eq!(secrets.hide(&format!("a{written}b")), "a${DB_PASSWORD}b", "{written}");
    }
}

// fault: secrets: a secret inside base64 -> hidden
#[test]
fn a_value_is_hidden_in_base64_wherever_it_lies_in_that() {
    let value = "hunter2?>~ö";
    let secrets = secrets(&[("API_KEY", value)]);
    for before in ["", "a", "ab", "user:", "a longer text, "] {
        for after in ["", "}", ":x", " and more"] {
            let plain = format!("{before}{value}{after}");
            let percent = STANDARD.encode(&plain).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
            for packed in [STANDARD.encode(&plain), URL_SAFE_NO_PAD.encode(&plain), percent] {
                let hidden = secrets.hide(&format!("Basic {packed} ")).into_owned();
                assert!(hidden.contains("${API_KEY}"), "{plain}: {hidden}");
                // Not one bit of it is left: what is around it unpacks to what was around it, at most.
                let rest = hidden.replace("${API_KEY}", "").len();
                assert!(rest <= "Basic  ".len() + (before.len() + after.len()) * 4 / 3 + 3 * 4, "{plain}: {hidden}");
            }
        }
    }
    assert_eq!(secrets.hide(&STANDARD.encode("something else")), STANDARD.encode("something else"));
}

#[test]
fn the_longer_of_two_values_goes_first_and_what_stands_for_one_is_not_looked_at_again() {
    let secrets = secrets(&[("A_KEY", "abcd"), ("B_KEY", "abcdef"), ("C_KEY", "B_KEY"), ("PASSWORD1", "password1")]);
    assert_eq!(secrets.hide("abcdefabcd"), "${B_KEY}${A_KEY}");
    let once = secrets.hide("B_KEY, password1, Password1").into_owned();
    assert_eq!(once, "${C_KEY}, ${PASSWORD1}, ${PASSWORD1}");
    assert_eq!(secrets.hide(&once), once, "what was hidden once stays as it is");
}

#[test]
fn a_short_value_is_none_and_does_not_tear_texts_apart() {
    let secrets = secrets(&[("A_KEY", "a"), ("B_KEY", "not"), ("C_KEY", " 12 \n")]);
    assert!(secrets.is_empty());
    assert_eq!(secrets.hide("a note of 12"), "a note of 12");
}

// fault: secrets: a text is cut within a secret -> what is left of it is hidden
#[test]
fn a_piece_of_a_value_at_the_edge_of_a_cut_text_is_hidden() {
    let secrets = secrets(&[("API_TOKEN", "eyJhbGciOiJIUzI1NiJ9")]);
    assert_eq!(secrets.hide("GET /?t=eyJhbGciO"), "GET /?t=${API_TOKEN}");
    assert_eq!(secrets.hide("GET /?t=eyJhbGciO…"), "GET /?t=${API_TOKEN}…");
    assert_eq!(secrets.hide("GET /?t=eyJh…"), "GET /?t=${API_TOKEN}…", "a text that says where it was cut");
    assert_eq!(secrets.hide("iJIUzI1NiJ9&a=b"), "${API_TOKEN}&a=b");
    assert_eq!(secrets.hide("GET /?t=eyJ"), "GET /?t=eyJ", "so little could be anything");
    assert_eq!(secrets.cover_cut(b"GET /?t=eyJ"), b"GET /?t=${API_TOKEN}", "a text that is known to be cut here");
}

#[test]
fn half_of_a_short_value_at_the_edge_is_hidden_too() {
    let secrets = secrets(&[("LOGIN", "hunter2-f00d")]);
    assert_eq!(secrets.hide("password hunter2"), "password ${LOGIN}");
    assert_eq!(secrets.hide("ter2-f00d was refused"), "${LOGIN} was refused");
}

#[test]
fn each_line_of_a_value_is_hidden() {
    let secrets = secrets(&[("PRIVATE_KEY", "-----BEGIN-----\nMIIEvQIBADANBg\n")]);
    assert_eq!(secrets.hide("log: MIIEvQIBADANBg"), "log: ${PRIVATE_KEY}");
}

#[test]
fn a_value_that_is_an_escape_itself_is_found_in_a_text_with_escapes() {
    let secrets = secrets(&[("DB_PASSWORD", "p%40ss\"\\u0041")]);
    for written in ["p%40ss\"\\u0041", r#"p%40ss\"\\u0041"#, "p@ss\"A", "p%2540ss%22%5Cu0041"] {
        assert_eq!(secrets.hide(written), "${DB_PASSWORD}", "{written}");
    }
}

#[test]
fn what_is_named_is_filled_in_again_to_the_same() {
    let secrets = secrets(&[("LOGIN", "hunter2-f00d")]);
    assert_eq!(secrets.named("u:hunter2-f00d ${LOGIN}"), "u:${LOGIN} ${LOGIN}");
    assert_eq!(secrets.named("HUNTER2-F00D hunter2%2df00d"), "HUNTER2-F00D hunter2%2df00d");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_no_value_is_left(text in "[ab…é%{}]{0,40}", value in "[ab…é%]{4,12}") {
        let secrets = secrets(&[("X_KEY", &value)]);
        prop_assert!(!secrets.hide(&text).contains(&value));
    }

    #[test]
    fn escapes_of_any_kind_make_nothing_panic(text in r#"([&%\\u{}'x#0-9a-f;+é😀]|\\u[dD][89abcdef]3[dD]|&#x?){0,40}"#) {
        let secrets = secrets(&[("X_KEY", "a\u{e9}'b"), ("Y_KEY", "😀😀😀😀")]);
        let _ = (secrets.hide(&text), secrets.cover(text.as_bytes()), secrets.cover_cut(text.as_bytes()));
    }
}
