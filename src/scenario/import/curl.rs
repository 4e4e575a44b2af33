//! CommandWords lines of curl, as people and browsers write them: what curl would send.

use std::collections::BTreeSet;

use super::account;
use super::distinct::{free_operation_name, path_of, recognised};
use super::draft::{Kept, RequestDraft, Rules};
use super::{ImportError, ImportFormat, ImportNote, ImportOptions, Imported, LeftOut, LeftOutReason, Operation};

mod body;
mod line;
mod options;
mod request;
mod words;

use words::commands;

/// How many requests are taken of one text.
const MOST: usize = 2_000;

/// Whether a text has lines of curl.
pub(super) fn is_one(text: &str) -> bool {
    let mut lines = text.lines().map(|line| line.trim_start().trim_start_matches("$ ").trim_start_matches("> "));
    lines.any(|line| {
        line == "curl" || ["curl ", "curl\t", "curl.exe ", "curl^"].iter().any(|start| line.starts_with(start))
    })
}

/// The requests of all lines.
pub(super) fn import(text: &str, options: &ImportOptions) -> Result<Imported, ImportError> {
    let mut operations: Vec<Operation> = Vec::new();
    let (mut left_out, mut kept, mut known) = (Vec::new(), Kept::default(), BTreeSet::new());
    let mut origins: Vec<String> = Vec::new();
    let mut others = 0;
    for (_, words) in commands(text) {
        let prompt =
            words.iter().take_while(|word| matches!(word.text.as_str(), "$" | ">" | "%" | "sudo" | "time")).count();
        let words = &words[prompt..];
        let is_curl = words.first().is_some_and(|word| {
            let program = word.text.rsplit(['/', '\\']).next().unwrap_or_default();
            program == "curl" || program == "curl.exe"
        });
        if !is_curl {
            others += usize::from(!words.is_empty());
            continue;
        }
        for found in line::requests(&words[1..]) {
            let sent = match found {
                Ok(sent) => sent,
                Err((name, reason)) => {
                    left_out.push(LeftOut { name, reason });
                    continue;
                }
            };
            kept.variables.extend(sent.variables);
            kept.notes.extend(sent.ignored.into_iter().map(ImportNote::Option));
            let name = format!("{} {}", sent.draft.method, path_of(&sent.target));
            let add = add(sent.draft, &name, &mut operations, &mut known, &mut kept, options);
            match add {
                Ok(()) if !origins.contains(&sent.origin) => origins.push(sent.origin),
                Ok(()) => {}
                Err(reason) => left_out.push(LeftOut { name, reason }),
            }
        }
    }
    if operations.is_empty() && left_out.is_empty() {
        return Err(ImportError::of_document(
            "no line begins with `curl`",
            "copy a request as cURL from the browser's network tools",
        ));
    }
    let mut notes = Vec::new();
    for note in kept.notes.into_iter().chain((others > 0).then_some(ImportNote::NotRead(others))) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    super::pairs::pair_recorded(&mut operations);
    let (login, signup) = account::propose(&operations, &|at| account::token_of(&operations[at]));
    Ok(Imported {
        format: ImportFormat::Curl,
        title: None,
        origins,
        operations,
        left_out,
        login,
        signup,
        credentials: Vec::new(),
        variables: kept.variables.into_iter().collect(),
        notes,
    })
}

fn add(
    draft: RequestDraft,
    name: &str,
    operations: &mut Vec<Operation>,
    known: &mut BTreeSet<String>,
    kept: &mut Kept,
    options: &ImportOptions,
) -> Result<(), LeftOutReason> {
    if operations.len() >= MOST {
        return Err(LeftOutReason::TooMany);
    }
    let none = |_: &str| None;
    let rules = Rules { captured: &none, keeps_credentials: options.keep_credentials };
    let mut operation = draft.operation(name.to_owned(), &rules, kept);
    if !known.insert(recognised(&operation)) {
        return Err(LeftOutReason::Twice);
    }
    operation.name = free_operation_name(operations, operation.name);
    operations.push(operation);
    Ok(())
}
