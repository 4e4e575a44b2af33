//! The world around a scenario: its folder and the environment.

use std::path::Path;

use super::print;
use crate::input;
use crate::scenario::{self, Problems, Scenario, SystemContext};

/// The world as it is.
pub(super) struct World;

impl SystemContext for World {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        input::read(path)
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
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

/// Draws problems, if there are any.
pub(super) fn print_problems(problems: &Problems) {
    if problems.count() > 0 {
        print::note(problems.render(print::notes_have_color()));
    }
}
