//! Collections of Postman, 2.0 and 2.1, and those of version 1. Values that scripts take from responses are captures.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::account;
use super::distinct::{free_operation_name, path_of, recognised};
use super::draft::{Kept, Rules, needs};
use super::{ImportError, ImportFormat, ImportNote, ImportOptions, Imported, LeftOut, LeftOutReason, Operation};

mod auth;
mod item;
mod script;
mod substitution;

use item::Item;
use script::taken;
use substitution::Scope;

/// How many requests are taken of one collection, and how deep folders may be.
const MOST: usize = 2_000;
const DEPTH: usize = 64;

/// Whether a value is a collection, or holds one.
pub(super) fn is_one(root: &Value) -> bool {
    let root = unwrapped(root);
    let is_known =
        root.pointer("/info/schema").and_then(Value::as_str).is_some_and(|schema| schema.contains("postman"));
    is_known || root.get("item").is_some_and(Value::is_array) || is_first(root)
}

/// Version 1: requests in one list.
fn is_first(root: &Value) -> bool {
    root.get("requests").is_some_and(Value::is_array) && (root.get("order").is_some() || root.get("folders").is_some())
}

/// What stands in `{"collection": …}`.
fn unwrapped(root: &Value) -> &Value {
    root.get("collection").filter(|inner| inner.is_object()).unwrap_or(root)
}

/// The requests of a collection.
pub(super) fn import(root: &Value, options: &ImportOptions) -> Result<Imported, ImportError> {
    let root = unwrapped(root);
    let mut items = Vec::new();
    if is_first(root) {
        let requests = root.get("requests").and_then(Value::as_array).into_iter().flatten();
        items.extend(requests.map(Item::of_first));
    } else if let Some(list) = root.get("item").and_then(Value::as_array) {
        collect(list, &Inherited::default().under(root), 0, &mut items);
    } else {
        return Err(ImportError::of_document(
            "this collection has no `item`",
            "export it from Postman as a collection of version 2.1",
        ));
    }
    let mut read = Read::default();
    let set: BTreeSet<String> =
        items.iter().flat_map(|item| taken(&item.scripts)).map(|capture| capture.name).collect();
    for item in &items {
        let scope = Scope { variables: &item.variables, set: &set, values: &options.values };
        if let Err((name, reason)) = read.add(item, &scope, options) {
            read.left_out.push(LeftOut { name, reason });
        }
    }
    let title = root.pointer("/info/name").or_else(|| root.get("name")).and_then(Value::as_str).map(str::to_owned);
    Ok(read.imported(title))
}

/// What folders hand down to their requests.
#[derive(Debug, Clone, Default)]
struct Inherited<'a> {
    auth: Option<&'a Value>,
    variables: BTreeMap<String, String>,
    scripts: Vec<&'a Value>,
}

impl<'a> Inherited<'a> {
    fn under(&self, folder: &'a Value) -> Inherited<'a> {
        let mut below = self.clone();
        below.auth = folder.get("auth").filter(|auth| !auth.is_null()).or(self.auth);
        below.variables.extend(substitution::variables(folder));
        below.scripts.extend(folder.get("event"));
        below
    }
}

fn collect<'a>(list: &'a [Value], inherited: &Inherited<'a>, depth: usize, items: &mut Vec<Item<'a>>) {
    for written in list {
        if let Some(inner) = written.get("item").and_then(Value::as_array) {
            if depth < DEPTH {
                collect(inner, &inherited.under(written), depth + 1, items);
            }
        } else if let Some(request) = written.get("request") {
            let with = inherited.under(written);
            let auth = request.get("auth").filter(|auth| !auth.is_null()).or(with.auth);
            let scripts: Vec<&Value> = written.get("event").into_iter().chain(request.get("event")).collect();
            let name = written.get("name").and_then(Value::as_str).unwrap_or_default();
            items.push(Item { title: name, request, auth, variables: with.variables, scripts });
        }
    }
}

/// What was read so far.
#[derive(Debug, Default)]
struct Read {
    operations: Vec<Operation>,
    left_out: Vec<LeftOut>,
    /// Of each operation.
    origins: Vec<String>,
    known: BTreeSet<String>,
    kept: Kept,
}

impl Read {
    fn add(
        &mut self,
        item: &Item<'_>,
        scope: &Scope<'_>,
        options: &ImportOptions,
    ) -> Result<(), (String, LeftOutReason)> {
        let named = |reason: LeftOutReason| (item.shown(), reason);
        if self.operations.len() >= MOST {
            return Err(named(LeftOutReason::TooMany));
        }
        let captures = taken(&item.scripts);
        let found = item.draft(scope, &mut self.kept).map_err(named)?;
        let name = format!("{} {}", found.draft.method, path_of(&found.documented));
        let with_reason = |reason: LeftOutReason| (name.clone(), reason);
        match found.draft.method.as_str() {
            "GET" | "HEAD" | "OPTIONS" | "POST" | "PUT" | "PATCH" | "DELETE" => {}
            other => return Err(with_reason(LeftOutReason::Method(other.to_owned()))),
        }
        let none = |_: &str| None;
        let rules = Rules { captured: &none, keeps_credentials: options.keep_credentials };
        let mut operation = found.draft.operation(name.clone(), &rules, &mut self.kept);
        operation.secured |= found.secured;
        operation.captures.clone_from(&captures);
        if !self.known.insert(recognised(&operation)) {
            // Only what it captures may be new.
            let same = self.operations.iter_mut().find(|known| recognised(known) == recognised(&operation));
            if let Some(same) = same {
                let is_new = |capture: &&crate::scenario::login::CaptureSpec| {
                    !same.captures.iter().any(|known| known.name == capture.name)
                };
                let new: Vec<_> = captures.iter().filter(is_new).cloned().collect();
                same.captures.extend(new);
            }
            return Err(with_reason(LeftOutReason::Twice));
        }
        operation.name = free_operation_name(&self.operations, name);
        self.operations.push(operation);
        self.origins.push(found.origin);
        Ok(())
    }

    /// The host of most requests; the first of those with as many.
    fn main_origin(&self) -> String {
        let count = |origin: &String| self.origins.iter().filter(|other| *other == origin).count();
        let most = self.origins.iter().map(count).max().unwrap_or(0);
        self.origins.iter().find(|origin| count(origin) == most).cloned().unwrap_or_default()
    }

    /// Leaves out the operations for which there is a reason.
    fn keep(&mut self, reason: impl Fn(&Operation, &str) -> Option<LeftOutReason>) {
        let (operations, origins) = (std::mem::take(&mut self.operations), std::mem::take(&mut self.origins));
        for (operation, origin) in operations.into_iter().zip(origins) {
            match reason(&operation, &origin) {
                Some(reason) => self.left_out.push(LeftOut { name: operation.name, reason }),
                None => {
                    self.operations.push(operation);
                    self.origins.push(origin);
                }
            }
        }
    }

    /// What a request gives itself, and none before it, it does not send: collections say who asks for a login, too.
    fn forget_own_tokens(&mut self) {
        let mut given: BTreeSet<String> = BTreeSet::new();
        for operation in &mut self.operations {
            let own: BTreeSet<String> = operation.captures.iter().map(|capture| capture.name.clone()).collect();
            let is_own = |name: &str| own.contains(name) && !given.contains(name);
            operation
                .request
                .headers
                .retain(|(_, value)| !value.holes().any(|hole| hole.captured().is_some_and(is_own)));
            operation.needs = needs(&operation.request);
            given.extend(own);
        }
    }

    /// Without captures that nobody takes, and without requests that need what nobody gives.
    fn imported(mut self, title: Option<String>) -> Imported {
        let main = self.main_origin();
        self.keep(|_, origin| (origin != main).then(|| LeftOutReason::OtherHost(origin.to_owned())));
        self.forget_own_tokens();
        let given: BTreeSet<String> =
            self.operations.iter().flat_map(|o| o.captures.iter().map(|c| c.name.clone())).collect();
        self.keep(|operation, _| {
            let missing = operation.needs.iter().find(|need| !given.contains(*need));
            missing.map(|missing| LeftOutReason::Variable(missing.clone()))
        });
        let mut seen: Vec<ImportNote> = Vec::new();
        for note in std::mem::take(&mut self.kept.notes) {
            if !seen.contains(&note) {
                seen.push(note);
            }
        }
        super::pairs::pair_recorded(&mut self.operations);
        let (login, signup) = account::propose(&self.operations, &|at| account::token_of(&self.operations[at]));
        Imported {
            format: ImportFormat::Postman,
            title,
            origins: if main.contains("{{") || main.is_empty() { Vec::new() } else { vec![main] },
            operations: self.operations,
            left_out: self.left_out,
            login,
            signup,
            credentials: Vec::new(),
            variables: self.kept.variables.into_iter().collect(),
            notes: seen,
        }
    }
}
