//! A script, compiled once for all threads and requests of a worker.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rhai::{
    AST, ASTNode, Dynamic, Engine, EvalAltResult, Expr, FnAccess, Module, Position, Scope, ScriptFuncDef, Shared, Stmt,
};

use super::error::ScriptError;
use super::import::{self, Imports};
use super::probe::Sites;
use super::request::RequestObject;
use super::{HandlerRequest, HandlerResponse, Limits, engine, function_uses, hooks, respond, stack, state};

/// The function that handles what no other does.
const FALLBACK: &str = hooks::HANDLE.name;

/// Paths longer than this have no handler of their own; functions' names are shorter.
const LONGEST_PATH: usize = 128;

/// A compiled script. Shared by all threads of a worker.
pub struct Program {
    engine: Engine,
    handlers: HashMap<String, Handler>,
    source: String,
    /// By path as an `import` has it.
    imported: HashMap<String, String>,
    limits: Limits,
}

/// A function of one parameter, ready to run.
struct Handler {
    /// Its body as a script of its own, with all functions in sight: rhai forgets where in a *function* a limit was
    /// exceeded, and not where in a script.
    script: AST,
    parameter: String,
    position: Position,
}

impl fmt::Debug for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Program").field("functions", &self.functions()).finish_non_exhaustive()
    }
}

impl Program {
    /// Compiles a script; `folder` is where its imports are found.
    pub fn compile(source: &str, folder: &Path, limits: Limits) -> Result<Arc<Program>, ScriptError> {
        Program::compile_with(source, folder, limits, |_| {})
    }

    /// As [`Program::compile`], for calls with a probe.
    pub fn compile_probed(source: &str, folder: &Path, limits: Limits) -> Result<Arc<Program>, ScriptError> {
        Program::compile_with(source, folder, limits, engine::watch_variables)
    }

    fn compile_with(
        source: &str,
        folder: &Path,
        limits: Limits,
        finish: fn(&mut Engine),
    ) -> Result<Arc<Program>, ScriptError> {
        let stack = stack::take(limits.stack_bytes())
            .map_err(|error| ScriptError::new(format!("no stack to compile on: {error}")))?;
        // The parser recurses as deep as the script nests, on whatever stack it is called.
        let mut program = corosensei::on_stack(stack, || Program::compile_here(source, folder, limits))?;
        finish(&mut program.engine);
        Ok(Arc::new(program))
    }

    fn compile_here(source: &str, folder: &Path, limits: Limits) -> Result<Program, ScriptError> {
        let failed = |error: Box<EvalAltResult>| ScriptError::of_running(*error, None, &limits);
        let (mut engine, names) = engine::new(limits);
        let imports = Imports::new(folder);
        let script = compile_whole(&mut engine, &imports, source).map_err(failed)?;
        if let Some(position) = function_uses::misfit(&script, &hooks::HANDLE) {
            let text = format!("`{}` takes one parameter, the request", FALLBACK);
            return Err(ScriptError::new(text).in_function(FALLBACK).at(position));
        }
        state::register(&mut engine, &names.found(), imports.constants());
        let imported = imports.sources();
        Ok(Program { handlers: handlers(&script), engine, source: source.to_owned(), imported, limits })
    }

    /// The function that handles a path: `dirty` for `/dirty/`, `a_b` for `/a/b/`, else `handle`; `None` without either.
    pub fn handler_for(&self, path: &str) -> Option<&str> {
        let mut name = [0; LONGEST_PATH];
        let path = path.trim_matches('/').as_bytes();
        let found = name.get_mut(..path.len()).and_then(|name| {
            for (letter, &byte) in name.iter_mut().zip(path) {
                *letter = if matches!(byte, b'/' | b'-') { b'_' } else { byte };
            }
            self.handlers.get_key_value(std::str::from_utf8(name).ok()?)
        });
        found.or_else(|| self.handlers.get_key_value(FALLBACK)).map(|(name, _)| name.as_str())
    }

    /// The functions that can handle a request, in alphabetical order.
    pub fn functions(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.handlers.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The text in which an error is: of the script, or of a file that it imports.
    pub fn source_of(&self, error: &ScriptError) -> Option<&str> {
        match &error.file {
            None => Some(&self.source),
            Some(file) => self.imported.get(file).map(String::as_str),
        }
    }

    /// Where the script and what it imports reach into state. `name` is the script's, as people know it.
    pub fn sites(&self, name: &str) -> Sites {
        let mut sites = Sites::default();
        let Ok(stack) = stack::take(self.limits.stack_bytes()) else { return sites };
        corosensei::on_stack(stack, || {
            let (engine, _) = engine::new(self.limits);
            sites.add(&engine, None, name.to_owned(), &self.source);
            for (path, source) in &self.imported {
                let file = path.strip_suffix(".rhai").unwrap_or(path);
                let file = Path::new(name).with_file_name(format!("{file}.rhai"));
                sites.add(&engine, Some(path), file.display().to_string(), source);
            }
        });
        sites
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Runs a handler to its end, on the stack of a coroutine.
    pub(super) fn handle(&self, handler: &str, request: HandlerRequest) -> Result<HandlerResponse, ScriptError> {
        let Some(found) = self.handlers.get(handler) else {
            return Err(ScriptError::new(format!("there is no function `{handler}` with one parameter")));
        };
        let mut scope = Scope::new();
        scope.push(found.parameter.as_str(), RequestObject::new(request));
        let value = self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &found.script);
        let value = value.map_err(|error| explain(&found.script, *error, handler, &self.limits))?;
        respond::from_value(value).map_err(|text| ScriptError::new(text).in_function(handler).at(found.position))
    }
}

/// Parses a script and what it imports, and lets the engine find that.
pub(super) fn compile_whole(engine: &mut Engine, imports: &Imports, source: &str) -> Result<AST, Box<EvalAltResult>> {
    engine.set_module_resolver(imports.clone());
    let script = import::compile_unit(engine, imports, source)?;
    let modules = Module::eval_ast_as_new(Scope::new(), &script, engine)?;
    for (name, module) in modules.iter_sub_modules() {
        engine.register_static_module(name, module.clone());
    }
    imports.close();
    Ok(script)
}

/// Why a function failed whose body is this script.
pub(super) fn explain(script: &AST, error: EvalAltResult, function: &str, limits: &Limits) -> ScriptError {
    let system = error.is_system_exception();
    let mut error = ScriptError::of_running(error, Some(function), limits);
    if let Some(name) = called_at(script, &error).filter(|_| system) {
        error.message += &format!(" (in `{name}`, which is called here)");
    }
    error
}

/// The functions that may be called by name from outside the script.
pub(super) fn public_functions(script: &AST) -> impl Iterator<Item = &Shared<ScriptFuncDef>> {
    script.iter_fn_def().filter(|function| {
        function.access == FnAccess::Public && function.this_type.is_none() && !function.name.contains('$')
    })
}

/// A function's body as a script of its own.
pub(super) fn alone(script: &AST, function: &Shared<ScriptFuncDef>) -> AST {
    AST::new(statements(function), script.shared_lib().clone())
}

fn handlers(script: &AST) -> HashMap<String, Handler> {
    let handlers = public_functions(script).filter_map(|function| match function.params.as_slice() {
        [parameter] => {
            let handler = Handler {
                script: alone(script, function),
                parameter: parameter.to_string(),
                position: function.body.start_position(),
            };
            Some((function.name.to_string(), handler))
        }
        _ => None,
    });
    handlers.collect()
}

/// The statements of a function's body.
fn statements(function: &Shared<ScriptFuncDef>) -> Vec<Stmt> {
    let mut alone = Module::new();
    alone.set_script_fn(function.clone());
    let mut body = Vec::new();
    AST::new([], alone).walk(&mut |nodes| {
        if let [ASTNode::Stmt(statement)] = nodes {
            body.push((*statement).clone());
        }
        true
    });
    body
}

/// The scripted function that is called where an error is.
fn called_at(script: &AST, error: &ScriptError) -> Option<String> {
    let mut found = None;
    script.walk(&mut |nodes| {
        let (call, position) = match nodes.last() {
            Some(ASTNode::Stmt(Stmt::FnCall(call, position))) => (call, position),
            Some(ASTNode::Expr(Expr::FnCall(call, position) | Expr::MethodCall(call, position))) => (call, position),
            _ => return true,
        };
        let here = position.line() == Some(error.line) && position.position() == Some(error.column);
        if here && (call.is_qualified() || script.iter_fn_def().any(|function| function.name == call.name)) {
            found = Some(call.name.to_string());
        }
        true
    });
    found
}
