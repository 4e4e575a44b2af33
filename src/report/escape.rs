//! Text from outside, made harmless for terminals, markdown and XML.
//!
//! Markdown has one construct in which nothing is interpreted: the code span. So a word that could mean something to any
//! markdown reader (a link, HTML, emphasis, a table's edge) goes into one; all others stay as they are, and stay readable.
//! Nobody else puts backticks around text from outside: a backtick in it would pair with one of those. Only a sentence that
//! [`inline`] is still to read may hold them.

/// Removes what a terminal or a browser would act upon (escape sequences, control and bidirectional characters); line
/// breaks and tabs become spaces.
pub(crate) fn clean(text: &str) -> String {
    let text = without_escape_sequences(text);
    text.chars()
        .filter(|c| c.is_whitespace() || !is_hidden(*c))
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .collect()
}

/// [`clean`], at most `max` characters.
pub(crate) fn clip(text: &str, max: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= max {
        return text;
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

/// The text of an HTML page or of an attribute in quotes: [`clean`], and nothing in it is markup.
pub(crate) fn html(text: &str) -> String {
    let mut out = String::new();
    for c in clean(text).chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

/// A code span: for names, rules, paths, whatever is to be read letter by letter.
pub(crate) fn code(text: &str) -> String {
    let text = clip(text, LONGEST_INLINE);
    let text = text.trim();
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let fence = "`".repeat(longest_run(text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A sentence for the inside of a paragraph: its harmless words as they are, the others as code.
/// What it holds between single backticks is code as well.
pub(crate) fn inline(text: &str) -> String {
    let text = clip(text, LONGEST_INLINE);
    let pieces: Vec<&str> = text.split('`').collect();
    let quoted = pieces.len() % 2 == 1;
    if !quoted {
        return words(&text);
    }
    let mut out = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        let piece = if index % 2 == 1 { code_piece(piece) } else { plain_piece(piece, out.is_empty()) };
        // Two code spans that touch would read as one with longer fences.
        if out.ends_with('`') && piece.starts_with('`') {
            out.push(' ');
        }
        out += &piece;
    }
    out.trim().to_owned()
}

/// [`inline`] for a cell of a table. A vertical bar becomes a broken one: no escape for it is read alike everywhere.
pub(crate) fn cell(text: &str) -> String {
    inline(&text.replace('|', "¦"))
}

/// [`code`] for a cell of a table.
pub(crate) fn code_cell(text: &str) -> String {
    code(&text.replace('|', "¦"))
}

/// A link to a path from here.
pub(crate) fn link(text: &str, path: &str) -> String {
    format!("[{text}](<{}>)", clean(path).replace(['<', '>', '\\', '|'], "_"))
}

/// A fenced block of lines. What the lines hold cannot end it.
pub(crate) fn fence(lines: &[String], language: &str) -> String {
    fence_whole(&lines.iter().map(|line| clip(line, LONGEST_LINE)).collect::<Vec<_>>(), language)
}

/// [`fence`] for lines to paste: none of them is cut.
pub(crate) fn fence_whole(lines: &[String], language: &str) -> String {
    let lines: Vec<String> = lines.iter().map(|line| clean(line)).collect();
    let longest = lines.iter().map(|line| longest_run(line, '`')).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    let body: String = lines.iter().map(|line| format!("{}\n", line.trim_end())).collect();
    format!("{fence}{language}\n{body}{fence}\n")
}

/// One word of a POSIX shell command line.
pub(crate) fn shell_word(text: &str) -> String {
    let text = clean(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,%+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// One word of a POSIX shell command line that may go over several lines. `None` if no page can hold it as it is.
pub(crate) fn shell_lines(text: &str) -> Option<String> {
    let fits = |line: &str| clean(line) == line && line.trim_end() == line;
    let words: Vec<String> = text.split('\n').map(shell_word).collect();
    match words.as_slice() {
        [word] => fits(text).then(|| word.clone()),
        _ if text.split('\n').all(fits) => Some(format!("'{}'", text.replace('\'', r"'\''"))),
        _ => None,
    }
}

/// The longest text from outside in a sentence or a cell, in characters.
const LONGEST_INLINE: usize = 1000;
/// The longest line of a fenced block, in characters.
const LONGEST_LINE: usize = 400;

fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(|run| run.chars().count()).max().unwrap_or(0)
}

fn code_piece(piece: &str) -> String {
    if piece.trim().is_empty() { " ".to_owned() } else { code(piece) }
}

/// The words of a piece between code spans, with the spaces at its ends.
fn plain_piece(piece: &str, first: bool) -> String {
    let before = if !first && piece.starts_with(' ') { " " } else { "" };
    let after = if piece.ends_with(' ') && !piece.trim().is_empty() { " " } else { "" };
    format!("{before}{}{after}", words(piece))
}

fn words(text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut risky: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        if is_harmless(word) {
            if !risky.is_empty() {
                out.push(code_words(&risky));
                risky.clear();
            }
            out.push(word.to_owned());
        } else {
            risky.push(word);
        }
    }
    if !risky.is_empty() {
        out.push(code_words(&risky));
    }
    out.join(" ")
}

/// Words as one code span; the punctuation of the sentence around them stays outside.
fn code_words(words: &[&str]) -> String {
    let text = words.join(" ");
    let inside = text.trim_end_matches(['.', ',', ';', ':', '?', '!']);
    if inside.is_empty() { code(&text) } else { format!("{}{}", code(inside), &text[inside.len()..]) }
}

/// Whether no markdown reader takes a word within a line for anything but itself.
fn is_harmless(word: &str) -> bool {
    if matches!(word, "<" | "<=" | ">" | ">=" | "==" | "!=" | "–" | "…" | ":" | "!") {
        return true;
    }
    let chars: Vec<char> = word.chars().collect();
    let alphanumeric = |at: Option<&char>| at.is_some_and(|c| c.is_alphanumeric());
    let harmless = |at: usize, c: char| match c {
        // Snake case is no emphasis.
        '_' => at > 0 && alphanumeric(chars.get(at - 1)) && alphanumeric(chars.get(at + 1)),
        // Anywhere else it may belong to a scheme or an emoji.
        ':' | '!' => at + 1 == chars.len(),
        c => c.is_alphanumeric() || ".,;'\"()%?/=+-–…’".contains(c),
    };
    let looks_like_a_commit = word.len() >= 7
        && word.chars().all(|c| c.is_ascii_hexdigit())
        && word.chars().any(|c| c.is_ascii_digit())
        && word.chars().any(|c| c.is_ascii_alphabetic());
    let only_closes = chars.iter().all(|c| "%)('\".,;?".contains(*c));
    (only_closes || chars.iter().any(|c| c.is_alphanumeric()))
        && chars.iter().enumerate().all(|(at, c)| harmless(at, *c))
        && !word.to_lowercase().contains("www.")
        && !looks_like_a_commit
}

/// Control characters, and those that are not seen but change how others are.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
        || matches!(c, '\u{e0000}'..='\u{e0fff}')
}

/// Drops whole sequences, so that no `[31m` is left of a colour.
fn without_escape_sequences(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\u{1b}', '\u{9b}']) {
        out += &rest[..at];
        let one_char_form = rest[at..].starts_with('\u{9b}');
        rest = &rest[at..];
        rest = rest.strip_prefix(['\u{1b}', '\u{9b}']).unwrap_or(rest);
        if one_char_form {
            rest = after_control_sequence(rest);
        } else if let Some(parameters) = rest.strip_prefix('[') {
            rest = after_control_sequence(parameters);
        } else if let Some(command) = rest.strip_prefix(']') {
            // An operating system command ends with BEL or ESC \; one that never ends hides nothing.
            let end = command.find(['\u{7}', '\u{1b}']);
            rest = end.map_or(command, |end| command[end..].trim_start_matches(['\u{7}']));
        }
    }
    out + rest
}

fn after_control_sequence(text: &str) -> &str {
    let end = text.find(|c: char| !(' '..='?').contains(&c)).unwrap_or(text.len());
    let is_final = |c: &char| ('@'..='~').contains(c);
    let last = text[end..].chars().next().filter(is_final).map_or(0, char::len_utf8);
    &text[end + last..]
}

#[cfg(test)]
mod tests {
    use comrak::nodes::NodeValue;
    use comrak::{Arena, Options, parse_document};

    use super::*;

    #[test]
    fn ordinary_sentences_stay_as_they_are() {
        for text in
            ["worker 4711 was killed by signal 9", "2,000 of 2,500 (80 %), at 9.98/s", "observed > 2.00 s, not < 1s"]
        {
            assert_eq!(inline(text), text);
        }
        assert_eq!(
            inline("unknown metric `latncy.p99`, did you mean `latency.p99`?"),
            "unknown metric `latncy.p99`, did you mean `latency.p99`?"
        );
    }

    #[test]
    fn words_that_could_mean_something_become_code() {
        assert_eq!(inline("see <b>this</b> now"), "see `<b>this</b>` now");
        assert_eq!(inline("dev@example.org saw www.example.org"), "`dev@example.org` saw `www.example.org`");
        assert_eq!(inline("[a](http://x) ![b](y)"), "`[a](http://x) ![b](y)`");
        assert_eq!(inline("a ` b"), "a `` ` `` b");
        assert_eq!(
            inline("not at /health?a=1&b=2, nor `x`: see a@b.cd."),
            "not at `/health?a=1&b=2`, nor `x`: see `a@b.cd`."
        );
        assert_eq!(cell("a|b"), "`a¦b`");
        assert_eq!(code("`"), "`` ` ``");
    }

    #[test]
    fn a_backtick_pairs_with_no_other() {
        let names = [
            "$`<script>",
            "`<script>",
            "<script>`",
            "`<script>`",
            "``<b>",
            "`<b>``",
            "a`<b>`` c",
            "`",
            "``",
            "` `<b>` `",
            "x` <b> `y",
            "`.<b>",
            "\\`<b>",
            "`\\`<b>`",
            "<b>`|`<i>",
            "`[a](http://x)",
            "`$`$<b>`$`",
            "` ` <b",
            "```<b>",
        ];
        for name in names {
            let sentences = [
                name.to_owned(),
                format!("`{name}`"),
                format!("set `{name}` first"),
                format!("`{name}` and `{name}` or `x`: {name}"),
                format!("{name}{name} `{name}`."),
            ];
            for sentence in &sentences {
                for written in [inline(sentence), cell(sentence), code(sentence), code_cell(sentence)] {
                    assert_eq!(
                        acting(&format!("x {written}, {written}; {}.", code(name))),
                        None,
                        "{sentence} as {written}"
                    );
                }
            }
        }
    }

    /// What a reader of markdown takes for more than text or code.
    fn acting(markdown: &str) -> Option<String> {
        let arena = Arena::new();
        let mut options = Options::default();
        options.extension.autolink = true;
        options.extension.math_dollars = true;
        options.extension.math_code = true;
        let document = parse_document(&arena, markdown, &options);
        let harmless = |value: &NodeValue| {
            matches!(value, NodeValue::Document | NodeValue::Paragraph | NodeValue::Text(_) | NodeValue::Code(_))
        };
        let mut values = document.descendants().map(|node| node.data().value.clone());
        values.find(|value| !harmless(value)).map(|value| format!("{value:?}"))
    }

    #[test]
    fn terminals_are_told_nothing() {
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}x\u{9b}2Jy\r\nz\u{202e}"), "red xy  z");
        assert_eq!(clean("\u{1b}[31"), "");
        assert_eq!(clean("\u{1b}]0;never ends"), "0;never ends");
    }

    #[test]
    fn a_fence_outlasts_its_content() {
        assert_eq!(fence(&["````".to_owned()], "text"), "`````text\n````\n`````\n");
    }

    #[test]
    fn shell_words_are_quoted_where_needed() {
        assert_eq!(shell_word("load.sleep=10ms"), "load.sleep=10ms");
        assert_eq!(shell_word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell_word(""), "''");
    }
}
