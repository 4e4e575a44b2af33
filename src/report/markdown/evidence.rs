//! One leak: who, when, what, why and where to look.

use crate::record::{LeakClass, LeakRecord, ScenarioRecord, Witness};
use crate::report::ReportLocation;
use crate::report::cause::{self, Cause};
use crate::report::escape::{cell, clean, clip, code, code_cell, fence, inline, shell_word};
use crate::report::format::{capital, list};
use crate::report::reproduction;
use crate::report::sentence::{self, at};
use crate::report::table::{
    Align::{Left, Right},
    Table,
};

use super::Place;

/// The finding, before its picture.
pub(super) fn found(leak: &LeakRecord, number: usize, place: &Place) -> String {
    let Cause { heading, .. } = cause::of(leak.class);
    let others = leak.alternatives.iter().filter(|_| leak.class != LeakClass::Derived);
    let others: String = others.map(|class| format!(", or {}", cause::of(*class).heading)).collect();
    let mut out = place.heading(&format!("Leak {number}: {heading}{others}"));
    out += &format!("{}.\n\n", inline(&capital(&sentence::leak(leak))));
    out
}

/// The proof, after the picture.
pub(super) fn proof(leak: &LeakRecord, number: usize, scenario: &ScenarioRecord, home: ReportLocation<'_>) -> String {
    let own = match (leak.own_present, leak.oracle.is_of_personas()) {
        (true, _) => "The response holds the canary of its own request as well.",
        (false, true) => "What tells its own user is not in the response.",
        (false, false) => "The canary of its own request is not in the response.",
    };
    let mut out = format!(
        "Found {}by trigger {} in round {}, class {}. {own}\n\n",
        sentence::found_in(leak.oracle, &leak.place).map(|place| format!("{}, ", inline(&place))).unwrap_or_default(),
        code(&leak.trigger),
        leak.round,
        code(leak.class.name())
    );
    out += &fence(&marked_excerpt(leak), "text");
    out.push('\n');
    out += &witnesses(leak);
    out += &reproduction(leak, number, scenario, home);
    out + cause(leak).as_str()
}

/// The excerpt with a line of marks below it for each canary that it holds.
fn marked_excerpt(leak: &LeakRecord) -> Vec<String> {
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

fn witnesses(leak: &LeakRecord) -> String {
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
        ("trace id", Left),
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
            witness.trace_id.as_deref().map(code_cell).unwrap_or_default(),
        ]);
    };
    add(&leak.victim, "victim");
    if let Some(source) = &leak.source {
        add(source, "source");
    }
    table.without_empty_columns().markdown()
}

/// The least that shows it, in words and as lines to paste.
fn reproduction(leak: &LeakRecord, number: usize, scenario: &ScenarioRecord, home: ReportLocation<'_>) -> String {
    let hosts = scenario.allowed_hosts.iter().map(|host| format!(" --allow-host {}", shell_word(host)));
    let folder = shell_word(&home.folder.to_string_lossy());
    let again = format!("runner replay {folder} {number}{}", hosts.collect::<String>());
    if leak.replayable().is_none() {
        return "It was not narrowed down, and shows again only in a whole run: see the end of this report.\n\n"
            .to_owned();
    }
    let Some(shrunk) = &leak.shrunk else {
        let text = "It was not narrowed down. What was sent then is sent again by:\n\n".to_owned();
        return text + fence(&[again], "sh").as_str() + "\n";
    };
    let least = inline(&capital(&reproduction::in_words(shrunk)));
    match reproduction::by_hand(shrunk, &scenario.secrets) {
        Ok(lines) => {
            let fresh =
                if shrunk.recipe.fresh_server { ", with a server just started, and nothing asked before" } else { "" };
            let often = if shrunk.shown < shrunk.tries { "; more than once, if need be" } else { "" };
            let left_out: Vec<String> =
                reproduction::left_out(shrunk, &scenario.secrets).into_iter().map(code).collect();
            let left_out =
                if left_out.is_empty() { String::new() } else { format!(" (set {} first)", list(&left_out)) };
            format!(
                "The least that shows it: {least}. By hand{fresh}{often}{left_out}; what is printed is the victim's response:\n\n{}\n\
                 The same by {}.\n\n",
                fence(&lines, "sh"),
                code(&again)
            )
        }
        Err(why) => {
            format!("The least that shows it: {least}. Not by hand, as {why}, but by:\n\n{}\n", fence(&[again], "sh"))
        }
    }
}

/// The likely cause, and where to look; and the same of each cause that it cannot be told from.
fn cause(leak: &LeakRecord) -> String {
    let Cause { cause, look, .. } = cause::of(leak.class);
    let mut out = format!("Likely cause: {cause}.\n\nWhere to look: {look}.\n\n");
    for class in &leak.alternatives {
        let Cause { cause, look, .. } = cause::of(*class);
        let before = match leak.class {
            LeakClass::Derived => format!("It gets about as {} does", code(class.name())),
            _ => format!(
                "Cannot tell {} from {}, of which the cause would be",
                code(leak.class.name()),
                code(class.name())
            ),
        };
        out += &format!("{before}: {cause}.\n\nWhere to look then: {look}.\n\n");
    }
    out
}
