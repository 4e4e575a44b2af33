//! What the functions of a script are to each other: which are called, which answer requests, which hide runner's own.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use rhai::{AST, ASTNode, Expr, FnAccess, FnPtr, Module, Position, ScriptFuncDef, Shared, Stmt};

use super::hooks::Hook;
use super::import::{self, Imports};
use super::reference::FUNCTIONS;
use super::{Limits, engine, stack};

/// A function of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionUse {
    pub name: String,
    /// How many parameters it takes.
    pub parameters: usize,
    /// The bytes of its name in the script.
    pub place: Range<usize>,
    /// Whether it can answer requests: one parameter, and not private.
    pub answers: bool,
    /// Whether runner calls it.
    pub begun: bool,
    /// Whether a function that runs calls it, or may: its name as a value counts.
    pub called: bool,
    /// Whether scripts can no longer call runner's function of this name.
    pub hides: bool,
}

/// Looks at a script that compiles; of one that does not, nothing is known. `begins` says which functions runner calls, by
/// name and number of parameters.
pub fn survey(source: &str, folder: &Path, begins: &dyn Fn(&str, usize) -> bool) -> Vec<FunctionUse> {
    let limits = Limits::default();
    let Ok(stack) = stack::take(limits.stack_bytes()) else { return Vec::new() };
    corosensei::on_stack(stack, || {
        let (mut engine, _) = engine::new(limits);
        let imports = Imports::new(folder);
        engine.set_module_resolver(imports.clone());
        let script = import::compile_unit(&engine, &imports, source);
        script.map_or_else(|_| Vec::new(), |script| of(&script, source, begins))
    })
}

fn of(script: &AST, source: &str, begins: &dyn Fn(&str, usize) -> bool) -> Vec<FunctionUse> {
    let written = |function: &&Shared<ScriptFuncDef>| !function.name.contains('$');
    let functions: Vec<&Shared<ScriptFuncDef>> = script.iter_fn_def().filter(written).collect();
    let public = |function: &ScriptFuncDef| function.access == FnAccess::Public && function.this_type.is_none();
    let begun = functions.iter().filter(|function| public(function) && begins(&function.name, function.params.len()));
    let mut called = names(&script.clone_statements_only());
    called.extend(begun.clone().map(|function| function.name.to_string()));
    let called = follow(called, &functions);
    let begun: HashSet<(&str, usize)> = begun.map(|function| (function.name.as_str(), function.params.len())).collect();
    let mentioned = mentioned(&functions, &called, &names(&script.clone_statements_only()));
    let mut surveyed: Vec<FunctionUse> = functions
        .iter()
        .map(|function| {
            let (name, parameters) = (function.name.as_str(), function.params.len());
            FunctionUse {
                name: name.to_owned(),
                parameters,
                place: place(source, name, function.body.start_position()),
                answers: public(function) && parameters == 1,
                begun: begun.contains(&(name, parameters)),
                called: mentioned.contains(name),
                hides: FUNCTIONS.iter().any(|own| own.name == name && own.parameters.len() == parameters)
                    || (parameters == 1 && matches!(name, "print" | "debug")),
            }
        })
        .collect();
    surveyed.sort_by_key(|function| function.place.start);
    surveyed
}

/// Whether a hook is sure to be there in vain: no function of its name takes as many parameters, and nothing mentions it.
pub(super) fn misfit(script: &AST, hook: &Hook) -> Option<Position> {
    let named: Vec<_> = script.iter_fn_def().filter(|function| function.name == hook.name).collect();
    let fits = named.iter().any(|function| function.params.len() == hook.parameters.len());
    let first = named.first().filter(|_| !fits && !names(script).contains(hook.name))?;
    Some(first.body.start_position())
}

/// The function that answers a path: `a_b_c` for `/a/b-c/`.
pub fn function_name(path: &str) -> String {
    path.trim_matches('/').replace(['/', '-'], "_")
}

/// The names that can be reached from these.
fn follow(mut reached: HashSet<String>, functions: &[&Shared<ScriptFuncDef>]) -> HashSet<String> {
    let mut uses: HashMap<&str, HashSet<String>> = HashMap::new();
    for function in functions {
        uses.entry(function.name.as_str()).or_default().extend(names(&body(function)));
    }
    let mut open: Vec<String> = reached.iter().cloned().collect();
    while let Some(name) = open.pop() {
        for used in uses.get(name.as_str()).into_iter().flatten() {
            if reached.insert(used.clone()) {
                open.push(used.clone());
            }
        }
    }
    reached
}

/// What the reached functions, and the statements outside of functions, mention: two functions of one name differ in
/// their parameters, so that one of them is reached says nothing about the other.
fn mentioned(
    functions: &[&Shared<ScriptFuncDef>],
    reached: &HashSet<String>,
    outside: &HashSet<String>,
) -> HashSet<String> {
    let run = functions.iter().filter(|function| reached.contains(function.name.as_str()));
    run.flat_map(|function| names(&body(function))).chain(outside.iter().cloned()).collect()
}

fn body(function: &Shared<ScriptFuncDef>) -> AST {
    let mut alone = Module::new();
    alone.set_script_fn((*function).clone());
    AST::new([], alone)
}

/// Every name that may be that of a function which is called here: of calls, and of values, which may be called later.
fn names(script: &AST) -> HashSet<String> {
    let mut names = HashSet::new();
    script.walk(&mut |nodes| {
        let name = match nodes.last() {
            Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => Some(call.name.to_string()),
            Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))) => Some(call.name.to_string()),
            Some(ASTNode::Expr(Expr::Variable(variable, ..))) => Some(variable.1.to_string()),
            Some(ASTNode::Expr(Expr::StringConstant(text, _))) => Some(text.to_string()),
            Some(ASTNode::Expr(Expr::DynamicConstant(value, _))) => {
                value.read_lock::<FnPtr>().map(|pointer| pointer.fn_name().to_owned())
            }
            _ => None,
        };
        names.extend(name);
        true
    });
    names
}

/// Where the name of the function stands whose body begins at a position.
fn place(source: &str, name: &str, body: Position) -> Range<usize> {
    let line = body.line().unwrap_or(1);
    let line_start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let column = body.position().unwrap_or(1);
    let on_line = source[line_start..].char_indices().nth(column.saturating_sub(1));
    let body = line_start + on_line.map_or(0, |(at, _)| at);
    match source[..body].rfind(&format!("fn {name}")) {
        Some(found) => found + "fn ".len()..found + "fn ".len() + name.len(),
        None => body..body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surveyed(source: &str) -> Vec<FunctionUse> {
        survey(source, Path::new("/nowhere"), &|_, parameters| parameters == 1)
    }

    fn uncalled(source: &str) -> Vec<String> {
        surveyed(source)
            .into_iter()
            .filter(|function| !function.begun && !function.called)
            .map(|function| function.name)
            .collect()
    }

    #[test]
    fn what_a_handler_calls_is_called_however_it_does() {
        let source = "fn page(request) { helper(1, 2); [1].map(double); [1].map(Fn(\"triple\")); 5.of_this(); deep() }
                      fn helper(a, b) { } fn double(a, b) { a } fn triple(a, b) { a } fn of_this() { this }
                      fn deep() { deeper() } fn deeper() { } fn of_constant() { 1 } const C = of_constant();";
        assert_eq!(uncalled(source), Vec::<String>::new());
    }

    #[test]
    fn what_only_the_uncalled_call_is_not_called() {
        assert_eq!(
            uncalled("fn page(request) { } fn alone() { other() } fn other() { other() } private fn quiet(x) { }"),
            ["alone", "other", "quiet"]
        );
    }

    #[test]
    fn two_functions_of_one_name_are_told_apart() {
        assert_eq!(uncalled("fn page(request) { } fn page() { }"), ["page"]);
        assert_eq!(uncalled("fn page(request) { page() } fn page() { }"), Vec::<String>::new());
    }

    #[test]
    fn a_name_has_its_place_and_runners_own_are_known() {
        let source = "// é fn log\nfn log(value) {\n}\nfn\n  odd (x) { }\nfn sleep(a, b) { }";
        let found = surveyed(source);
        let log = found.iter().find(|function| function.name == "log").unwrap();
        assert_eq!((&source[log.place.clone()], log.hides, log.answers), ("log", true, true));
        assert_eq!(source[..log.place.start].matches('\n').count(), 1);
        assert!(found.iter().filter(|function| function.hides).count() == 1, "{found:?}");
    }

    #[test]
    fn a_script_that_does_not_compile_is_not_surveyed() {
        assert_eq!(surveyed("fn ("), []);
    }
}
