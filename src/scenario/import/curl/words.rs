//! CommandWords lines as words: as a POSIX shell and bash read them, and as cmd.exe does.

use crate::scenario::import::draft::variable;

/// The words of one command.
pub(super) type CommandWords = Vec<ShellWord>;

/// A word, and which variables of the environment it holds: `${NAME}` in the text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ShellWord {
    pub text: String,
    pub variables: Vec<String>,
    /// What only running something else would tell: `$(date)`.
    pub unknown: Option<String>,
}

/// All commands of a text, and where each begins (line, from 1).
pub(super) fn commands(text: &str) -> Vec<(usize, CommandWords)> {
    if is_of_cmd(text) { of_cmd(text) } else { of_shell(text) }
}

/// Whether a text was copied for cmd.exe: carets at the ends of lines, or before quotes.
fn is_of_cmd(text: &str) -> bool {
    text.contains("^\"") || text.lines().any(|line| line.trim_end().ends_with(" ^"))
}

/// Reads characters one by one.
struct Reader<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    line: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_next = self.peek() == Some(wanted);
        if is_next {
            self.next();
        }
        is_next
    }
}

/// The words that were read so far.
#[derive(Default)]
struct Words {
    commands: Vec<(usize, CommandWords)>,
    command: CommandWords,
    began: usize,
    /// `None` between words.
    word: Option<ShellWord>,
    /// What is after a pipe or a redirection belongs to another program.
    is_other: bool,
}

impl Words {
    fn word(&mut self, line: usize) -> &mut ShellWord {
        if self.command.is_empty() && self.word.is_none() {
            self.began = line;
        }
        self.word.get_or_insert_default()
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !self.is_other
        {
            self.command.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.is_other = false;
        if !self.command.is_empty() {
            self.commands.push((self.began, std::mem::take(&mut self.command)));
        }
    }
}

fn of_shell(text: &str) -> Vec<(usize, CommandWords)> {
    let mut reader = Reader { rest: text.chars().peekable(), line: 1 };
    let mut words = Words::default();
    while let Some(c) = reader.next() {
        let line = reader.line;
        match c {
            '\\' => match reader.next() {
                Some('\n') | None => {}
                Some('\r') if reader.take('\n') => {}
                Some(c) => words.word(line).text.push(c),
            },
            '\'' => {
                let word = words.word(line);
                while let Some(c) = reader.next().filter(|c| *c != '\'') {
                    word.text.push(c);
                }
            }
            '"' => in_quotes(&mut reader, words.word(line)),
            '$' if reader.take('\'') => ansi(&mut reader, words.word(line)),
            '$' if reader.take('"') => in_quotes(&mut reader, words.word(line)),
            '$' => expansion(&mut reader, words.word(line)),
            '`' => {
                let word = words.word(line);
                let inside: String = std::iter::from_fn(|| reader.next().filter(|c| *c != '`')).collect();
                word.unknown = Some(format!("`{inside}`"));
            }
            '#' if words.word.is_none() => {
                while reader.peek().is_some_and(|c| c != '\n') {
                    reader.next();
                }
            }
            '\n' | ';' => words.end_command(),
            '&' => {
                reader.take('&');
                words.end_command();
            }
            '|' if reader.take('|') => words.end_command(),
            '|' => {
                words.end_word();
                words.is_other = true;
            }
            '>' => {
                // `2>` names a stream, and what follows is a file's name.
                if words.word.as_ref().is_some_and(|word| word.text.bytes().all(|byte| byte.is_ascii_digit())) {
                    words.word = None;
                }
                words.end_word();
                while matches!(reader.peek(), Some('>' | '&' | ' ' | '\t')) {
                    reader.next();
                }
                while reader.peek().is_some_and(|c| !c.is_whitespace() && !matches!(c, ';' | '|' | '&')) {
                    reader.next();
                }
            }
            ' ' | '\t' | '\r' => words.end_word(),
            c => words.word(line).text.push(c),
        }
    }
    words.end_command();
    words.commands
}

/// What stands between `"`: variables count, and a backslash before few characters.
fn in_quotes(reader: &mut Reader<'_>, word: &mut ShellWord) {
    while let Some(c) = reader.next() {
        match c {
            '"' => return,
            '\\' => match reader.next() {
                Some('\n') | None => {}
                Some(c @ ('"' | '\\' | '$' | '`')) => word.text.push(c),
                Some(c) => word.text.extend(['\\', c]),
            },
            '$' => expansion(reader, word),
            '`' => {
                let inside: String = std::iter::from_fn(|| reader.next().filter(|c| *c != '`')).collect();
                word.unknown = Some(format!("`{inside}`"));
            }
            c => word.text.push(c),
        }
    }
}

/// `$NAME`, `${NAME}`, `$(command)`.
fn expansion(reader: &mut Reader<'_>, word: &mut ShellWord) {
    let fits = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    let mut name = String::new();
    match reader.peek() {
        Some('{') => {
            reader.next();
            while let Some(c) = reader.next().filter(|c| *c != '}') {
                name.push(c);
            }
            // `${NAME:-default}`
            name = name.split([':', '-', '=', '?', '+', '%', '#', '/']).next().unwrap_or_default().to_owned();
        }
        Some('(') => {
            let mut depth = 0_usize;
            let mut inside = String::from("$");
            while let Some(c) = reader.next() {
                inside.push(c);
                depth = if c == '(' {
                    depth + 1
                } else if c == ')' {
                    depth.saturating_sub(1)
                } else {
                    depth
                };
                if depth == 0 {
                    break;
                }
            }
            word.unknown = Some(inside);
            return;
        }
        Some(c) if fits(&c) && !c.is_ascii_digit() => {
            while let Some(c) = reader.peek().filter(fits) {
                reader.next();
                name.push(c);
            }
        }
        _ => return word.text.push('$'),
    }
    let name = variable(&name);
    word.text.push_str(&format!("${{{name}}}"));
    word.variables.push(name);
}

/// What stands between `$'` and `'`, as bash reads it.
fn ansi(reader: &mut Reader<'_>, word: &mut ShellWord) {
    let mut bytes: Vec<u8> = Vec::new();
    let mut encoded = [0; 4];
    while let Some(c) = reader.next().filter(|c| *c != '\'') {
        let c = if c == '\\' {
            reader.next()
        } else {
            bytes.extend(c.encode_utf8(&mut encoded).bytes());
            continue;
        };
        let Some(c) = c else { break };
        let mut digits = |most: usize, radix: u32| {
            let mut text = String::new();
            while text.len() < most
                && let Some(c) = reader.peek().filter(|c| c.is_digit(radix))
            {
                reader.next();
                text.push(c);
            }
            u32::from_str_radix(&text, radix).ok()
        };
        match c {
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'v' => bytes.push(11),
            'e' | 'E' => bytes.push(27),
            'x' => bytes.extend(digits(2, 16).and_then(|value| u8::try_from(value).ok())),
            'u' | 'U' => {
                let value = digits(if c == 'u' { 4 } else { 8 }, 16).and_then(char::from_u32).unwrap_or('\u{fffd}');
                bytes.extend(value.encode_utf8(&mut encoded).bytes());
            }
            c @ '0'..='7' => {
                let first = c.to_digit(8).unwrap_or(0);
                let value = digits(2, 8).map_or(first, |rest| rest + first * 8);
                bytes.push((value & 0xff) as u8);
            }
            c @ ('\\' | '\'' | '"' | '?') => bytes.push(c as u8),
            c => {
                bytes.push(b'\\');
                bytes.extend(c.encode_utf8(&mut encoded).bytes());
            }
        }
    }
    word.text.push_str(&String::from_utf8_lossy(&bytes));
}

/// Carets first, as cmd.exe takes them away, then quotes and backslashes, as programs read their command line.
fn of_cmd(text: &str) -> Vec<(usize, CommandWords)> {
    let mut lines: Vec<(usize, String)> = vec![(1, String::new())];
    let mut reader = Reader { rest: text.chars().peekable(), line: 1 };
    let mut quoted = false;
    while let Some(c) = reader.next() {
        let line = reader.line;
        let Some((_, current)) = lines.last_mut() else { break };
        match c {
            '^' if !quoted => {
                reader.take('\r');
                match reader.next() {
                    // What follows the end of the line is taken as it is, also another end.
                    Some('\n') => {
                        reader.take('\r');
                        if reader.take('\n') {
                            current.push('\n');
                        }
                    }
                    Some(c) => current.push(c),
                    None => {}
                }
            }
            '"' => {
                quoted = !quoted;
                current.push('"');
            }
            '\r' => {}
            '\n' => {
                quoted = false;
                lines.push((line, String::new()));
            }
            '&' if !quoted => lines.push((line, String::new())),
            c => current.push(c),
        }
    }
    let commands = lines.into_iter().map(|(line, text)| (line, arguments(&text)));
    commands.filter(|(_, command)| !command.is_empty()).collect()
}

/// The arguments of a command line of Windows.
fn arguments(line: &str) -> CommandWords {
    let mut found: CommandWords = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let mut count = 1;
                while chars.next_if_eq(&'\\').is_some() {
                    count += 1;
                }
                let word = word.get_or_insert_default();
                if chars.peek() == Some(&'"') {
                    word.push_str(&"\\".repeat(count / 2));
                    if count % 2 == 1 {
                        chars.next();
                        word.push('"');
                    }
                } else {
                    word.push_str(&"\\".repeat(count));
                }
            }
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                word.get_or_insert_default().push('"');
            }
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' | '\t' if !quoted => found.extend(word.take().map(plain)),
            c => word.get_or_insert_default().push(c),
        }
    }
    found.extend(word.map(plain));
    found
}

fn plain(text: String) -> ShellWord {
    ShellWord { text, ..ShellWord::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<Vec<String>> {
        let commands = commands(text).into_iter();
        commands.map(|(_, words)| words.into_iter().map(|word| word.text).collect()).collect()
    }

    #[test]
    fn words_are_those_of_a_shell() {
        let line = r#"curl 'a b' "c \"d\" \n" e\ f $'g\n\'h\u00e9' \
  --x=y # a comment
curl two | jq . ; curl three >/dev/null 2>&1 && echo done"#;
        let expected: Vec<Vec<&str>> = vec![
            vec!["curl", "a b", "c \"d\" \\n", "e f", "g\n'hé", "--x=y"],
            vec!["curl", "two"],
            vec!["curl", "three"],
            vec!["echo", "done"],
        ];
        assert_eq!(texts(line), expected);
    }

    #[test]
    fn variables_are_kept_as_variables() {
        let all = commands("curl -H \"authorization: Bearer $TOKEN\" ${base}/x '$NOT' $(date)");
        let words = &all[0].1;
        assert_eq!(words[2].text, "authorization: Bearer ${TOKEN}");
        assert_eq!((words[2].variables.as_slice(), words[3].text.as_str()), (&["TOKEN".to_owned()][..], "${BASE}/x"));
        assert_eq!((words[4].text.as_str(), words[4].variables.len()), ("$NOT", 0));
        assert_eq!(words[5].unknown.as_deref(), Some("$(date)"));
    }

    #[test]
    fn words_are_those_of_cmd() {
        let new = "curl ^\"https://a.test/?x=1^&y=^%^20^\" ^\r\n  -H ^\"accept: */*^\" ^\r\n  --data-raw ^\"^{^\\^\"a^\\^\":1^}^\"\r\n";
        assert_eq!(texts(new), [["curl", "https://a.test/?x=1&y=%20", "-H", "accept: */*", "--data-raw", "{\"a\":1}"]]);
        let old =
            "curl \"https://a.test/\" ^\r\n  -H \"x: a^b\" ^\r\n  --data-raw \"a\"^\r\n\r\n\"b\" ^\r\n --compressed";
        assert_eq!(texts(old), [["curl", "https://a.test/", "-H", "x: a^b", "--data-raw", "a\nb", "--compressed"]]);
    }
}
