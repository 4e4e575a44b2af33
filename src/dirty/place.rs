//! Where in a response something stands, so that the same place is known again in another response.

/// A longer name in JSON is none that a program is written for, but data: an id, an address.
const LONGEST_NAME: usize = 32;

/// The header, or the names that lead to it in the JSON of a body, `items.*.title`, with `*` for every index. `body` for
/// what is no JSON.
pub(super) fn of(in_head: bool, text: &[u8], at: usize) -> String {
    if in_head {
        return header_at(text, at);
    }
    in_json(text, at).map_or_else(|| "body".to_owned(), |path| format!("body, at {path}"))
}

/// Names the header in which `at` stands.
pub(super) fn header_at(head: &[u8], at: usize) -> String {
    let start = head[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    if start == 0 {
        return "status line".to_owned();
    }
    let name = head[start..].split(|byte| *byte == b':').next().unwrap_or_default();
    format!("header {}", String::from_utf8_lossy(name).to_lowercase())
}

/// What is open where a text is read.
enum Level {
    /// The name whose value is read; `None` before the first.
    Object(Option<String>),
    List,
}

/// The names that lead to `at`; `None` if the text does not begin as JSON does, or `at` is in none of its values.
fn in_json(text: &[u8], at: usize) -> Option<String> {
    let begin = text.iter().position(|byte| !byte.is_ascii_whitespace())?;
    if !matches!(text[begin], b'{' | b'[') {
        return None;
    }
    let mut levels: Vec<Level> = Vec::new();
    let (mut index, mut is_name) = (begin, false);
    let mut inside_name = false;
    while index < at.min(text.len()) {
        match text[index] {
            b'"' => {
                let end = string_end(text, index);
                if at < end {
                    inside_name = is_name;
                    break;
                }
                if let (true, Some(Level::Object(name))) = (is_name, levels.last_mut()) {
                    *name = Some(String::from_utf8_lossy(&text[index + 1..end - 1]).into_owned());
                }
                index = end;
                continue;
            }
            b'{' => {
                levels.push(Level::Object(None));
                is_name = true;
            }
            b'[' => {
                levels.push(Level::List);
                is_name = false;
            }
            b'}' | b']' => {
                levels.pop();
                is_name = false;
            }
            b':' => is_name = false,
            b',' => is_name = matches!(levels.last(), Some(Level::Object(_))),
            _ => {}
        }
        index += 1;
    }
    let depth = levels.len();
    let steps = levels.iter().enumerate().map(|(level, open)| match open {
        // The name is what is searched for.
        Level::Object(_) if inside_name && level + 1 == depth => "the names".to_owned(),
        Level::Object(Some(name)) if name.len() <= LONGEST_NAME => name.clone(),
        Level::Object(_) | Level::List => "*".to_owned(),
    });
    let path = steps.collect::<Vec<_>>().join(".");
    (!path.is_empty()).then_some(path)
}

/// Behind the quote that ends the string which begins at `start`; the end of the text if none does.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut index = start + 1;
    while index < text.len() {
        match text[index] {
            b'\\' => index += 2,
            b'"' => return index + 1,
            _ => index += 1,
        }
    }
    text.len().max(start + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> String {
        of(false, text.as_bytes(), text.find("HERE").unwrap())
    }

    #[test]
    fn a_place_in_json_has_names_and_no_index() {
        assert_eq!(at(r#"{"items":[{"title":"a"},{"title":"HERE"}]}"#), "body, at items.*.title");
        assert_eq!(at(r#" [["x", "HERE"]]"#), "body, at *.*");
        assert_eq!(at(r#"{"a":{"b":1},"c \" d":"x HERE"}"#), "body, at c \\\" d");
        assert_eq!(at(r#"{"users":{"HERE":1}}"#), "body, at users.the names");
        assert_eq!(at(&format!(r#"{{"{}":{{"n":"HERE"}}}}"#, "x".repeat(40))), "body, at *.n");
    }

    #[test]
    fn what_is_no_json_is_the_body() {
        assert_eq!(at("<p>HERE</p>"), "body");
        assert_eq!(at("\"HERE\""), "body");
        assert_eq!(of(true, b"HTTP/1.1 200 OK\r\nX-User: zoe\r\n", 25), "header x-user");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\\[{}\\]:,\"\\\\a]{0,24}", at in 0_usize..30) {
            of(false, text.as_bytes(), at.min(text.len()));
        }
    }
}
