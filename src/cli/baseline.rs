//! `runner baseline`, and what a run is against one.

use std::path::{Path, PathBuf};

use super::arguments::night::{Against, BaselineCommand};
use super::report::read;
use super::report_folders::folders;
use super::{Exit, print};
use crate::analysis::records::{self, Change};
use crate::output::write_whole;
use crate::record::Record;
use crate::report;

/// In the folder of reports.
const FOLDER: &str = "baselines";

pub(super) fn baseline(command: &BaselineCommand) -> Exit {
    match command {
        BaselineCommand::Save { name, scenarios, reports } => save(name, scenarios, &reports.path()),
        BaselineCommand::List { reports } => list(&reports.path()),
    }
}

fn save(name: &str, scenarios: &[String], reports: &Path) -> Exit {
    if let Err(exit) = check_name(name) {
        return exit;
    }
    let scenarios = if scenarios.is_empty() { with_reports(reports) } else { scenarios.to_vec() };
    if scenarios.is_empty() {
        print::error(
            &format!("no reports in {}", reports.display()),
            Some("run scenarios first, or name the folder with --reports DIR"),
        );
        return Exit::Invalid;
    }
    let mut records = Vec::new();
    for scenario in &scenarios {
        match read(&reports.join(scenario).join("latest")) {
            Ok(record) => records.push((scenario, record)),
            Err((message, advice)) => {
                print::error(&message, Some(advice));
                return Exit::Invalid;
            }
        }
    }
    let folder = reports.join(FOLDER).join(name);
    let written = std::fs::create_dir_all(&folder).and_then(|()| {
        records.iter().try_for_each(|(scenario, record)| {
            write_whole(&folder.join(format!("{scenario}.json")), serde_json::to_vec_pretty(record)?)
        })
    });
    if let Err(error) = written {
        print::error(
            &format!("cannot write the baseline to {}: {error}", folder.display()),
            Some("choose a folder that can be written with --reports DIR"),
        );
        return Exit::CouldNotRun;
    }
    let text: String = records
        .iter()
        .map(|(scenario, record)| format!("{scenario}: {} of {}\n", status(record), record.started))
        .collect();
    print::out(&format!("{text}baseline {name}: {}\n", folder.display()))
}

fn status(record: &Record) -> &'static str {
    report::status_in_words(record.status)
}

fn list(reports: &Path) -> Exit {
    let names = folders(&reports.join(FOLDER));
    if names.is_empty() {
        print::note(format_args!("no baselines in {}; `runner baseline save NAME` keeps one", reports.display()));
    }
    let line = |name: &String| {
        let files = std::fs::read_dir(reports.join(FOLDER).join(name)).into_iter().flatten().flatten();
        let mut scenarios: Vec<String> =
            files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".json")?.to_owned())).collect();
        scenarios.sort();
        format!("{name}: {}\n", scenarios.join(", "))
    };
    print::out(&names.iter().map(line).collect::<String>())
}

fn check_name(name: &str) -> Result<(), Exit> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && !name.starts_with('.') && name.chars().all(fits) {
        return Ok(());
    }
    print::error(&format!("`{name}` cannot name a baseline"), Some("use letters, digits, `-` and `_`, as in main"));
    Err(Exit::Invalid)
}

/// The scenarios that have a report.
fn with_reports(reports: &Path) -> Vec<String> {
    folders(reports).into_iter().filter(|name| reports.join(name).join("latest").join("record.json").exists()).collect()
}

/// What a run is compared with, once it is known to be there.
pub(super) struct BaselineComparison<'a> {
    against: &'a Against,
    folder: Option<PathBuf>,
}

impl<'a> BaselineComparison<'a> {
    /// `None` once it was said that there is no such baseline.
    pub fn new(against: &'a Against, reports: &Path) -> Option<Self> {
        let Some(name) = &against.baseline else { return Some(BaselineComparison { against, folder: None }) };
        check_name(name).ok()?;
        let folder = reports.join(FOLDER).join(name);
        if !folder.is_dir() {
            let all = folders(&reports.join(FOLDER));
            let help = match all.is_empty() {
                true => format!("`runner baseline save {name}` keeps the latest records as one"),
                false => format!("there are {}; `runner baseline save {name}` keeps another one", all.join(", ")),
            };
            print::error(&format!("no baseline `{name}` in {}", reports.display()), Some(&help));
            return None;
        }
        Some(BaselineComparison { against, folder: Some(folder) })
    }

    /// Compares a record, says what came of it unless `quiet`, and what that does to the run.
    pub fn judge(&self, record: &Record, quiet: bool) -> Exit {
        self.with_baseline(record, quiet).max(self.candidate(record))
    }

    fn with_baseline(&self, record: &Record, quiet: bool) -> Exit {
        let Some(folder) = &self.folder else { return Exit::Passed };
        let name = &record.scenario.name;
        let path = folder.join(format!("{name}.json"));
        if !path.exists() {
            print::warning(
                &format!("{name}: the baseline has no such scenario"),
                Some("save it anew once this run is what is meant"),
            );
            return Exit::Passed;
        }
        let before = match read(&path) {
            Ok(before) => before,
            Err((message, advice)) => {
                print::error(&message, Some(advice));
                return Exit::CouldNotRun;
            }
        };
        let differences = records::differences(&before, record);
        if !differences.is_empty() {
            let lines = report::compare::differences(&differences);
            let more = lines.len().saturating_sub(3);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let message = format!(
                "{name}: not compared with the baseline, as they differ in {}{more}",
                lines[..lines.len().min(3)].join("; ")
            );
            print::warning(&message, Some("save the baseline on this machine, with this configuration"));
            return self.if_it_fails(Exit::Inconclusive);
        }
        let changes = records::changes(&before, record, None, self.against.tolerance);
        if !quiet {
            print::out(&format!(
                "\nagainst the baseline of {}:\n{}",
                before.started,
                report::compare::changes(&changes, self.against.tolerance)
            ));
        }
        match changes.iter().any(|variant| variant.change() == Change::Worse) {
            true => self.if_it_fails(Exit::Failed),
            false => Exit::Passed,
        }
    }

    /// Of the servers `base` and `candidate` of one run.
    fn candidate(&self, record: &Record) -> Exit {
        let Some(comparison) = &record.comparison else { return Exit::Passed };
        let worse = records::candidate_is_worse(comparison, self.against.tolerance);
        for text in &worse {
            print::note(format_args!("regression: {}: {text}", record.scenario.name));
        }
        if worse.is_empty() { Exit::Passed } else { self.if_it_fails(Exit::Failed) }
    }

    fn if_it_fails(&self, exit: Exit) -> Exit {
        if self.against.fail_on_regression { exit } else { Exit::Passed }
    }
}
