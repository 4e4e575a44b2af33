//! From the tree to the types of the file: wrong entries become problems and are cut out, until the rest reads.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::file;
use super::problem::{Problem, Problems};
use super::source::Span;
use super::suggest;
use super::toml_tree::{self, PathStep};

/// So many wrong entries of one list or table are many.
const MANY: usize = 4;

/// Entries that were cut because they were wrong: what follows only from that is no problem of its own.
#[derive(Debug, Default, Clone)]
pub(super) struct InvalidPaths(BTreeSet<Vec<String>>);

impl InvalidPaths {
    pub fn add(&mut self, path: &[PathStep]) {
        let keys = path.iter().map_while(|step| match step {
            PathStep::Key(key) => Some(key.clone()),
            PathStep::Index(_) => None,
        });
        self.0.insert(keys.collect());
    }

    /// The same for a section by its dotted name.
    pub fn add_section(&mut self, name: &str) {
        self.0.insert(name.split('.').map(str::to_owned).collect());
    }

    /// The same for a key path of the matrix, which is one key there.
    pub fn add_axis(&mut self, key: &str) {
        self.0.insert(vec!["matrix".to_owned(), key.to_owned()]);
    }

    /// Whether this key path, or something around it, was cut.
    pub fn covers(&self, path: &[&str]) -> bool {
        let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        (0..=path.len()).any(|length| self.0.contains(&path[..length]))
    }

    /// Whether anything at this key path, around it or inside it was cut.
    pub fn touches(&self, path: &[&str]) -> bool {
        let inside = |cut: &Vec<String>| cut.iter().zip(path).all(|(a, b)| a == b);
        let from: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        self.covers(path) || self.0.range(from..).next().is_some_and(inside)
    }
}

/// Reads the tree as a scenario. What is wrong is a problem each, and gone from the tree.
pub(super) fn read(table: &mut DeTable<'_>, problems: &mut Problems, spoilt: &mut InvalidPaths) -> file::RawScenario {
    let mut counts: HashMap<Vec<PathStep>, usize> = HashMap::new();
    loop {
        let mut as_sent = table.clone();
        toml_tree::write_dates(&mut as_sent);
        let root = Spanned::new(0..0, DeValue::Table(as_sent));
        let error = match file::RawScenario::deserialize(ValueDeserializer::from(root)) {
            Ok(scenario) => return scenario,
            Err(error) => error,
        };
        let (message, span) = (error.message().to_owned(), error.span().unwrap_or(0..0));
        let path = toml_tree::smallest(table, &span).unwrap_or_default();
        // A list in the place of a table is read as its keys, one after the other.
        let (message, span, path) = list_for_table(table, &path).unwrap_or((message, span, path));
        let entry = toml_tree::entry(table, &path);
        problems.add(explain(&message, &path, &span, entry, spoilt));
        spoilt.add(&path);
        // Each round takes an entry away, so the rounds end; without one to take, there is nothing to read.
        if !toml_tree::cut(table, &path) {
            return file::RawScenario::default();
        }
        // Each round reads all anew: so where there are many, each part is read by itself.
        for container in (0..path.len()).rev().map(|length| &path[..length]) {
            let count = counts.entry(container.to_vec()).or_default();
            *count += 1;
            if *count == MANY {
                let read_alone = |alone: &mut DeTable<'_>| drop(read(alone, problems, spoilt));
                toml_tree::parts::each_alone(table, container, read_alone);
                break;
            }
        }
    }
}

/// What is wrong with the list around an entry, if it stands where none may: then it is so without its items, too.
fn list_for_table(table: &DeTable<'_>, path: &[PathStep]) -> Option<(String, Span, Vec<PathStep>)> {
    let (PathStep::Index(_), around) = path.split_last()? else { return None };
    let mut emptied = table.clone();
    while toml_tree::cut(&mut emptied, &[around, &[PathStep::Index(0)]].concat()) {}
    let root = Spanned::new(0..0, DeValue::Table(emptied));
    let error = file::RawScenario::deserialize(ValueDeserializer::from(root)).err()?;
    let span = error.span()?;
    let is_it = error.message().starts_with(NO_TABLE) && toml_tree::smallest(table, &span)? == around;
    is_it.then(|| (error.message().to_owned(), span, around.to_vec()))
}

/// How serde begins to say that a list is no table.
const NO_TABLE: &str = "invalid length 0, expected ";

/// Whether a key stands at the top of scenarios.
pub(super) fn is_scenario_key(key: &str) -> bool {
    super::schema::sections_with(key).is_some_and(|section| section == "the top of the file")
}

/// Puts what serde says in the words of scenarios.
fn explain(
    message: &str,
    path: &[PathStep],
    span: &Span,
    entry: Option<&DeValue<'_>>,
    spoilt: &mut InvalidPaths,
) -> Problem {
    let name = Name::of(path);
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown_key(&quoted(rest), path, span, spoilt);
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let words = quoted(rest);
        let (given, known) = words.split_first().map_or(("", &[][..]), |(given, known)| (*given, known));
        let noun = match name.key {
            "expect" => "expectation",
            "regression" => "policy",
            "http" => "version of HTTP",
            "triggers" | "skip" => "trigger",
            key => key,
        };
        return Problem::new(format!("unknown {noun} `{given}`"))
            .at(span, format!("not a value of `{}`", name.key))
            .help(suggest::help(given, &format!("values of `{}`", name.key), known));
    }
    if let Some((_, expected)) = message.strip_prefix("invalid type: ").and_then(|m| m.split_once(", expected ")) {
        return wrong_type(&name, entry, expected, span);
    }
    if let Some(expected) = message.strip_prefix(NO_TABLE) {
        return wrong_type(&name, entry, expected, span);
    }
    if message == "wanted string or table" {
        return wrong_type(&name, entry, "a string", span);
    }
    if message.starts_with("invalid value: integer") || message.contains("number overflowed") {
        let most = if name.key == "seed" { super::LARGEST_SEED } else { i64::MAX as u64 };
        return Problem::new(format!("{} is out of range", name.shown()))
            .at(span, "not a number that fits here")
            .help(format!("write a whole number from 0 to {most}"));
    }
    match unit_error(message) {
        Some((title, label, help)) => Problem::new(title).at(span, label).help(help),
        None => Problem::new(message).at(span, "").help("compare the key with `runner schema`"),
    }
}

/// Title, label and remedy of an error of `units`.
pub(super) fn unit_error(message: &str) -> Option<(&str, &str, &str)> {
    let (title, why) = message.split_once(": ").filter(|(title, _)| title.contains(" is not a"))?;
    let (label, help) = why.split_once("; ").unwrap_or(("", why));
    Some((title, label, help))
}

fn unknown_key(words: &[&str], path: &[PathStep], span: &Span, spoilt: &mut InvalidPaths) -> Problem {
    let (key, known) = words.split_first().map_or(("", &[][..]), |(key, known)| (*key, known));
    let parent = &path[..path.len().saturating_sub(1)];
    let section = show_path(parent);
    let label =
        if section.is_empty() { "not a key of a scenario".to_owned() } else { format!("not a key of [{section}]") };
    let near = suggest::nearest(key, known.iter().copied());
    if let Some(near) = near {
        // The key that was meant is there, if misspelt: that it is missing would be said in vain.
        spoilt.add(&[parent, &[PathStep::Key(near.to_owned())]].concat());
    }
    let elsewhere = || super::schema::sections_with(key).filter(|section| !section.is_empty());
    let help = match (near, elsewhere()) {
        (Some(near), _) if strsim::damerau_levenshtein(key, near) <= 1 => format!("did you mean `{near}`?"),
        (_, Some(sections)) => format!("`{key}` is a key of {sections}; move it there"),
        _ => suggest::help(key, "keys here", known),
    };
    Problem::new(format!("unknown key `{key}`")).at(span, label).help(help)
}

fn wrong_type(name: &Name<'_>, entry: Option<&DeValue<'_>>, expected: &str, span: &Span) -> Problem {
    let expected = match expected {
        "i64" | "u64" => "a whole number",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        other => other.split(", as in").next().unwrap_or(other),
    };
    let found = match entry {
        Some(DeValue::String(_)) => "this is a string",
        Some(DeValue::Integer(_)) => "this is a number",
        Some(DeValue::Float(_)) => "this is a number with decimals",
        Some(DeValue::Boolean(_)) => "this is true or false",
        Some(DeValue::Datetime(_)) => "this is a date or a time",
        Some(DeValue::Array(_)) => "this is a list",
        Some(DeValue::Table(_)) => "this is a table",
        None => "this is something else",
    };
    let help = match (expected, entry) {
        ("a whole number", Some(DeValue::String(text))) if text.parse::<i64>().is_ok() => {
            format!("write it without quotes: {text}; where it varies, by `--set` on the command line")
        }
        ("a whole number", _) => "write digits only, as in 10".to_owned(),
        ("true or false", _) => "write true or false, without quotes".to_owned(),
        _ => match example(name.key) {
            Some(example) => format!("write it as in {example}"),
            None if expected == "a string" => "write a text in quotes".to_owned(),
            None => format!("write {expected}"),
        },
    };
    Problem::new(format!("{} must be {expected}", name.shown())).at(span, found).help(help)
}

/// A key as it is written right.
fn example(key: &str) -> Option<&'static str> {
    Some(match key {
        "server" => "[server], and below it mode = \"async\"",
        "servers" => "[servers.blocking], and below it mode = \"sync\"",
        "load" => "[load], and below it path = \"/health\"",
        "capacity" => "[capacity], and below it rules = [\"latency.p99 < 250ms\"]",
        "dirty" => "[dirty], and below it path = \"/page/?email={canary}\"",
        "assert" => "[assert], and below it that = [\"errors.count == 0\"]",
        "mode" => "mode = \"async\"",
        "command" => "command = [\"gunicorn\", \"--bind\", \"{host}:{port}\", \"app:app\"]",
        "url" => "url = \"http://127.0.0.1:8000\"",
        "ready" => "ready = { path = \"/health\", within = \"20s\" }",
        "stop" => "stop = { signal = \"TERM\", grace = \"5s\" }",
        "path" => "path = \"/health\"",
        "method" => "method = \"GET\"",
        "headers" => "headers = { accept = \"text/html\" }",
        "cookies" => "cookies = { session = \"{canary}\" }",
        "form" => "form = { email = \"{canary}\" }",
        "query" => "query = { email = \"{canary}\" }",
        "identities" => "identities = [{ lang = \"en\" }, { lang = \"es\" }]",
        "login" => "[dirty.login], and below it path = \"/login/\"",
        "token" => "token = \"access_token\"",
        "capture" => "capture = { csrf = { field = \"csrf_token\" } }",
        "step" => "[[dirty.login.step]], and below it path = \"/login/\"",
        "follow" => "follow = true",
        "group" => "group = \"team\"",
        "public" => "public = [\"build [0-9]+\"]",
        "triggers" => "triggers = [\"overlap\", \"gate\"]",
        "skip" => "skip = [\"abort\"]",
        "include" => "include = [\"base.toml\"]",
        "tags" => "tags = [\"nightly\"]",
        "regression" => "regression = \"fail\"",
        "env" => "env = { DEBUG = \"1\" }",
        "stages" => "stages = [{ rate = \"50/s\", for = \"10s\" }]",
        "that" => "that = [\"errors.count == 0\"]",
        "abort_when" => "abort_when = [\"errors.rate > 50% for 5s\"]",
        "when" => "when = { server = \"gunicorn\" }",
        _ => return None,
    })
}

/// What to call the entry at a path.
struct Name<'p> {
    key: &'p str,
    is_item: bool,
}

impl<'p> Name<'p> {
    fn of(path: &'p [PathStep]) -> Name<'p> {
        let key = path.iter().rev().find_map(|step| match step {
            PathStep::Key(key) => Some(key.as_str()),
            PathStep::Index(_) => None,
        });
        Name { key: key.unwrap_or("scenario"), is_item: matches!(path.last(), Some(PathStep::Index(_))) }
    }

    fn shown(&self) -> String {
        if self.is_item { format!("an item of `{}`", self.key) } else { format!("`{}`", self.key) }
    }
}

fn show_path(path: &[PathStep]) -> String {
    let keys: Vec<&str> = path
        .iter()
        .filter_map(|step| match step {
            PathStep::Key(key) => Some(key.as_str()),
            PathStep::Index(_) => None,
        })
        .collect();
    keys.join(".")
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}
