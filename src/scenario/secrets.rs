//! Values that are not to be shown, and what stands in their place: `${API_TOKEN}`.

use std::borrow::Cow;
use std::fmt;

use super::request::Encoding;

/// A value with fewer characters is found out by trying, and stands in every other word: it is no secret.
const SHORTEST: usize = 4;
/// A text may be cut within a value: a piece of so many bytes at its edge is hidden as well.
const SHORTEST_PIECE: usize = 8;

/// The values of the environment variables that hold secrets, in every way that runner writes them.
#[derive(Clone, Default)]
pub struct Secrets {
    /// What may stand in a text, and what is to stand there; the longest first.
    forms: Vec<(String, String)>,
    names: Vec<String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.names).finish()
    }
}

impl Secrets {
    /// Takes note of a variable's value.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        if self.names.iter().any(|known| known == name) || value.trim().chars().count() < SHORTEST {
            return;
        }
        self.names.push(name.to_owned());
        let lines = value.lines().filter(|line| line.len() >= SHORTEST_PIECE);
        for value in [value, value.trim()].into_iter().chain(lines) {
            for form in forms(value) {
                if !self.forms.iter().any(|(known, _)| *known == form) {
                    self.forms.push((form, format!("${{{name}}}")));
                }
            }
        }
        // One may begin with another: what is left of the longer would tell the rest.
        self.forms.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Of the variables.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The length of the longest way to write one, in bytes.
    pub fn longest(&self) -> usize {
        self.forms.first().map_or(0, |(form, _)| form.len())
    }

    /// The text with `${NAME}` in place of every value.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        let head = self.piece_in_front(text.as_bytes());
        let (stands_for_head, after) = head.map_or(("", 0), |(length, name)| (name, length));
        let (mut out, rest) = self.cover(&text.as_bytes()[after..]);
        let end = rest.len() - if rest.ends_with("…".as_bytes()) { "…".len() } else { 0 };
        let tail = (0..end).find_map(|at| Some((at, self.piece_behind(&rest[at..end])?)));
        match tail {
            None => out.extend_from_slice(rest),
            Some((at, name)) => {
                out.extend_from_slice(&rest[..at]);
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(&rest[end..]);
            }
        }
        let out = format!("{stands_for_head}{}", String::from_utf8_lossy(&out));
        if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
    }

    /// The same for bytes that are no text, or not all of one: what is covered, and the rest behind the last value.
    pub fn cover<'b>(&self, bytes: &'b [u8]) -> (Vec<u8>, &'b [u8]) {
        let (mut out, mut copied, mut at) = (Vec::new(), 0, 0);
        while at < bytes.len() {
            let Some((form, name)) = self.forms.iter().find(|(form, _)| bytes[at..].starts_with(form.as_bytes()))
            else {
                at += 1;
                continue;
            };
            out.extend_from_slice(&bytes[copied..at]);
            out.extend_from_slice(name.as_bytes());
            at += form.len();
            copied = at;
        }
        (out, &bytes[copied..])
    }

    /// The end of a value with which a text begins, where more follows: its length, and what stands for it.
    fn piece_in_front(&self, bytes: &[u8]) -> Option<(usize, &str)> {
        let pieces = self.forms.iter().flat_map(|(form, name)| {
            let last = form.len().saturating_sub(SHORTEST_PIECE);
            (1..=last).map(move |from| (&form.as_bytes()[from..], name.as_str()))
        });
        let found = pieces.filter(|(piece, _)| bytes.len() > piece.len() && bytes.starts_with(piece));
        found.map(|(piece, name)| (piece.len(), name)).max_by_key(|(length, _)| *length)
    }

    /// What stands for these bytes if a value begins with them.
    fn piece_behind(&self, bytes: &[u8]) -> Option<&str> {
        let begins = |(form, _): &&(String, String)| form.as_bytes().starts_with(bytes);
        let found = self.forms.iter().filter(|_| bytes.len() >= SHORTEST_PIECE).find(begins);
        found.map(|(_, name)| name.as_str())
    }
}

/// How a value is written in requests, templates, JSON, TOML, HTML, and between quotes by shells and programs.
fn forms(value: &str) -> Vec<String> {
    // The braces of a template stand for one when they are doubled, and are doubled where it is shown.
    let sent = value.replace("{{", "{").replace("}}", "}");
    let shown = value.replace('{', "{{").replace('}', "}}");
    let mut forms = vec![shown];
    for value in [value, &sent] {
        forms.extend(Encoding::ALL.iter().map(|encoding| encoding.encode(value)));
        let escaped = value.replace('\\', r"\\");
        forms.extend([escaped.replace('\'', r"\'"), escaped, value.replace('\'', r"'\''"), in_html(value)]);
    }
    forms.extend(forms.clone().iter().map(|form| with_small_escapes(form)));
    forms
}

fn in_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secrets(all: &[(&str, &str)]) -> Secrets {
        let mut secrets = Secrets::default();
        all.iter().for_each(|(name, value)| secrets.add(name, value));
        secrets
    }

    #[test]
    fn a_value_is_hidden_in_every_way_that_it_is_written() {
        let value = "p{w}/d \"é\"+&";
        let secrets = secrets(&[("DB_PASSWORD", value)]);
        let doubled = value.replace('{', "{{").replace('}', "}}");
        let all = Encoding::ALL.iter().map(|encoding| encoding.encode(value)).chain([doubled]);
        for written in all.flat_map(|written| [with_small_escapes(&written), written]) {
            assert_eq!(secrets.hide(&format!("a{written}b")), "a${DB_PASSWORD}b", "{written}");
        }
        assert_eq!(secrets.hide("nothing of it"), "nothing of it");
    }

    #[test]
    fn the_longer_of_two_values_goes_first_and_what_stands_for_one_is_not_looked_at_again() {
        let secrets = secrets(&[("A_KEY", "abcd"), ("B_KEY", "abcdef"), ("C_KEY", "B_KEY")]);
        assert_eq!(secrets.hide("abcdefabcd"), "${B_KEY}${A_KEY}");
    }

    #[test]
    fn a_short_value_is_none_and_does_not_tear_texts_apart() {
        let secrets = secrets(&[("A_KEY", "a"), ("B_KEY", "not"), ("C_KEY", " 12 \n")]);
        assert!(secrets.is_empty());
        assert_eq!(secrets.hide("a note of 12"), "a note of 12");
    }

    #[test]
    fn a_piece_of_a_value_at_the_edge_of_a_cut_text_is_hidden() {
        let secrets = secrets(&[("API_TOKEN", "eyJhbGciOiJIUzI1NiJ9")]);
        assert_eq!(secrets.hide("GET /?t=eyJhbGciO"), "GET /?t=${API_TOKEN}");
        assert_eq!(secrets.hide("GET /?t=eyJhbGciO…"), "GET /?t=${API_TOKEN}…");
        assert_eq!(secrets.hide("iJIUzI1NiJ9&a=b"), "${API_TOKEN}&a=b");
        assert_eq!(secrets.hide("GET /?t=eyJ"), "GET /?t=eyJ", "so little could be anything");
    }

    #[test]
    fn each_line_of_a_value_is_hidden() {
        let secrets = secrets(&[("PRIVATE_KEY", "-----BEGIN-----\nMIIEvQIBADANBg\n")]);
        assert_eq!(secrets.hide("log: MIIEvQIBADANBg"), "log: ${PRIVATE_KEY}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_no_value_is_left(text in "[ab…é%{}]{0,40}", value in "[ab…é%]{4,12}") {
            let secrets = secrets(&[("X_KEY", &value)]);
            prop_assert!(!secrets.hide(&text).contains(&value));
        }
    }
}
