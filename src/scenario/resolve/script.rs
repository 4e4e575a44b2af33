//! Scripts: read and compiled while the scenario loads, so that what is wrong in one is said before anything starts.

use std::path::{Path, PathBuf};

use super::super::ScriptSpec;
use super::super::file::values::Located;
use super::super::problem::{Problem, why};
use super::super::source::Span;
use super::super::{file, suggest};
use super::Loading;
use crate::excerpt;
use crate::script::client::Setup;
use crate::script::hooks::{self, Hook, Side, VERDICT};
use crate::script::{Hooks, Limits, ScriptError};

/// A script with hooks, and which ones.
#[derive(Debug, Clone)]
pub(super) struct HookScript {
    pub script: ScriptSpec,
    has: Vec<&'static str>,
}

impl HookScript {
    pub fn has(&self, hook: Hook) -> bool {
        self.has.contains(&hook.name)
    }
}

impl Loading<'_> {
    /// Reads and compiles a script of hooks, of which it must have one of the load's or `verdict`.
    pub(super) fn hooks(&mut self, given: &Located<String>) -> Option<HookScript> {
        let path = self.folder.join(&given.value);
        if let Some(known) = self.hook_scripts.get(&path) {
            return known.clone();
        }
        let found = self.script(given).and_then(|script| self.compile_hooks(given, script));
        self.hook_scripts.insert(path, found.clone());
        found
    }

    fn compile_hooks(&mut self, given: &Located<String>, script: ScriptSpec) -> Option<HookScript> {
        let folder = script.path.parent().unwrap_or(Path::new(""));
        // Nothing is called here, so that no clock is needed.
        let compiled = Hooks::compile(&script.source, folder, Limits::default(), &Setup::default(), || 0.0);
        let hooks = match compiled {
            Ok(hooks) => hooks,
            Err(error) => {
                self.script_problem(given, &script.path, &script.source, &error);
                return None;
            }
        };
        let client: Vec<Hook> = hooks::ALL.into_iter().filter(|hook| hook.side != Side::Server).collect();
        let has: Vec<&'static str> = client.iter().filter(|hook| hooks.has(**hook)).map(|hook| hook.name).collect();
        if has.is_empty() {
            let problem = Problem::new(format!("the script `{}` has no hook", given.value));
            let signatures: Vec<String> = client.iter().map(Hook::signature).collect();
            let signatures: Vec<&str> = signatures.iter().map(String::as_str).collect();
            let help = format!("hooks are {}", suggest::list(&signatures));
            self.problems.add(problem.at(&given.span, "runner would call nothing in it").help(help));
            return None;
        }
        Some(HookScript { script, has })
    }

    /// The script that gives verdicts: the one of `[assert]`, else that of the load if it has a `verdict`.
    pub(super) fn verdict_script(&mut self, written: &file::RawScenario) -> Option<ScriptSpec> {
        if let Some(given) = written.assert.as_ref().and_then(|assert| assert.value.script.as_ref()) {
            let found = self.hooks(given)?;
            if !found.has(VERDICT) {
                let problem = Problem::new(format!("the script `{}` gives no verdicts", given.value));
                let help = format!("add `fn {}`, which returns a list of verdicts", VERDICT.signature());
                self.problems.add(problem.at(&given.span, "it has no such function").help(help));
            }
            return Some(found.script);
        }
        let given = written.load.as_ref()?.value.script.as_ref()?;
        self.hooks(given).filter(|found| found.has(VERDICT)).map(|found| found.script)
    }

    /// Reads and compiles a script, once however many variants name it.
    pub(super) fn script(&mut self, given: &Located<String>) -> Option<ScriptSpec> {
        let path = self.folder.join(&given.value);
        if let Some(known) = self.scripts.get(&path) {
            return known.clone();
        }
        let script = self.compile_script(given, &path);
        self.scripts.insert(path, script.clone());
        script
    }

    fn compile_script(&mut self, given: &Located<String>, path: &Path) -> Option<ScriptSpec> {
        let source = match self.system.text(path) {
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
            Ok(()) => Some(ScriptSpec { path: path.to_path_buf(), source }),
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
        [PathBuf::from(ending), bare].into_iter().find_map(|path| Some((path.clone(), self.system.text(&path).ok()?)))
    }

    fn script_problem(&mut self, given: &Located<String>, path: &Path, source: &str, error: &ScriptError) {
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
