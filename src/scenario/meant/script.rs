//! Scripts: read and compiled while the scenario loads, so that what is wrong in one is said before anything starts.

use std::path::{Path, PathBuf};

use super::super::Script;
use super::super::file::leaf::At;
use super::super::problem::Problem;
use super::super::source::Span;
use super::Loading;
use crate::excerpt;
use crate::script::ScriptError;

impl Loading<'_> {
    /// Reads and compiles a script, once however many variants name it.
    pub(super) fn script(&mut self, given: &At<String>) -> Option<Script> {
        let path = self.folder.join(&given.value);
        if let Some(known) = self.scripts.get(&path) {
            return known.clone();
        }
        let script = self.compile_script(given, &path);
        self.scripts.insert(path, script.clone());
        script
    }

    fn compile_script(&mut self, given: &At<String>, path: &Path) -> Option<Script> {
        let source = match self.surroundings.read(path) {
            Ok(source) => source,
            Err(error) => {
                let problem = Problem::new(format!("cannot read the script `{}`", given.value));
                let problem = problem.at(&given.span, format!("{}: {}", path.display(), why(&error)));
                self.problems.add(problem.help("paths in a scenario count from the scenario's own folder"));
                return None;
            }
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        match (self.compile)(&source, folder) {
            Ok(()) => Some(Script { path: path.to_path_buf(), source }),
            Err(error) => {
                self.script_problem(given, path, &source, &error);
                None
            }
        }
    }

    /// The file that a script imports under this name, with or without its ending.
    fn imported(&self, script: &Path, name: &str) -> Option<(PathBuf, String)> {
        let bare = script.parent()?.join(name);
        let mut ending = bare.clone().into_os_string();
        ending.push(".rhai");
        [PathBuf::from(ending), bare]
            .into_iter()
            .find_map(|path| Some((path.clone(), self.surroundings.read(&path).ok()?)))
    }

    fn script_problem(&mut self, given: &At<String>, path: &Path, source: &str, error: &ScriptError) {
        let (path, source) = match error.file.as_ref().and_then(|file| self.imported(path, file)) {
            Some(imported) => imported,
            None => (path.to_path_buf(), source.to_owned()),
        };
        let start = self.problems.sources.add(path.to_string_lossy(), source.as_str());
        let label = error.function.as_ref().map_or("here".to_owned(), |function| format!("in `{function}`"));
        let problem = Problem::new(format!("the script does not compile: {}", error.message));
        let problem = problem.at(&place(&source, start, error), label).also(&given.span, "named here");
        self.problems.add(problem.help("mend the script; nothing is started before it compiles"));
    }
}

/// The character that a script error points at, in a source that begins at `start` of all sources.
fn place(source: &str, start: usize, error: &ScriptError) -> Span {
    let place = excerpt::place(source, error.line, error.column);
    start + place.start..start + place.end
}

/// An I/O error in the words of people.
pub(super) fn why(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "not allowed to read it".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}
