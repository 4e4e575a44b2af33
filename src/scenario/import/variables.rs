//! Holes inside texts that are parsed as something else first, as JSON: each is a mark of two characters that no text has.

use crate::scenario::request::{BodySpec, Json, RequestSpec, encoded};
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

/// The texts of a request, without its holes.
pub(super) fn texts(request: &RequestSpec) -> Vec<String> {
    let headers = request.headers.iter().chain(&request.cookies).map(|(_, value)| value.text());
    let query = request.query.iter().map(|query| query.value.text());
    let mut texts: Vec<String> = std::iter::once(request.path.text()).chain(query).chain(headers).collect();
    match &request.body {
        Some(BodySpec::Text(text)) => texts.push(text.text()),
        Some(BodySpec::Form(fields)) => texts.extend(fields.iter().map(|(_, value)| value.text())),
        Some(BodySpec::Json(json)) => texts.extend(json.leaves().into_iter().filter_map(|(_, leaf)| match leaf {
            Json::Text(text) => Some(text.text()),
            _ => None,
        })),
        None => {}
    }
    texts
}

/// Puts a value where a variable is written in a request.
pub(super) fn fill(request: &mut RequestSpec, variable: &str, value: &str) {
    let put = |template: &mut Template, value: &str| {
        for piece in &mut template.pieces {
            if let Piece::Text(text) = piece {
                *text = text.replace(variable, value);
            }
        }
    };
    let escaped = encoded(value);
    put(&mut request.path, &escaped);
    request.query.iter_mut().for_each(|query| put(&mut query.value, &escaped));
    request.headers.iter_mut().chain(&mut request.cookies).for_each(|(_, text)| put(text, value));
    match &mut request.body {
        Some(BodySpec::Text(text)) => put(text, value),
        Some(BodySpec::Form(fields)) => fields.iter_mut().for_each(|(_, text)| put(text, value)),
        Some(BodySpec::Json(json)) => fill_json(json, &|text| put(text, value)),
        None => {}
    }
}

fn fill_json(json: &mut Json, put: &dyn Fn(&mut Template)) {
    match json {
        Json::Text(text) => put(text),
        Json::Plain(_) => {}
        Json::List(items) => items.iter_mut().for_each(|item| fill_json(item, put)),
        Json::Object(fields) => fields.iter_mut().for_each(|(_, item)| fill_json(item, put)),
    }
}
