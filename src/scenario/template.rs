//! Text with holes: `/dirty/?sleep={sleep}&email={canary}`.

use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

mod body;
mod placeholder;

pub use placeholder::{Placeholder, TOKEN};

/// Text and holes, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    pub pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Hole(Placeholder),
    /// What is inside, filled in and then in base64.
    Base64(Template),
}

/// How a part in base64 begins, and how it ends.
const BASE64: &str = "{base64(";
const BASE64_END: &str = ")}";

/// A part of a text that is no template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The bytes that are wrong, within the text.
    pub range: Range<usize>,
    pub kind: TemplateErrorKind,
}

/// In which way it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateErrorKind {
    /// Between braces stands what is no placeholder.
    Unknown(String),
    /// A brace without its partner.
    Unpaired(char),
}

impl Template {
    /// Parses a text in which every brace belongs to a hole, or is doubled to stand for itself.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let mut template = Template::default();
        let mut at = 0;
        while let Some(found) = text[at..].find(['{', '}']) {
            template.push_text(&text[at..at + found]);
            at += found;
            let rest = &text[at..];
            let brace = if rest.starts_with('{') { '{' } else { '}' };
            if rest[1..].starts_with(brace) {
                template.push_text(&rest[..1]);
                at += 2;
                continue;
            }
            if rest.starts_with(BASE64) {
                let end = base64_end(rest).unwrap_or(rest.len());
                template.push_base64(&rest[..end], at)?;
                at += end;
                continue;
            }
            if let Some(name) = nesting_name(rest) {
                let kind = TemplateErrorKind::Unknown(format!("{name}...)"));
                return Err(TemplateError { range: at..at + 1 + name.len(), kind });
            }
            let unpaired = || TemplateError { range: at..at + 1, kind: TemplateErrorKind::Unpaired(brace) };
            if brace == '}' {
                return Err(unpaired());
            }
            let end = rest[1..].find(['{', '}']).map(|end| end + 1).filter(|end| rest[*end..].starts_with('}'));
            let end = end.ok_or_else(unpaired)?;
            template.push_hole(&rest[1..end], at..at + end + 1)?;
            at += end + 1;
        }
        template.push_text(&text[at..]);
        Ok(template)
    }

    /// A text without holes, whatever it holds.
    pub fn literal(text: impl Into<String>) -> Template {
        let mut template = Template::default();
        template.push_text(&text.into());
        template
    }

    /// Appends text, joined to the text before it.
    pub fn push_text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    /// Appends another template, each of its texts changed by `encode`.
    pub fn append(&mut self, other: &Template, encode: impl Fn(&str) -> String) {
        for piece in &other.pieces {
            match piece {
                Piece::Text(text) => self.push_text(&encode(text)),
                Piece::Hole(_) | Piece::Base64(_) => self.pieces.push(piece.clone()),
            }
        }
    }

    /// What stands before the first `at` and after it; `None` where no text has one.
    pub fn split_once(&self, at: char) -> Option<(Template, Template)> {
        let (index, (before, after)) = self.pieces.iter().enumerate().find_map(|(index, piece)| match piece {
            Piece::Text(text) => Some((index, text.split_once(at)?)),
            Piece::Hole(_) | Piece::Base64(_) => None,
        })?;
        let mut first = Template { pieces: self.pieces[..index].to_vec() };
        first.push_text(before);
        let mut second = Template::literal(after);
        second.pieces.extend_from_slice(&self.pieces[index + 1..]);
        Some((first, second))
    }

    /// What stands between the `at`s; at least one part.
    pub fn split(&self, at: char) -> Vec<Template> {
        let mut parts = Vec::new();
        let mut rest = self.clone();
        while let Some((first, second)) = rest.split_once(at) {
            parts.push(first);
            rest = second;
        }
        parts.push(rest);
        parts
    }

    /// The template with the holes that `known` knows filled in.
    pub fn with(&self, known: &dyn Fn(&Placeholder) -> Option<String>) -> Template {
        let mut filled = Template::default();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_text(text),
                Piece::Hole(hole) => match known(hole) {
                    Some(value) => filled.push_text(&value),
                    None => filled.pieces.push(piece.clone()),
                },
                Piece::Base64(inside) => {
                    let inside = inside.with(known);
                    if inside.varies() {
                        filled.pieces.push(Piece::Base64(inside));
                    } else {
                        filled.push_text(&inside.fill_base64(&mut |_, _| {}));
                    }
                }
            }
        }
        filled
    }

    /// The template with each hole turned into what `change` makes of it.
    pub fn mapped(&self, change: &dyn Fn(&Placeholder) -> Placeholder) -> Template {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => Piece::Text(text.clone()),
            Piece::Hole(hole) => Piece::Hole(change(hole)),
            Piece::Base64(inside) => Piece::Base64(inside.mapped(change)),
        });
        Template { pieces: pieces.collect() }
    }

    /// The text alone, without the holes.
    pub fn text(&self) -> String {
        let texts = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Hole(_) | Piece::Base64(_) => "",
        });
        texts.collect()
    }

    fn push_hole(&mut self, inside: &str, range: Range<usize>) -> Result<(), TemplateError> {
        let unknown = || TemplateError { range, kind: TemplateErrorKind::Unknown(inside.to_owned()) };
        self.pieces.push(Piece::Hole(Placeholder::parse(inside.trim()).ok_or_else(unknown)?));
        Ok(())
    }

    /// Takes `{base64(...)}`, which stands at `at` of a text.
    fn push_base64(&mut self, written: &str, at: usize) -> Result<(), TemplateError> {
        let Some(inside) = written[BASE64.len()..].strip_suffix(BASE64_END) else {
            let kind = TemplateErrorKind::Unknown(written[1..].trim_end_matches('}').to_owned());
            return Err(TemplateError { range: at..at + written.len(), kind });
        };
        let start = at + BASE64.len();
        let further = |error: TemplateError| TemplateError {
            range: start + error.range.start..start + error.range.end,
            kind: error.kind,
        };
        self.pieces.push(Piece::Base64(Template::parse(inside).map_err(further)?));
        Ok(())
    }

    /// Whether this placeholder is among the holes.
    pub fn has(&self, placeholder: &Placeholder) -> bool {
        self.holes().any(|hole| hole == placeholder)
    }

    /// The holes, in order, those of parts in base64 too.
    pub fn holes(&self) -> Box<dyn Iterator<Item = &Placeholder> + '_> {
        Box::new(self.pieces.iter().flat_map(|piece| match piece {
            Piece::Hole(hole) => Box::new(std::iter::once(hole)),
            Piece::Text(_) => Box::new(std::iter::empty()) as Box<dyn Iterator<Item = &Placeholder>>,
            Piece::Base64(inside) => inside.holes(),
        }))
    }

    /// Whether it has holes.
    pub fn varies(&self) -> bool {
        self.holes().next().is_some()
    }

    /// Appends the text to `out`; `hole` appends what fills a hole.
    pub fn fill(&self, hole: &mut dyn FnMut(&Placeholder, &mut Vec<u8>), out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Hole(placeholder) => hole(placeholder, out),
                Piece::Base64(inside) => out.extend_from_slice(inside.fill_base64(hole).as_bytes()),
            }
        }
    }

    /// The text in base64.
    pub fn fill_base64(&self, hole: &mut dyn FnMut(&Placeholder, &mut Vec<u8>)) -> String {
        let mut inside = Vec::new();
        self.fill(hole, &mut inside);
        BASE64_STANDARD.encode(inside)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}"))?,
                Piece::Hole(hole) => write!(f, "{hole}")?,
                Piece::Base64(inside) => write!(f, "{BASE64}{inside}{BASE64_END}")?,
            }
        }
        Ok(())
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Where `{base64(...)}` at the start of a text ends: at the brace that closes its first.
fn base64_end(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let closes = |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    };
    text.find(closes).map(|end| end + 1)
}

/// What stands before a brace in parentheses, at the start of a text: of `{bas64({canary})}` it is `bas64(`.
fn nesting_name(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('{')?;
    let open = inside.find(|c: char| !is_word(c)).filter(|at| *at > 0 && inside[*at..].starts_with('('))?;
    let brace = inside[open..].find(['{', '}'])?;
    inside[open + brace..].starts_with('{').then(|| &inside[..=open])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fill(template: &Template) -> String {
        let mut out = Vec::new();
        template.fill(&mut |hole, out| out.extend_from_slice(format!("<{hole}>").as_bytes()), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn holes_are_found_between_text() {
        let template = Template::parse("/dirty/?sleep={sleep}&email={canary}").unwrap();
        assert_eq!(template.holes().collect::<Vec<_>>(), [&Placeholder::Sleep, &Placeholder::Canary]);
        assert_eq!(fill(&template), "/dirty/?sleep=<{sleep}>&email=<{canary}>");
        assert!(template.has(&Placeholder::Canary) && !template.has(&Placeholder::User));
    }

    #[test]
    fn holes_with_arguments_are_known() {
        let template = Template::parse("{data.email}{random(1, 6)}{identity.id}").unwrap();
        let holes =
            [Placeholder::Data("email".to_owned()), Placeholder::Random(1, 6), Placeholder::Identity("id".to_owned())];
        assert!(template.holes().eq(holes.iter()));
        let uuid = Template::parse("{canary.uuid}").unwrap();
        assert!(uuid.holes().eq([&Placeholder::CanaryAs(crate::canary::CanaryShape::Uuid)]));
        assert_eq!(uuid.to_string(), "{canary.uuid}");
        for text in ["{canary.red}", "{random(6,1)}", "{random(1)}", "{data.}", "{data}", "{random(-1,2)}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_placeholder_is_pointed_at() {
        let error = Template::parse("/é?q={canry}").unwrap_err();
        assert_eq!(error.range, 6..13);
        assert_eq!(error.kind, TemplateErrorKind::Unknown("canry".to_owned()));
        assert_eq!(Template::parse("a}b").unwrap_err().kind, TemplateErrorKind::Unpaired('}'));
        assert_eq!(Template::parse("a{b").unwrap_err().range, 1..2);
        assert_eq!(Template::parse("a{b{c}").unwrap_err().range, 1..2);
    }

    #[test]
    fn doubled_braces_stand_for_themselves() {
        assert_eq!(Template::parse("{{canary}} }}").unwrap(), Template::literal("{canary} }"));
    }

    #[test]
    fn a_raw_body_may_hold_json() {
        let template = Template::parse_body(r#"{"a":{"b":"{canary}","n":{seq}}} {{canary}} { x }"#).unwrap();
        assert_eq!(fill(&template), r#"{"a":{"b":"<{canary}>","n":<{seq}>}} {canary} { x }"#);
        assert_eq!(Template::parse_body("{ canry } {canry}").unwrap_err().range, 10..17);
    }

    #[test]
    fn a_part_in_base64_is_a_template_itself() {
        let text = "Basic {base64({canary}:{identity.password})}";
        for template in [Template::parse(text).unwrap(), Template::parse_body(text).unwrap()] {
            let holes = [Placeholder::Canary, Placeholder::Identity("password".to_owned())];
            assert!(template.holes().eq(holes.iter()) && template.has(&Placeholder::Canary));
            assert_eq!(template.to_string(), text);
            assert_eq!(
                fill(&template),
                format!("Basic {}", BASE64_STANDARD.encode("<{canary}>:<{identity.password}>"))
            );
            let some = template.with(&|hole| (*hole == Placeholder::Canary).then(|| "ann".to_owned()));
            assert_eq!(some.to_string(), "Basic {base64(ann:{identity.password})}");
            assert_eq!(template.with(&|_| Some("x".to_owned())), Template::literal("Basic eDp4"));
        }
        assert_eq!(Template::parse("{base64(a)b)}").unwrap().to_string(), "{base64(a)b)}");
    }

    #[test]
    fn a_slip_in_a_part_in_base64_is_pointed_at() {
        let error = |text: &str| {
            let error = Template::parse(text).unwrap_err();
            (error.range, error.kind)
        };
        let unknown = |name: &str| TemplateErrorKind::Unknown(name.to_owned());
        assert_eq!(error("x {base64({canry}:s)}"), (10..17, unknown("canry")));
        assert_eq!(error("{bas64({canary}:s)}"), (0..7, unknown("bas64(...)")));
        assert_eq!(error("x{base64({canary}:s}"), (1..20, unknown("base64({canary}:s")));
        assert_eq!(error("{base64({canary}:s"), (0..18, unknown("base64({canary}:s")));
        assert_eq!(Template::parse_body("{base64({canry}:s)}").unwrap_err().range, 8..15);
    }

    proptest! {
        #[test]
        fn what_is_shown_parses_back(text in "([a-z]|\\{\\{|\\}\\}|\\{canary\\}|\\{seq\\}|\\{random\\(1,9\\)\\}|\\{base64\\(a\\{seq\\}\\)\\}|é){0,12}") {
            let template = Template::parse(&text).unwrap();
            prop_assert_eq!(&Template::parse(&template.to_string()).unwrap(), &template);
            prop_assert_eq!(template.to_string(), text);
        }

        #[test]
        fn no_text_makes_a_parser_panic_and_ranges_stay_inside(text in "[a-z{}()., é]{0,24}") {
            for result in [Template::parse(&text), Template::parse_body(&text)] {
                if let Err(error) = result {
                    prop_assert!(text.get(error.range).is_some());
                }
            }
        }

        #[test]
        fn a_literal_fills_to_itself(text in ".{0,20}") {
            prop_assert_eq!(fill(&Template::literal(text.clone())), text);
        }
    }
}
