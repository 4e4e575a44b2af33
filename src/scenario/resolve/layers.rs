//! What lies beneath a scenario: the defaults of its project, then the files that it includes, in their order.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::super::layers::{fitting, included, lay_over, plain, rebase, take_include};
use super::super::problem::{Problem, why};
use super::super::project::Project;
use super::super::source::Span;
use super::super::{file, project};
use super::Loading;

/// Files may include files that deep; more are a slip.
const DEEPEST: usize = 10;

/// A file beneath the scenario.
pub(super) struct ScenarioLayer {
    pub path: PathBuf,
    /// From the scenario's folder to its own.
    way: PathBuf,
    /// Its text, moved by spaces so that a parser finds everything at its place among the sources.
    placed: String,
    /// Of a project's file, whose defaults alone lie beneath the scenario, what else it says.
    pub project: Option<Project>,
}

impl Loading<'_> {
    /// All files beneath a scenario, what counts least first. Those that cannot be read are problems, and left out.
    pub(super) fn layers(&mut self, path: &Path, own: &DeTable<'_>) -> Vec<ScenarioLayer> {
        let mut layers: Vec<ScenarioLayer> = self.project(path).into_iter().collect();
        let mut open = vec![plain(path)];
        self.included(own, Path::new(""), &mut open, &mut layers);
        layers
    }

    /// What is wrong with the project's file is wrong with each of its scenarios: none is what it was meant to be.
    fn project(&mut self, scenario: &Path) -> Option<ScenarioLayer> {
        let found = self.system.project(scenario)?;
        let text = self
            .system
            .text(&found.path)
            .map_err(|error| {
                let problem = Problem::new(format!("cannot read `{}`: {}", found.path.display(), why(&error)));
                self.problems.add(problem.help("let yourself read it, or move it away"));
            })
            .ok()?;
        let placed = self.placed(&found.path, &text);
        let project = project::read(&placed, &found.path, &mut self.problems);
        Some(ScenarioLayer { way: found.way(), path: found.path, placed, project: Some(project) })
    }

    /// A further text among the sources, moved by spaces to its place.
    fn placed(&mut self, path: &Path, text: &str) -> String {
        " ".repeat(self.problems.sources.add(path.to_string_lossy(), text)) + text
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
            let placed = self.placed(&path, &text);
            let Some(inner) = self.parse(&placed) else { continue };
            let way = from_scenario.parent().unwrap_or(Path::new("")).to_path_buf();
            open.push(path.clone());
            self.included(&inner, &way, open, layers);
            open.pop();
            drop(inner);
            layers.push(ScenarioLayer { path, way, placed, project: None });
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
    pub(super) fn on_layers<'s>(&self, mut own: DeTable<'s>, layers: &'s [ScenarioLayer]) -> DeTable<'s> {
        let mut defaults = DeTable::new();
        let mut tree = DeTable::new();
        for layer in layers {
            // What is no TOML was told of when it was read.
            let Ok(below) = DeTable::parse(&layer.placed) else { continue };
            let mut below = below.into_inner();
            if layer.project.is_some() {
                if let Some(DeValue::Table(given)) = below.remove("defaults").map(toml::Spanned::into_inner) {
                    defaults = given;
                    rebase(&mut defaults, &layer.way);
                }
                continue;
            }
            take_include(&mut below);
            rebase(&mut below, &layer.way);
            lay_over(&mut tree, below);
        }
        take_include(&mut own);
        lay_over(&mut tree, own);
        let mut whole = fitting(defaults, &tree);
        lay_over(&mut whole, tree);
        whole
    }

    /// The tags of the scenario and of its project.
    pub(super) fn tags(&mut self, written: &file::RawScenario, layers: &[ScenarioLayer]) -> Vec<String> {
        let own = written.tags.as_deref().unwrap_or_default();
        own.iter().for_each(|tag| project::problems_of_tag(tag, &mut self.problems));
        let all = layers
            .iter()
            .filter_map(|layer| layer.project.as_ref())
            .flat_map(|project| project.tags.iter().cloned())
            .chain(own.iter().map(|tag| tag.value.clone()));
        let mut tags: Vec<String> = Vec::new();
        all.for_each(|tag| {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        });
        tags
    }
}
