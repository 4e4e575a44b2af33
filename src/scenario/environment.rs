//! `${NAME}` and `${NAME:-default}` in the strings of a scenario, and what of them may be shown.

use std::borrow::Cow;
use std::ops::Range;

use toml::de::DeTable;

use super::SystemContext;
use super::decode::InvalidPaths;
use super::problem::{Problem, Problems};
use super::secrets::Secrets;
use super::sensitive;
use super::toml_tree;

mod numbers;

pub(super) use numbers::Numbers;

/// What earlier versions wrote for a secret that the file itself held.
pub(super) const REDACTED: &str = "[redacted]";
/// A default of a secret variable that is shorter is no secret: `none`.
const SHORTEST_DEFAULT: usize = 6;

/// Fills every variable into the tree, and says which values are secrets: those of variables, and those that the file
/// itself holds. A string with a variable that is not set is a problem, and cut out.
pub(super) fn fill(
    tree: &mut DeTable<'_>,
    system: &dyn SystemContext,
    problems: &mut Problems,
    spoilt: &mut InvalidPaths,
    numbers: &mut Numbers,
) -> Secrets {
    let mut wrong = Vec::new();
    let secrets = secrets(&mut tree.clone(), system);
    toml_tree::each_string(tree, &mut |path, span, text| {
        let problem = match expand(text, system, None) {
            _ if text == REDACTED => left_out(path).at(span, "stands for what a report does not show"),
            Ok(filled) => {
                let named = (path == ["name"]).then(|| variables(text).into_iter().find(|name| is_kept(name, system)));
                if let Some(filled) = filled {
                    numbers.note(span, text, &filled);
                    *text = Cow::Owned(filled);
                }
                let Some(name) = named.flatten() else { return };
                Problem::new(format!("the name would show the secret `{name}`"))
                    .at(span, "names a folder, and stands in every report")
                    .help("leave the variable out of the name")
            }
            Err((range, name)) => unfilled(name.as_deref(), path).at(
                &problems.sources.inside(span, text, range),
                if name.is_some() { "not set" } else { "no name and `}` follow" },
            ),
        };
        problems.add(problem);
        wrong.push(span.clone());
    });
    for span in wrong {
        if let Some(path) = toml_tree::smallest(tree, &span) {
            spoilt.add(&path);
            toml_tree::cut(tree, &path);
        }
    }
    secrets
}

/// What earlier versions left out of a file.
fn left_out(path: &[String]) -> Problem {
    let variable = sensitive::variable(path, None);
    let last = path.last().map_or("", String::as_str);
    Problem::new(format!("the value of `{last}` was left out of this file"))
        .help(format!("write it there, or \"${{{variable}}}\", and set that variable"))
}

fn unfilled(name: Option<&str>, path: &[String]) -> Problem {
    match name {
        Some(name) if name.starts_with(sensitive::PREFIX) => {
            Problem::new(format!("the environment variable `{name}` is not set"))
                .help(format!("set it to what the scenario has for `{}`: a report does not show it", path.join(".")))
        }
        Some(name) => Problem::new(format!("the environment variable `{name}` is not set"))
            .help(format!("set it, or give a default: ${{{name}:-default}}")),
        None => {
            Problem::new("`${` does not begin a variable").help("write ${NAME}, or $${ for these characters themselves")
        }
    }
}

/// The secrets of a tree that is not filled in yet.
pub(super) fn secrets(tree: &mut DeTable<'_>, system: &dyn SystemContext) -> Secrets {
    let mut secrets = Secrets::default();
    toml_tree::each_string(tree, &mut |path, _, text| collect(&mut secrets, path, text, system));
    let mut before: Option<(Vec<String>, String)> = None;
    toml_tree::each_string(tree, &mut |path, _, text| {
        let filled = expand(text, system, None).ok().flatten().unwrap_or_else(|| text.to_string());
        let key = path.join(".");
        let follows = before.as_ref().filter(|(at, option)| at == path && sensitive::is_option(option));
        if let Some((_, option)) = follows.filter(|_| !text.contains("${")) {
            secrets.add_literal(&sensitive::variable(path, Some(option)), &key, text, true);
        } else if sensitive::is_secret(path, text) && text != REDACTED {
            secrets.add_literal(&sensitive::variable(path, None), &key, &filled, sensitive::is_telling(path, &filled));
        }
        for (name, range) in sensitive::parts(path, text) {
            secrets.add_literal(&sensitive::variable(path, Some(&name)), &key, &text[range], true);
        }
        before = Some((path.to_vec(), text.to_string()));
    });
    numbers::collect(tree, &mut secrets);
    secrets
}

/// Takes note of the values of those variables in a string that [`effective`] leaves as names.
fn collect(secrets: &mut Secrets, path: &[String], text: &str, system: &dyn SystemContext) {
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let start = at + found;
        at = start + 2;
        let Some((name, default, _)) = variable(&text[start..]).filter(|_| !is_escaped(text, start)) else { continue };
        let sensitive = sensitive::is_sensitive_place(path) || sensitive::is_named_before(path, &text[..start]);
        if !sensitive && !is_kept(name, system) {
            continue;
        }
        let set = system.variable(name).filter(|value| default.is_none() || !value.is_empty());
        let default = || expanded(default?, system).filter(|default| default.len() >= SHORTEST_DEFAULT);
        let Some(value) = set.or_else(default) else { continue };
        secrets.add(name, &value);
        if let Some(password) = sensitive::password_of_address(&value) {
            secrets.add(&format!("{name}_PASSWORD"), &value[password]);
        }
    }
}

/// Whether a variable stays a name where scenarios are shown: by its own name, or as its value is an address with a
/// password.
fn is_kept(name: &str, system: &dyn SystemContext) -> bool {
    let holds_password = |value: String| sensitive::password_of_address(&value).is_some();
    sensitive::looks_secret(name) || system.variable(name).is_some_and(holds_password)
}

/// The names of the variables in a text.
pub(super) fn variables(text: &str) -> Vec<String> {
    variables_where(text, |_| true)
}

/// The names of the variables that begin where it is said.
fn variables_where(text: &str, is_meant: impl Fn(usize) -> bool) -> Vec<String> {
    let starts = text.match_indices("${").map(|(at, _)| at).filter(|at| !is_escaped(text, *at) && is_meant(*at));
    starts.filter_map(|at| variable(&text[at..])).map(|(name, ..)| name.to_owned()).collect()
}

/// Whether a text is one variable and nothing else.
pub(super) fn is_one_variable(text: &str) -> bool {
    text.starts_with("${") && variable(text).is_some_and(|(.., length)| length == text.len())
}

/// Whether a dollar stands before this one.
fn is_escaped(text: &str, at: usize) -> bool {
    text[..at].ends_with('$')
}

/// The tree as TOML, in which variables are filled in except for those that hold secrets, and a variable stands for each
/// secret that the file itself holds. Filled in again, it is the same.
pub(super) fn effective(mut tree: DeTable<'_>, secrets: &mut Secrets, system: &dyn SystemContext) -> String {
    toml_tree::each_string(&mut tree, &mut |path, _, text| {
        let shown = shown(path, text, secrets, system);
        *text = Cow::Owned(shown);
    });
    numbers::name(&mut tree, secrets);
    let mut missing: Vec<(String, String)> = Vec::new();
    toml_tree::each_string(&mut tree, &mut |path, _, text| {
        for name in variables(text) {
            if !missing.iter().any(|(known, _)| *known == name) && !text.contains(&format!("${{{name}:-")) {
                missing.push((name, path.join(".")));
            }
        }
    });
    let list: Vec<String> = missing.iter().map(|(name, key)| format!("#   {name}, of `{key}`\n")).collect();
    let note = match list.is_empty() {
        true => String::new(),
        false => {
            format!("# Not shown here, and to be set in the environment before this file is run:\n{}\n", list.concat())
        }
    };
    note + toml_tree::to_text(&tree).as_str()
}

/// A string of the scenario without secrets.
fn shown(path: &[String], text: &str, secrets: &mut Secrets, system: &dyn SystemContext) -> String {
    let known = Known { secrets, system };
    let Ok(filled) = expand(text, system, None) else { return text.to_owned() };
    let filled = filled.unwrap_or_else(|| text.to_owned());
    if let Some(name) = secrets.stands_for_literal(&filled).filter(|_| sensitive::is_secret(path, text)) {
        return name;
    }
    let sensitive = sensitive::is_sensitive_place(path);
    let named: Vec<String> = variables_where(text, |start| sensitive::is_named_before(path, &text[..start]));
    let keep = |name: &str| sensitive || named.iter().any(|known| known == name) || is_kept(name, system);
    let kept = expand(text, system, Some(&keep)).ok().flatten().unwrap_or_else(|| text.to_owned());
    // The shell, not the file, may have filled one in, as in --set "load.path=/?key=$API_KEY".
    let named = secrets.named(&without_hidden_defaults(&kept, secrets));
    let again = expand(&named, &known, None).map(|again| again.unwrap_or_else(|| named.clone()));
    if again.as_ref() == Ok(&filled) && matches!(secrets.hide(&named), Cow::Borrowed(_)) {
        return named;
    }
    // It stands there in a way in which no variable is written: then one stands for all of it.
    secrets.add_literal(&sensitive::variable(path, None), &path.join("."), &filled, true);
    secrets.stands_for_literal(&filled).unwrap_or(named)
}

/// `${NAME}` for `${NAME:-default}` where the default is a secret.
fn without_hidden_defaults(text: &str, secrets: &Secrets) -> String {
    let mut out = text.to_owned();
    for (at, _) in text.rmatch_indices("${") {
        if let Some((name, Some(_), length)) = variable(&out[at..]).filter(|_| !is_escaped(text, at))
            && secrets.value(name).is_some()
        {
            out.replace_range(at..at + length, &format!("${{{name}}}"));
        }
    }
    out
}

/// The environment, and what stands for secrets of the file itself.
struct Known<'a> {
    secrets: &'a Secrets,
    system: &'a dyn SystemContext,
}

impl SystemContext for Known<'_> {
    fn read(&self, path: &std::path::Path) -> std::io::Result<String> {
        self.system.read(path)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.secrets.value(name).map(str::to_owned).or_else(|| self.system.variable(name))
    }
}

/// Where in the text a variable is wrong; its name, or `None` where there is no name.
pub(super) type Unfilled = (Range<usize>, Option<String>);

/// Fills in variables; `None` where there are none. With `keep`, a variable stays as it is, and the result can be
/// expanded again to the same text.
pub(super) fn expand(
    text: &str,
    system: &dyn SystemContext,
    keep: Option<&dyn Fn(&str) -> bool>,
) -> Result<Option<String>, Unfilled> {
    if !text.contains("${") {
        return Ok(None);
    }
    // What is kept for another reading must double the dollars that would begin a variable.
    let again = keep.is_some();
    let mut out = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let start = at + found;
        if text[..start].ends_with('$') && start > at {
            out.push_str(&text[at..start]);
            out.push_str(if again { "${" } else { "{" });
            at = start + 2;
            continue;
        }
        out.push_str(&text[at..start]);
        let Some((name, default, len)) = variable(&text[start..]) else { return Err((start..start + 2, None)) };
        let range = start..start + len;
        if keep.is_some_and(|keep| keep(name)) {
            out.push_str(&text[range.clone()]);
        } else {
            let set = system.variable(name).filter(|value| default.is_none() || !value.is_empty());
            match (set, default) {
                (Some(value), _) if again => out.push_str(&value.replace("${", "$${")),
                (Some(value), _) => out.push_str(&value),
                // What stands for it may be a variable itself.
                (None, Some(default)) => {
                    let before = range.end - 1 - default.len();
                    let moved = |(range, name): Unfilled| (range.start + before..range.end + before, name);
                    let filled = expand(default, system, keep).map_err(moved)?;
                    out.push_str(filled.as_deref().unwrap_or(default));
                }
                (None, None) => return Err((range, Some(name.to_owned()))),
            }
        }
        at = range.end;
    }
    out.push_str(&text[at..]);
    Ok(Some(out))
}

/// A text with its variables filled in, if they can be.
fn expanded(text: &str, system: &dyn SystemContext) -> Option<String> {
    expand(text, system, None).ok().map(|filled| filled.unwrap_or_else(|| text.to_owned()))
}

/// Name, default and length of the variable at the start of a text. A default may hold braces, in pairs.
fn variable(text: &str) -> Option<(&str, Option<&str>, usize)> {
    let mut depth = 0;
    let closes = |(_, c): &(usize, char)| {
        depth += i32::from(*c == '{') - i32::from(*c == '}');
        depth == 0 && *c == '}'
    };
    let (end, _) = text.char_indices().find(closes)?;
    let inside = &text[2..end];
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    named.then_some((name, default, end + 1))
}

#[cfg(test)]
mod tests;
