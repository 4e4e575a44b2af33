//! Definition files for editors: what a language server for rhai needs to complete, explain and check a script.

use std::any::TypeId;
use std::collections::BTreeSet;

use rhai::{Array, Blob, Engine, FLOAT, FnPtr, FuncInfo, INT, ImmutableString, Map};

use super::hooks;
use super::reference::{FUNCTIONS, Function, OBJECT_METHODS, OBJECTS, PROPERTIES};
use super::{Limits, engine};

/// Files by their names: what runner adds, and rhai's own functions as far as runner lets scripts have them.
pub fn files() -> [(&'static str, String); 2] {
    [("runner.d.rhai", ours()), ("rhai.d.rhai", rhais())]
}

/// Functions, objects and properties; the hooks stand there as comments, since scripts write them.
fn ours() -> String {
    let mut text = "module static;\n".to_owned();
    for hook in hooks::ALL {
        text += &format!("\n// A script may have `fn {}`: runner calls it.", hook.signature());
    }
    text.push('\n');
    for (object, seen_by) in OBJECTS {
        text += &format!("\n/// State that is seen by {seen_by}.\nconst {object}: {object};\n");
        for method in OBJECT_METHODS {
            text += &definition(method, Some(object));
        }
    }
    for property in PROPERTIES {
        let (of, name) = (property.of, property.name);
        text += &format!("\n/// {}.\nfn get {name}({of}: {of}) -> {};\n", sentence(property.about), property.kind);
    }
    let mut about = "";
    for function in FUNCTIONS {
        about = if function.about.is_empty() { about } else { function.about };
        text += &definition(&Function { about, ..*function }, None);
    }
    text
}

fn definition(function: &Function, object: Option<&str>) -> String {
    let object = object.map(|object| format!("{object}: {object}"));
    let own = function.parameters.iter().map(|(name, kind)| format!("{name}: {kind}"));
    let parameters: Vec<String> = object.into_iter().chain(own).collect();
    let Function { name, returns, about, .. } = function;
    format!("\n/// {}.\nfn {name}({}) -> {returns};\n", sentence(about), parameters.join(", "))
}

fn sentence(about: &str) -> String {
    let mut letters = about.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Names and parameters; rhai tells what a function returns only if built to keep it, which changes how it parses.
fn rhais() -> String {
    let (engine, _) = engine::new(Limits::default());
    let own: BTreeSet<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    let lines: BTreeSet<String> =
        engine.collect_fn_metadata(None, |info| signature(&engine, &own, &info), true).into_iter().collect();
    let lines: Vec<String> = lines.into_iter().collect();
    format!("module static;\n\n{}\n", lines.join("\n"))
}

/// `None` for operators, and for what runner has another of.
fn signature(engine: &Engine, own: &BTreeSet<&str>, info: &FuncInfo<'_>) -> Option<String> {
    let name = info.metadata.name.as_str();
    let (keyword, bare) = match name.strip_prefix("get$") {
        Some(property) => ("fn get", property),
        None => ("fn", name),
    };
    let is_word = bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !bare.is_empty();
    let ours = own.contains(name) || (keyword == "fn get" && PROPERTIES.iter().any(|property| property.name == bare));
    if !is_word || ours || engine.is_symbol_disabled(bare) {
        return None;
    }
    let kinds = info.metadata.param_types.iter().map(|kind| type_name(*kind));
    let parameters: Vec<String> = kinds.enumerate().map(|(index, kind)| format!("_{index}: {kind}")).collect();
    Some(format!("{keyword} {bare}({}) -> ?;", parameters.join(", ")))
}

fn type_name(kind: TypeId) -> &'static str {
    let known = [
        (TypeId::of::<INT>(), "int"),
        (TypeId::of::<FLOAT>(), "float"),
        (TypeId::of::<bool>(), "bool"),
        (TypeId::of::<char>(), "char"),
        (TypeId::of::<ImmutableString>(), "String"),
        (TypeId::of::<Array>(), "Array"),
        (TypeId::of::<Blob>(), "Blob"),
        (TypeId::of::<Map>(), "Map"),
        (TypeId::of::<FnPtr>(), "FnPtr"),
        (TypeId::of::<()>(), "()"),
    ];
    known.iter().find(|(id, _)| *id == kind).map_or("?", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The little that definition files consist of.
    const LINE: &str =
        r"^(|module static;|//.*|const \w+: \w+;|fn (get )?\w+\((\w+: [\w?()]+(, \w+: [\w?()]+)*)?\) -> [\w?()]+;)$";

    #[test]
    fn every_line_is_a_definition_or_its_comment() {
        let line = regex::Regex::new(LINE).unwrap();
        for (name, text) in files() {
            for (index, text) in text.lines().enumerate() {
                assert!(line.is_match(text), "{name}:{}: {text}", index + 1);
            }
        }
    }

    #[test]
    fn they_hold_what_scripts_can_use() {
        let [(_, ours), (_, rhais)] = files();
        for definition in [
            "fn sleep(time: ?) -> ();",
            "fn respond(status: int, body: ?) -> response;",
            "fn get query(request: request) -> Map;",
            "const process: process;",
            "fn keys(thread: thread) -> Array;",
            "fn handle(request)",
        ] {
            assert!(ours.contains(definition), "{definition}\n{ours}");
        }
        for definition in ["fn push(_0: Array, _1: ?) -> ?;", "fn to_upper(_0: String) -> ?;", "fn keys(_0: Map) -> ?;"]
        {
            assert!(rhais.contains(definition), "{definition}\n{rhais}");
        }
        assert!(!rhais.contains("fn sleep(") && !rhais.contains("fn eval("), "{rhais}");
        assert!(rhais.lines().count() > 100);
    }
}
