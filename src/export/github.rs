//! GitHub Actions: a summary of the step, and annotations.
//!
//! Limits, as documented ("Workflow commands for GitHub Actions"): a summary has at most 1 MiB; a step shows at most ten errors.

use super::ScenarioOutcome;
use crate::report::{Align, Table, markdown_cell, one_line};

/// The longest summary, in bytes; a little is left for what other commands of the step add.
pub const LONGEST_SUMMARY: usize = 1_000_000;
/// The most errors that a step shows.
pub const MOST_ANNOTATIONS: usize = 10;
/// Of each annotation so much is shown, in characters.
const LONGEST: usize = 1000;

/// The summary as Markdown: what is not well first, then all; cut to its limit.
pub fn summary(outcomes: &[ScenarioOutcome]) -> String {
    let unwell: Vec<&ScenarioOutcome> = outcomes.iter().filter(|outcome| !outcome.is_well()).collect();
    let title = match (outcomes.len(), unwell.len()) {
        (all, 0) => format!("all {all} scenarios passed"),
        (all, unwell) => format!("{unwell} of {all} scenarios did not pass"),
    };
    let mut parts = vec![format!("## runner: {title}\n\n")];
    for outcome in unwell {
        let mut part = format!("### {} {}\n\n", markdown_cell(&outcome.name), outcome.state());
        outcome.problems().iter().for_each(|problem| part += &format!("- {}\n", markdown_cell(problem)));
        parts.push(part + "\n");
    }
    let mut table = Table::new([("scenario", Align::Left), ("verdict", Align::Left), ("took", Align::Right)]);
    for outcome in outcomes {
        let took = outcome.record.as_ref().map_or(String::new(), |record| crate::units::show_time(record.total_s));
        table.row([markdown_cell(&outcome.name), outcome.state().to_owned(), took]);
    }
    parts.push(table.without_empty_columns().markdown());
    let mut out = String::new();
    for (number, part) in parts.iter().enumerate() {
        if out.len() + part.len() > LONGEST_SUMMARY {
            out += &format!("\n… and {} more parts, cut at the limit of a summary.\n", parts.len() - number);
            break;
        }
        out += part;
    }
    out
}

/// Annotations of what is not well, at most ten, a line each.
pub fn annotations(outcomes: &[ScenarioOutcome]) -> Vec<String> {
    let unwell = outcomes.iter().filter(|outcome| !outcome.is_well());
    let line = |outcome: &ScenarioOutcome| {
        let problems = outcome.problems().join("; ");
        let text: String = if problems.is_empty() { outcome.state().to_owned() } else { one_line(&problems) };
        let text: String = text.chars().take(LONGEST).collect();
        let title = one_line(&format!("{}: {}", outcome.name, outcome.state()));
        format!("::error file={},title={}::{}", property(&outcome.file), property(&title), data(&text))
    };
    unwell.map(line).take(MOST_ANNOTATIONS).collect()
}

/// What stands behind a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property of a command.
fn property(text: &str) -> String {
    data(&one_line(text)).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::outcomes;

    #[test]
    fn what_is_not_well_comes_first_and_nothing_in_it_is_a_command() {
        let outcomes = outcomes();
        let summary = summary(&outcomes);
        assert!(summary.starts_with("## runner: 4 of 4 scenarios did not pass\n\n### dirty failed"), "{summary}");
        assert!(summary.contains("`<did not>`"), "{summary}");
        let lines = annotations(&outcomes);
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.starts_with("::error file=scenarios/") && !line.contains(['\r', '\n'])));
        assert!(lines[2].contains("& %25"), "{}", lines[2]);
    }

    #[test]
    fn the_documented_limits_hold() {
        let many = || {
            (0..1200).map(|number| {
                let mut outcome = outcomes().remove(3);
                outcome.name = format!("typo-{number}");
                outcome.why = Some("x ".repeat(2000));
                outcome
            })
        };
        let many: Vec<ScenarioOutcome> = many().collect();
        assert_eq!(annotations(&many).len(), MOST_ANNOTATIONS);
        let summary = summary(&many);
        assert!(summary.len() <= LONGEST_SUMMARY + 100 && summary.contains("cut at the limit"), "{}", summary.len());
    }
}
