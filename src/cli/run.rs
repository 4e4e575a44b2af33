//! `runner FILE...`

use std::time::Instant;

use super::arguments::Run;
use super::progress::Progress;
use super::{Exit, print_error, print_out, signals, surroundings};
use crate::report;
use crate::run::{self, Finished, Options, Unfinished, environment};
use crate::scenario::Scenario;

/// Summaries are no wider than this.
const WIDEST: usize = 110;

pub(super) fn run(arguments: &Run, began: Instant) -> Exit {
    let Some(scenarios) = surroundings::load_all(&arguments.files, &arguments.overrides.set) else {
        return Exit::Invalid;
    };
    let cancel = match signals::cancellation() {
        Ok(cancel) => cancel,
        Err(error) => {
            print_error(&format!("cannot watch for signals: {error}"), None);
            return Exit::CouldNotRun;
        }
    };
    environment::prepare();
    let options = Options { reports: arguments.reports.clone(), allowed_hosts: arguments.allow_hosts.clone(), began };
    let mut worst = Exit::Passed;
    for scenario in &scenarios {
        let progress = Progress::new(arguments, began);
        let finished = run::run(scenario, &options, &progress, &cancel);
        progress.close();
        let exit = match finished {
            Ok(finished) => conclude(&finished, arguments),
            Err(unfinished) => complain(scenario, &unfinished),
        };
        worst = worst.max(exit);
        if worst == Exit::Interrupted {
            break;
        }
    }
    worst
}

/// Prints the results.
fn conclude(finished: &Finished, arguments: &Run) -> Exit {
    let text = if arguments.json {
        match serde_json::to_string(&finished.record) {
            Ok(record) => record + "\n",
            Err(error) => {
                print_error(&format!("cannot print the record: {error}"), None);
                return Exit::CouldNotRun;
            }
        }
    } else {
        let width = comfy_table::Table::new().width().map_or(WIDEST, usize::from).min(WIDEST);
        let summary = report::terminal::summary(&finished.record, width, true);
        format!("{}\n\nreport: {}\n", summary.trim_end(), finished.folder.join("report.md").display())
    };
    Exit::from(finished.record.status).max(print_out(&text))
}

/// Says why there is no report.
fn complain(scenario: &Scenario, unfinished: &Unfinished) -> Exit {
    match unfinished {
        Unfinished::Interrupted => {
            print_error(&format!("{}: {unfinished}", scenario.name), None);
            return Exit::Interrupted;
        }
        Unfinished::Folder(error) => {
            let advice = "choose a folder that can be written with `--reports DIR`; it must exist or be creatable";
            print_error(&format!("{}: {error}", scenario.name), Some(advice));
        }
        Unfinished::NothingRan { message, advice, log_tail } => {
            print_error(&format!("{}: {message}", scenario.name), Some(advice));
            log_tail.iter().for_each(|line| anstream::eprintln!("  server.log: {}", report::one_line(line)));
        }
    }
    Exit::CouldNotRun
}
