//! `runner index`: the page over all nights, made anew.

use std::collections::HashSet;
use std::path::Path;

use super::arguments::night::IndexArguments;
use super::report::read;
use super::report_folders::{self, RunFolder};
use super::{Exit, night, print};
use crate::history::{self, HistoryEntry, Place};
use crate::record::Status;

pub(super) fn index(arguments: &IndexArguments) -> Exit {
    let reports = arguments.reports.path();
    if !reports.is_dir() {
        print::error(
            &format!("no folder {}", reports.display()),
            Some("run scenarios first, or name the folder with --reports DIR"),
        );
        return Exit::Invalid;
    }
    if arguments.json {
        return as_json(&reports);
    }
    let lacking = lacking(&reports);
    if let Err(error) = history::append(&reports, &lacking) {
        print::error(&error.to_string(), Some(&error.advice()));
        return Exit::CouldNotRun;
    }
    if !lacking.is_empty() {
        print::note(format_args!("added to the history: {} lines of reports that it lacked", lacking.len()));
    }
    let Some(index) = night::write_index(&reports) else { return Exit::CouldNotRun };
    print::out(&format!("{}\nindex: {}\n", history::answer(&index), reports.join("index.html").display()))
}

fn as_json(reports: &Path) -> Exit {
    let history = match history::read(reports) {
        Ok(history) => history,
        Err(error) => {
            print::error(&error.to_string(), Some(&error.advice()));
            return Exit::CouldNotRun;
        }
    };
    let index = history::index(&history.entries, history.unread);
    match serde_json::to_string(&index) {
        Ok(text) => print::out(&format!("{text}\n")),
        Err(error) => {
            print::error(&format!("cannot write the index as JSON: {error}"), None);
            Exit::CouldNotRun
        }
    }
}

/// Lines for the reports that the history lacks: of runs before it was kept, or that could not write it.
fn lacking(reports: &Path) -> Vec<HistoryEntry> {
    let known = history::read(reports).map(|history| history.entries).unwrap_or_default();
    let known: HashSet<&str> = known.iter().filter_map(|entry| entry.report.as_deref()).collect();
    let unknown = report_folders::all(reports).into_iter().filter(|run| !known.contains(run.name.as_str()));
    let one = |run: RunFolder| {
        let record = read(&run.path).ok().filter(|record| record.status != Status::Interrupted)?;
        let place = Place { night: record.started.clone(), report: Some(run.name), ..Place::default() };
        Some(history::entries(&record, &place))
    };
    unknown.filter_map(one).flatten().collect()
}
