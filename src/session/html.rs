//! What stands in the forms of a page.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{StartTag, Token, Tokenizer};

/// The value of the first form field of this name that has one: of an input, a button or a text area.
pub fn field(page: &[u8], name: &str) -> Option<String> {
    let mut area: Option<String> = None;
    for token in tokens(page) {
        match (token, &mut area) {
            (Token::StartTag(tag), None) if is(&tag, "name", name) => match &**tag.name {
                b"input" | b"button" => {
                    let value = attribute(&tag, "value").filter(|value| !value.is_empty());
                    if value.is_some() {
                        return value;
                    }
                }
                b"textarea" => area = Some(String::new()),
                _ => {}
            },
            (Token::String(text), Some(value)) => value.push_str(&String::from_utf8_lossy(&text)),
            (Token::EndTag(tag), Some(value)) if &**tag.name == b"textarea" => {
                // The line break after the tag is none of the text's.
                let text = value.strip_prefix('\n').unwrap_or(value).to_owned();
                if !text.is_empty() {
                    return Some(text);
                }
                area = None;
            }
            _ => {}
        }
    }
    None
}

/// The `content` of the first `<meta>` of this name.
pub fn meta(page: &[u8], name: &str) -> Option<String> {
    tokens(page).find_map(|token| match token {
        Token::StartTag(tag) if &**tag.name == b"meta" && is(&tag, "name", name) => attribute(&tag, "content"),
        _ => None,
    })
}

/// The names of a page's fields for passwords.
pub fn passwords(page: &[u8]) -> Vec<String> {
    let named = tokens(page).filter_map(|token| match token {
        Token::StartTag(tag) if &**tag.name == b"input" => {
            let is_password = attribute(&tag, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("password"));
            is_password.then(|| attribute(&tag, "name")).flatten()
        }
        _ => None,
    });
    named.collect()
}

/// The page, tag by tag, as browsers read it: what scripts and comments hold is no tag.
fn tokens(page: &[u8]) -> impl Iterator<Item = Token> + '_ {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(page, emitter).flatten()
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned())
}

fn is(tag: &StartTag<()>, name: &str, value: &str) -> bool {
    tag.attributes.get(name.as_bytes()).is_some_and(|found| ***found == *value.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_however_it_is_written() {
        for written in [
            r#"<form><input type="hidden" name="csrf_token" value="IjA+b&amp;c"></form>"#,
            r#"<input id=x value='IjA+b&amp;c' name='csrf_token' type=hidden />"#,
            "<INPUT NAME=csrf_token\n  TYPE=hidden VALUE=IjA&#43;b&#x26;c>",
            r#"<input name="csrf_token" value=""><input name="csrf_token" value="IjA+b&amp;c">"#,
            r#"<button type=submit name=csrf_token value="IjA+b&amp;c">go</button>"#,
            "<textarea name=csrf_token>\nIjA+b&amp;c</textarea>",
            r#"<script>var a = '<input name="csrf_token" value="no">';</script><!-- <input name="csrf_token" value="no"> -->
               <input name="csrf_token" value="IjA+b&amp;c">"#,
        ] {
            assert_eq!(field(written.as_bytes(), "csrf_token").as_deref(), Some("IjA+b&c"), "{written}");
        }
    }

    #[test]
    fn what_is_no_such_field_is_none() {
        for other in
            ["", "<input name=csrf_token>", "<input name=csrf value=x>", "<p name=csrf_token value=x>", "\0\u{fffd}<"]
        {
            assert_eq!(field(other.as_bytes(), "csrf_token"), None, "{other}");
        }
    }

    #[test]
    fn a_meta_is_found_by_its_name() {
        let page = br#"<head><meta charset=utf-8><meta content="t&#61;1" name="csrf-token"></head>"#;
        assert_eq!((meta(page, "csrf-token").as_deref(), meta(page, "csrf")), (Some("t=1"), None));
    }

    #[test]
    fn fields_for_passwords_are_known_by_their_type() {
        assert_eq!(passwords(b"<form><input type=Password name=p><input type=password></form>"), ["p"]);
        assert!(passwords(b"<p>Your password was changed: <input type=text name=password>").is_empty());
    }
}
