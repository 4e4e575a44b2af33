//! The least that shows a leak: in words, and as lines for a shell where curl can do it.

use crate::dirty::observation::variable;
use crate::dirty::recipe::{Anomaly, Line, Principal, Recipe, RecipeRequest, SleepLength, Start};
use crate::record::{RequestRecord, ShrunkRecord, TlsRecord};
use crate::session::{CAPTURE, TOKEN};
use crate::units::{counted, show_percentage};

use super::escape::{clean, shell_word};
use super::format::millis;

/// More requests than this nobody pastes.
const MOST_TYPED: usize = 20;
/// A longer line would be cut in a report, in characters.
const LONGEST_TYPED: usize = 380;

/// `2 requests, one after the other, on one connection: 10 of 10 (at least 69 %)`.
pub(crate) fn in_words(shrunk: &ShrunkRecord) -> String {
    let often = format!("{} of {}", shrunk.shown, shrunk.tries);
    format!("{}: {often} (at least {})", recipe(&shrunk.recipe), show_percentage(shrunk.rate_at_least))
}

/// What a recipe sends, in words.
pub(crate) fn recipe(recipe: &Recipe) -> String {
    let count = counted(recipe.shots().count() as u64, "request");
    let mut parts = vec![count];
    parts.extend(timing(recipe));
    parts.extend(oddities(recipe));
    if recipe.same_url {
        parts.push("all for one URL".to_owned());
    }
    if recipe.fresh_server {
        parts.push("on a server that was just started".to_owned());
    }
    parts.join(", ")
}

fn timing(recipe: &Recipe) -> Vec<String> {
    match recipe.lines.as_slice() {
        [line] if line.pipelined => vec!["on one connection, all sent before the first response is read".to_owned()],
        [line] if line.reuse => vec!["one after the other".to_owned(), "on one connection".to_owned()],
        [_] => vec!["one after the other".to_owned(), "each over a connection of its own".to_owned()],
        lines if lines.iter().all(|line| line.start == Start::Gate) => {
            vec!["whose last bytes are sent together".to_owned()]
        }
        [Line { start: Start::At(first), .. }, Line { start: Start::At(second), .. }] if second > first => {
            vec![format!("the second {} after the first", millis(second - first))]
        }
        lines if lines.iter().all(|line| line.start == Start::At(0.0)) => vec!["at the same moment".to_owned()],
        lines => vec![format!("on {} side by side", counted(lines.len() as u64, "line"))],
    }
}

fn oddities(recipe: &Recipe) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (_, shot) in recipe.shots() {
        all.extend(oddity(shot).filter(|text| !all.contains(text)));
    }
    if recipe.shots().any(|(_, shot)| shot.who == Principal::Nobody) {
        all.push("the later without saying who asks".to_owned());
    }
    all
}

fn oddity(shot: &RecipeRequest) -> Option<String> {
    Some(match shot.twist {
        Anomaly::Abort(after) => format!("one of them given up by its client after {}", millis(after)),
        Anomaly::Halting(pause) => format!("one of them sent in halves, {} apart", millis(pause)),
        Anomaly::Malformed(_) => "one of them malformed, so that its handler fails".to_owned(),
        Anomaly::Smuggling(_) => "one of them with a body that looks like a request, and likely refused".to_owned(),
        Anomaly::Suffixed(_) => "for a URL that ends like that of a file".to_owned(),
        Anomaly::Elsewhere => "one of them for a page that does not exist".to_owned(),
        Anomaly::Big => "one of them with a body of more than 64 KiB".to_owned(),
        Anomaly::LongCanary => "one of them with a long value".to_owned(),
        Anomaly::ShortCanary => "one of them with a short value".to_owned(),
        Anomaly::None => match shot.nap {
            SleepLength::Short => return None,
            SleepLength::Long => "one of them slow".to_owned(),
            SleepLength::Longest => "one of them so slow that a time-out may fire".to_owned(),
        },
    })
}

/// Lines for a shell, in which the victim's response is printed and no other; the error says why there are none. `secrets`
/// are the variables of the environment whose values the record leaves out.
pub(crate) fn by_hand(shrunk: &ShrunkRecord, secrets: &[String]) -> Result<Vec<String>, &'static str> {
    if let Some(why) = beyond_curl(&shrunk.recipe) {
        return Err(why);
    }
    if shrunk.requests.len() != shrunk.recipe.shots().count() {
        return Err("it takes more requests than anybody types");
    }
    let mut lines = server(shrunk.tls.as_ref());
    let several = shrunk.recipe.lines.len() > 1;
    let mut under_way = false;
    for (index, line) in shrunk.recipe.lines.iter().enumerate() {
        if matches!(line.start, Start::After(_)) && std::mem::take(&mut under_way) {
            lines.push("wait".to_owned());
        }
        let commands = commands(shrunk, secrets, index, line)?;
        match line.start {
            Start::At(after) if several => {
                let pause = if after > 0.0 { format!("sleep {:.3}; ", after / 1e3) } else { String::new() };
                lines.push(format!("( {pause}{} ) &", commands.join("; ")));
                under_way = true;
            }
            _ => lines.extend(commands),
        }
    }
    if under_way {
        lines.push("wait".to_owned());
    }
    match lines.iter().any(|line| line.chars().count() > LONGEST_TYPED || clean(line) != *line) {
        true => Err("what it sends is too long for a line, or no text"),
        false => Ok(lines),
    }
}

/// Where the server is, and, as the arguments of the shell itself, how TLS is spoken with it.
fn server(tls: Option<&TlsRecord>) -> Vec<String> {
    const ADDRESS: &str = "127.0.0.1:8000";
    const HINT: &str = "   # where your server listens";
    let Some(tls) = tls else { return vec![format!("SERVER=http://{ADDRESS}{HINT}")] };
    // Over TLS curl would choose HTTP/2 if the server can.
    let mut words = vec!["set -- --http1.1".to_owned()];
    let mut lines = match &tls.name {
        None => vec![format!("SERVER=https://{ADDRESS}{HINT}")],
        Some(name) => {
            // The name that the server is asked for is that of the URL, whoever is connected to.
            words.push("--connect-to \"::$ADDRESS\"".to_owned());
            let host = if name.contains(':') { format!("[{name}]") } else { name.clone() };
            vec![format!("ADDRESS={ADDRESS}{HINT}"), format!("SERVER={}", shell_word(&format!("https://{host}")))]
        }
    };
    words.extend(tls.insecure.then(|| "-k".to_owned()));
    for (option, file) in [("--cacert", &tls.ca), ("--cert", &tls.cert), ("--key", &tls.key)] {
        words.extend(file.as_ref().map(|file| format!("{option} {}", shell_word(file))));
    }
    lines.push(words.join(" "));
    lines
}

/// What curl cannot do.
fn beyond_curl(recipe: &Recipe) -> Option<&'static str> {
    if recipe.http2 {
        return Some("it goes over HTTP/2, in streams that curl does not send at will");
    }
    if recipe.lines.iter().any(|line| line.start == Start::Gate) {
        return Some("curl cannot hold back the last byte of several requests");
    }
    if recipe.lines.iter().any(|line| line.pipelined) {
        return Some("curl does not send a request before the response to the one before");
    }
    if recipe.shots().any(|(_, shot)| matches!(shot.twist, Anomaly::Halting(_))) {
        return Some("curl cannot stop in the middle of a request");
    }
    let too_many = recipe.shots().count() > MOST_TYPED || recipe.lines.iter().any(|line| line.until.is_some());
    too_many.then_some("it takes more requests than anybody types")
}

/// The commands of one line of a recipe: one for each connection.
fn commands(shrunk: &ShrunkRecord, secrets: &[String], index: usize, line: &Line) -> Result<Vec<String>, &'static str> {
    let mut calls = Vec::new();
    for (position, shot) in line.shots.iter().enumerate() {
        let asked = shrunk.requests.iter().find(|asked| (asked.line, asked.shot) == (index, position));
        calls.push(call(asked.ok_or("a request was not kept")?, shot, shrunk, secrets)?);
    }
    if line.reuse {
        return Ok(vec![format!("curl {}", calls.join(" --next "))]);
    }
    let pause = |shot: &RecipeRequest| {
        if shot.pause_ms > 0.0 { format!("sleep {:.3}; ", shot.pause_ms / 1e3) } else { String::new() }
    };
    Ok(calls.iter().zip(&line.shots).map(|(call, shot)| format!("{}curl {call}", pause(shot))).collect())
}

/// The arguments of one request.
fn call(
    asked: &RequestRecord,
    shot: &RecipeRequest,
    shrunk: &ShrunkRecord,
    secrets: &[String],
) -> Result<String, &'static str> {
    if asked.cut {
        return Err("a body is no text, or too long to be typed");
    }
    // -g: brackets in a URL mean themselves.
    let mut words = vec!["-sg".to_owned()];
    words.extend(shrunk.tls.as_ref().map(|_| "\"$@\"".to_owned()));
    words.extend(shrunk.follow.then(|| "-L".to_owned()));
    match (asked.part.as_deref(), shrunk.place.as_str()) {
        (Some("victim"), "body") => words.push("-w '\\n'".to_owned()),
        (Some("victim"), _) => words.push("-i".to_owned()),
        _ => words.push("-o /dev/null".to_owned()),
    }
    if let Anomaly::Abort(after) = shot.twist {
        words.push(format!("--max-time {:.3}", after / 1e3));
    }
    match (asked.method.as_str(), &asked.body) {
        ("GET", None) | ("POST", Some(_)) => {}
        ("HEAD", _) => words.push("-I".to_owned()),
        (method, _) => words.push(format!("-X {}", shell_word(method))),
    }
    words.extend(asked.headers.iter().map(|(name, value)| format!("-H {}", header(name, value, secrets))));
    if let Some(body) = &asked.body {
        if !asked.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            words.push("-H content-type:".to_owned());
        }
        if clean(body) != *body {
            return Err("a body has several lines");
        }
        if body.contains(TOKEN) || body.contains(CAPTURE) {
            return Err("a body holds what only a login gives");
        }
        words.push(format!("--data-raw {}", word(&around_secrets(body, secrets))));
    }
    words.push(format!("\"$SERVER\"{}", word(&around_secrets(&asked.target, secrets))));
    Ok(words.join(" "))
}

/// A piece of a text: as it is, or what the variable of the shell with this name holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// A text in which what stands for a captured value, or the name of a secret of the environment, stands anywhere, or
/// nowhere.
fn around_secrets<'a>(text: &'a str, secrets: &'a [String]) -> Vec<Piece<'a>> {
    let mut known = vec![(TOKEN.to_owned(), &TOKEN[1..])];
    known.extend(secrets.iter().map(|name| (format!("${{{name}}}"), name.as_str())));
    let first = |text: &'a str| {
        let found = known.iter().filter_map(|(written, name)| Some((text.find(written)?, written.len(), *name)));
        found.chain(captured_in(text)).min_by_key(|(at, ..)| *at)
    };
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((at, length, name)) = first(rest) {
        pieces.extend((at > 0).then_some(Piece::Text(&rest[..at])));
        pieces.push(Piece::Variable(name));
        rest = &rest[at + length..];
    }
    pieces.extend((!rest.is_empty()).then_some(Piece::Text(rest)));
    pieces
}

/// Where what stands for a captured value begins, how long it is, and the name of the variable.
fn captured_in(text: &str) -> Option<(usize, usize, &str)> {
    let at = text.find(CAPTURE)?;
    let length = text[at..].find('}')? + 1;
    let name = &text[at + "${".len()..at + length - 1];
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.chars().all(fits).then_some((at, length, name))
}

/// The value of a header: what stands in it for a secret is told by the names that those get. Anything else that looks
/// like a variable is text.
fn value_pieces<'a>(name: &str, value: &'a str, secrets: &'a [String]) -> Vec<Piece<'a>> {
    if value == variable(name) {
        return vec![Piece::Variable(&value[1..])];
    }
    if !name.eq_ignore_ascii_case("cookie") {
        return around_secrets(value, secrets);
    }
    let mut pieces = Vec::new();
    for cookie in value.split_inclusive("; ") {
        let (pair, end) = cookie.strip_suffix("; ").map_or((cookie, ""), |pair| (pair, "; "));
        match pair.split_once('=') {
            Some((name, value)) if value == variable(&format!("cookie_{name}")) => {
                pieces.extend([Piece::Text(&pair[..=name.len()]), Piece::Variable(&value[1..])]);
            }
            _ => pieces.extend(around_secrets(pair, secrets)),
        }
        pieces.extend((!end.is_empty()).then_some(Piece::Text(end)));
    }
    pieces
}

/// What the shell fills in, or refuses to go on without: nothing else is sent in its place.
fn filled(name: &str) -> String {
    format!("${{{name}:?}}")
}

/// Pieces as one word of the shell, which fills in the variables.
fn word(pieces: &[Piece<'_>]) -> String {
    let mut out = String::new();
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(more) => text += more,
            Piece::Variable(name) => {
                if !text.is_empty() {
                    out += &shell_word(&std::mem::take(&mut text));
                }
                out += &format!("\"{}\"", filled(name));
            }
        }
    }
    if !text.is_empty() || out.is_empty() {
        out += &shell_word(&text);
    }
    out
}

/// A header as one word.
fn header(name: &str, value: &str, secrets: &[String]) -> String {
    let is_plain = name.chars().all(|c| c == '-' || c == '_' || c.is_ascii_alphanumeric());
    match value_pieces(name, value, secrets).as_slice() {
        [Piece::Variable(variable)] if is_plain => format!("\"{name}: {}\"", filled(variable)),
        pieces => word(&[&[Piece::Text(name), Piece::Text(": ")], pieces].concat()),
    }
}

/// The variables of the shell that its requests leave for the reader to fill in, by name: `AUTHORIZATION`.
pub(crate) fn left_out<'a>(shrunk: &'a ShrunkRecord, secrets: &'a [String]) -> Vec<&'a str> {
    let mut names = Vec::new();
    for asked in &shrunk.requests {
        let values = asked.headers.iter().flat_map(|(name, value)| value_pieces(name, value, secrets));
        let rest = std::iter::once(&asked.target).chain(&asked.body).flat_map(|text| around_secrets(text, secrets));
        for piece in values.chain(rest) {
            match piece {
                Piece::Variable(name) if !names.contains(&name) => names.push(name),
                _ => {}
            }
        }
    }
    names
}

#[cfg(test)]
mod tests;
