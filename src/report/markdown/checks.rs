//! What the load's script found, with a few requests as evidence.

use crate::record::{CheckSample, Checks, VariantRecord};
use crate::report::escape::{cell, clip, code_cell, fence, inline};
use crate::report::format::{NONE, checks_in_words};
use crate::report::table::{
    Align::{Left, Right},
    Table,
};
use crate::units::show_time;

use super::Place;

/// The longest excerpt in a table, in characters; the record has more.
const LONGEST_EXCERPT: usize = 120;

pub(super) fn checks(variant: &VariantRecord, place: &Place) -> String {
    let loads = variant.trials.iter().filter_map(|trial| trial.load.as_ref());
    let all: Vec<&Checks> = loads.filter_map(|load| load.checks.as_ref()).collect();
    if all.is_empty() {
        return String::new();
    }
    let mut out = place.heading("Checks");
    for (index, checks) in all.iter().enumerate() {
        let which = if all.len() > 1 { format!("Trial {}: ", index + 1) } else { String::new() };
        out += &format!("{which}{}.\n\n", inline(&checks_in_words(checks)));
        out += &samples("The first that failed:", &checks.samples);
        out += &samples("The first requests that the script failed to make:", &checks.script_errors);
        if let Some(error) = &checks.teardown_error {
            out += &format!("**The script's teardown failed**, {}.\n\n", inline(error.trim_end_matches('.')));
        }
        if !checks.log.is_empty() {
            out += &format!("What the script logged, its first lines:\n\n{}\n", fence(&checks.log, "text"));
        }
    }
    out
}

fn samples(title: &str, samples: &[CheckSample]) -> String {
    if samples.is_empty() {
        return String::new();
    }
    let heads = [("user", Right), ("request", Right), ("due at", Right), ("sent", Left), ("response", Left)];
    let mut table = Table::new(heads.into_iter().chain([("body", Left), ("what is wrong", Left)]));
    for sample in samples {
        let answer = match (sample.status, &sample.failure) {
            (Some(status), _) => status.to_string(),
            (None, Some(failure)) => cell(failure),
            (None, None) => NONE.to_owned(),
        };
        let text = |text: &str| {
            if text.is_empty() { String::new() } else { code_cell(&clip(text, LONGEST_EXCERPT)) }
        };
        table.row([
            sample.user.to_string(),
            sample.seq.to_string(),
            show_time(sample.t_s),
            text(&sample.line),
            answer,
            text(&sample.excerpt),
            cell(&sample.said),
        ]);
    }
    format!("{title}\n\n{}", table.without_empty_columns().markdown())
}
