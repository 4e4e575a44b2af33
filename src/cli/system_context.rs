//! The world around a scenario: its folder and the environment.

use std::path::Path;

use super::print;
use crate::input;
use crate::scenario::{self, PROJECT_FILE, Problems, ProjectPath, Scenario, SystemContext};

/// The world as it is.
pub(super) struct World;

impl SystemContext for World {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        input::read(path)
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    /// Looked for in the folder of the scenario and in each one around it.
    fn project(&self, scenario: &Path) -> Option<ProjectPath> {
        let whole = std::path::absolute(scenario).ok()?;
        let (here, folders) = (std::env::current_dir().ok(), whole.parent()?.ancestors().enumerate());
        folders.map(|(levels_up, folder)| (levels_up, folder.join(PROJECT_FILE))).find(|(_, path)| path.is_file()).map(
            |(levels_up, path)| {
                // As people would type it, if it is below where they are.
                let shown = here.and_then(|here| path.strip_prefix(here).map(Path::to_path_buf).ok());
                ProjectPath { path: shown.unwrap_or(path), levels_up }
            },
        )
    }
}

/// Loads every file, or prints all problems of all of them.
pub(super) fn load_all(files: &[std::path::PathBuf], overrides: &[String]) -> Option<Vec<Scenario>> {
    let loaded: Vec<Result<Scenario, Problems>> =
        files.iter().map(|file| scenario::load(file, overrides, &World)).collect();
    loaded.iter().filter_map(|result| result.as_ref().err()).for_each(print_problems);
    loaded.into_iter().collect::<Result<Vec<_>, _>>().ok()
}

/// The same of one.
pub(super) fn load_one(file: &Path, overrides: &[String]) -> Option<Scenario> {
    load_all(&[file.to_path_buf()], overrides)?.pop()
}

/// The scenario, or `None` once its problems are drawn.
pub(super) fn or_print<T>(made: Result<T, Problems>) -> Option<T> {
    made.inspect_err(print_problems).ok()
}

/// The same of a scenario that was typed: there is no file that its problems could point into.
pub(super) fn typed_or_print(made: Result<Scenario, Problems>) -> Option<Scenario> {
    let tell = |problems: &Problems| {
        problems.iter().for_each(|problem| print::error(&problem.title, problem.help.as_deref()));
    };
    made.inspect_err(tell).ok()
}

/// Draws problems, if there are any.
pub(super) fn print_problems(problems: &Problems) {
    if problems.count() > 0 {
        print::note(problems.render(print::notes_have_color()));
    }
}
