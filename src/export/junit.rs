//! JUnit XML: a suite for each scenario, a case for each rule of each of its variants.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::{ScenarioOutcome, figures};
use crate::record::{Status, VariantRecord, Verdict};
use crate::report::one_line;

/// The report of a night. What cannot be told, and what could not run, is an error, and not a pass.
pub fn junit(outcomes: &[ScenarioOutcome]) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("runner");
    report.add_test_suites(outcomes.iter().map(suite));
    report.to_string().map(|text| by_the_schema(&text))
}

/// Without the one attribute that the schema of JUnit reports, as Jenkins has it (junit-10.xsd), does not allow: the number of
/// skipped cases of all suites together.
fn by_the_schema(text: &str) -> String {
    let Some(start) = text.find("<testsuites ") else { return text.to_owned() };
    let end = text[start..].find('>').map_or(text.len(), |end| start + end);
    let kept = text[start..end].split(' ').filter(|attribute| !attribute.starts_with("skipped=")).collect::<Vec<_>>();
    format!("{}{}{}", &text[..start], kept.join(" "), &text[end..])
}

fn suite(outcome: &ScenarioOutcome) -> TestSuite {
    let mut suite = TestSuite::new(one_line(&outcome.name));
    suite.add_property(Property::new("file", one_line(&outcome.file)));
    if let Some(report) = &outcome.report {
        suite.add_property(Property::new("report", one_line(report)));
    }
    if let Some(record) = &outcome.record {
        suite.set_time(Duration::try_from_secs_f64(record.total_s).unwrap_or_default());
        let several = record.variants.len() > 1;
        for variant in &record.variants {
            suite.add_test_cases(cases(outcome, variant, several));
            let of = if several { format!("{} ", variant.name) } else { String::new() };
            let figures = figures::of(variant).into_iter();
            suite
                .add_properties(figures.map(|figure| {
                    Property::new(one_line(&format!("{of}{}", figure.metric)), figure.value.to_string())
                }));
        }
    }
    if let Some(why) = &outcome.why {
        suite.add_test_case(case(outcome, "runs", failed(NonSuccessKind::Error, outcome.state(), why)));
    }
    if !outcome.regressions.is_empty() && outcome.fails_by_regression {
        let text = outcome.regressions.join("; ");
        suite.add_test_case(case(outcome, "no regression", failed(NonSuccessKind::Failure, "regression", &text)));
    }
    suite
}

fn cases(outcome: &ScenarioOutcome, variant: &VariantRecord, several: bool) -> Vec<TestCase> {
    let of = if several { format!("{}: ", variant.name) } else { String::new() };
    let mut all: Vec<TestCase> = variant
        .verdicts
        .iter()
        .map(|verdict| case(outcome, &format!("{of}{}", verdict.title()), of_verdict(verdict)))
        .collect();
    let failure = variant.trials.iter().find_map(|trial| trial.failure.as_ref());
    let ran = match failure {
        Some(failure) => {
            failed(NonSuccessKind::Error, "could not run", &format!("{}\n{}", failure.message, failure.advice))
        }
        None => match variant.status() {
            Status::Interrupted | Status::NotStarted => TestCaseStatus::skipped(),
            _ => TestCaseStatus::success(),
        },
    };
    if all.is_empty() || failure.is_some() {
        all.push(case(outcome, &format!("{of}runs"), ran));
    }
    all
}

fn of_verdict(verdict: &Verdict) -> TestCaseStatus {
    let text = format!("expected {}, observed {}", verdict.expected, verdict.observed);
    match verdict.status {
        Status::Passed => TestCaseStatus::success(),
        Status::Failed => failed(NonSuccessKind::Failure, "failed", &text),
        Status::Interrupted | Status::NotStarted => TestCaseStatus::skipped(),
        Status::Inconclusive | Status::CouldNotRun => {
            failed(NonSuccessKind::Error, crate::report::status_in_words(verdict.status), &text)
        }
    }
}

fn failed(kind: NonSuccessKind, what: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    let lines: Vec<String> = text.lines().map(one_line).collect();
    status.set_type(what).set_message(lines.first().cloned().unwrap_or_default()).set_description(lines.join("\n"));
    status
}

fn case(outcome: &ScenarioOutcome, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(one_line(name), status);
    case.set_classname(one_line(&outcome.name));
    case
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::outcomes;

    #[test]
    fn there_is_a_case_for_each_rule_with_what_was_observed() {
        let xml = junit(&outcomes()).unwrap();
        for expected in [
            "<testsuite name=\"dirty\"",
            "the server &lt;did not&gt; start &amp; %",
            "type=\"invalid\"",
            "name=\"no regression\"",
            "throughput −11 %: 100/s before",
            "name=\"file\" value=\"scenarios/dirty.toml\"",
        ] {
            assert!(xml.contains(expected), "{expected} in\n{xml}");
        }
        assert!(!xml.contains('\u{1b}'), "{xml}");
        assert!(
            xml.contains("<testsuites name=\"runner\" tests=\"")
                && !xml.contains("<testsuites name=\"runner\" tests=\"5\" skipped")
        );
    }
}
