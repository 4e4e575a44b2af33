//! What a night came to, for other programs: test reports, summaries of CI services, metrics. Each is a text, a pure function of
//! the outcomes; only [`push`] sends one.

use crate::history::IndexRow;
use crate::record::{Record, Status};

pub mod github;
mod figures;
mod junit;
mod metrics;
mod otlp;
mod prometheus;
pub mod push;

pub use junit::junit;
pub use metrics::metrics;
pub use otlp::gauges;
pub use prometheus::prometheus;

/// How one scenario came out.
#[derive(Debug, Default)]
pub struct ScenarioOutcome {
    pub name: String,
    /// As named on the command line, or as found.
    pub file: String,
    /// `None` where its file is not a valid scenario.
    pub status: Option<Status>,
    /// Why there is no record.
    pub why: Option<String>,
    pub record: Option<Record>,
    /// The report's folder.
    pub report: Option<String>,
    /// Figures that got worse, a sentence each, and whether they fail the scenario.
    pub regressions: Vec<String>,
    pub fails_by_regression: bool,
}

impl ScenarioOutcome {
    /// Whether it is as it should be.
    pub fn is_well(&self) -> bool {
        self.status == Some(Status::Passed) && !self.fails_by_regression
    }

    /// How it came out, in a word or two.
    pub fn state(&self) -> &'static str {
        match self.status {
            None => "invalid",
            Some(Status::Passed) if self.fails_by_regression => "regression",
            Some(status) => crate::report::status_in_words(status),
        }
    }

    /// What is not as it should be, a sentence each, with the variant where there are several.
    pub fn problems(&self) -> Vec<String> {
        let mut all: Vec<String> = self.why.iter().cloned().collect();
        let variants = self.record.as_ref().map(|record| record.variants.as_slice()).unwrap_or_default();
        for variant in variants {
            let of = if variants.len() > 1 { format!("{}: ", variant.name) } else { String::new() };
            let failures = variant.trials.iter().filter_map(|trial| trial.failure.as_ref());
            all.extend(failures.map(|failure| format!("{of}{}", failure.message)));
            let verdicts = variant.verdicts.iter().filter(|verdict| verdict.status != Status::Passed);
            all.extend(verdicts.map(|verdict| format!("{of}{}: {}", verdict.title(), verdict.observed)));
        }
        all.extend(self.regressions.iter().cloned());
        let mut seen = std::collections::HashSet::new();
        all.retain(|problem| seen.insert(problem.clone()));
        all
    }

    /// Takes what the history says of the scenario's variants.
    pub fn with_history<'r>(mut self, rows: impl Iterator<Item = &'r IndexRow>) -> Self {
        for row in rows.filter(|row| row.scenario == self.name) {
            self.regressions.extend(crate::history::regressions_in_words(row));
            self.fails_by_regression |= row.fails_by_regression();
        }
        self
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::record::upgrade::upgraded;

    /// Outcomes of every kind; that with a record is of the sample that the project ships.
    pub(crate) fn outcomes() -> Vec<ScenarioOutcome> {
        let text = std::fs::read("reports/sample/record.json").unwrap();
        let record: Record = serde_json::from_value(upgraded(serde_json::from_slice(&text).unwrap()).unwrap()).unwrap();
        let outcome = |name: &str, status, why: Option<&str>, record| ScenarioOutcome {
            name: name.to_owned(),
            file: format!("scenarios/{name}.toml"),
            status,
            why: why.map(str::to_owned),
            record,
            report: Some(format!("reports/{name}/latest")),
            regressions: Vec::new(),
            fails_by_regression: false,
        };
        vec![
            outcome("dirty", Some(Status::Failed), None, Some(record.clone())),
            ScenarioOutcome {
                regressions: vec!["throughput −11 %: 100/s before".to_owned()],
                fails_by_regression: true,
                ..outcome("slower", Some(Status::Passed), None, Some(Record { status: Status::Passed, ..record }))
            },
            outcome(
                "dead",
                Some(Status::CouldNotRun),
                Some("the server <did not> start & \u{1b}[31m% \r\n::error::"),
                None,
            ),
            outcome("typo", None, Some("unknown key `lod`"), None),
        ]
    }
}
