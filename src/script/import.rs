//! Imports: scripts of the scenario's folder, read when the script is compiled and never later.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{
    AST, ASTFlags, ASTNode, Dynamic, Engine, EvalAltResult, Expr, Map, Module, ModuleResolver, Position, Scope, Shared,
    Stmt,
};

use super::limits::MODULES;
use super::state::value;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// Finds imports inside one folder. A clone is the same one.
#[derive(Clone)]
pub(super) struct Imports(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    /// Set once the script is compiled: from then on only what was read is found.
    closed: AtomicBool,
    /// By path as written; none while it is being read.
    modules: Mutex<HashMap<String, Option<Shared<Module>>>>,
    /// What was read, by path as written.
    sources: Mutex<HashMap<String, String>>,
    /// The constants of all files.
    constants: Mutex<Map>,
}

impl Imports {
    pub fn new(folder: &Path) -> Imports {
        // A script named without a folder has one without a name, which nothing finds.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Imports(Arc::new(Inner {
            folder: folder.to_owned(),
            closed: AtomicBool::new(false),
            modules: Mutex::default(),
            sources: Mutex::default(),
            constants: Mutex::default(),
        }))
    }

    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
    }

    /// Reads what a script imports inside its functions, so that no request has to.
    pub fn read_all(&self, engine: &Engine, script: &AST) -> Outcome<()> {
        let mut paths = Vec::new();
        script.walk(&mut |nodes| {
            if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = nodes.last()
                && let Expr::StringConstant(path, position) = &import.0
            {
                paths.push((path.clone(), *position));
            }
            true
        });
        paths.iter().try_for_each(|(path, position)| self.resolve(engine, None, path, *position).map(drop))
    }

    /// Constants are seen in all files, so one name has one value.
    pub fn add_constant(&self, name: &str, value: Dynamic) -> Outcome<()> {
        let mut constants = self.0.constants.lock().unwrap_or_else(PoisonError::into_inner);
        match constants.get(name) {
            Some(other) if !value::same(other, &value) => {
                Err(format!("two files have a constant `{name}`, with different values: rename one").into())
            }
            _ => {
                constants.insert(name.into(), value);
                Ok(())
            }
        }
    }

    pub fn constants(&self) -> Map {
        std::mem::take(&mut self.0.constants.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The files that were read, by path as written.
    pub fn sources(&self) -> HashMap<String, String> {
        std::mem::take(&mut self.0.sources.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn modules(&self) -> MutexGuard<'_, HashMap<String, Option<Shared<Module>>>> {
        self.0.modules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self, engine: &Engine, path: &str, source: String) -> Outcome<Shared<Module>> {
        let mut script = compile_unit(engine, self, &source)?;
        script.set_source(path);
        self.0.sources.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), source);
        Ok(Module::eval_ast_as_new(Scope::new(), &script, engine)?.into())
    }

    fn read(&self, path: &str) -> Result<String, String> {
        let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if path.is_empty() || !inside {
            return Err(format!("`{path}` cannot be imported: name a file in the scenario's folder, without `..`"));
        }
        let file = if path.ends_with(".rhai") { path.to_owned() } else { format!("{path}.rhai") };
        let problem = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => format!("`{file}` cannot be imported: no such file beside the script or below"),
            _ => format!("`{file}` cannot be imported: {error}"),
        };
        let folder = self.0.folder.canonicalize().map_err(problem)?;
        let whole = folder.join(&file).canonicalize().map_err(problem)?;
        if !whole.starts_with(&folder) || whole.extension().is_none_or(|extension| extension != "rhai") {
            return Err(format!("`{file}` cannot be imported: it leads out of the scenario's folder"));
        }
        if !whole.is_file() {
            return Err(format!("`{file}` cannot be imported: it is not a file"));
        }
        crate::input::read(&whole).map(super::without_mark).map_err(problem)
    }
}

/// Parses a script or an imported file, and what it imports.
pub(super) fn compile_unit(engine: &Engine, imports: &Imports, source: &str) -> Result<AST, Box<EvalAltResult>> {
    let script = engine.compile(source)?;
    refuse_statements(&script)?;
    imports.read_all(engine, &script)?;
    let mut constants = Scope::new();
    engine.run_ast_with_scope(&mut constants, &script)?;
    for (name, _, value) in constants.iter() {
        imports.add_constant(name, value)?;
    }
    Ok(script)
}

/// Outside of functions only constants and imports mean something: functions see no variables there.
fn refuse_statements(script: &AST) -> Result<(), Box<EvalAltResult>> {
    for statement in script.statements() {
        let text = match statement {
            Stmt::Noop(_) | Stmt::Import(..) | Stmt::Export(..) => continue,
            Stmt::Var(_, flags, _) if flags.contains(ASTFlags::CONSTANT) => continue,
            Stmt::Var(variable, ..) => {
                let name = &variable.0.name;
                format!("functions cannot see `let {name}`: write `const {name}`, or keep it as `process.{name}`")
            }
            _ => "statements outside of functions are never run: move this into a function".to_owned(),
        };
        return Err(EvalAltResult::ErrorRuntime(text.into(), statement.position()).into());
    }
    Ok(())
}

impl ModuleResolver for Imports {
    fn resolve(&self, engine: &Engine, _: Option<&str>, path: &str, position: Position) -> Outcome<Shared<Module>> {
        let failed = |error: Box<EvalAltResult>| EvalAltResult::ErrorInModule(path.to_owned(), error, position);
        let refused = |text: String| EvalAltResult::ErrorRuntime(text.into(), position);
        match self.modules().get(path) {
            Some(Some(module)) => return Ok(module.clone()),
            Some(None) => return Err(refused(format!("`{path}` imports itself, perhaps through others")).into()),
            None => {}
        }
        if self.0.closed.load(Ordering::Acquire) {
            return Err(refused(format!(
                "`{path}` was not imported when the script was read: write the path as a plain text"
            ))
            .into());
        }
        if self.modules().len() >= MODULES {
            return Err(refused(format!("more than {MODULES} files are imported")).into());
        }
        // What cannot be read is wrong where it is imported; its text is nobody's to show.
        let source = self.read(path).map_err(refused)?;
        self.modules().insert(path.to_owned(), None);
        let module = self.load(engine, path, source).map_err(failed)?;
        self.modules().insert(path.to_owned(), Some(module.clone()));
        Ok(module)
    }
}
