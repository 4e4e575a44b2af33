//! What goes on around the runs of a call: the history and its page, and what other programs get.

use std::path::{Path, PathBuf};

use super::arguments::night::Exports;
use super::{Exit, print};
use crate::export::{self, ScenarioOutcome, github, push};
use crate::history::{self, HistoryEntry, Index, NotMeasured, Place};
use crate::output::write_whole;
use crate::record::{Record, Status};
use crate::run;
use crate::scenario::Scenario;
use crate::telemetry;

/// What CI services say of themselves.
const GITHUB: &str = "GITHUB_ACTIONS";
const GITHUB_SUMMARY: &str = "GITHUB_STEP_SUMMARY";
const GITLAB: &str = "GITLAB_CI";

/// A line of the history for each variant of a scenario that has come to its end.
pub(super) fn note(night: &str, reports: &Path, scenario: &Scenario, came: Result<(&Record, &Path), &str>) {
    let place = |folder: Option<&Path>| Place {
        night: night.to_owned(),
        tags: scenario.tags.clone(),
        regression: scenario.regression,
        report: folder.and_then(|folder| Some(folder.strip_prefix(reports).ok()?.display().to_string())),
    };
    let entries: Vec<HistoryEntry> = match came {
        // What the user ended says nothing of how things are.
        Ok((record, _)) if record.status == Status::Interrupted => return,
        Ok((record, folder)) => history::entries(record, &place(Some(folder))),
        Err(why) => vec![not_measured(&scenario.name, why, &place(None))],
    };
    add(reports, &entries);
}

/// The same of a file that is no valid scenario.
pub(super) fn note_invalid(night: &str, reports: &Path, name: &str, why: &str) {
    add(reports, &[without_record(name, why, night)]);
}

/// The line of a scenario that left no record in a night.
pub(super) fn without_record(name: &str, why: &str, night: &str) -> HistoryEntry {
    not_measured(name, why, &Place { night: night.to_owned(), ..Place::default() })
}

fn not_measured(name: &str, why: &str, place: &Place) -> HistoryEntry {
    let started = run::now();
    history::entry_without_record(&NotMeasured { scenario: name.to_owned(), started, why: why.to_owned() }, place)
}

fn add(reports: &Path, entries: &[HistoryEntry]) {
    let made = std::fs::create_dir_all(reports);
    if let (Ok(()), Err(error)) = (made, history::append(reports, entries)) {
        print::warning(&error.to_string(), Some(&error.advice()));
    }
}

/// Writes the page of a folder of reports; `None` once it was said that it cannot be.
pub(super) fn write_index(reports: &Path) -> Option<Index> {
    let history =
        history::read(reports).map_err(|error| print::warning(&error.to_string(), Some(&error.advice()))).ok()?;
    if history.unread > 0 {
        let message =
            format!("{} lines of {} could not be read", history.unread, reports.join("history.jsonl").display());
        print::warning(
            &message,
            Some("they are of a merge that failed, or of a later version; the page is without them"),
        );
    }
    let index = history::index(&history.entries, history.unread);
    let written = write_whole(&reports.join("index.html"), history::html(&index))
        .and_then(|()| write_whole(&reports.join("index.md"), history::markdown(&index)));
    if let Err(error) = written {
        print::warning(&format!("cannot write the index to {}: {error}", reports.display()), None);
    }
    Some(index)
}

/// Says which figures got worse, of the scenarios that ran.
pub(super) fn tell_regressions(index: &Index, ran: &[ScenarioOutcome]) {
    let of_them = |scenario: &str| ran.iter().any(|outcome| outcome.name == scenario);
    for row in index.rows.iter().filter(|row| of_them(&row.scenario)) {
        for text in history::regressions_in_words(row) {
            let of = if row.variant == row.scenario { String::new() } else { format!(" {}", row.variant) };
            let word = if row.fails_by_regression() { "regression, fails" } else { "regression" };
            print::note(format_args!("{word}: {}{of}: {}", row.scenario, crate::report::one_line(&text)));
        }
    }
}

/// Writes and sends what other programs get, as options and the environment say.
pub(super) fn export(
    outcomes: &[ScenarioOutcome],
    wanted: &Exports,
    reports: &Path,
    (allowed, is_a_night): (&[String], bool),
) -> Exit {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let under_gitlab = |name: &str| is_set(GITLAB).then(|| reports.join(name));
    let mut exit = Exit::Passed;
    let mut write = |path: Option<PathBuf>, text: &dyn Fn() -> Result<String, String>| {
        let Some(path) = path else { return };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let made = folder.map_or(Ok(()), std::fs::create_dir_all);
        let written =
            text().and_then(|text| made.and_then(|()| write_whole(&path, text)).map_err(|error| error.to_string()));
        if let Err(error) = written {
            print::error(
                &format!("cannot write {}: {error}", path.display()),
                Some("choose a file in a folder that can be written"),
            );
            exit = Exit::CouldNotRun;
        }
    };
    let junit = || export::junit(outcomes).map_err(|error| error.to_string());
    write(wanted.junit.clone().or_else(|| under_gitlab("junit.xml")), &junit);
    write(wanted.metrics.clone(), &|| Ok(export::metrics(outcomes)));
    write(wanted.prometheus.clone().or_else(|| under_gitlab("metrics.txt")), &|| Ok(export::prometheus(outcomes)));
    // Of a single run the spans tell more.
    if is_a_night && let Err(why) = telemetry::send_gauges(&export::gauges(outcomes)) {
        print::warning(&format!("the figures do not arrive at the collector: {why}"), Some(telemetry::ENDPOINT_ADVICE));
    }
    if let Some(url) = &wanted.push
        && let Err(error) = push::push(url, export::prometheus(outcomes), allowed)
    {
        print::error(&error.to_string(), Some(&error.advice));
        exit = Exit::CouldNotRun;
    }
    if is_set(GITHUB) {
        github::annotations(outcomes).iter().for_each(print::note);
        if let Some(path) = std::env::var_os(GITHUB_SUMMARY).filter(|path| !path.is_empty()) {
            let opened = std::fs::File::options().append(true).create(true).open(&path);
            let written =
                opened.and_then(|mut file| std::io::Write::write_all(&mut file, github::summary(outcomes).as_bytes()));
            if let Err(error) = written {
                print::warning(&format!("cannot write the summary of this step: {error}"), None);
            }
        }
    }
    exit
}
