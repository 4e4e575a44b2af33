//! Access logs: what was asked for most, without saying by whom. Only reads: a log has no bodies.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::distinct::path_of;
use super::draft::{Kept, RequestDraft, Rules};
use super::url_parts::{as_target, is_asset};
use super::{Effect, ImportError, ImportFormat, ImportNote, ImportOptions, Imported, LeftOut, LeftOutReason, names};
use crate::scenario::template::Template;

/// How many requests are taken: those that were asked for most.
const MOST: usize = 500;
/// How many different ones are counted.
const COUNTED: usize = 20_000;

/// `"GET /path HTTP/1.1" 200`, as nginx, Apache, gunicorn and uvicorn write it.
static REQUEST: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#""([A-Z]{3,10}) (/[^\s"]*)(?: HTTP/[0-9.]+)?" +(\d{3})"#).ok());
/// A part of a path that names one of many: digits, a UUID, a long hexadecimal number.
static ID: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?:\d+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-f]{16,64})$").ok()
});

/// Whether a text has such lines among its first.
pub(super) fn is_one(text: &str) -> bool {
    let is_request = |line: &str| REQUEST.as_ref().is_some_and(|regex| regex.is_match(line));
    text.lines().filter(|line| !line.trim().is_empty()).take(20).any(is_request)
}

/// A request as it turns up in the log, again and again.
#[derive(Debug, Default)]
struct Seen {
    count: usize,
    /// In the order of the log.
    first: usize,
    target: String,
}

/// The requests of a log.
pub(super) fn import(text: &str, options: &ImportOptions) -> Result<Imported, ImportError> {
    let mut found: BTreeMap<(String, String), Seen> = BTreeMap::new();
    let (mut unread, mut assets, mut failed) = (0, 0, 0);
    let mut writes: BTreeMap<String, usize> = BTreeMap::new();
    let Some(request) = REQUEST.as_ref() else { return Err(ImportError::unknown()) };
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Some(parts) = request.captures(line) else {
            unread += 1;
            continue;
        };
        let [method, target, status] = [1, 2, 3].map(|group| parts.get(group).map_or("", |part| part.as_str()));
        if is_asset(target) {
            assets += 1;
        } else if status.starts_with(['4', '5']) {
            failed += 1;
        } else if Effect::of(method) != Effect::Read || method == "OPTIONS" {
            if writes.len() < COUNTED {
                *writes.entry(format!("{method} {}", folded(&path_of(target)))).or_default() += 1;
            }
        } else {
            let key = (method.to_owned(), recognised(target));
            if found.len() < COUNTED || found.contains_key(&key) {
                let seen = found.entry(key).or_insert_with(|| Seen { count: 0, first: at, target: target.to_owned() });
                seen.count += 1;
            }
        }
    }
    let mut ordered: Vec<((String, String), Seen)> = found.into_iter().collect();
    ordered.sort_by_key(|(_, seen)| (std::cmp::Reverse(seen.count), seen.first));
    let (mut operations, mut left_out, mut kept) = (Vec::new(), Vec::new(), Kept::default());
    for ((method, _), seen) in ordered {
        let path = path_of(&seen.target);
        let name = format!("{method} {}", folded(&path));
        let target = if operations.len() >= MOST {
            Err(LeftOutReason::TooMany)
        } else {
            with_given(&name, &seen.target, options)
        };
        let target = match target {
            Ok(target) => target,
            Err(reason) => {
                left_out.push(LeftOut { name, reason });
                continue;
            }
        };
        let none = |_: &str| None;
        let rules = Rules { captured: &none, keeps_credentials: false };
        let draft = RequestDraft { method, ..RequestDraft::default() }.with_target(&target);
        let name = super::distinct::free_operation_name(&operations, name);
        operations.push(draft.operation(name, &rules, &mut kept));
    }
    left_out.extend(writes.into_keys().map(|name| LeftOut { name, reason: LeftOutReason::NoBody }));
    let mut notes = Vec::new();
    notes.extend((unread > 0).then_some(ImportNote::NotRead(unread)));
    notes.extend((assets > 0).then_some(ImportNote::Assets(assets)));
    notes.extend((failed > 0).then_some(ImportNote::Failed(failed)));
    Ok(Imported {
        format: ImportFormat::AccessLog,
        title: None,
        origins: Vec::new(),
        operations,
        left_out,
        login: None,
        signup: None,
        credentials: Vec::new(),
        variables: kept.variables.into_iter().collect(),
        notes,
    })
}

/// A path in which every id is `{id}`.
fn folded(path: &str) -> String {
    let parts = path.split('/').map(|part| if is_id(part) { "{id}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn is_id(part: &str) -> bool {
    ID.as_ref().is_some_and(|regex| regex.is_match(part))
}

/// What makes two requests the same: the path without its ids, the names in the query.
fn recognised(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut names: Vec<&str> = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default()).collect();
    names.sort_unstable();
    format!("{}?{}", folded(path), names.join("&"))
}

/// The target with what is given in place of its ids: those of the log are somebody's.
fn with_given(name: &str, target: &str, options: &ImportOptions) -> Result<Template, LeftOutReason> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let fits = |operation: &Option<String>| operation.as_ref().is_none_or(|operation| operation == name);
    let given = options.values.iter().find(|given| given.name == "id" && fits(&given.operation));
    let mut filled = Template::default();
    for (index, part) in path.split('/').enumerate() {
        filled.push_text(if index == 0 { "" } else { "/" });
        match given {
            _ if !is_id(part) => filled.push_text(&as_target(part)),
            Some(given) => filled.append(&given.value, as_target),
            None => return Err(LeftOutReason::NoId("id".to_owned())),
        }
    }
    let pairs = query.into_iter().flat_map(|query| query.split('&'));
    // A credential in an address is somebody's too.
    let pairs: Vec<String> =
        pairs.filter(|pair| !names::is_credential(pair.split('=').next().unwrap_or_default())).map(as_target).collect();
    if !pairs.is_empty() {
        filled.push_text(&format!("?{}", pairs.join("&")));
    }
    Ok(filled)
}
