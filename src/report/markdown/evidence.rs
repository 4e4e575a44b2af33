//! One leak: who, when, what, why and where to look.

use crate::record::{Leak, LeakClass, Witness};
use crate::report::escape::{cell, clean, clip, code, code_cell, fence, inline, shell_word};
use crate::report::sentence::{self, at};
use crate::report::table::{
    Align::{Left, Right},
    Table,
};
use crate::report::words::capital;

use super::Place;

/// The finding, before its picture.
pub(super) fn found(leak: &Leak, number: usize, place: &Place) -> String {
    let class = match leak.overlapped {
        true => "another request's data, while both were handled",
        false => "another request's data, after that request had ended",
    };
    let mut out = place.heading(&format!("Leak {number}: {class}"));
    out += &format!("{}.\n\n", inline(&capital(&sentence::leak(leak))));
    out
}

/// The proof, after the picture.
pub(super) fn proof(leak: &Leak) -> String {
    let own = match leak.own_present {
        true => "The response holds the canary of its own request as well.",
        false => "The canary of its own request is not in the response.",
    };
    let mut out = format!(
        "Found in the {}, by trigger {} in round {}. {own}\n\n",
        inline(&leak.place),
        code(&leak.trigger),
        leak.round
    );
    out += &fence(&marked_excerpt(leak), "text");
    out.push('\n');
    out += &witnesses(leak);
    out += &cause(leak);
    out + by_hand(leak).unwrap_or_default().as_str()
}

/// The excerpt with a line of marks below it for each canary that it holds.
fn marked_excerpt(leak: &Leak) -> Vec<String> {
    let excerpt = clip(&leak.excerpt, 300);
    let mut lines = vec![excerpt.clone()];
    let source = leak.source.as_ref().map(|source| (source, "the source"));
    for (witness, part) in source.into_iter().chain([(&leak.victim, "the victim itself")]) {
        let canary = clean(&witness.canary);
        let Some(start) = excerpt.find(&canary).filter(|_| !canary.is_empty()) else { continue };
        let indent = excerpt[..start].chars().count();
        let marks = "^".repeat(canary.chars().count());
        lines.push(format!("{}{marks} canary of request {}, {part}", " ".repeat(indent), witness.request));
    }
    lines
}

fn witnesses(leak: &Leak) -> String {
    let mut table = Table::new([
        ("part", Left),
        ("request", Right),
        ("role", Left),
        ("asked", Left),
        ("connection", Right),
        ("worker", Left),
        ("sent", Right),
        ("first byte", Right),
        ("done", Right),
        ("status", Right),
    ]);
    let mut add = |witness: &Witness, part: &str| {
        table.row([
            part.to_owned(),
            witness.request.to_string(),
            cell(&witness.role),
            code_cell(&clip(&witness.line, 100)),
            witness.connection.to_string(),
            witness.worker.as_deref().map(code_cell).unwrap_or_default(),
            at(witness.sent_ms),
            witness.first_byte_ms.map(at).unwrap_or_default(),
            at(witness.done_ms),
            witness.status.map(|status| status.to_string()).unwrap_or_default(),
        ]);
    };
    add(&leak.victim, "victim");
    if let Some(source) = &leak.source {
        add(source, "source");
    }
    table.without_empty_columns().markdown()
}

/// The likely cause, and where to look.
fn cause(leak: &Leak) -> String {
    let asleep = if leak.victim.sleep_ms.is_some() { "slept or waited" } else { "waited" };
    let (cause, look) = match leak.class {
        LeakClass::SharedSlot | LeakClass::NarrowRace | LeakClass::Capacity => (
            format!("the handler keeps a request's data where all requests of a worker see it (a module global, a singleton's attribute, a class attribute, a thread-local under an event loop). The source wrote there while the victim {asleep}, and the victim then read what the source had written"),
            "in the handler of the victim's path, at what is written before an await, a sleep or blocking I/O and read after it. Keep it in a local variable, or in a context variable (one per request)",
        ),
        _ => (
            "something of the source outlived it: a thread-local or a global that is set but not cleared, a cache whose key lacks the identity, a pooled connection or buffer that was not reset".to_owned(),
            "at what the worker keeps between requests, at cache keys, and at the error and abort paths, where clean-up is often skipped",
        ),
    };
    format!("Likely cause: {cause}.\n\nWhere to look: {look}.\n\n")
}

/// Command lines that show an overlap by hand, where the canary is in the request line.
fn by_hand(leak: &Leak) -> Option<String> {
    let source = leak.source.as_ref().filter(|_| leak.overlapped)?;
    let curl = |witness: &Witness| {
        let path = witness.line.strip_prefix("GET ").filter(|path| path.starts_with('/'))?;
        let shown = clean(path) == path && path.contains(&witness.canary) && path.len() < 300;
        shown.then(|| format!("curl \"$SERVER\"{}", shell_word(path)))
    };
    // In the middle of the victim's wait: a hand on a terminal does not hit the last milliseconds of it.
    let pause = (leak.victim.done_ms - leak.victim.sent_ms).max(0.0) / 2.0;
    let lines = [
        "SERVER=http://127.0.0.1:8000   # where your server listens".to_owned(),
        format!("{} &", curl(&leak.victim)?),
        format!("sleep {:.3}", pause / 1e3),
        format!("{}; echo", curl(source)?),
        "wait".to_owned(),
    ];
    let text =
        "By hand, with the source in the middle of the victim's wait; the victim's answer comes last:\n\n".to_owned();
    Some(text + fence(&lines, "sh").as_str() + "\n")
}
