//! `runner FILE...`

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::arguments::Run;
use super::logging::EventLog;
use super::progress::Progress;
use super::{Exit, print, signals, system_context};
use crate::record::{LogOf, Record};
use crate::report;
use crate::run::{self, Finished, Options, Unfinished, environment};
use crate::scenario::Scenario;
use crate::units::counted;

/// Summaries are no wider than this.
const WIDEST: usize = 110;
const INTERRUPTED: &str = "interrupted: writing the report; once more to end at once";

/// How scenarios are run, apart from what they say.
pub(super) struct RunOptions {
    pub reports: PathBuf,
    pub allow_hosts: Vec<String>,
    /// Print the records, and nothing else.
    pub json: bool,
    /// Take up a run that was cut off.
    pub resume: bool,
}

pub(super) fn run(arguments: &Run, log: &EventLog, began: Instant) -> Exit {
    let Some(scenarios) = system_context::load_all(&arguments.files, &arguments.overrides.set) else {
        return Exit::Invalid;
    };
    let options = RunOptions {
        reports: arguments.reports(),
        allow_hosts: arguments.allow_hosts.clone(),
        json: arguments.json,
        resume: arguments.resume,
    };
    run_all(&scenarios, &options, log, began)
}

/// Runs scenarios one after the other, and prints what came of each.
pub(super) fn run_all(scenarios: &[Scenario], arguments: &RunOptions, log: &EventLog, began: Instant) -> Exit {
    scenarios.iter().for_each(|scenario| log.telemetry().redaction().add(&scenario.secrets));
    let shown = log.style.clone();
    let cancel = match signals::cancellation(INTERRUPTED, move |text| shown.say(text)) {
        Ok(cancel) => cancel,
        Err(error) => {
            print::error(&format!("cannot watch for signals: {error}"), None);
            return Exit::CouldNotRun;
        }
    };
    environment::prepare();
    let (reports, allowed_hosts) = (arguments.reports.clone(), arguments.allow_hosts.clone());
    let options =
        Options { reports, allowed_hosts, began, log: log.telemetry().run_log().clone(), resume: arguments.resume };
    let mut exits = Vec::new();
    for scenario in scenarios {
        let progress = Progress::new(log.tells_parts, log.style.clone());
        let finished = run::run(scenario, &options, &progress, &cancel);
        progress.close();
        exits.push(match finished {
            Ok(finished) => conclude(scenario, &finished, arguments),
            Err(unfinished) => {
                if let Unfinished::NotWritten { record, .. } = &unfinished {
                    print_results(record, None, arguments);
                }
                complain(&scenario.name, &unfinished)
            }
        });
        if cancel.is_cancelled() {
            break;
        }
    }
    let not_run = scenarios.len() - exits.len();
    if scenarios.len() > 1 {
        print::note(tally(&exits, not_run));
    }
    let left_out = (not_run > 0).then_some(Exit::Interrupted);
    exits.into_iter().chain(left_out).max().unwrap_or(Exit::Passed)
}

/// Prints the results of a run that left a report.
fn conclude(scenario: &Scenario, finished: &Finished, arguments: &RunOptions) -> Exit {
    let printed = print_results(&finished.record, Some(&finished.folder), arguments);
    if let Some(not_latest) = &finished.not_latest {
        print::warning(&format!("{}: {not_latest}", scenario.name), Some(&not_latest.advice()));
    }
    Exit::from(finished.record.status).max(printed)
}

/// Prints the record, or its summary and where the report is, if it is anywhere.
fn print_results(record: &Record, folder: Option<&Path>, arguments: &RunOptions) -> Exit {
    if arguments.json {
        return print_record(record);
    }
    let mut text = report::terminal::summary(record, width(), true).trim_end().to_owned() + "\n";
    if let Some(folder) = folder {
        text += &format!("\nreport: {}\n", folder.join(crate::report::FORMATS[0].main).display());
    }
    print::out(&text)
}

/// The record as one line of JSON.
pub(super) fn print_record(record: &Record) -> Exit {
    match serde_json::to_string(record) {
        Ok(record) => print::out(&(record + "\n")),
        Err(error) => {
            print::error(&format!("cannot print the record: {error}"), None);
            Exit::CouldNotRun
        }
    }
}

/// How wide a summary may be, in columns.
pub(super) fn width() -> usize {
    // A terminal that does not know its width says 0.
    let width = comfy_table::Table::new().width().filter(|width| *width > 0);
    width.map_or(WIDEST, usize::from).min(WIDEST)
}

/// Says why there is no report.
pub(super) fn complain(name: &str, unfinished: &Unfinished) -> Exit {
    let message = format!("{name}: {unfinished}");
    match unfinished {
        Unfinished::Interrupted => {
            print::error(&message, None);
            return Exit::Interrupted;
        }
        Unfinished::NotResumable(error) => {
            print::error(&message, Some(error.advice()));
            return Exit::Invalid;
        }
        Unfinished::Folder(error) => print::error(&message, Some(&error.advice())),
        Unfinished::NotWritten { error, .. } => print::error(&message, Some(&error.advice())),
        Unfinished::NotRedacted(_) => {
            print::error(&message, Some("run it without variables that go by names of secrets"))
        }
        Unfinished::NothingRan(failure) => {
            print::error(&message, Some(&failure.advice));
            let log = match failure.log_of {
                LogOf::Server => "server.log",
                LogOf::Script => "the script's log",
            };
            failure.log_tail.iter().for_each(|line| print::note(format_args!("  {log}: {}", report::one_line(line))));
        }
    }
    Exit::CouldNotRun
}

/// How several scenarios came out: `3 scenarios: 1 passed, 2 failed`.
fn tally(exits: &[Exit], not_run: usize) -> String {
    let ways = [
        (Exit::Passed, "passed"),
        (Exit::Failed, "failed"),
        (Exit::Inconclusive, "inconclusive"),
        (Exit::CouldNotRun, "could not run"),
        (Exit::Interrupted, "interrupted"),
    ];
    let of = |wanted: Exit| exits.iter().filter(|exit| **exit == wanted).count();
    let counts = ways.map(|(exit, name)| (of(exit), name)).into_iter().chain([(not_run, "not started")]);
    let parts: Vec<String> =
        counts.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    let all = counted((exits.len() + not_run) as u64, "scenario");
    format!("{all}: {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tally_names_only_what_came_about() {
        let exits = [Exit::Passed, Exit::CouldNotRun, Exit::Passed, Exit::Failed];
        assert_eq!(tally(&exits, 0), "4 scenarios: 2 passed, 1 failed, 1 could not run");
        assert_eq!(tally(&[Exit::Interrupted], 2), "3 scenarios: 1 interrupted, 2 not started");
    }
}
