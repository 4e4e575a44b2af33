//! `--set key.path=value`: any key of the file, from the command line.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Problems};
use super::secrets::Secrets;
use super::source::Span;
use super::toml_tree::{self, Segment};
use super::{SystemContext, environment, sensitive};
use crate::mode::Mode;

/// One `--set`, read.
pub(super) struct Override {
    path: Vec<Segment>,
    value: Span,
    /// `x=VALUE`, moved by spaces so that a parser finds the value at its place among the sources.
    placed: String,
}

impl Override {
    /// The value as TOML; what is not TOML is a text.
    fn value(&self) -> Spanned<DeValue<'_>> {
        let mut entries =
            DeTable::parse(&self.placed).map(|table| table.into_inner().into_iter()).into_iter().flatten();
        match (entries.next(), entries.next()) {
            (Some((_, value)), None) => value,
            _ => Spanned::new(self.value.clone(), DeValue::String(Cow::Borrowed(&self.placed[self.value.start..]))),
        }
    }
}

/// Reads each `--set`; its text becomes a source that problems can point into.
pub(super) fn read(overrides: &[String], problems: &mut Problems) -> Vec<Override> {
    overrides.iter().filter_map(|text| read_one(text, problems)).collect()
}

fn read_one(text: &str, problems: &mut Problems) -> Option<Override> {
    let start = problems.sources.add("--set", text);
    let whole = start..start + text.len();
    let help = "write key.path=value, as in --set load.concurrency=50";
    let Some(equals) = find_equals(text) else {
        problems.add(Problem::new("an override without a value").at(&whole, "no `=` here").help(help));
        return None;
    };
    let Some(path) = toml_tree::parse_path(&text[..equals], start) else {
        let key = start..start + equals;
        problems.add(Problem::new("an override without a key path").at(&key, "not a key path").help(help));
        return None;
    };
    let value = start + equals + 1..whole.end;
    // The file and a key of at least one byte lie before the value, so that there is room.
    let placed = " ".repeat(value.start.saturating_sub(2)) + "x=" + &text[equals + 1..];
    Some(Override { path, value, placed })
}

/// The first `=` that is not inside a quoted key.
fn find_equals(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, c)| {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '=') => return Some(at),
            _ => {}
        }
        None
    })
}

/// Puts every override into the tree. One for a key that the matrix varies leaves it that one value.
pub(super) fn apply<'i>(tree: &mut DeTable<'i>, overrides: &'i [Override], problems: &mut Problems) {
    for given in overrides {
        let value = given.value();
        let key = toml_tree::dotted(&given.path);
        let outcome = match &given.path[..] {
            [(first, _), rest @ ..] if first == "matrix" && !rest.is_empty() => {
                let axis = (toml_tree::dotted(rest), given.path[1].1.clone());
                toml_tree::set(tree, &[given.path[0].clone(), axis], value)
            }
            _ if varies(tree, &key) || key == "server" && names_server(tree, value.get_ref()) => {
                pin(tree, &given.path, &key, value)
            }
            [(first, _), rest @ ..] if first == "server" && !rest.is_empty() && has_alternatives(tree) => {
                set_each_server(tree, &given.path, value)
            }
            _ => toml_tree::set(tree, &given.path, value),
        };
        if let Err(depth) = outcome {
            let (name, span) = &given.path[depth - 1];
            problems.add(
                Problem::new(format!("`{name}` is not a table"))
                    .at(span, "the scenario has a plain value here")
                    .help("set that key itself, or one inside a table"),
            );
        }
    }
    drop_threads(tree, overrides);
}

/// Whoever sets another mode for one run need not take `threads` out of the file.
fn drop_threads(tree: &mut DeTable<'_>, overrides: &[Override]) {
    let has_threads = |value: Spanned<DeValue<'_>>| {
        value.get_ref().as_str().is_some_and(|mode| Mode::names_with_threads().contains(&mode))
    };
    let sets = |given: &&Override, key: &str| toml_tree::dotted(&given.path) == key;
    let Some(mode) = overrides.iter().rfind(|given| sets(given, "server.mode")) else { return };
    if has_threads(mode.value()) || overrides.iter().any(|given| sets(&given, "server.threads")) {
        return;
    }
    if let Some(DeValue::Table(server)) = tree.get_mut("server").map(Spanned::get_mut) {
        server.remove("threads");
    }
    if let Some(DeValue::Table(servers)) = tree.get_mut("servers").map(Spanned::get_mut) {
        for server in servers.iter_mut().map(|(_, server)| server.get_mut()) {
            if let DeValue::Table(server) = server {
                server.remove("threads");
            }
        }
    }
}

/// The overrides as typed, but that variables stand for values that must not be shown.
pub(super) fn shown(overrides: &[String], secrets: &Secrets) -> Vec<String> {
    let show = |text: &String| match find_equals(text) {
        Some(equals) => show_one(text, equals, secrets).unwrap_or_else(|| secrets.named(text)),
        None => text.clone(),
    };
    overrides.iter().map(show).collect()
}

/// `None` where no secret stands in the value itself, or somewhere inside it where it is a list or table.
fn show_one(text: &str, equals: usize, secrets: &Secrets) -> Option<String> {
    let (key, value) = (&text[..equals], &text[equals + 1..]);
    let hidden = |path: &[String], text: &str| {
        let is_secret = environment::expand(text, &Nowhere, None) == Ok(None) && sensitive::is_secret(path, text);
        secrets.stands_for_literal(text).filter(|_| is_secret)
    };
    let Ok(tree) = DeTable::parse(text) else {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        return hidden(&path, value).map(|name| format!("{key}={name}"));
    };
    let (mut tree, mut any) = (tree.into_inner(), false);
    toml_tree::each_string(&mut tree, &mut |path, _, text| {
        if let Some(name) = hidden(path, text) {
            any = true;
            *text = Cow::Owned(name);
        }
    });
    let value = toml_tree::value_text(&tree, &toml_tree::parse_path(key, 0)?).filter(|_| any)?;
    Some(format!("{key}={value}"))
}

/// A world without variables.
struct Nowhere;

impl SystemContext for Nowhere {
    fn read(&self, _: &std::path::Path) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

fn varies(tree: &DeTable<'_>, key: &str) -> bool {
    toml_tree::get(tree, &["matrix", key]).is_some()
}

/// Whether `server = NAME` picks one of `[servers]`.
fn names_server(tree: &DeTable<'_>, value: &DeValue<'_>) -> bool {
    value.is_str() && has_alternatives(tree)
}

/// Whether `server` stands for each of `[servers]`.
fn has_alternatives(tree: &DeTable<'_>) -> bool {
    let servers = tree.get("servers").and_then(|servers| servers.get_ref().as_table());
    servers.is_some_and(|servers| !servers.is_empty()) && !tree.contains_key("server")
}

/// Sets a key of the server, whichever of `[servers]` it is.
fn set_each_server<'i>(tree: &mut DeTable<'i>, path: &[Segment], value: Spanned<DeValue<'i>>) -> Result<(), usize> {
    let Some(DeValue::Table(servers)) = tree.get_mut("servers").map(Spanned::get_mut) else { return Ok(()) };
    for server in servers.iter_mut().map(|(_, server)| server.get_mut()) {
        if let DeValue::Table(server) = server {
            toml_tree::set(server, &path[1..], value.clone()).map_err(|depth| depth + 1)?;
        }
    }
    Ok(())
}

/// Leaves an axis of the matrix one value, and drops the rules that are for others.
fn pin<'i>(tree: &mut DeTable<'i>, path: &[Segment], key: &str, value: Spanned<DeValue<'i>>) -> Result<(), usize> {
    let new = toml_tree::to_json(&value);
    let old = toml_tree::get(tree, &["matrix", key]).map(toml_tree::to_json);
    let dropped = |when: &serde_json::Value| {
        let is_listed = old.as_ref().and_then(|old| old.as_array()).is_some_and(|old| old.contains(when));
        is_listed && *when != new
    };
    if let Some(DeValue::Array(rules)) = that_mut(tree) {
        toml_tree::retain(rules, |_, rule| {
            let when =
                rule.as_table().and_then(|rule| toml_tree::get(rule, &["when"])).and_then(|w| w.get_ref().as_table());
            let parts: Vec<&str> = key.split('.').collect();
            let value = when.and_then(|when| when.get(key).or_else(|| toml_tree::get(when, &parts)));
            !value.map(toml_tree::to_json).is_some_and(|value| dropped(&value))
        });
    }
    let mut list = toml::de::DeArray::new();
    let span = value.span();
    list.push(value);
    let whole = path.first().map_or(0, |first| first.1.start)..path.last().map_or(0, |last| last.1.end);
    let axis = [("matrix".to_owned(), whole.clone()), (key.to_owned(), whole)];
    toml_tree::set(tree, &axis, Spanned::new(span, DeValue::Array(list)))
}

fn that_mut<'t, 'i>(tree: &'t mut DeTable<'i>) -> Option<&'t mut DeValue<'i>> {
    match tree.get_mut("assert")?.get_mut() {
        DeValue::Table(assert) => assert.get_mut("that").map(Spanned::get_mut),
        _ => None,
    }
}
