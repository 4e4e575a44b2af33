//! Texts in which braces are ordinary, unless they enclose the name of a placeholder: bodies, environment variables.

use std::ops::Range;

use super::placeholder::{BracedText, Placeholder};
use super::{BASE64, Template, TemplateError, base64_end, is_word};

impl Template {
    /// Parses a text in which braces are ordinary unless they enclose a placeholder: `{"user": "{canary}"}`. What a slip
    /// makes of a placeholder is an error.
    ///
    /// `{{canary}}` stands for `{canary}`.
    pub fn parse_body(text: &str) -> Result<Template, TemplateError> {
        let mut template = Template::default();
        let mut at = 0;
        while let Some(found) = text[at..].find('{') {
            template.push_text(&text[at..at + found]);
            at += found;
            let rest = &text[at..];
            match (rest.starts_with("{{").then(|| hole_end(&rest[1..])).flatten(), hole_end(rest)) {
                (Some(end), _) if rest[1 + end..].starts_with('}') => {
                    template.push_text(&rest[1..1 + end]);
                    at += end + 2;
                }
                (_, Some(end)) if rest.starts_with(BASE64) => {
                    template.push_base64(&rest[..end], at)?;
                    at += end;
                }
                (_, Some(end)) => {
                    template.push_hole(&rest[1..end - 1], at..at + end)?;
                    at += end;
                }
                _ => {
                    template.push_text("{");
                    at += 1;
                }
            }
        }
        template.push_text(&text[at..]);
        Ok(template)
    }

    /// What [`Template::parse_body`] reads as this text, without holes.
    pub fn escape_body(text: &str) -> String {
        let mut escaped = String::new();
        let mut at = 0;
        while let Some(found) = text[at..].find('{') {
            escaped.push_str(&text[at..at + found]);
            at += found;
            let end = hole_end(&text[at..]).unwrap_or(1);
            let inside = &text[at..at + end];
            escaped.push_str(&if end > 1 { format!("{{{inside}}}") } else { inside.to_owned() });
            at += end;
        }
        escaped + &text[at..]
    }

    /// Where [`Template::parse_body`] leaves alone what could be meant for a placeholder: `{name}`.
    pub fn lookalikes(text: &str) -> Vec<Range<usize>> {
        let braces = text.match_indices('{').map(|(at, _)| at);
        let alone = braces.filter(|at| !text[..*at].ends_with('{') && hole_end(&text[*at..]).is_none());
        alone.filter_map(|at| Some(at..at + name_end(&text[at..])?)).collect()
    }
}

/// Where a placeholder at the start of a text ends, or what a slip has made of one; `None` if none starts it.
fn hole_end(text: &str) -> Option<usize> {
    if text.starts_with(BASE64) {
        return base64_end(text);
    }
    let end = name_end(text)?;
    (Placeholder::word(&text[1..end - 1]) != BracedText::Text).then_some(end)
}

/// Where `{name}`, `{name.part}` or `{name(1,2)}` at the start of a text ends.
fn name_end(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('{')?;
    let mut in_parentheses = false;
    let end = inside.find(|c: char| {
        in_parentheses |= c == '(';
        !(is_word(c) || matches!(c, '.' | '(' | ')' | ',') || (in_parentheses && c == ' '))
    })?;
    let named = inside.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (named && inside[end..].starts_with('}')).then_some(end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_that_enclose_no_placeholder_are_text() {
        let query =
            r#"{"query": "{ me { name } }", "also": "query Q($id: ID!) {user(id: $id) {name}} {me} {{first_name}}"}"#;
        assert_eq!(Template::parse_body(query).unwrap(), Template::literal(query));
        let seen: Vec<&str> = Template::lookalikes(query).into_iter().map(|range| &query[range]).collect();
        assert_eq!(seen, ["{name}", "{me}"]);
        assert!(Template::lookalikes("{canary} {seq} { me } {").is_empty());
    }

    #[test]
    fn a_slip_is_an_error_and_what_is_doubled_is_text() {
        for slip in ["{canry}", "{Canary}", "{cannary}", "{sequ}", "{data.}", "{identiy.name}", "{random(1)}", "{tokn}"]
        {
            let text = format!("{{\"a\": \"{slip}\"}}");
            assert_eq!(Template::parse_body(&text).unwrap_err().range, 7..7 + slip.len(), "{slip}");
            let doubled = format!("{{\"a\": \"{{{slip}}}\"}}");
            assert_eq!(Template::parse_body(&doubled).unwrap(), Template::literal(text), "{slip}");
        }
        assert!(Template::parse_body("{random(1, 6)}").unwrap().holes().next().is_some());
    }

    #[test]
    fn what_is_escaped_parses_to_itself() {
        for text in
            ["{canary}", "{{canary}}", "{me}", "{{me}}", "{canry} {", "{base64({canary}:x)}", "{data.x}{", "{{{seq}"]
        {
            let escaped = Template::escape_body(text);
            assert_eq!(Template::parse_body(&escaped).unwrap(), Template::literal(text), "{escaped}");
        }
    }
}
