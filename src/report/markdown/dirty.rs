//! The dirty check: how many chances to leak there were, and how many did.

use crate::analysis::coverage::not_exercised;
use crate::record::{DirtyRecord, VariantRecord};
use crate::report::escape::{cell, code_cell, inline};
use crate::report::format::capital;
use crate::report::response_samples;
use crate::report::sentence;
use crate::report::table::{
    Align::{Left, Right},
    Table,
};
use crate::units::{counted, show_count, show_percentage, show_time};

use super::Place;

pub(super) fn dirty(variant: &VariantRecord, place: &Place) -> String {
    let checks: Vec<(usize, &DirtyRecord)> = variant
        .trials
        .iter()
        .enumerate()
        .filter_map(|(index, trial)| trial.dirty.as_ref().map(|dirty| (index + 1, dirty)))
        .collect();
    if checks.is_empty() {
        return String::new();
    }
    let mut out = place.heading("Dirty check");
    for (number, check) in &checks {
        let which = if checks.len() > 1 { format!("Trial {number}: ") } else { String::new() };
        let finding = sentence::dirty_fact(check);
        out += &format!("{which}{}.\n\n", inline(&capital(finding.trim_end_matches('.'))));
        out += &reservations(check);
        out += &samples(check);
    }
    out += &sums(&checks);
    out += &place.explain(
        "An exposure is a chance to leak: a request that was handled while another was, or after it by the same worker. \
         The last column is the upper end of a 95 % confidence interval (Clopper-Pearson) for the share of exposures that leak. \
         The planted leak is runner's own: a relay exchanges two responses, and a check that does not see that is blind.",
    );
    out + triggers(&checks).as_str() + untried(&checks).as_str()
}

/// The triggers of which no round took place, and why: the checks of a variant have the same ones.
fn untried(checks: &[(usize, &DirtyRecord)]) -> String {
    let Some((_, check)) = checks.first() else { return String::new() };
    let untried = check.triggers.iter().filter(|(_, trigger)| trigger.rounds == 0);
    let untried = DirtyRecord {
        triggers: untried.map(|(name, t)| (name.clone(), t.clone())).collect(),
        ..DirtyRecord::default()
    };
    not_exercised(&untried).map(|note| format!("{}.\n\n", inline(&capital(&note.to_string())))).unwrap_or_default()
}

/// What keeps a check from a conclusion.
fn reservations(check: &DirtyRecord) -> String {
    let mut out = String::new();
    if let Some(reason) = check.inconclusive.as_ref().filter(|_| check.leaks > 0) {
        out += &format!("Nothing more can be concluded: {}.\n\n", inline(reason.trim_end_matches('.')));
    }
    if !check.control.problems.is_empty() {
        out += "Problems of the control run, in which the same requests are sent one at a time:\n\n";
        for problem in &check.control.problems {
            out += &format!("- **Control:** {}\n", inline(problem));
        }
        out.push('\n');
    }
    out
}

/// What lone requests and those that went wrong were answered with, if any went wrong.
fn samples(check: &DirtyRecord) -> String {
    let told = response_samples::told(check);
    let shown = if told.is_empty() { response_samples::wrong(check) } else { told };
    if shown.is_empty() {
        return String::new();
    }
    let mut table = Table::new([("request", Left), ("by", Left), ("count", Right), ("answered", Left), ("body", Left)]);
    for sample in shown {
        table.row([
            format!("{}: {}", cell(&sample.at), code_cell(&sample.line)),
            sample.identity.as_deref().map(cell).unwrap_or_default(),
            show_count(sample.count),
            cell(&response_samples::outcome(sample)),
            if sample.body.is_empty() { String::new() } else { code_cell(&sample.body) },
        ]);
    }
    format!("What came instead, the first of each kind:\n\n{}", table.without_empty_columns().markdown())
}

fn sums(checks: &[(usize, &DirtyRecord)]) -> String {
    let mut table = Table::new([
        ("trial", Right),
        ("expected", Left),
        ("control", Left),
        ("planted leak", Left),
        ("first proof after", Right),
        ("time", Right),
        ("exposures", Right),
        ("leaks", Right),
        ("leaking at most (95 %)", Right),
    ]);
    for (number, check) in checks {
        let requests = counted(check.control.requests, "request");
        let control = match check.control.problems.len() as u64 {
            0 => format!("{requests}, clean"),
            problems => format!("{requests}, {}", counted(problems, "problem")),
        };
        table.row([
            if checks.len() > 1 { number.to_string() } else { String::new() },
            cell(&check.expect),
            control,
            match &check.positive_control {
                Some(control) if control.found => "seen".to_owned(),
                Some(_) => "**not seen**".to_owned(),
                None => String::new(),
            },
            check.first_proof_s.map(show_time).unwrap_or_default(),
            show_time(check.duration_s),
            show_count(check.exposures),
            if check.leaks > 0 { format!("**{}**", show_count(check.leaks)) } else { "0".to_owned() },
            show_percentage(check.bound),
        ]);
    }
    table.without_empty_columns().markdown()
}

fn triggers(checks: &[(usize, &DirtyRecord)]) -> String {
    let mut table = Table::new([
        ("trial", Right),
        ("trigger", Left),
        ("rounds", Right),
        ("with a leak", Right),
        ("requests", Right),
        ("without response", Right),
        ("without any canary", Right),
        ("exposures", Right),
        ("leaks", Right),
        ("not exercised, as", Left),
    ]);
    for (number, check) in checks {
        for (name, trigger) in check.triggers.iter().filter(|(_, trigger)| trigger.rounds > 0) {
            table.row([
                if checks.len() > 1 { number.to_string() } else { String::new() },
                code_cell(name),
                show_count(trigger.rounds),
                show_count(trigger.rounds_with_leak),
                show_count(trigger.requests),
                show_count(trigger.failed),
                if trigger.missing > 0 { show_count(trigger.missing) } else { String::new() },
                show_count(trigger.exposures),
                show_count(trigger.leaks),
                trigger.not_exercised.as_deref().map(cell).unwrap_or_default(),
            ]);
        }
    }
    table.without_empty_columns().markdown()
}
