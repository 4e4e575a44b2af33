//! What lies beneath a scenario: the defaults of its project, then the files that it includes, in their order.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::super::layers::{fitting, included, lay_over, plain, rebase, without_include};
use super::super::problem::{Problem, why};
use super::super::source::Span;
use super::super::{file, project};
use super::{Loading, syntax_help};

/// Files may include files that deep; more are a slip.
const DEEPEST: usize = 10;

/// A file beneath the scenario.
pub(super) struct ScenarioLayer {
    pub path: PathBuf,
    /// From the scenario's folder to its own.
    way: PathBuf,
    /// Its text, moved by spaces so that a parser finds everything at its place among the sources.
    placed: String,
    /// It is the project's, whose defaults alone count.
    is_project: bool,
    tags: Vec<String>,
}

impl Loading<'_> {
    /// All files beneath a scenario, what counts least first. Those that cannot be read are problems, and left out.
    pub(super) fn layers(&mut self, path: &Path, own: &DeTable<'_>) -> Vec<ScenarioLayer> {
        let mut layers: Vec<ScenarioLayer> = self.project(path).into_iter().collect();
        let mut open = vec![plain(path)];
        self.included(own, Path::new(""), &mut open, &mut layers);
        layers
    }

    fn project(&mut self, scenario: &Path) -> Option<ScenarioLayer> {
        let found = self.system.project(scenario)?;
        // What is wrong with the file itself is said once, of the file.
        let project = project::load(&found.path, self.system).ok()?;
        let text = self.system.text(&found.path).ok()?;
        let start = self.problems.sources.add(found.path.to_string_lossy(), text.as_str());
        let placed = " ".repeat(start) + text.as_str();
        Some(ScenarioLayer { way: found.way(), path: found.path, placed, is_project: true, tags: project.tags })
    }

    /// The files that a tree includes, and those that these do, each behind what it includes. `open` are the files that led here.
    fn included(&mut self, tree: &DeTable<'_>, way: &Path, open: &mut Vec<PathBuf>, layers: &mut Vec<ScenarioLayer>) {
        for (name, span) in included(tree) {
            let from_scenario = plain(&way.join(&name));
            let path = plain(&self.folder.join(&from_scenario));
            if open.contains(&path) || open.len() > DEEPEST {
                let problem = Problem::new(format!("`{name}` includes itself")).at(&span, "leads back here");
                self.problems.add(problem.help("leave it out: each file may only include what does not include it"));
                continue;
            }
            if layers.iter().any(|layer| layer.path == path) {
                continue;
            }
            let Some(text) = self.read_included(&path, &name, &span) else { continue };
            let start = self.problems.sources.add(path.to_string_lossy(), text.as_str());
            let placed = " ".repeat(start) + text.as_str();
            let Some(inner) = self.parse(&placed) else { continue };
            let way = from_scenario.parent().unwrap_or(Path::new("")).to_path_buf();
            open.push(path.clone());
            self.included(&inner, &way, open, layers);
            open.pop();
            drop(inner);
            layers.push(ScenarioLayer { path, way, placed, is_project: false, tags: Vec::new() });
        }
    }

    fn read_included(&mut self, path: &Path, name: &str, span: &Span) -> Option<String> {
        self.system
            .text(path)
            .map_err(|error| {
                let problem = Problem::new(format!("cannot include `{name}`: {}", why(&error)));
                let help = "paths in a scenario count from the file that names them";
                self.problems.add(problem.at(span, "this file").help(help));
            })
            .ok()
    }

    /// The scenario's own tree on all that lies beneath it.
    pub(super) fn on_layers<'s>(&mut self, mut own: DeTable<'s>, layers: &'s [ScenarioLayer]) -> Option<DeTable<'s>> {
        if layers.is_empty() {
            without_list(&mut own);
            return Some(own);
        }
        let mut defaults = DeTable::new();
        let mut tree = DeTable::new();
        for layer in layers {
            let (mut below, errors) = DeTable::parse_recoverable(&layer.placed);
            if let Some(error) = errors.first() {
                let problem = Problem::new("not valid TOML").at(&error.span().unwrap_or(0..0), error.message());
                self.problems.add(problem.help(syntax_help(error.message())));
                return None;
            }
            let mut below = std::mem::take(below.get_mut());
            if layer.is_project {
                let Some(DeValue::Table(given)) = below.remove("defaults").map(toml::Spanned::into_inner) else {
                    continue;
                };
                defaults = given;
                rebase(&mut defaults, &layer.way);
                continue;
            }
            without_list(&mut below);
            rebase(&mut below, &layer.way);
            lay_over(&mut tree, below);
        }
        without_list(&mut own);
        lay_over(&mut tree, own);
        let mut whole = fitting(defaults, &tree);
        lay_over(&mut whole, tree);
        Some(whole)
    }

    /// The tags of the scenario and of its project.
    pub(super) fn tags(&mut self, written: &file::RawScenario, layers: &[ScenarioLayer]) -> Vec<String> {
        let own = written.tags.as_deref().unwrap_or_default();
        own.iter().for_each(|tag| project::problems_of_tag(tag, &mut self.problems));
        let all =
            layers.iter().flat_map(|layer| layer.tags.iter().cloned()).chain(own.iter().map(|tag| tag.value.clone()));
        let mut tags: Vec<String> = Vec::new();
        all.for_each(|tag| {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        });
        tags
    }
}

/// A list of files has done what it is there for; anything else there is told of by the types.
fn without_list(tree: &mut DeTable<'_>) {
    if tree.get("include").is_some_and(|given| given.get_ref().is_array()) {
        let all_texts = |items: &toml::de::DeArray<'_>| items.iter().all(|item| item.get_ref().is_str());
        if tree.get("include").and_then(|given| given.get_ref().as_array()).is_some_and(all_texts) {
            without_include(tree);
        }
    }
}
