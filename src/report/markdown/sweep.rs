//! A sweep: findings by their cause, which operations they join, what was asked and what was not.

use std::collections::BTreeMap;

use crate::record::{DirtyRecord, OmittedRecord, SweepRecord, VariantRecord};
use crate::report::cause;
use crate::report::chart;
use crate::report::escape::{cell, code, code_cell, inline};
use crate::report::format::capital;
use crate::report::sentence;
use crate::report::table::{
    Align::{Left, Right},
    Table,
};
use crate::units::{counted, show_count};

use super::{Place, ReportPage, show};

/// Rows of a table; `record.json` has all.
const MOST_ROWS: usize = 60;
/// Names of operations in one cell.
const MOST_NAMES: usize = 6;

const WHAT: &str = "Every operation was asked alone, after every other, and beside every other; each request carried a canary of \
                    its own, so that a response names the request whose data it holds. One row is one cause as far as can be \
                    told: what shares a source or a victim.";

pub(super) fn sweep(page: &mut ReportPage, variant: &VariantRecord, place: &Place) {
    let several = variant.trials.len() > 1;
    for (index, trial) in variant.trials.iter().enumerate() {
        let Some((dirty, sweep)) = trial.dirty.as_ref().and_then(|dirty| Some((dirty, dirty.sweep.as_ref()?))) else {
            continue;
        };
        let (of, number) = match several {
            true => (format!(" (trial {})", index + 1), format!("-{}", index + 1)),
            false => (String::new(), String::new()),
        };
        page.markdown += &place.heading(&format!("Sweep{of}"));
        page.markdown += &format!("{}.\n\n", inline(&capital(&sentence::swept(sweep))));
        page.markdown += &findings(dirty, sweep);
        let title = format!("Which operations showed the data of which{of}");
        if let Some(svg) = chart::matrix(sweep, &title) {
            show(page, format!("matrix{}{number}.svg", place.suffix), &title, svg);
        }
        page.markdown += &place.explain(WHAT);
        page.markdown += &stored(sweep);
        page.markdown += &left_behind(sweep);
        page.markdown += &operations(sweep);
        page.markdown += &blind_spots(sweep);
        page.markdown += &omitted(&sweep.omitted);
    }
}

fn findings(dirty: &DirtyRecord, sweep: &SweepRecord) -> String {
    if sweep.findings.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        ("", Right),
        ("data of", Left),
        ("was shown by", Left),
        ("class", Left),
        ("endpoints", Right),
        ("responses", Right),
        ("shows again", Right),
    ]);
    for (index, finding) in sweep.findings.iter().enumerate().take(MOST_ROWS) {
        let leak = finding.evidence.and_then(|at| dirty.evidence.get(at));
        let again = leak.and_then(|leak| leak.shrunk.as_ref());
        table.row([
            (index + 1).to_string(),
            finding.source.as_deref().map_or("not known".to_owned(), |source| {
                if finding.source_likely { format!("{} (likely)", code_cell(source)) } else { code_cell(source) }
            }),
            code_cell(&finding.victim),
            finding.class.map(|class| cell(cause::of(class).heading)).unwrap_or_default(),
            format!("{} into {}", finding.sources.len(), finding.victims.len()),
            show_count(finding.pairs.iter().map(|pair| pair.responses).sum()),
            again.map(|shrunk| format!("{} of {}", shrunk.shown, shrunk.tries)).unwrap_or_default(),
        ]);
    }
    let mut out = table.without_empty_columns().markdown();
    for (index, finding) in sweep.findings.iter().enumerate().take(MOST_ROWS) {
        if finding.sources.len() > 1 || finding.victims.len() > 1 {
            out += &format!(
                "- Finding {}: data of {} was shown by {}.\n",
                index + 1,
                names(&finding.sources),
                names(&finding.victims)
            );
        }
    }
    out.push('\n');
    out
}

/// The first few names, and how many more there are.
fn names(all: &[String]) -> String {
    let shown: Vec<String> = all.iter().take(MOST_NAMES).map(|name| code(name)).collect();
    let more = all.len().saturating_sub(MOST_NAMES);
    let others = if more > 0 { format!(" and {more} more") } else { String::new() };
    if shown.is_empty() { "requests that are not known".to_owned() } else { format!("{}{others}", shown.join(", ")) }
}

/// What is shown to everybody, and what may be.
fn stored(sweep: &SweepRecord) -> String {
    let mut out = String::new();
    if !sweep.unsettled.is_empty() {
        out += "**Unsettled.** Whether these were stored for everybody to see or leaked cannot be told from outside. If they \
                are meant to be seen, write the line into `[dirty]`; if not, they are leaks:\n\n";
        for place in &sweep.unsettled {
            let (victim, sources, line) = (code(&place.victim), names(&place.sources), code(&place.line));
            out += &format!("- {victim} shows the data of {sources} ({}): {line}\n", inline(&place.place));
        }
        out.push('\n');
    }
    if !sweep.stored.is_empty() {
        out += "Stored for everybody to see, so no leaks: it was shown to others who asked alone, too.\n\n";
        for place in &sweep.stored {
            let (victim, sources) = (code(&place.victim), names(&place.sources));
            out += &format!("- {victim} shows what {sources} brought ({})\n", inline(&place.place));
        }
        out.push('\n');
    }
    if sweep.shared > 0 {
        let responses = counted(sweep.shared, "response");
        out += &format!("{} showed what the scenario says everybody may see.\n\n", capital(&responses));
    }
    out
}

fn left_behind(sweep: &SweepRecord) -> String {
    let stored =
        sentence::unremovable(sweep, code).map(|stored| format!("{}.\n\n", capital(&stored))).unwrap_or_default();
    if sweep.created == 0 {
        return stored;
    }
    let (created, removed) = (counted(sweep.created, "thing"), show_count(sweep.removed));
    let mut out = format!("The sweep created {created} and removed {removed} of them.");
    let left: Vec<String> =
        sweep.left_behind.iter().map(|(name, count)| format!("{} by {}", show_count(*count), code(name))).collect();
    if !left.is_empty() {
        out += &format!(" **Left behind:** {}.", left.join(", "));
    }
    out + "\n\n" + stored.as_str()
}

/// Every operation that was asked; those that did not answer well first.
fn operations(sweep: &SweepRecord) -> String {
    let mut asked: Vec<_> = sweep.operations.iter().filter(|operation| operation.is_asked()).collect();
    asked.sort_by_key(|operation| operation.exercised);
    let mut table = Table::new([
        ("operation", Left),
        ("requests", Right),
        ("exposures", Right),
        ("status", Left),
        ("shows its own value", Left),
        ("not answered well, as", Left),
    ]);
    for operation in asked.iter().take(MOST_ROWS) {
        let status: Vec<String> =
            operation.status.iter().map(|(status, count)| format!("{status} ({})", show_count(*count))).collect();
        table.row([
            code_cell(&operation.name),
            show_count(operation.requests),
            show_count(operation.exposures),
            cell(&status.join(", ")),
            if operation.reflects { "yes".to_owned() } else { String::new() },
            operation.not_exercised.as_deref().map(cell).unwrap_or_default(),
        ]);
    }
    let more = asked.len().saturating_sub(MOST_ROWS);
    let others = match more {
        0 => String::new(),
        more => format!("`record.json` has {}.\n\n", counted(more as u64, "more operation")),
    };
    table.without_empty_columns().markdown() + others.as_str()
}

/// Operations of which less can be said, why, and what would change that.
fn blind_spots(sweep: &SweepRecord) -> String {
    let exercised = || sweep.operations.iter().filter(|operation| operation.exercised && operation.is_asked());
    let silent: Vec<String> = exercised().filter(|one| one.silent).map(|one| one.name.clone()).collect();
    let blank: Vec<String> =
        exercised().filter(|one| !one.reflects && !one.silent).map(|one| one.name.clone()).collect();
    let mut out = String::new();
    if !blank.is_empty() {
        out += &format!(
            "{} no value of their own requests: {}. Another request's canary would be seen there, but not data that follows \
             from who asks without being a canary (a language, a balance). `identities` in [dirty], each with such values, \
             make it checkable, one page at a time.\n\n",
            if blank.len() == 1 {
                "One operation shows".to_owned()
            } else {
                format!("{} operations show", blank.len())
            },
            names(&blank)
        );
    }
    if !silent.is_empty() {
        out += &format!("Responses without text, in which only whole canaries would be seen: {}.\n\n", names(&silent));
    }
    let plain: Vec<String> = exercised()
        .filter(|operation| !operation.plain.is_empty())
        .map(|operation| {
            let places: Vec<&str> = operation.plain.iter().map(|place| place.place.as_str()).collect();
            format!("{} ({})", operation.name, places.join(", "))
        })
        .collect();
    if !plain.is_empty() {
        out += &format!("Places that take no canary, so that nothing of them can be followed: {}.\n\n", names(&plain));
    }
    out
}

/// What was not asked, by the reason.
fn omitted(all: &[OmittedRecord]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut by_reason: BTreeMap<(&str, Option<&str>), Vec<String>> = BTreeMap::new();
    for one in all {
        by_reason.entry((&one.reason, one.remedy.as_deref())).or_default().push(one.name.clone());
    }
    let mut groups: Vec<_> = by_reason.into_iter().collect();
    groups.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    let mut table = Table::new([("left out", Right), ("as", Left), ("which", Left), ("to take them in", Left)]);
    for ((reason, remedy), which) in groups.into_iter().take(MOST_ROWS) {
        table.row([
            show_count(which.len() as u64),
            cell(reason),
            names(&which).replace('|', "\\|"),
            remedy
                .map(|remedy| if remedy.starts_with("methods =") { code_cell(remedy) } else { cell(remedy) })
                .unwrap_or_default(),
        ]);
    }
    table.without_empty_columns().markdown()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_stands_by_its_reason_with_the_way_to_take_it_in() {
        let one = |name: &str, reason: &str, remedy: Option<&str>| OmittedRecord {
            name: name.to_owned(),
            reason: reason.to_owned(),
            remedy: remedy.map(str::to_owned),
            chosen: false,
        };
        let all = [
            one("POST /a", "it may change data", Some("methods = \"write\"")),
            one("GET /logout", "its name has `logout`", None),
            one("PUT /a", "it may change data", Some("methods = \"write\"")),
        ];
        let text = omitted(&all);
        assert!(text.contains("`POST /a`, `PUT /a`") && text.contains("methods = \"write\""), "{text}");
        assert!(omitted(&[]).is_empty());
    }
}
