//! `runner prune`: removes old reports, and never one of a night with a failure or a leak, unless told.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;

use super::arguments::night::Prune;
use super::report::read;
use super::{Exit, print, report_folders};
use crate::history;
use crate::record::{Record, Status};
use crate::units::{counted, show_size};

pub(super) fn prune(arguments: &Prune) -> Exit {
    let reports = arguments.reports.path();
    if !reports.is_dir() {
        print::error(
            &format!("no folder {}", reports.display()),
            Some("name the folder of the reports with --reports DIR"),
        );
        return Exit::Invalid;
    }
    let Ok(before) = Timestamp::now().checked_sub(arguments.keep) else { return print::out("nothing to remove\n") };
    let well = well(&reports);
    let (mut removed, mut bytes, mut kept, mut exit) = (0, 0, 0, Exit::Passed);
    for run in report_folders::all(&reports) {
        // What is not named as reports are is none.
        let is_old =
            run.path.file_name().and_then(|name| started(&name.to_string_lossy())).is_some_and(|at| at < before);
        if !is_old || run.is_latest {
            continue;
        }
        let is_well =
            well.get(&run.name).copied().unwrap_or_else(|| read(&run.path).is_ok_and(|record| is_well(&record)));
        if !is_well && !arguments.failures_too {
            kept += 1;
            continue;
        }
        let size = size(&run.path);
        if arguments.dry_run {
            print::note(format_args!("would remove {}", run.path.display()));
        } else if let Err(error) = std::fs::remove_dir_all(&run.path) {
            print::error(&format!("cannot remove {}: {error}", run.path.display()), Some("let yourself write there"));
            exit = Exit::CouldNotRun;
            continue;
        }
        removed += 1;
        bytes += size;
    }
    let word = if arguments.dry_run { "would remove" } else { "removed" };
    let failures = match kept {
        0 => String::new(),
        n => format!("; kept {} of nights with a failure or a leak", counted(n, "older report")),
    };
    exit.max(print::out(&format!("{word} {} ({}){failures}\n", counted(removed, "report"), show_size(bytes))))
}

/// The time that names a report: `2026-11-30T02-00-00Z`, with a number behind it where there were several in one second.
fn started(name: &str) -> Option<Timestamp> {
    let (date, time) = name.split_once('T')?;
    let time = time.get(..8)?.replace('-', ":");
    format!("{date}T{time}Z").parse().ok()
}

/// Of each report of the history whether all its variants passed, without a leak.
fn well(reports: &Path) -> HashMap<String, bool> {
    let mut all = HashMap::new();
    for entry in history::read(reports).map(|history| history.entries).unwrap_or_default() {
        let is_well = entry.status == Status::Passed && entry.dirty.is_none_or(|dirty| dirty.leaks == 0);
        if let Some(report) = entry.report {
            *all.entry(report).or_insert(true) &= is_well;
        }
    }
    all
}

fn is_well(record: &Record) -> bool {
    let mut checks =
        record.variants.iter().flat_map(|variant| &variant.trials).filter_map(|trial| trial.dirty.as_ref());
    record.status == Status::Passed && checks.all(|check| check.leaks == 0)
}

fn size(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_report_is_its_time() {
        let at = |name| started(name).map(|time| time.to_string());
        assert_eq!(at("2026-11-30T02-00-07Z").as_deref(), Some("2026-11-30T02:00:07Z"));
        assert_eq!(at("2026-11-30T02-00-07Z-2"), at("2026-11-30T02-00-07Z"));
        assert!(["latest", "main", "2026-11-30", "T"].iter().all(|name| started(name).is_none()));
    }
}
