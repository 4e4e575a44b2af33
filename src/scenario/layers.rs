//! Files beneath a scenario: those that it includes, and the defaults of its project. Trees are laid over each other; what a
//! file above says wins.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Keys of which a table has one at most: who gives one means none of the others.
const ALTERNATIVES: [&[&str]; 4] = [
    &["mode", "command", "url"],
    &["concurrency", "rate", "stages"],
    &["duration", "requests"],
    &["json", "form", "body", "body_file"],
];
/// Keys that name a file or a folder, wherever they stand in one of these sections.
const FILES: [&str; 8] = ["script", "cwd", "data", "pid_file", "ca", "cert", "key", "body_file"];
const WITH_FILES: [&str; 5] = ["server", "servers", "load", "dirty", "assert"];

/// Lays a tree over another one: tables key by key, anything else in place of what was there.
pub(super) fn lay_over<'i>(below: &mut DeTable<'i>, above: DeTable<'i>) {
    for keys in ALTERNATIVES {
        if keys.iter().any(|key| above.contains_key(*key)) {
            keys.iter().filter(|key| !above.contains_key(**key)).for_each(|key| drop(below.remove(*key)));
        }
    }
    for (key, value) in above {
        let both = matches!(value.get_ref(), DeValue::Table(_))
            && below.get(key.get_ref().as_ref()).is_some_and(|old| old.get_ref().is_table());
        match (below.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), both) {
            (Some(DeValue::Table(old)), true) => {
                let DeValue::Table(new) = value.into_inner() else { continue };
                lay_over(old, new);
            }
            _ => {
                // Taken out first: an entry that is merely replaced keeps the place that it had.
                below.remove(key.get_ref().as_ref());
                below.insert(key, value);
            }
        }
    }
}

/// Keeps of a project's defaults what there is a place for: single keys, and of the sections those that the scenario has.
/// Defaults of `[server]` hold for each of `[servers]`.
pub(super) fn fitting<'i>(mut defaults: DeTable<'i>, scenario: &DeTable<'_>) -> DeTable<'i> {
    let server = defaults.remove("server");
    if let Some(server) = server {
        if scenario.contains_key("server") {
            defaults.insert(Spanned::new(server.span(), "server".into()), server);
        } else if let Some(DeValue::Table(servers)) = scenario.get("servers").map(Spanned::get_ref) {
            let each = servers
                .iter()
                .map(|(name, _)| (Spanned::new(server.span(), name.get_ref().to_string().into()), server.clone()));
            let all: DeTable<'i> = each.collect();
            defaults.insert(
                Spanned::new(server.span(), "servers".into()),
                Spanned::new(server.span(), DeValue::Table(all)),
            );
        }
    }
    let mut kept = DeTable::new();
    for (key, value) in defaults {
        if !value.get_ref().is_table() || scenario.contains_key(key.get_ref().as_ref()) {
            kept.insert(key, value);
        }
    }
    kept
}

/// Turns the paths of a tree, which count from a folder of their own, into such as count from the scenario's; `way` leads from
/// there to that folder.
pub(super) fn rebase(tree: &mut DeTable<'_>, way: &Path) {
    if way.as_os_str().is_empty() {
        return;
    }
    for section in WITH_FILES {
        if let Some(DeValue::Table(table)) = tree.get_mut(section).map(Spanned::get_mut) {
            rebase_table(table, way, section);
            if section == "servers" {
                let servers = table.iter_mut().filter_map(|(_, server)| match server.get_mut() {
                    DeValue::Table(server) => Some(server),
                    _ => None,
                });
                servers.for_each(|server| runs_there(server, way));
            } else if section == "server" {
                runs_there(table, way);
            }
        }
    }
}

/// A command runs in the folder of the file that gives it.
fn runs_there(server: &mut DeTable<'_>, way: &Path) {
    if server.contains_key("command") && !server.contains_key("cwd") {
        let span = server.get("command").map_or(0..0, Spanned::span);
        let folder = DeValue::String(way.to_string_lossy().into_owned().into());
        server.insert(Spanned::new(span.clone(), "cwd".into()), Spanned::new(span, folder));
    }
}

fn rebase_table(table: &mut DeTable<'_>, way: &Path, section: &str) {
    for (key, value) in table.iter_mut() {
        let name = key.get_ref().as_ref();
        // A path on the server itself begins with a slash; so does one that counts from nowhere.
        let is_file = FILES.contains(&name) || name == "from" && section == "dirty";
        match value.get_mut() {
            DeValue::String(text) if is_file && !text.starts_with(['/', '$']) => {
                *text = way.join(text.as_ref()).to_string_lossy().into_owned().into();
            }
            // What is sent has keys of its own.
            DeValue::Table(_)
                if ["headers", "cookies", "json", "form", "query", "env", "identities"].contains(&name) => {}
            DeValue::Table(inner) => rebase_table(inner, way, section),
            DeValue::Array(items) => {
                for item in items.iter_mut() {
                    if let DeValue::Table(inner) = item.get_mut() {
                        rebase_table(inner, way, section);
                    }
                }
            }
            _ => {}
        }
    }
}

/// What a tree includes, each as written with its place; an item that is no text is left to the types.
pub(super) fn included(tree: &DeTable<'_>) -> Vec<(String, std::ops::Range<usize>)> {
    let Some(DeValue::Array(items)) = tree.get("include").map(Spanned::get_ref) else { return Vec::new() };
    let text = |item: &Spanned<DeValue<'_>>| Some((item.get_ref().as_str()?.to_owned(), item.span()));
    items.iter().filter_map(text).collect()
}

/// The files that a scenario's text includes, from its folder; nothing where it is not TOML.
pub fn included_files(text: &str, folder: &Path) -> Vec<PathBuf> {
    let Ok(tree) = DeTable::parse(text) else { return Vec::new() };
    included(tree.get_ref()).into_iter().map(|(path, _)| folder.join(path)).collect()
}

/// The path without what leads nowhere: `a/../b` is `b`, and `./a` is `a`. Links are not followed.
pub(super) fn plain(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Takes a list of files out of a tree: it has done what it is there for. Anything else there is told of by the types.
pub(super) fn take_include(tree: &mut DeTable<'_>) {
    let all_texts = |items: &toml::de::DeArray<'_>| items.iter().all(|item| item.get_ref().is_str());
    if tree.get("include").and_then(|given| given.get_ref().as_array()).is_some_and(all_texts) {
        tree.remove("include");
    }
}

#[cfg(test)]
mod tests {
    use super::super::toml_tree;
    use super::*;

    fn tree(text: &str) -> DeTable<'_> {
        DeTable::parse(text).unwrap().into_inner()
    }

    fn over(below: &str, above: &str) -> String {
        let mut below = tree(below);
        lay_over(&mut below, tree(above));
        toml_tree::to_text(&below)
    }

    #[test]
    fn what_is_above_wins_key_by_key() {
        let laid = over(
            "[load]\npath = '/a'\nheaders = { a = '1', b = '2' }\n[assert]\nthat = ['x']",
            "[load]\nheaders = { b = '3' }\n[assert]\nthat = ['y']",
        );
        assert_eq!(laid, "[load]\npath = \"/a\"\n\n[load.headers]\na = \"1\"\nb = \"3\"\n\n[assert]\nthat = [\"y\"]\n");
    }

    #[test]
    fn one_of_several_ways_takes_the_place_of_the_others() {
        assert_eq!(
            over("[server]\nmode = 'sync'\nworkers = 2", "[server]\nurl = 'http://a'"),
            "[server]\nworkers = 2\nurl = \"http://a\"\n"
        );
        assert_eq!(
            over("[load]\nconcurrency = 5\nduration = '1s'", "[load]\nrate = '5/s'"),
            "[load]\nduration = \"1s\"\nrate = \"5/s\"\n"
        );
    }

    #[test]
    fn paths_count_from_the_file_that_names_them() {
        let mut base = tree(
            "[server]\ncommand = ['x']\n[load]\nscript = 'a.rhai'\nheaders = { key = 'no/path' }\n[dirty]\nfrom = '/openapi.json'\n[[dirty.request]]\nbody_file = 'b'",
        );
        rebase(&mut base, Path::new("../common"));
        let text = toml_tree::to_text(&base);
        for expected in [
            "cwd = \"../common\"",
            "script = \"../common/a.rhai\"",
            "key = \"no/path\"",
            "from = \"/openapi.json\"",
            "body_file = \"../common/b\"",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }

    #[test]
    fn defaults_make_no_section_and_reach_every_server() {
        let defaults =
            tree("regression = 'fail'\n[load]\ntimeout = '2s'\n[capacity]\ntime = '9s'\n[server]\nworkers = 3");
        let kept = fitting(defaults, &tree("[servers.a]\n[servers.b]\n[load]"));
        assert_eq!(
            toml_tree::to_text(&kept),
            "regression = \"fail\"\n\n[load]\ntimeout = \"2s\"\n\n[servers.a]\nworkers = 3\n\n[servers.b]\nworkers = 3\n"
        );
    }

    #[test]
    fn paths_are_made_plain() {
        assert_eq!(plain(Path::new("./a/../b/./c")), Path::new("b/c"));
        assert_eq!(plain(Path::new("../a")), Path::new("../a"));
    }
}
