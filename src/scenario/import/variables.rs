//! Holes inside texts that are parsed as something else first, as JSON: each is a mark of two characters that no text has.

use crate::scenario::template::{Piece, Placeholder, Template};

/// Before and after a hole that is marked: of the private use area.
const BEGIN: char = '\u{e0f1}';
const END: char = '\u{e0f2}';

/// A template as a text, in which its holes are marked.
pub(super) fn marked(template: &Template) -> String {
    let pieces = template.pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.replace([BEGIN, END], ""),
        Piece::Hole(hole) => format!("{BEGIN}{hole}{END}"),
        Piece::Base64(inside) => inside.text(),
    });
    pieces.collect()
}

/// A text with marks as a template.
pub(super) fn unmarked(text: &str) -> Template {
    let mut template = Template::default();
    let mut rest = text;
    while let Some((before, (hole, after))) =
        rest.split_once(BEGIN).and_then(|(b, rest)| Some((b, rest.split_once(END)?)))
    {
        template.push_text(before);
        match Template::parse(hole).map(|parsed| parsed.pieces) {
            Ok(pieces) => template.pieces.extend(pieces),
            Err(_) => template.push_text(hole),
        }
        rest = after;
    }
    template.push_text(rest);
    template
}

/// `{capture.NAME}`.
pub(super) fn capture(name: &str) -> Template {
    Template { pieces: vec![Piece::Hole(Placeholder::Capture(name.to_owned()))] }
}
