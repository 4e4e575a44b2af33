//! Which scenarios are meant: files, folders and patterns, then tags, names and parts.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::arguments::night::{ScenarioSelection, Shard};
use super::print;
use super::system_context::{World, print_problems};
use crate::input;
use crate::run::plan::expected_time;
use crate::scenario::{self, PROJECT_FILE, Problems, Scenario};

/// The sections by one of which a TOML file in a folder is known to be a scenario.
const SECTIONS: [&str; 5] = ["server", "servers", "load", "dirty", "include"];
/// Folders that hold none, beside those whose names begin with a dot.
const OTHERS: [&str; 2] = ["node_modules", "target"];

/// A file that was named, or found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chosen {
    path: PathBuf,
    /// It was named itself: then it is a scenario, whatever it looks like.
    named: bool,
}

/// A file that is no valid scenario, and was found rather than named, so that others are run all the same.
#[derive(Debug)]
pub(super) struct InvalidFile {
    pub path: PathBuf,
    /// What its reports would be called.
    pub name: String,
    /// The first of its problems.
    pub why: String,
}

/// The scenarios of a call, in their order.
#[derive(Debug, Default)]
pub(super) struct Selected {
    pub scenarios: Vec<Scenario>,
    pub invalid: Vec<InvalidFile>,
    /// More than single files were named: what is said of many is said, however few they are.
    pub is_a_night: bool,
}

/// Reads and chooses scenarios; `None` once what is wrong has been said.
pub(super) fn select(files: &[PathBuf], overrides: &[String], selection: &ScenarioSelection) -> Option<Selected> {
    let chosen = choose(files)?;
    let is_a_night = chosen.len() > 1 || chosen.iter().any(|file| !file.named) || selection.is_given();
    let mut selected = Selected { is_a_night, ..Selected::default() };
    let (mut wrong, mut included, mut told) = (false, HashSet::new(), HashSet::new());
    let mut loaded: Vec<(Chosen, Result<Scenario, Problems>)> = Vec::new();
    for file in chosen {
        let result = scenario::load(&file.path, overrides, &World);
        let layers = match &result {
            Ok(scenario) => scenario.layers.clone(),
            // What an invalid one includes is no scenario either.
            Err(_) => {
                let folder = file.path.parent().unwrap_or(Path::new(""));
                scenario::included_files(&input::read(&file.path).unwrap_or_default(), folder)
            }
        };
        included.extend(layers.iter().filter_map(|path| path.canonicalize().ok()));
        loaded.push((file, result));
    }
    for (file, result) in loaded {
        // A file that others build upon is no scenario by itself, unless somebody says so.
        if !file.named && file.path.canonicalize().is_ok_and(|path| included.contains(&path)) {
            continue;
        }
        match result {
            Ok(scenario) => selected.scenarios.push(scenario),
            Err(problems) => {
                // What is wrong with a project is wrong with each of its scenarios, and said once.
                if told.insert(problems.render(false)) {
                    print_problems(&problems);
                }
                wrong |= file.named;
                let why = problems.iter().next().map(|problem| problem.title.clone()).unwrap_or_default();
                let name = file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                selected.invalid.push(InvalidFile { path: file.path, name, why });
            }
        }
    }
    if wrong || !distinct(&selected.scenarios) {
        return None;
    }
    selection.apply(&mut selected)?;
    Some(selected)
}

impl ScenarioSelection {
    fn is_given(&self) -> bool {
        !self.tags.is_empty() || !self.only.is_empty() || self.shard.is_some()
    }

    /// Leaves what is asked for; `None` once it was said that nothing is left.
    fn apply(&self, selected: &mut Selected) -> Option<()> {
        let before = selected.scenarios.len();
        if !self.tags.is_empty() {
            selected.scenarios.retain(|scenario| self.tags.iter().any(|tag| scenario.tags.contains(tag)));
        }
        let patterns: Option<Vec<glob::Pattern>> = self.only.iter().map(|name| pattern(name)).collect();
        let patterns = patterns?;
        if !patterns.is_empty() {
            let is_meant = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
            selected.scenarios.retain(|scenario| is_meant(&scenario.name));
            selected.invalid.retain(|file| is_meant(&file.name));
        }
        if selected.scenarios.is_empty() && selected.invalid.is_empty() {
            let what = if self.tags.is_empty() { "name" } else { "tag" };
            let message = format!("none of {before} scenarios has that {what}");
            print::error(&message, Some("`runner check` with the same files lists names and tags"));
            return None;
        }
        if let Some(shard) = self.shard {
            take_part(selected, shard);
        }
        Some(())
    }
}

/// Leaves one part of the scenarios, such that all parts take about the same time: the longest first, each to the part that has
/// least. It depends on nothing but the scenarios.
fn take_part(selected: &mut Selected, shard: Shard) {
    let mut order: Vec<(Duration, String)> =
        selected.scenarios.iter().map(|scenario| (expected_time(scenario), scenario.name.clone())).collect();
    order.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    let mut parts: Vec<(Duration, HashSet<String>)> = vec![Default::default(); shard.of];
    for (time, name) in order {
        // Of equal ones that with fewer scenarios: what takes no time is spread, too.
        if let Some(part) = parts.iter_mut().min_by_key(|(total, names)| (*total, names.len())) {
            part.0 += time;
            part.1.insert(name);
        }
    }
    let own = &parts[shard.part - 1].1;
    selected.scenarios.retain(|scenario| own.contains(&scenario.name));
    let mut number = 0;
    selected.invalid.retain(|_| {
        number += 1;
        (number - 1) % shard.of == shard.part - 1
    });
}

/// Reports are kept by name, so that no two scenarios may have one.
fn distinct(scenarios: &[Scenario]) -> bool {
    let mut seen: std::collections::HashMap<&str, &Path> = Default::default();
    let mut well = true;
    for scenario in scenarios {
        if let Some(other) = seen.insert(&scenario.name, &scenario.file) {
            let both = format!("{} and {}", other.display(), scenario.file.display());
            let message = format!("two scenarios are named `{}`: {both}", scenario.name);
            print::error(
                &message,
                Some("give one of them another name, as in name = \"login_slow\", at the top of its file"),
            );
            well = false;
        }
    }
    well
}

/// All files that arguments stand for, each once, in their order; `None` once what is wrong has been said.
fn choose(arguments: &[PathBuf]) -> Option<Vec<Chosen>> {
    let (mut all, mut seen): (Vec<Chosen>, HashSet<PathBuf>) = Default::default();
    for argument in arguments {
        let found = if argument.is_dir() {
            in_folder(argument)?
        } else if !argument.exists() && is_pattern(argument) {
            by_pattern(argument)?
        } else {
            vec![Chosen { path: argument.clone(), named: true }]
        };
        for file in found {
            let same = file.path.canonicalize().unwrap_or_else(|_| file.path.clone());
            if seen.insert(same) {
                all.push(file);
            }
        }
    }
    Some(all)
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

fn in_folder(folder: &Path) -> Option<Vec<Chosen>> {
    let (mut found, mut others) = (Vec::new(), 0);
    walk(folder, &mut found, &mut others);
    found.sort();
    if found.is_empty() {
        let help = match others {
            0 => "scenarios are files that end in .toml; `runner new NAME` writes one".to_owned(),
            n => format!("{n} files end in .toml, and none of them has [server], [load] or [dirty]"),
        };
        print::error(&format!("no scenario in {}", folder.display()), Some(&help));
        return None;
    }
    Some(found.into_iter().map(|path| Chosen { path, named: false }).collect())
}

/// The scenarios of a folder and those below it. Links to folders are not followed.
fn walk(folder: &Path, found: &mut Vec<PathBuf>, others: &mut usize) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            // A folder of reports holds scenarios as they were.
            let skipped = name.starts_with('.') || OTHERS.contains(&name.as_str()) || path.join("record.json").exists();
            if !skipped {
                walk(&path, found, others);
            }
        } else if name.ends_with(".toml") && !name.starts_with('.') && name != PROJECT_FILE {
            if looks_like_a_scenario(&path) { found.push(path) } else { *others += 1 }
        }
    }
}

/// Whether a file has a section of a scenario. One that is no TOML might be meant as one.
fn looks_like_a_scenario(path: &Path) -> bool {
    // What cannot be read is said of it, as of what is no TOML.
    let Ok(text) = input::read(path) else { return true };
    text.parse::<toml::Table>().map_or(true, |tree| SECTIONS.iter().any(|section| tree.contains_key(*section)))
}

fn by_pattern(pattern: &Path) -> Option<Vec<Chosen>> {
    let text = pattern.to_string_lossy();
    let paths = match glob::glob(&text) {
        Ok(paths) => paths,
        Err(error) => {
            print::error(&format!("`{text}` is no pattern: {error}"), Some("as in 'scenarios/**/*.toml'"));
            return None;
        }
    };
    let is_one = |path: &PathBuf| {
        path.is_file() && path.file_name().is_some_and(|name| name != PROJECT_FILE) && looks_like_a_scenario(path)
    };
    let mut found: Vec<PathBuf> = paths.flatten().filter(is_one).collect();
    found.sort();
    if found.is_empty() {
        print::error(
            &format!("no scenario matches `{text}`"),
            Some("as in 'scenarios/**/*.toml', with quotes around it"),
        );
        return None;
    }
    Some(found.into_iter().map(|path| Chosen { path, named: false }).collect())
}

fn pattern(text: &str) -> Option<glob::Pattern> {
    glob::Pattern::new(text)
        .map_err(|error| {
            print::error(&format!("`--only {text}` is no pattern: {error}"), Some("as in --only 'sync_*'"))
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: Option<Vec<Chosen>>, folder: &Path) -> Vec<String> {
        let found = found.unwrap_or_default().into_iter();
        found.map(|file| file.path.strip_prefix(folder).unwrap().display().to_string()).collect()
    }

    #[test]
    fn a_folder_stands_for_its_scenarios_and_a_pattern_for_what_it_matches() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for name in ["b.toml", "a.toml", "deep/er/c.toml", ".hidden/d.toml", "node_modules/e.toml", "x.toml.bak"] {
            write(name, "[server]\nmode = 'sync'\n");
        }
        write("runner.toml", "[defaults.server]\n");
        write("app/pyproject.toml", "[project]\n");
        write("broken.toml", "[server\n");
        write("reports/a/latest/record.json", "{}");
        write("reports/a/latest/effective.toml", "[server]\n");
        let root = folder.path();
        assert_eq!(names(choose(&[root.to_owned()]), root), ["a.toml", "b.toml", "broken.toml", "deep/er/c.toml"]);
        assert_eq!(names(choose(&[root.join("*.toml")]), root), ["a.toml", "b.toml", "broken.toml"]);
        assert_eq!(names(choose(&[root.join("b.toml"), root.join("[ab].toml")]), root), ["b.toml", "a.toml"]);
        assert!(choose(&[root.join("node_modules/none")]).unwrap()[0].named);
        assert!(choose(&[root.join("app")]).is_none() && choose(&[root.join("*.json")]).is_none());
    }
}
