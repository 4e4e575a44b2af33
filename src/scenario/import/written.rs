//! An import as a scenario: explicit requests that a team can read, change and leave out.

use super::{ImportFormat, Imported, Operation, ProposedLogin};
use crate::scenario::login::{CaptureSource, CaptureSpec};
use crate::scenario::request::{BodySpec, Json, RequestSpec};
use crate::scenario::template::{Piece, TOKEN, Template};

/// How many operations that were left out are named.
const NAMED: usize = 60;
/// Where the server is if the document does not say.
const SERVER: &str = "http://127.0.0.1:8000";

/// A scenario of this name. `source` is the document, as `from` names it and as people know it.
pub fn to_toml(imported: &Imported, name: &str, source: &str) -> String {
    let mut text = String::new();
    let format = imported.format;
    let title = imported.title.as_deref().map(one_line).filter(|title| !title.is_empty());
    let taken = imported.operations.len();
    text.push_str(&format!("# Look at it:   runner check {name}.toml\n# Run it:       runner {name}.toml\n"));
    text.push_str(&format!("# From {}, as {format}: {}.\n", one_line(source), counted(taken, imported.left_out.len())));
    let about = title.map_or_else(
        || "Does any request see what another sent?".to_owned(),
        |title| format!("{title}: does any request see what another sent?"),
    );
    text.push_str(&format!("about = {}\n\n[server]\nurl = {}", quoted(&about), quoted(&server(imported))));
    text.push_str("    # or `command` and `ready`, for a server that runner starts\n\n[dirty]\n");
    if format == ImportFormat::OpenApi {
        text.push_str(&format!("from    = {}    # read anew for each run\n", quoted(source)));
    }
    text.push_str("methods = \"read\"    # \"write\" sends POST, PUT and PATCH too, \"delete\" also DELETE\n");
    text.push_str("time    = \"5m\"\n");
    for (table, login) in [("dirty.signup", &imported.signup), ("dirty.login", &imported.login)] {
        if let Some(login) = login {
            text.push_str(&account(table, imported, login));
        }
    }
    if format != ImportFormat::OpenApi {
        for operation in &imported.operations {
            text.push('\n');
            text.push_str(&request(operation, &imported.variables));
        }
    }
    text.push_str(&notes(imported));
    text
}

fn counted(taken: usize, left_out: usize) -> String {
    let requests = if taken == 1 { "1 request".to_owned() } else { format!("{taken} requests") };
    if left_out == 0 { requests } else { format!("{requests}, {left_out} left out") }
}

/// Only a server on this machine is named: others are not meant to be loaded.
fn server(imported: &Imported) -> String {
    let is_local = |origin: &&String| {
        let host = origin.split_once("://").map_or("", |(_, rest)| rest);
        ["localhost", "127.", "0.0.0.0", "[::1]"].iter().any(|start| host.starts_with(start))
    };
    let local = imported.origins.iter().find(is_local).map(|origin| origin.replace("0.0.0.0", "127.0.0.1"));
    let origin = local.unwrap_or_else(|| SERVER.to_owned());
    let path = origin.split_once("://").and_then(|(_, rest)| rest.find('/'));
    let end = path.map_or(origin.len(), |at| at + origin.find("://").map_or(0, |scheme| scheme + 3));
    origin[..end].to_owned()
}

fn account(table: &str, imported: &Imported, login: &ProposedLogin) -> String {
    let what = if table.ends_with("signup") { "signs up" } else { "logs in" };
    let mut lines = vec![
        format!("[{table}]"),
        format!("path = {}", quoted(&escaped(&login.request.target(), &imported.variables))),
    ];
    lines.extend(body_lines(&login.request, &imported.variables));
    for capture in login.captures.iter().filter(|capture| capture.name == TOKEN) {
        if let CaptureSource::Json(path) = &capture.from {
            lines.push(format!("token = {}", quoted(&path.join("."))));
        }
    }
    let lines: Vec<String> = lines.into_iter().map(|line| format!("# {line}\n")).collect();
    format!("\n# Each identity {what}, if you let it:\n{}", lines.concat())
}

/// One `[[dirty.request]]`. A dangerous one is written, but not taken.
fn request(operation: &Operation, variables: &[String]) -> String {
    let request = &operation.request;
    let mut lines =
        vec!["[[dirty.request]]".to_owned(), format!("name = {}", quoted(&plain(&operation.name, variables)))];
    if request.method != "GET" {
        lines.push(format!("method = {}", quoted(&request.method)));
    }
    lines.push(format!("path = {}", quoted(&escaped(&request.target(), variables))));
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in &request.headers {
        headers.push((name.to_lowercase(), quoted(&escaped(value, variables))));
    }
    let body = body_lines(request, variables);
    let is_raw_json =
        body.iter().any(|line| line.starts_with("body =")) && matches!(request.body, Some(BodySpec::Json(_)));
    if is_raw_json && !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".to_owned(), quoted("application/json")));
    }
    if !headers.is_empty() {
        lines.push(format!("headers = {}", table(headers)));
    }
    if !request.cookies.is_empty() {
        let cookies = request.cookies.iter().map(|(name, value)| (name.clone(), quoted(&escaped(value, variables))));
        lines.push(format!("cookies = {}", table(cookies.collect())));
    }
    lines.extend(body);
    if !operation.captures.is_empty() {
        lines.push(format!("capture = {}", table(operation.captures.iter().map(capture).collect())));
    }
    if operation.deletes.is_some() {
        lines.push("cleanup = true".to_owned());
    }
    match &operation.danger {
        None => lines.iter().map(|line| format!("{line}\n")).collect(),
        Some(danger) => {
            let lines: String = lines.iter().map(|line| format!("# {line}\n")).collect();
            format!("# Not sent unless you say so: {danger}.\n{lines}")
        }
    }
}

fn capture(capture: &CaptureSpec) -> (String, String) {
    let value = match &capture.from {
        CaptureSource::Json(path) => quoted(&path.join(".")),
        CaptureSource::Header(name) => format!("{{ header = {} }}", quoted(name)),
        CaptureSource::Location => "{ header = \"location\" }".to_owned(),
        CaptureSource::Cookie(name) => format!("{{ cookie = {} }}", quoted(name)),
        CaptureSource::Field(name) => format!("{{ field = {} }}", quoted(name)),
        CaptureSource::Meta(name) => format!("{{ meta = {} }}", quoted(name)),
    };
    (capture.name.clone(), value)
}

fn body_lines(request: &RequestSpec, variables: &[String]) -> Vec<String> {
    match &request.body {
        None => Vec::new(),
        Some(BodySpec::Form(fields)) if names_are_distinct(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), quoted(&in_body(value, variables))));
            vec![format!("form = {}", table(fields.collect()))]
        }
        Some(BodySpec::Json(json)) => match json_value(json, variables) {
            Some(value) => vec![format!("json = {value}")],
            None => vec![format!("body = {}", quoted(&in_body(&BodySpec::Json(json.clone()).content(), variables)))],
        },
        Some(body) => vec![format!("body = {}", quoted(&in_body(&body.content(), variables)))],
    }
}

fn names_are_distinct(fields: &[(String, Template)]) -> bool {
    let is_again = |at: usize| fields[..at].iter().any(|(name, _)| *name == fields[at].0);
    !(0..fields.len()).any(is_again)
}

/// A value of TOML; `None` where it has no such value, as for null.
fn json_value(json: &Json, variables: &[String]) -> Option<String> {
    Some(match json {
        Json::Text(text) => quoted(&in_body(text, variables)),
        Json::Plain(text) => {
            let is_whole = text.parse::<i64>().is_ok();
            let is_number =
                text.parse::<f64>().is_ok_and(f64::is_finite) && text.contains(['.', 'e', 'E']) && !text.contains("e+");
            (is_whole || is_number || matches!(text.as_str(), "true" | "false")).then(|| text.clone())?
        }
        Json::List(items) => {
            let items: Option<Vec<String>> = items.iter().map(|item| json_value(item, variables)).collect();
            format!("[{}]", items?.join(", "))
        }
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, item)| Some((name.clone(), json_value(item, variables)?)));
            table(fields.collect::<Option<Vec<_>>>()?)
        }
    })
}

/// A table on one line.
fn table(entries: Vec<(String, String)>) -> String {
    if entries.is_empty() {
        return "{}".to_owned();
    }
    let entries = entries.into_iter().map(|(name, value)| format!("{} = {value}", key(&name)));
    format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
}

fn key(name: &str) -> String {
    let is_bare =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if is_bare { name.to_owned() } else { quoted(name) }
}

/// A text between quotes. What JSON escapes TOML escapes alike, but for one character.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// A template as paths, headers and cookies are written.
fn escaped(template: &Template, variables: &[String]) -> String {
    // A variable's braces are no hole's.
    pieces(template, variables, |text| text.replace('{', "{{").replace('}', "}}"))
}

/// A template as bodies are written.
fn in_body(template: &Template, variables: &[String]) -> String {
    pieces(template, variables, Template::escape_body)
}

fn pieces(template: &Template, variables: &[String], escape: impl Fn(&str) -> String) -> String {
    let mut written = String::new();
    for piece in &template.pieces {
        match piece {
            Piece::Hole(hole) => written.push_str(&hole.to_string()),
            Piece::Base64(inside) => {
                written.push_str(&Template { pieces: vec![Piece::Base64(inside.clone())] }.to_string())
            }
            Piece::Text(text) => {
                let mut rest = text.as_str();
                while let Some((at, name)) = next_variable(rest, variables) {
                    written.push_str(&plain(&escape(&rest[..at]), &[]));
                    written.push_str(&format!("${{{name}}}"));
                    rest = &rest[at + name.len() + 3..];
                }
                written.push_str(&plain(&escape(rest), &[]));
            }
        }
    }
    written
}

/// Where the next of the variables stands in a text.
fn next_variable<'v>(text: &str, variables: &'v [String]) -> Option<(usize, &'v str)> {
    let found = variables.iter().filter_map(|name| Some((text.find(&format!("${{{name}}}"))?, name.as_str())));
    found.min_by_key(|(at, name)| (*at, name.len()))
}

/// A text in which `${` stands for itself, but for the variables.
fn plain(text: &str, variables: &[String]) -> String {
    if variables.iter().any(|name| text.contains(&format!("${{{name}}}"))) {
        text.to_owned()
    } else {
        text.replace("${", "$${")
    }
}

fn notes(imported: &Imported) -> String {
    let mut lines: Vec<String> = Vec::new();
    if !imported.variables.is_empty() {
        lines.push(format!("# Set before a run: {}", imported.variables.join(", ")));
    }
    lines.extend(imported.notes.iter().map(|note| format!("# {}", one_line(&note.to_string()))));
    for left_out in imported.left_out.iter().take(NAMED) {
        lines.push(format!("# left out: {}: {}", one_line(&left_out.name), one_line(&left_out.reason.to_string())));
    }
    if let Some(more) = imported.left_out.len().checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(format!("# left out: {more} more"));
    }
    if lines.is_empty() { String::new() } else { format!("\n{}\n", lines.join("\n")) }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
