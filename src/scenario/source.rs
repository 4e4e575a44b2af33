//! Where the pieces of a scenario come from: one line of bytes on which the file, each `--set` and each script lie end
//! to end, so that a plain range says both which text and where in it.

use std::ops::Range;

/// Bytes of one origin, counted over all of them.
pub(super) type Span = Range<usize>;

/// A text that pieces come from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// As people know it: a path as typed, or `--set`.
    pub name: String,
    pub text: String,
    start: usize,
}

/// Every text that a span can point into.
#[derive(Debug, Default, Clone)]
pub(super) struct Sources {
    origins: Vec<Origin>,
}

impl Sources {
    /// Lays a text after those before it, and says where it starts.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> usize {
        let start = self.origins.last().map_or(0, |last| last.start + last.text.len() + 1);
        self.origins.push(Origin { name: name.into(), text: text.into(), start });
        start
    }

    /// The origin that a span points into, and the bytes within its text; they lie inside it, at whole characters.
    pub fn locate(&self, span: &Span) -> Option<(&Origin, Range<usize>)> {
        let after = self.origins.partition_point(|origin| origin.start <= span.start);
        let origin = &self.origins[after.checked_sub(1)?];
        let start = floor(&origin.text, span.start - origin.start);
        let end = floor(&origin.text, span.end.saturating_sub(origin.start)).max(start);
        Some((origin, start..end))
    }

    /// The text under a span.
    pub fn text(&self, span: &Span) -> &str {
        self.locate(span).map_or("", |(origin, range)| &origin.text[range])
    }

    /// The text that was laid at this start.
    pub fn text_from(&self, start: usize) -> &str {
        self.origins.iter().find(|origin| origin.start == start).map_or("", |origin| &origin.text)
    }

    /// Part of a TOML string: `range` counts within its value, `whole` is the span of what was written for it.
    ///
    /// Where escapes or filled-in variables make the two differ, it is the whole string.
    pub fn inside(&self, whole: &Span, value: &str, range: Range<usize>) -> Span {
        let written = self.text(whole);
        let quote = ["\"\"\"\n", "\"\"\"", "'''\n", "'''", "\"", "'", ""]
            .into_iter()
            .find(|quote| written.starts_with(quote) && written[quote.len()..].starts_with(value));
        match quote {
            Some(quote) => {
                let start = whole.start + quote.len();
                start + range.start..start + range.end
            }
            None => whole.clone(),
        }
    }
}

/// The nearest start of a character at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_finds_its_origin() {
        let mut sources = Sources::default();
        sources.add("a.toml", "é = 1");
        let start = sources.add("--set", "x=2");
        let (origin, range) = sources.locate(&(start..start + 1)).unwrap();
        assert_eq!((origin.name.as_str(), range), ("--set", 0..1));
        assert_eq!(sources.locate(&(1..99)).unwrap().1, 0..6);
        assert_eq!(sources.text(&(0..2)), "é");
    }

    #[test]
    fn a_place_inside_a_string_is_found_unless_escapes_move_it() {
        let mut sources = Sources::default();
        sources.add("a.toml", "\"abc\" 'abc' \"\"\"\nabc\"\"\" \"a\\u0062c\"");
        assert_eq!(sources.inside(&(0..5), "abc", 1..2), 2..3);
        assert_eq!(sources.inside(&(6..11), "abc", 1..2), 8..9);
        assert_eq!(sources.inside(&(12..22), "abc", 1..2), 17..18);
        assert_eq!(sources.inside(&(23..33), "abc", 1..2), 23..33);
    }
}
