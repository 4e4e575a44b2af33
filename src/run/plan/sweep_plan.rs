//! What a sweep would ask, and what not.

use std::collections::BTreeMap;

use crate::scenario::import::Effect;
use crate::scenario::{SweepOperation, SweepSource, SweepSpec};
use crate::units::{counted, show_count};

/// Names of one kind on a line.
const MOST_NAMES: usize = 4;

/// A line a kind of operations: those that are asked, those that only clean up, and those that are left out, with the reason and
/// with what takes them in.
pub(super) fn lines(sweep: &SweepSpec) -> Vec<String> {
    let mut lines = Vec::new();
    if let (SweepSource::Server(path), true) = (&sweep.source, sweep.operations.is_empty()) {
        lines.push(format!("  asks      what {path} lists once the server is up"));
        return lines;
    }
    for (effect, what) in [(Effect::Read, "reads"), (Effect::Write, "writes"), (Effect::Delete, "deletes")] {
        let of = |one: &&SweepOperation| one.operation.effect == effect && !one.cleanup;
        lines.extend(kind(what, sweep.operations.iter().filter(of).map(SweepOperation::name), None));
    }
    let cleans = sweep.operations.iter().filter(|one| one.cleanup);
    lines.extend(kind("cleans up", cleans.map(SweepOperation::name), None));
    let mut left_out: BTreeMap<String, (Option<String>, Vec<&str>)> = BTreeMap::new();
    for omission in &sweep.omitted {
        let entry = left_out.entry(omission.reason.to_string()).or_default();
        entry.0 = entry.0.take().or_else(|| omission.reason.remedy(&omission.name));
        entry.1.push(&omission.name);
    }
    let mut left_out: Vec<_> = left_out.into_iter().collect();
    left_out.sort_by_key(|(_, (_, names))| std::cmp::Reverse(names.len()));
    for (reason, (remedy, names)) in left_out {
        let note = match remedy {
            Some(remedy) => format!("as {reason}; to take in: {remedy}"),
            None => format!("as {reason}"),
        };
        lines.extend(kind("left out", names.into_iter(), Some(note)));
    }
    lines
}

/// `reads     12 requests: GET /a, GET /b, ...`; `None` if there are none.
fn kind<'a>(what: &str, names: impl Iterator<Item = &'a str>, note: Option<String>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return None;
    }
    let shown = names.iter().take(MOST_NAMES).copied().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(MOST_NAMES);
    let others = if more > 0 { format!(" and {} more", show_count(more as u64)) } else { String::new() };
    let note = note.map(|note| format!(", {note}")).unwrap_or_default();
    Some(format!("  {what:<10}{}: {shown}{others}{note}", counted(names.len() as u64, "request")))
}
