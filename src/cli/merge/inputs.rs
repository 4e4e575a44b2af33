//! What `runner merge` is given: records, folders that hold one, folders of reports, and folders of these.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::print;
use super::super::report::read;
use super::super::report_folders::{self, RunFolder, folders};
use crate::history::{self, HistoryEntry};
use crate::record::{Record, Status};
use crate::report::one_line;

/// A record of a folder of reports that began so much earlier than another one of its scenario is of an earlier night, in seconds.
const NIGHT_OF_ONE: i64 = 12 * 3600;
/// The same of another scenario.
const NIGHT_OF_ALL: i64 = 36 * 3600;

/// A record that was named, or found.
pub(super) struct Input {
    pub record: Record,
    /// Its file, or the folder that holds it.
    pub path: PathBuf,
    /// The folder of reports in which it was found, and its name there.
    pub found: Option<(PathBuf, String)>,
}

impl Input {
    /// The folder of its report; `None` of a record that stands elsewhere.
    pub fn folder(&self) -> Option<&Path> {
        if self.path.is_dir() {
            return Some(&self.path);
        }
        let folder = self.path.parent().filter(|_| self.path.ends_with("record.json"))?;
        Some(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
    }
}

/// All that was named.
#[derive(Default)]
pub(super) struct Inputs {
    pub records: Vec<Input>,
    /// The folders of reports among it, each with its history.
    pub histories: Vec<(PathBuf, Vec<HistoryEntry>)>,
    /// Scenarios that could not run, or are invalid, in the last night: they left no record.
    pub not_measured: Vec<HistoryEntry>,
    /// The night that all of it is of, where no history says.
    pub night: Option<String>,
}

/// Reads what was named. The error is a message with advice.
pub(super) fn inputs(named: &[PathBuf]) -> Result<Inputs, (String, String)> {
    let mut inputs = Inputs::default();
    for path in named {
        if path.is_file() || path.join("record.json").is_file() || !path.exists() {
            inputs.add(path.clone(), None)?;
            continue;
        }
        let of_path = std::iter::once(path.clone());
        let inside = folders(path).into_iter().map(|name| path.join(name));
        let of_reports: Vec<PathBuf> = match is_of_reports(path) {
            true => of_path.collect(),
            false => inside.filter(|folder| is_of_reports(folder)).collect(),
        };
        let of_scenario = newest(report_folders::of_scenario(path));
        match (of_reports.is_empty(), of_scenario) {
            (false, _) => of_reports.iter().try_for_each(|folder| inputs.add_reports(folder))?,
            (true, Some(run)) => inputs.add(run.path, None)?,
            (true, None) => {
                let advice = "name a record.json, a folder that holds one, or a folder of reports, as in reports";
                return Err((format!("there is no record in {}", path.display()), advice.to_owned()));
            }
        }
    }
    inputs.leave_out_earlier_nights();
    Ok(inputs)
}

/// Whether there are reports in it, or what is left of a night without any.
fn is_of_reports(folder: &Path) -> bool {
    folder.join("history.jsonl").is_file() || !report_folders::all(folder).is_empty()
}

/// The last one of a scenario. Where links were followed, as archives of CI services do, `latest` is another copy of it.
fn newest(runs: Vec<RunFolder>) -> Option<RunFolder> {
    let key = |run: &RunFolder| {
        let name = run.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (time, number) = name
            .split_once("Z-")
            .map_or((name.as_str(), 1), |(time, number)| (time, number.parse::<u32>().unwrap_or(0)));
        (name != "latest", time.trim_end_matches('Z').to_owned(), number)
    };
    runs.into_iter().max_by_key(key)
}

impl Inputs {
    fn add(&mut self, path: PathBuf, found: Option<(PathBuf, String)>) -> Result<(), (String, String)> {
        let record = read(&path).map_err(|(message, advice)| (message, advice.to_owned()))?;
        self.records.push(Input { record, path, found });
        Ok(())
    }

    /// The last record of each scenario in a folder of reports, unless it could not run since then.
    fn add_reports(&mut self, reports: &Path) -> Result<(), (String, String)> {
        let history = history::read(reports).map_err(|error| (error.to_string(), error.advice()))?;
        if history.unread > 0 {
            print::warning(
                &format!("{} lines of the history in {} could not be read", history.unread, reports.display()),
                None,
            );
        }
        // In the order of the nights: the last one stays.
        let last: BTreeMap<&str, &HistoryEntry> =
            history.entries.iter().map(|entry| (entry.scenario.as_str(), entry)).collect();
        let mut without: BTreeMap<&str, &HistoryEntry> = last
            .into_iter()
            .filter(|(_, entry)| entry.report.is_none() && entry.status == Status::CouldNotRun)
            .collect();
        for scenario in folders(reports) {
            let Some(run) = newest(report_folders::of_scenario(&reports.join(&scenario))) else { continue };
            self.add(run.path, Some((reports.to_owned(), run.name)))?;
            let started =
                self.records.last().map(|input| (input.record.scenario.name.clone(), input.record.started.clone()));
            let Some((name, started)) = started else { continue };
            match without.get(name.as_str()) {
                Some(entry) if entry.started >= started => drop(self.records.pop()),
                _ => drop(without.remove(name.as_str())),
            }
        }
        self.not_measured.extend(without.into_values().cloned());
        self.histories.push((reports.to_owned(), history.entries));
        Ok(())
    }

    /// Of what was found, and not named itself, the last night counts.
    fn leave_out_earlier_nights(&mut self) {
        let mut last: BTreeMap<String, Timestamp> = BTreeMap::new();
        let found = self.records.iter().map(|input| (&input.record.scenario.name, &input.record.started));
        let of_each = found.chain(self.not_measured.iter().map(|entry| (&entry.scenario, &entry.started)));
        for (name, started) in of_each.filter_map(|(name, started)| Some((name, started.parse().ok()?))) {
            let of = last.entry(name.clone()).or_insert(started);
            *of = started.max(*of);
        }
        let last_of_all = last.values().max().copied();
        let is_earlier = |name: &str, started: &str| {
            let before = |last: Option<Timestamp>, night: i64| {
                let started: Option<Timestamp> = started.parse().ok();
                last.zip(started).is_some_and(|(last, started)| last.as_second() - started.as_second() > night)
            };
            before(last.get(name).copied(), NIGHT_OF_ONE) || before(last_of_all, NIGHT_OF_ALL)
        };
        self.records.retain(|input| {
            let (name, started) = (&input.record.scenario.name, &input.record.started);
            let left_out = input.found.is_some() && is_earlier(name, started);
            if left_out {
                let (path, started) = (input.path.display().to_string(), one_line(started));
                print::note(format_args!("left out, as it is of an earlier night: {} of {started}", one_line(&path)));
            }
            !left_out
        });
        self.not_measured.retain(|entry| !is_earlier(&entry.scenario, &entry.started));
    }
}
