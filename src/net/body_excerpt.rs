//! The beginning of a body, as reports show it.

/// Bytes of a body that an excerpt shows.
pub const LONGEST: usize = 200;

/// The first of a body on one line, with what cannot be shown escaped.
pub fn body_excerpt(body: &[u8]) -> String {
    let shown = &body[..body.len().min(LONGEST)];
    // A character may be cut in the middle.
    let text = match std::str::from_utf8(shown) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&shown[..error.valid_up_to()]).unwrap_or(""),
        Err(_) => return format!("({} bytes that are no text)", body.len()),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    words.join(" ").chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_on_one_line_and_only_if_it_is_text() {
        assert_eq!(body_excerpt(b"<h1>\n  Forbidden\r\n</h1>\x1b[2J"), "<h1> Forbidden </h1>\\u{1b}[2J");
        assert_eq!(body_excerpt(b"\x1f\x8b\x08\xff\xfe"), "(5 bytes that are no text)");
        assert_eq!(body_excerpt("é".repeat(150).as_bytes()), "é".repeat(100));
        assert_eq!(body_excerpt(format!("x{}", "é".repeat(150)).as_bytes()), format!("x{}", "é".repeat(99)));
    }
}
