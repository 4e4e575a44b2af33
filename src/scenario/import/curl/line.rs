//! One command of curl, its options and addresses taken together.

use super::options::{CurlOption, long, short};
use super::request::{Asked, Sent};
use super::words::ShellWord;
use crate::scenario::import::LeftOutReason;

/// The requests of the words after `curl`: each with a name for what is left out, and why.
pub(super) fn requests(words: &[ShellWord]) -> Vec<Result<Sent, (String, LeftOutReason)>> {
    let mut found = Vec::new();
    let mut asked = Asked::default();
    let mut failed = None;
    for option in options(words) {
        match option {
            Ok((CurlOption::Next, _, _)) => finish(&mut asked, &mut failed, &mut found),
            Ok((option, name, value)) => {
                if let Err(reason) = asked.take(option, &name, &value) {
                    failed = failed.or(Some(reason));
                }
            }
            Err(reason) => failed = failed.or(Some(reason)),
        }
    }
    finish(&mut asked, &mut failed, &mut found);
    found
}

fn finish(
    asked: &mut Asked,
    failed: &mut Option<LeftOutReason>,
    found: &mut Vec<Result<Sent, (String, LeftOutReason)>>,
) {
    let asked = std::mem::take(asked);
    let name = asked.shown();
    match failed.take() {
        Some(reason) => found.push(Err((name, reason))),
        None if asked.urls.is_empty() => {
            let reason = LeftOutReason::Malformed("the line has no address".to_owned());
            found.push(Err((name, reason)));
        }
        None => found.extend(asked.urls.iter().map(|url| asked.sent(url).map_err(|reason| (name.clone(), reason)))),
    }
}

/// What it is, how it is written, and its value.
type Given = (CurlOption, String, ShellWord);

/// The options in their order; an address without an option is one too.
fn options(words: &[ShellWord]) -> Vec<Result<Given, LeftOutReason>> {
    let mut found = Vec::new();
    let mut words = words.iter();
    let unknown = |name: &str| Err(LeftOutReason::CurlOption(name.to_owned(), "it is not known here".to_owned()));
    let missing = |name: &str| Err(LeftOutReason::CurlOption(name.to_owned(), "it has no value".to_owned()));
    let mut only_urls = false;
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        if let Some(unknown) = &word.unknown {
            found.push(Err(LeftOutReason::Variable(unknown.clone())));
        } else if only_urls || !text.starts_with('-') || text == "-" {
            found.push(Ok((CurlOption::Url, String::new(), word.clone())));
        } else if text == "--" {
            only_urls = true;
        } else if let Some(name) = text.strip_prefix("--") {
            match long(name) {
                None => found.push(unknown(text)),
                Some((false, option)) => found.push(Ok((option, text.to_owned(), ShellWord::default()))),
                Some((true, option)) => found.push(match words.next() {
                    Some(value) => Ok((option, text.to_owned(), value.clone())),
                    None => missing(text),
                }),
            }
        } else {
            for (at, letter) in text.char_indices().skip(1) {
                let name = format!("-{letter}");
                let rest = &text[at + letter.len_utf8()..];
                match short(letter) {
                    None => {
                        found.push(unknown(&name));
                        break;
                    }
                    Some((false, option)) => found.push(Ok((option, name, ShellWord::default()))),
                    Some((true, option)) => {
                        let of_rest = ShellWord { text: rest.to_owned(), ..word.clone() };
                        let value = if rest.is_empty() { words.next().cloned() } else { Some(of_rest) };
                        found.push(match value {
                            Some(value) => Ok((option, name, value)),
                            None => missing(&name),
                        });
                        break;
                    }
                }
            }
        }
    }
    // What is unknown in a value is unknown in the request.
    for option in &mut found {
        if let Ok((_, _, ShellWord { unknown: Some(unknown), .. })) = option {
            *option = Err(LeftOutReason::Variable(unknown.clone()));
        }
    }
    found
}
