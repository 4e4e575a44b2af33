//! What scripts of a collection take from responses: `pm.globals.set("token", user.token)`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::scenario::login::{CaptureSource, CaptureSpec};

/// A call that sets a variable: its name, and the start of what it is set to.
static SET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pm = r"pm\s*\.\s*(?:environment|globals|collectionVariables|variables)\s*\.\s*set";
    let old = r"postman\s*\.\s*set(?:Environment|Global)Variable";
    Regex::new(&format!(r#"(?:{pm}|{old})\s*\(\s*["'`]([^"'`]+)["'`]\s*,\s*"#)).ok()
});
/// `let user = responseJSON.user;`
static ASSIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?m)(?:^|[;{\s])(?:var\s+|let\s+|const\s+)?([A-Za-z_$][\w$]*)\s*=\s*([^=;\n][^;\n]*)").ok()
});
/// The start of what stands for the whole JSON of a response.
static WHOLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?:pm\s*\.\s*response\s*\.\s*json\s*\(\s*\)|JSON\s*\.\s*parse\s*\(\s*(?:responseBody|responseText|pm\s*\.\s*response\s*\.\s*text\s*\(\s*\))\s*\))").ok()
});
/// A header of a response.
static HEADER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^(?:pm\s*\.\s*response\s*\.\s*headers\s*\.\s*(?:get|one)|postman\s*\.\s*getResponseHeader)\s*\(\s*["'`]([^"'`]+)["'`]"#).ok()
});
static COOKIE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^(?:pm\s*\.\s*cookies\s*\.\s*get|postman\s*\.\s*getResponseCookie)\s*\(\s*["'`]([^"'`]+)["'`]"#).ok()
});
/// One step into a value: `.name`, `?.name`, `[0]`, `["name"]`.
static STEP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^\s*(?:\??\.\s*([A-Za-z_$][\w$]*)|(?:\?\.)?\[\s*(?:(\d+)|["'`]([^"'`]+)["'`])\s*\])"#).ok()
});
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^([A-Za-z_$][\w$]*)").ok());

/// The captures of all scripts that run after a request.
pub(super) fn taken(events: &[&Value]) -> Vec<CaptureSpec> {
    let mut captures: Vec<CaptureSpec> = Vec::new();
    for script in events.iter().flat_map(|event| scripts(event)) {
        let known = assigned(&script);
        for call in SET.iter().flat_map(|regex| regex.captures_iter(&script)) {
            let (Some(whole), Some(name)) = (call.get(0), call.get(1)) else { continue };
            let Some(from) = source(script[whole.end()..].trim_start(), &known) else { continue };
            let name = super::substitution::capture_name(name.as_str());
            if !captures.iter().any(|capture| capture.name == name) {
                captures.push(CaptureSpec { name, from });
            }
        }
    }
    captures
}

/// The texts of scripts: an event or several, each script one text or a list of lines. Of version 1: the text itself.
fn scripts(event: &Value) -> Vec<String> {
    match event {
        Value::Array(events) => events.iter().flat_map(scripts).collect(),
        Value::String(script) => vec![script.clone()],
        event if event.get("listen").and_then(Value::as_str) == Some("prerequest") => Vec::new(),
        event => {
            let script = event.get("script").unwrap_or(&Value::Null);
            let lines = match script.get("exec").unwrap_or(script) {
                Value::String(text) => text.clone(),
                Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
                _ => return Vec::new(),
            };
            vec![lines]
        }
    }
}

/// The names in a script that stand for a part of the response, each with where that part is.
fn assigned(script: &str) -> BTreeMap<String, CaptureSource> {
    let mut known = BTreeMap::new();
    for found in ASSIGNED.iter().flat_map(|regex| regex.captures_iter(script)) {
        if let (Some(name), Some(value)) = (found.get(1), found.get(2))
            && let Some(source) = source(value.as_str().trim(), &known)
        {
            known.insert(name.as_str().to_owned(), source);
        }
    }
    known
}

/// Which part of a response an expression begins with; `None` if it is something else.
fn source(expression: &str, known: &BTreeMap<String, CaptureSource>) -> Option<CaptureSource> {
    let first =
        |regex: &LazyLock<Option<Regex>>| Some(regex.as_ref()?.captures(expression)?.get(1)?.as_str().to_owned());
    if let Some(name) = first(&HEADER) {
        return Some(CaptureSource::Header(name.to_lowercase()));
    }
    if let Some(name) = first(&COOKIE) {
        return Some(CaptureSource::Cookie(name));
    }
    let (mut path, mut rest) = match WHOLE.as_ref()?.find(expression) {
        Some(found) => (Vec::new(), &expression[found.end()..]),
        None => {
            let name = first(&NAME)?;
            match known.get(&name)? {
                CaptureSource::Json(path) => (path.clone(), &expression[name.len()..]),
                other => return Some(other.clone()),
            }
        }
    };
    while let Some(step) = STEP.as_ref()?.captures(rest) {
        let name = step.get(1).or(step.get(2)).or(step.get(3))?.as_str();
        let whole = step.get(0)?.end();
        // A method is called on what was found so far.
        if rest[whole..].trim_start().starts_with('(') {
            break;
        }
        path.push(name.to_owned());
        rest = &rest[whole..];
    }
    Some(CaptureSource::Json(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(script: &str) -> Vec<String> {
        let event = Value::String(script.to_owned());
        taken(&[&event]).into_iter().map(|capture| format!("{}: {}", capture.name, capture.from)).collect()
    }

    #[test]
    fn what_a_script_sets_is_traced_to_the_response() {
        for (script, expected) in [
            ("pm.environment.set('token', pm.response.json().user.token);", "token: text at `user.token` in its JSON"),
            (
                "var d = JSON.parse(responseBody);\npostman.setEnvironmentVariable(\"id\", d.items[0].id);",
                "id: text at `items.0.id` in its JSON",
            ),
            (
                "let r = pm.response.json(); const user = r.user;\npm.globals.set(\"t\", user['token'])",
                "t: text at `user.token` in its JSON",
            ),
            ("pm.collectionVariables.set('n', pm.response.json().id.toString())", "n: text at `id` in its JSON"),
            ("pm.variables.set('h', pm.response.headers.get('X-Token'))", "h: header `x-token`"),
            ("pm.globals.set('c', pm.cookies.get('sid'))", "c: cookie `sid`"),
        ] {
            assert_eq!(of(script), [expected], "{script}");
        }
    }

    #[test]
    fn what_is_made_up_is_no_capture() {
        for script in [
            "pm.environment.set('n', Math.random())",
            "pm.globals.set('a', 'text')",
            "x = other.id; pm.globals.set('a', x)",
        ] {
            assert!(of(script).is_empty(), "{script}");
        }
    }
}
