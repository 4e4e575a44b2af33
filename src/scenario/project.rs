//! `runner.toml`: what holds for all scenarios below its folder.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::file::values::Located;
use super::problem::{Problem, Problems};
use super::{decode, suggest, toml_tree};

/// Its name.
pub const PROJECT_FILE: &str = "runner.toml";

/// Where a project's file was found, from a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectPath {
    pub path: PathBuf,
    /// How many folders it is above that of the scenario.
    pub levels_up: usize,
}

impl ProjectPath {
    /// The way from the scenario's folder to that of the project: `../..`.
    pub(super) fn way(&self) -> PathBuf {
        std::iter::repeat_n("..", self.levels_up).collect()
    }
}

/// What a project says to those who run its scenarios.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// Where reports go, from the project's folder.
    pub reports: Option<PathBuf>,
    /// Hosts that may be attached to although they are not this machine.
    pub allow_hosts: Vec<String>,
    /// Tags of all its scenarios.
    pub tags: Vec<String>,
}

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProject {
    reports: Option<Located<String>>,
    #[serde(default)]
    allow_hosts: Vec<Located<String>>,
    #[serde(default)]
    tags: Vec<Located<String>>,
    #[serde(default, rename = "defaults")]
    _defaults: Option<serde::de::IgnoredAny>,
}

const KEYS: [&str; 4] = ["reports", "allow_hosts", "tags", "defaults"];

/// Reads a project's file, and adds all that is wrong with it but in its defaults, which is said where they are laid beneath the
/// scenario. `placed` is its text, moved by spaces so that everything is at its place among the sources.
pub(super) fn read(placed: &str, path: &Path, problems: &mut Problems) -> Project {
    let (tree, errors) = DeTable::parse_recoverable(placed);
    if let Some(error) = errors.into_iter().min_by_key(|error| error.span().map_or(0, |span| span.start)) {
        let problem = Problem::new("not valid TOML").at(&error.span().unwrap_or(0..0), error.message());
        problems.add(problem.help("write key = value, each on a line of its own"));
        return Project::default();
    }
    let mut tree = tree.into_inner();
    // Each round takes away what is wrong, so that all of it is said.
    let written = loop {
        let root = toml::Spanned::new(0..0, DeValue::Table(tree.clone()));
        let error = match RawProject::deserialize(ValueDeserializer::from(root)) {
            Ok(written) => break written,
            Err(error) => error,
        };
        let span = error.span().unwrap_or(0..0);
        let at = toml_tree::smallest(&tree, &span).unwrap_or_default();
        let key = match at.first() {
            Some(toml_tree::PathStep::Key(key)) => key.clone(),
            _ => String::new(),
        };
        problems.add(explain(&key, error.message(), &span));
        if !toml_tree::cut(&mut tree, &at) {
            break RawProject::default();
        }
    };
    if let Some(defaults) = tree.get("defaults").filter(|defaults| !defaults.get_ref().is_table()) {
        let problem = Problem::new("`defaults` must be a table").at(&defaults.span(), "this is something else");
        problems.add(problem.help("write [defaults.load], and below it timeout = \"2s\""));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    for tag in &written.tags {
        problems_of_tag(tag, problems);
    }
    Project {
        reports: written.reports.map(|reports| folder.join(reports.value)),
        allow_hosts: written.allow_hosts.into_iter().map(|host| host.value).collect(),
        tags: written.tags.into_iter().map(|tag| tag.value).collect(),
    }
}

fn explain(key: &str, message: &str, span: &std::ops::Range<usize>) -> Problem {
    if message.starts_with("unknown field") {
        let elsewhere =
            decode::is_scenario_key(key).then(|| format!("`{key}` is a key of scenarios: write it below [defaults]"));
        let help = elsewhere.unwrap_or_else(|| suggest::help(key, "keys here", &KEYS));
        return Problem::new(format!("unknown key `{key}`"))
            .at(span, format!("not a key of {PROJECT_FILE}"))
            .help(help);
    }
    let (what, example) = match key {
        "reports" => ("a text", "reports = \"build/reports\""),
        "allow_hosts" => ("a list of texts", "allow_hosts = [\"staging.internal\"]"),
        _ => ("a list of texts", "tags = [\"nightly\"]"),
    };
    Problem::new(format!("`{key}` must be {what}"))
        .at(span, "this is something else")
        .help(format!("write it as in {example}"))
}

/// A tag is a word: it is typed on command lines.
pub(super) fn problems_of_tag(tag: &Located<String>, problems: &mut Problems) {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if tag.value.is_empty() || !tag.value.chars().all(fits) {
        let problem = Problem::new(format!("`{}` cannot be a tag", tag.value)).at(&tag.span, "not one word");
        problems.add(problem.help("use letters, digits, `-`, `_`, `.` and `:`, as in \"nightly\""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> (Project, String) {
        let mut problems = Problems::default();
        problems.sources.add(PROJECT_FILE, text);
        let project = read(text, Path::new("shop/runner.toml"), &mut problems);
        (project, problems.render(false))
    }

    #[test]
    fn paths_count_from_the_projects_folder() {
        let (project, _) =
            told("reports = 'build'\nallow_hosts = ['a.internal']\ntags = ['shop']\n[defaults.load]\ntimeout = '2s'");
        assert_eq!(project.reports, Some(PathBuf::from("shop/build")));
        assert_eq!((project.allow_hosts, project.tags), (vec!["a.internal".to_owned()], vec!["shop".to_owned()]));
    }

    #[test]
    fn all_that_is_wrong_is_said_with_its_place() {
        let (_, problems) = told("report = 'x'\ntags = ['a b']\nallow_hosts = 'x'\ndefaults = 3\n[load]\n");
        for expected in [
            "unknown key `report`",
            "did you mean `reports`?",
            "`a b` cannot be a tag",
            "`allow_hosts` must be a list of texts",
            "`defaults` must be a table",
            "`load` is a key of scenarios: write it below [defaults]",
            "runner.toml:3:",
        ] {
            assert!(problems.contains(expected), "{expected} in\n{problems}");
        }
    }
}
