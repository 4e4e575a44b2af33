//! A place in a text, drawn with its line and a caret, as rustc does.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

/// What draws problems; `color` for terminals.
pub fn renderer(color: bool) -> Renderer {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.decor_style(DecorStyle::Ascii)
}

/// A text under its name.
pub fn snippet<'a>(name: &'a str, text: &'a str) -> Snippet<'a, Annotation<'a>> {
    Snippet::source(text).path(name)
}

/// The character at a line and a column, which count from 1, as bytes of the text. Empty at the end of a line.
pub fn place(text: &str, line: usize, column: usize) -> Range<usize> {
    let line_start = match line.checked_sub(2) {
        None => 0,
        Some(before) => text.match_indices('\n').nth(before).map_or(text.len(), |(at, _)| at + 1),
    };
    let line = text[line_start..].split('\n').next().unwrap_or("");
    let mut rest = line.char_indices().skip(column.saturating_sub(1));
    let at = line_start + rest.next().map_or(line.len(), |(at, _)| at);
    let end = line_start + rest.next().map_or(line.len(), |(at, _)| at);
    at..end.max(at)
}

/// Only the excerpt: name, line, caret and label. Without colours.
pub fn draw(name: &str, text: &str, place: Range<usize>, label: &str) -> String {
    let here = AnnotationKind::Primary.span(place).label(label);
    renderer(false).render(&[Group::with_level(Level::ERROR).element(snippet(name, text).annotation(here))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_and_column_become_a_place() {
        assert_eq!(place("ab\ncde\n", 2, 2), 4..5);
        assert_eq!(place("ab\ncde\n", 1, 1), 0..1);
        assert_eq!(place("ab\ncde\n", 0, 0), 0..1);
        assert_eq!(place("ab", 9, 9), 2..2);
        assert_eq!(place("aé", 1, 2), 1..3);
    }

    #[test]
    fn an_excerpt_shows_the_line_and_points_at_it() {
        let text = "fn a() {\n    b\n}\n";
        assert_eq!(
            draw("a.rhai", text, place(text, 2, 5), "in `a`"),
            " --> a.rhai:2:5\n  |\n2 |     b\n  |     ^ in `a`"
        );
    }
}
