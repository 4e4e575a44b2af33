//! Patterns of texts: of ECMA-262 in the document, as far as they mean the same here.

use rand::{RngExt as _, SeedableRng as _};
use regex::{Regex, RegexBuilder};

/// How often a text is made before none is found.
const TRIES: usize = 32;

/// A pattern, if it is one that can be read: those that look around cannot.
pub(super) fn read(written: &str) -> Option<Regex> {
    RegexBuilder::new(&translated(written, false)).size_limit(1 << 20).build().ok()
}

/// A text that a pattern makes.
pub(super) fn example(written: &str, fits: impl Fn(&str) -> bool) -> Option<String> {
    // What is made is looked at afterwards, by the pattern with its anchors.
    let made = rand_regex::Regex::compile(&translated(written, true), 12).ok()?;
    let mut random = rand::rngs::StdRng::seed_from_u64(1);
    let mut texts = (0..TRIES).map(|_| random.sample::<String, _>(&made));
    texts.find(|text| fits(text) && !text.chars().any(char::is_control))
}

/// A pattern with the digits and letters of ASCII for `\d` and `\w`, as JavaScript has them. For making texts also without
/// anchors, and with plain characters where it allows any.
fn translated(pattern: &str, makes: bool) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match (chars.next(), in_class) {
                (Some('d'), true) => out.push_str("0-9"),
                (Some('d'), false) => out.push_str("[0-9]"),
                (Some('w'), true) => out.push_str("A-Za-z0-9_"),
                (Some('w'), false) => out.push_str("[A-Za-z0-9_]"),
                (Some('s'), _) if makes => out.push(' '),
                (Some('S'), false) if makes => out.push_str("[A-Za-z0-9]"),
                (Some('Z'), false) => out.push_str("\\z"),
                (Some(c), _) => out.extend(['\\', c]),
                (None, _) => out.push('\\'),
            },
            '[' if !in_class => {
                in_class = true;
                if makes && chars.peek() == Some(&'^') {
                    // The end of the class is doubled below.
                    out.push_str("[-A-Za-z0-9_ &&[");
                    let inside = class(&mut chars);
                    out.push_str(&translated_class(&inside));
                    out.push_str("]]");
                    in_class = false;
                } else {
                    out.push('[');
                }
            }
            // A bracket in a class is one of its characters.
            '[' => out.push_str("\\["),
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => out.extend(['\\', c]),
            '^' | '$' if makes && !in_class => {}
            '.' if makes && !in_class => out.push_str("[a-z0-9]"),
            c => out.push(c),
        }
    }
    out
}

/// What stands in a class, up to its end.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut inside = String::new();
    while let Some(c) = chars.next() {
        match c {
            ']' => break,
            '\\' => inside.extend(['\\'].into_iter().chain(chars.next())),
            c => inside.push(c),
        }
    }
    inside
}

fn translated_class(inside: &str) -> String {
    let whole = translated(&format!("[{inside}]"), false);
    whole[1..whole.len().saturating_sub(1)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_pattern_is_plain() {
        for pattern in [
            r"^[A-Z]{2}-\d{4}$",
            r"^[^/\s]{3,5}$",
            r"^\w+@\w+\.com$",
            "^.{8}$",
            r"^(a|b)\/[\w.-]+$",
            r"^[[\]]$",
            "^a&&b~$",
        ] {
            let regex = read(pattern).unwrap();
            let text = example(pattern, |text| regex.is_match(text)).unwrap_or_else(|| panic!("{pattern}"));
            assert!(text.is_ascii() && regex.is_match(&text), "{pattern}: {text}");
        }
        assert!(read(r"^(?=.*\d).+$").is_none());
        assert!(!read(r"^\d$").unwrap().is_match("๙"));
    }
}
