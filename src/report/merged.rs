//! Of which runs a record was merged.

use std::collections::BTreeSet;

use super::escape::{code, inline};
use crate::record::{MergedRecord, Record};
use crate::units::counted;

/// `merged from 4 records of 2 kinds of machines`; `None` of a record of one run.
pub(crate) fn merged_from(record: &Record) -> Option<String> {
    let kinds = record.merged.iter().map(|part| part.environment.kind()).collect::<BTreeSet<_>>().len();
    let of = if kinds > 1 { format!(" of {kinds} kinds of machines") } else { String::new() };
    let records = counted(record.merged.len() as u64, "record");
    (!record.merged.is_empty()).then(|| format!("merged from {records}{of}"))
}

/// A line of Markdown for each record that it was merged from.
pub(super) fn parts(record: &Record) -> Vec<String> {
    record.merged.iter().map(|part| format!("{}, on {}", run(part), inline(&part.environment.kind()))).collect()
}

fn run(part: &MergedRecord) -> String {
    let rounds = part.rounds.map_or_else(String::new, |rounds| {
        let last = rounds.range().end.saturating_sub(1);
        let which =
            if rounds.count == 1 { format!("round {last}") } else { format!("rounds {} to {last}", rounds.first) };
        format!(", {which} of {}", rounds.of)
    });
    format!("{}, seed {}{rounds}, {}", code(&part.started), part.seed, counted(part.trials.into(), "trial"))
}
