//! A scenario that a record kept without its secrets: they are taken from where they came, or it is said which are missing.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize as _;
use toml::de::DeTable;

use super::environment::{self, REDACTED};
use super::problem::Problems;
use super::{Scenario, Secrets, SystemContext, load, matrix, overrides, sensitive, toml_tree};

/// Keys that change nothing about what is sent again.
const WITHOUT_EFFECT: [&str; 9] =
    ["expect", "time", "exposures", "bound", "exhaustive", "triggers", "skip", "repeats", "locate"];

/// What a record has of a scenario.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    pub effective: &'a str,
    /// What `--set` gave.
    pub overrides: &'a [String],
    /// Where the scenario's file is now; other paths count from its folder.
    pub file: &'a Path,
}

/// A scenario as it was when it was recorded.
#[derive(Debug)]
pub struct Restored {
    pub scenario: Scenario,
    /// Keys of the dirty check and its server that the file has otherwise now; `None` without a file.
    pub changed: Option<Vec<String>>,
}

/// Why a scenario cannot be restored.
#[derive(Debug)]
pub enum NotRestored {
    /// What is sent again would not be what was sent.
    Missing(Vec<MissingValue>),
    Invalid(Problems),
}

/// A value that a record does not show, and that is nowhere to be had.
#[derive(Debug, PartialEq, Eq)]
pub struct MissingValue {
    /// Where it stands in the scenario.
    pub key: String,
    /// The variable that may give it.
    pub variable: String,
    /// Where it was looked for: `the file has no such key any more`.
    pub why: &'static str,
}

/// The n-th string at a key path.
type Place = (Vec<String>, usize);
type Texts = BTreeMap<Place, String>;

/// Restores a scenario for its dirty check.
pub fn restore(recorded: &Recorded<'_>, system: &dyn SystemContext) -> Result<Restored, NotRestored> {
    restore_with(recorded, system, false)
}

/// Restores a scenario to judge what was measured. Nothing is sent, so that a value which is nowhere to be had is left out.
pub fn restore_to_judge(recorded: &Recorded<'_>, system: &dyn SystemContext) -> Result<Scenario, Problems> {
    match restore_with(recorded, system, true) {
        Ok(restored) => Ok(restored.scenario),
        Err(NotRestored::Invalid(problems)) => Err(problems),
        // It is asked for nothing that is missing.
        Err(NotRestored::Missing(_)) => Err(Problems::default()),
    }
}

/// What stands for a value that is missing and that nobody needs.
fn left_out(name: &str) -> String {
    if sensitive::is_of_number(name) { "1".to_owned() } else { format!("{name}_is_left_out") }
}

fn restore_with(recorded: &Recorded<'_>, system: &dyn SystemContext, judged: bool) -> Result<Restored, NotRestored> {
    let Some(mut tree) = parse(recorded.effective) else {
        // What is wrong with it is said as of any scenario.
        let world = Kept { file: recorded.file, text: recorded.effective, given: &BTreeMap::new(), outside: system };
        return loaded(recorded.file, &world, None);
    };
    // A seed of an earlier version may be too large for a scenario, and that of the record counts.
    tree.remove("seed");
    name_redacted(&mut tree);
    let texts = texts(&mut tree);
    let now = Now::read(recorded, system);
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    let mut missing: Vec<MissingValue> = Vec::new();
    for (name, places) in needed(&texts) {
        if system.variable(&name).is_some() {
            continue;
        }
        match now.as_ref().ok_or(NO_FILE).and_then(|now| now.value(&name, &places, &texts)) {
            Ok(value) => drop(given.insert(name, value)),
            Err(why) => match places.iter().find(|place| is_sent(place)) {
                None => drop(given.insert(name, "unused".to_owned())),
                Some(_) if judged => drop(given.insert(name.clone(), left_out(&name))),
                Some((path, _)) => missing.push(MissingValue { key: path.join("."), variable: name, why }),
            },
        }
    }
    if !missing.is_empty() {
        return Err(NotRestored::Missing(missing));
    }
    let text = toml_tree::to_text(&tree);
    let changed = now.map(|now| changed(&text, &now.effective));
    let world = Kept { file: recorded.file, text: &text, given: &given, outside: system };
    loaded(recorded.file, &world, changed)
}

fn loaded(file: &Path, world: &dyn SystemContext, changed: Option<Vec<String>>) -> Result<Restored, NotRestored> {
    let scenario = load(file, &[], world).map_err(NotRestored::Invalid)?;
    Ok(Restored { scenario, changed })
}

fn parse(text: &str) -> Option<DeTable<'_>> {
    DeTable::parse(text).ok().map(|tree| tree.into_inner())
}

/// A variable for each value that an earlier version left out.
fn name_redacted(tree: &mut DeTable<'_>) {
    let mut before: BTreeMap<String, usize> = BTreeMap::new();
    toml_tree::each_string(tree, &mut |path, _, text| {
        if text == REDACTED {
            let name = sensitive::variable(path, None);
            let count = before.entry(name.clone()).and_modify(|count| *count += 1).or_insert(1);
            let name = if *count > 1 { format!("{name}_{count}") } else { name };
            *text = format!("${{{name}}}").into();
        }
    });
}

fn texts(tree: &mut DeTable<'_>) -> Texts {
    let mut texts = Texts::new();
    toml_tree::each_string(tree, &mut |path, _, text| {
        let nth = texts.keys().filter(|(known, _)| known == path).count();
        texts.insert((path.to_vec(), nth), text.to_string());
    });
    texts
}

/// The variables without a default, each with the places where it stands.
fn needed(texts: &Texts) -> BTreeMap<String, Vec<Place>> {
    let mut needed: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for (place, text) in texts {
        for name in environment::variables(text) {
            if !text.contains(&format!("${{{name}:-")) {
                needed.entry(name).or_default().push(place.clone());
            }
        }
    }
    needed
}

/// Whether what stands there takes part in a replay: the load and the rules do not.
fn is_sent((path, _): &Place) -> bool {
    let first = match path.first().map(String::as_str) {
        Some("matrix") => path.get(1).and_then(|key| key.split('.').next()),
        first => first,
    };
    !matches!(first, Some("load" | "assert" | "about" | "name"))
}

const NO_FILE: &str = "the scenario's file is not there";
const NOT_SET: &str = "it is not set";
const NO_KEY: &str = "the scenario's file has no such value any more";

/// The scenario's file as it is now.
struct Now {
    /// Each string of it filled in, if that can be done.
    filled: Texts,
    /// Each string as a report would show it.
    shown: Texts,
    effective: String,
    secrets: Secrets,
}

impl Now {
    fn read(recorded: &Recorded<'_>, system: &dyn SystemContext) -> Option<Now> {
        let source = system.text(recorded.file).ok()?;
        let mut sink = Problems::default();
        sink.sources.add("", source.as_str());
        let overrides = overrides::read(recorded.overrides, &mut sink);
        let mut tree = parse(&source)?;
        matrix::flatten(&mut tree, &mut sink);
        overrides::apply(&mut tree, &overrides, &mut sink);
        let mut filled = texts(&mut tree.clone());
        filled.retain(|_, text| match environment::expand(text, system, None) {
            Ok(Some(full)) => {
                *text = full;
                true
            }
            Ok(None) => text != REDACTED,
            Err(_) => false,
        });
        let mut secrets = environment::secrets(&mut tree.clone(), system);
        let effective = environment::effective(tree, &mut secrets, system);
        let shown = parse(&effective).map(|mut tree| texts(&mut tree))?;
        Some(Now { filled, shown, effective, secrets })
    }

    /// What this name stands for at these places of the record.
    fn value(&self, name: &str, places: &[Place], recorded: &Texts) -> Result<String, &'static str> {
        let whole = format!("${{{name}}}");
        let mut values = Vec::new();
        for place in places.iter().filter(|place| is_sent(place)) {
            let is_whole = recorded.get(place).is_some_and(|text| *text == whole);
            let shown = self.shown.get(place).map_or("", String::as_str);
            let held = match is_whole {
                true => self.filled.get(place).filter(|_| environment::is_one_variable(shown)).cloned(),
                false => self
                    .secrets
                    .value(name)
                    .filter(|_| recorded.get(place).is_some_and(|text| text == shown))
                    .map(str::to_owned),
            };
            values.push(held.ok_or(if name.starts_with(sensitive::PREFIX) { NO_KEY } else { NOT_SET })?);
        }
        match values.split_first() {
            None => Err(NO_KEY),
            Some((first, rest)) if rest.iter().all(|other| other == first) => Ok(first.clone()),
            Some(_) => Err(NO_KEY),
        }
    }
}

/// The keys whose values are not the same in two files, among those that change what is sent.
fn changed(before: &str, now: &str) -> Vec<String> {
    let flat = |text: &str| {
        let mut all = BTreeMap::new();
        let table = parse(text).map(|tree| toml::Spanned::new(0..0, toml::de::DeValue::Table(tree)));
        let value = table.and_then(|table| toml::Value::deserialize(toml::de::ValueDeserializer::from(table)).ok());
        value.iter().for_each(|value| flatten(value, &mut Vec::new(), &mut all));
        all
    };
    let (before, now) = (flat(before), flat(now));
    let keys = before.keys().chain(now.keys().filter(|key| !before.contains_key(*key)));
    let is_same = |key: &&Vec<String>| match (before.get(*key), now.get(*key)) {
        (Some(one), Some(other)) => {
            one == other || environment::is_one_variable(one) && environment::is_one_variable(other)
        }
        _ => false,
    };
    let counts = |key: &&Vec<String>| {
        is_sent(&((*key).clone(), 0))
            && matches!(key.first().map(String::as_str), Some("server" | "servers" | "dirty" | "matrix"))
            && !key.iter().any(|step| WITHOUT_EFFECT.contains(&step.as_str()))
    };
    keys.filter(counts).filter(|key| !is_same(key)).map(|key| key.join(".")).collect()
}

fn flatten(value: &toml::Value, path: &mut Vec<String>, all: &mut BTreeMap<Vec<String>, String>) {
    let mut inside = |step: String, value: &toml::Value| {
        path.push(step);
        flatten(value, path, all);
        path.pop();
    };
    match value {
        toml::Value::Table(table) => table.iter().for_each(|(key, value)| inside(key.clone(), value)),
        toml::Value::Array(list) if list.iter().any(toml::Value::is_table) => {
            list.iter().enumerate().for_each(|(index, value)| inside(index.to_string(), value));
        }
        toml::Value::String(text) => drop(all.insert(path.clone(), text.clone())),
        other => drop(all.insert(path.clone(), other.to_string())),
    }
}

/// The world, but for one file whose text is known, and with some variables more.
struct Kept<'a> {
    file: &'a Path,
    text: &'a str,
    given: &'a BTreeMap<String, String>,
    outside: &'a dyn SystemContext,
}

impl SystemContext for Kept<'_> {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        if path == self.file { Ok(self.text.to_owned()) } else { self.outside.read(path) }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.outside.variable(name).or_else(|| self.given.get(name).cloned())
    }
}
