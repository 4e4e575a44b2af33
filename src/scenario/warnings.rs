//! What is valid and perhaps not meant: functions of scripts that nobody calls, hooks that are spelt otherwise.

use std::collections::BTreeSet;
use std::path::Path;

use super::problem::{Problem, Problems, Severity};
use super::source::Span;
use super::template::Piece;
use super::{LoginSpec, Scenario, ScriptSpec, ServerSpec, Template, Variant, suggest};
use crate::script::function_uses::{FunctionUse, function_name, survey};
use crate::script::hooks::{self, Hook, Side};
use crate::script::reference::FUNCTIONS;
use crate::units::counted;

/// Warnings and notes about a valid scenario; there may be none.
pub fn warnings(scenario: &Scenario) -> Problems {
    let mut problems = scenario.warnings.clone();
    let mut seen = BTreeSet::new();
    for script in scenario.variants.iter().filter_map(script) {
        if seen.insert(&script.path) {
            about_script(scenario, script, &mut problems);
        }
    }
    problems.sort();
    problems
}

fn script(variant: &Variant) -> Option<&ScriptSpec> {
    match &variant.server {
        ServerSpec::Builtin(server) => server.script.as_ref(),
        _ => None,
    }
}

fn about_script(scenario: &Scenario, script: &ScriptSpec, problems: &mut Problems) {
    let folder = script.path.parent().unwrap_or(Path::new(""));
    let functions = survey(&script.source, folder, &|_, parameters| parameters == 1);
    let start = problems.sources.add(script.path.to_string_lossy(), script.source.as_str());
    let asked = asked(scenario, script);
    for function in &functions {
        let at = start + function.place.start..start + function.place.end;
        let is =
            |other: &FunctionUse, hook: &Hook| other.name == hook.name && other.parameters == hook.parameters.len();
        let has = |hook: &Hook| functions.iter().any(|other| is(other, hook));
        let meant = near_hook(&function.name).filter(|hook| !has(hook));
        let found = match (function.begun, function.called) {
            (_, true) => None,
            (false, false) => Some(never_called(function, meant, &at)),
            (true, false) => never_asked(function, meant, asked.as_ref(), &at),
        };
        for problem in found.into_iter().chain(function.hides.then(|| hides(function, &at))) {
            problems.add(problem);
        }
    }
}

/// The functions that the requests of a scenario reach on the servers with this script; `None` if a path varies.
fn asked(scenario: &Scenario, own: &ScriptSpec) -> Option<BTreeSet<String>> {
    // What a sweep leaves out on purpose need not be told.
    if scenario.variants.iter().any(|variant| variant.dirty.as_ref().is_some_and(|dirty| dirty.sweep.is_some())) {
        return None;
    }
    let variants = scenario.variants.iter().filter(|variant| script(variant).is_some_and(|it| it.path == own.path));
    let requests = variants.flat_map(|variant| {
        let load = variant.load.iter().flat_map(|load| load.kinds.iter().map(|kind| &kind.request));
        let of_load = variant.load.iter().filter_map(|load| load.login.as_ref());
        let logins = variant.dirty.iter().filter_map(|dirty| dirty.login.as_ref()).chain(of_load);
        load.chain(variant.dirty.as_ref().map(|dirty| &dirty.request)).chain(logins.flat_map(LoginSpec::requests))
    });
    requests.map(|request| Some(function_name(fixed_path(&request.path)?))).collect()
}

/// The path without its query, if no hole is in it.
fn fixed_path(path: &Template) -> Option<&str> {
    match path.pieces.as_slice() {
        [Piece::Text(text)] => Some(text.split('?').next().unwrap_or(text)),
        [Piece::Text(text), ..] => text.split_once('?').map(|(path, _)| path),
        _ => None,
    }
}

/// The hook whose name is nearest, unless it is the very same.
fn near_hook(name: &str) -> Option<&'static Hook> {
    let near = suggest::nearest(name, hooks::ALL.iter().map(|hook| hook.name))?;
    hooks::ALL.iter().find(|hook| hook.name == near && near != name)
}

fn never_called(function: &FunctionUse, meant: Option<&Hook>, at: &Span) -> Problem {
    let name = &function.name;
    let problem = Problem::new(format!("nothing calls `{name}`")).only(Severity::Warning);
    let same = hooks::ALL.iter().find(|hook| hook.name == name);
    let takes = counted(function.parameters as u64, "parameter");
    match (same, meant) {
        (Some(hook), _) if hook.parameters.len() != function.parameters => problem
            .at(at, format!("takes {takes}"))
            .help(format!("runner calls `{}`: take as many parameters", hook.signature())),
        (Some(hook), _) => problem.at(at, "never called").help(format!(
            "{} calls it where that names this script; a script of [server] only answers requests",
            section(hook.side)
        )),
        (None, Some(hook)) => problem.at(at, "never called").help(format!("did you mean `{}`?", hook.signature())),
        (None, None) => problem
            .at(at, format!("takes {takes}"))
            .help("call it or remove it; what answers requests takes one parameter, the request, and is not private"),
    }
}

const fn section(side: Side) -> &'static str {
    match side {
        Side::Server => "[server]",
        Side::Load => "[load]",
        Side::Assert => "[assert]",
    }
}

/// About a function that answers a path: `None` if a request asks for it, or if nobody knows.
fn never_asked(
    function: &FunctionUse,
    meant: Option<&Hook>,
    asked: Option<&BTreeSet<String>>,
    at: &Span,
) -> Option<Problem> {
    let name = &function.name;
    if hooks::ALL.iter().any(|hook| hook.name == name) || asked?.contains(name) {
        return None;
    }
    let problem = Problem::new(format!("no request of this scenario asks for /{name}/"));
    Some(match meant.filter(|hook| hook.parameters.len() == function.parameters) {
        Some(hook) => problem
            .only(Severity::Warning)
            .at(at, "answers only that path")
            .help(format!("did you mean `{}`?", hook.signature())),
        None => problem.only(Severity::Note).at(at, "answers that path"),
    })
}

fn hides(function: &FunctionUse, at: &Span) -> Problem {
    let own = FUNCTIONS
        .iter()
        .find(|own| own.name == function.name && own.parameters.len() == function.parameters)
        .map_or_else(|| format!("{}(value)", function.name), |own| own.signature());
    Problem::new(format!("`{}` hides runner's own function of this name", function.name))
        .only(Severity::Warning)
        .at(at, format!("called instead of runner's `{own}`"))
        .help("rename it, unless this is what you want")
}
