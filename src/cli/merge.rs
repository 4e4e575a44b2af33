//! `runner merge RECORD...`: one folder of reports of those of several machines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::arguments::night::MergeArguments;
use super::run::{print_record, tally};
use super::system_context::{World, print_problems};
use super::{Exit, night, print, scenario_file};
use crate::export::ScenarioOutcome;
use crate::history;
use crate::record::Record;
use crate::report::{FORMATS, one_line, status_in_words};
use crate::run::merge::{NotMergeable, merge as merged};
use crate::run::merged_report::{adopt, write_merged};
use crate::run::{FolderError, NotLatest};
use crate::scenario::Scenario;
use crate::scenario::recorded::{Recorded, restore_to_judge};
use crate::units::counted;

mod inputs;
mod lines;
pub(super) mod parts;

use inputs::{Input, Inputs, inputs};
use lines::{Joined, Placed, lines};

pub(super) fn merge(arguments: &MergeArguments) -> Exit {
    match parts::read(&arguments.records) {
        Ok(Some(found)) => return parts::merge(found, arguments.json),
        Ok(None) => {}
        Err((message, advice)) => {
            print::error(&message, Some(&advice));
            return Exit::Invalid;
        }
    }
    let inputs = inputs(&arguments.records).map_err(|(message, advice)| (Exit::Invalid, message, advice));
    or_print(inputs.and_then(|inputs| all(&inputs, &arguments.reports.path(), arguments.json)))
}

/// What several machines have come to in one night.
#[cfg(feature = "fleet")]
pub(super) struct GatheredNight {
    /// When it began: UTC, RFC 3339.
    pub night: String,
    /// The folders of their reports.
    pub reports: Vec<PathBuf>,
    /// Scenarios of which nothing was measured, and why.
    pub not_measured: Vec<(String, String)>,
}

/// Makes one folder of reports of a night.
#[cfg(feature = "fleet")]
pub(super) fn gather(gathered: GatheredNight, reports: &Path, json: bool) -> Exit {
    let inputs = inputs(&gathered.reports).map_err(|(message, advice)| (Exit::Invalid, message, advice));
    or_print(inputs.and_then(|inputs| {
        let without = |(name, why): &(String, String)| night::without_record(name, why, &gathered.night);
        let not_measured = gathered.not_measured.iter().map(without).collect();
        all(&Inputs { not_measured, night: Some(gathered.night.clone()), ..inputs }, reports, json)
    }))
}

fn or_print(came: Result<Exit, Refused>) -> Exit {
    came.unwrap_or_else(|(exit, message, advice)| {
        print::error(&message, Some(&advice));
        exit
    })
}

/// What ends it before its end: an exit code, a message and advice.
type Refused = (Exit, String, String);

fn all(inputs: &Inputs, reports: &Path, json: bool) -> Result<Exit, Refused> {
    let invalid = |(message, advice)| (Exit::Invalid, message, advice);
    refuse_to_write_into(reports, inputs).map_err(invalid)?;
    // Nothing is written before all are known to fit.
    let joined = groups(inputs).into_values().map(|parts| of_one_scenario(inputs, parts));
    let joined = joined.collect::<Result<Vec<Joined>, _>>().map_err(invalid)?;
    let mut placed: Vec<Placed> = Vec::new();
    for of in joined {
        let name = write(inputs, &of, reports).map_err(not_written)?;
        placed.push(Placed { of, name });
    }
    std::fs::create_dir_all(reports).map_err(|source| not_written(FolderError { path: reports.to_owned(), source }))?;
    history::append_new(reports, lines(inputs, &placed))
        .map_err(|error| (Exit::CouldNotRun, error.to_string(), error.advice()))?;
    Ok(conclude(inputs, &placed, reports, json))
}

fn not_written(error: FolderError) -> Refused {
    (Exit::CouldNotRun, error.to_string(), error.advice())
}

/// The inputs of each scenario, by index.
fn groups(inputs: &Inputs) -> BTreeMap<&str, Vec<usize>> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, input) in inputs.records.iter().enumerate() {
        groups.entry(&input.record.scenario.name).or_default().push(index);
    }
    groups
}

/// What is merged stays as it is.
fn refuse_to_write_into(reports: &Path, inputs: &Inputs) -> Result<(), (String, String)> {
    let Ok(place) = reports.canonicalize() else { return Ok(()) };
    let is_inside = |path: &Path| path.canonicalize().is_ok_and(|path| path.starts_with(&place));
    let named = inputs.histories.iter().map(|(folder, _)| folder).chain(inputs.records.iter().map(|input| &input.path));
    match named.into_iter().find(|path| is_inside(path)) {
        None => Ok(()),
        Some(path) => Err((
            format!("{} is to be merged, and is in {}, where the reports go", path.display(), reports.display()),
            "choose another folder with `--reports DIR`, as in --reports all".to_owned(),
        )),
    }
}

/// The record of a scenario: a single one as it is, or several merged.
fn of_one_scenario(inputs: &Inputs, parts: Vec<usize>) -> Result<Joined, (String, String)> {
    let of = |part: &usize| &inputs.records[*part];
    if let [part] = parts.as_slice()
        && of(part).record.rounds.is_none()
    {
        return Ok(Joined { record: of(part).record.clone(), parts, judged_by: None });
    }
    let scenario = restored(of(&parts[0]))?;
    let records: Vec<Record> = parts.iter().map(|part| of(part).record.clone()).collect();
    let record = merged(&scenario, records).map_err(|refused| told(&refused, inputs, &parts))?;
    Ok(Joined { record, parts, judged_by: Some(scenario) })
}

/// The scenario of a record, by which what was measured is judged.
fn restored(input: &Input) -> Result<Scenario, (String, String)> {
    let record = &input.record;
    let file = scenario_file::of(&input.path, record);
    let (effective, overrides) = (record.scenario.effective.as_str(), record.scenario.overrides.as_slice());
    restore_to_judge(&Recorded { effective, overrides, file: &file }, &World).map_err(|problems| {
        print_problems(&problems);
        let (record, file) = (input.path.display().to_string(), file.display().to_string());
        let message = format!("the scenario of {} cannot be loaded as {}", one_line(&record), one_line(&file));
        (
            message,
            "merge where the scenario is with its scripts and data, as in a checkout of its repository".to_owned(),
        )
    })
}

/// Which of the inputs do not fit, and why.
fn told(refused: &NotMergeable, inputs: &Inputs, parts: &[usize]) -> (String, String) {
    let path = |index: usize| parts.get(index).and_then(|part| inputs.records.get(*part)).map(|input| &input.path);
    let named: Vec<String> = refused
        .beside
        .into_iter()
        .chain([refused.record])
        .filter_map(path)
        .map(|path| one_line(&path.display().to_string()))
        .collect();
    (format!("{} cannot be merged: {}", named.join(" and "), one_line(&refused.why.to_string())), refused.advice())
}

/// Writes the report; says its name among the reports.
fn write(inputs: &Inputs, of: &Joined, reports: &Path) -> Result<String, FolderError> {
    let folders: Vec<PathBuf> =
        of.parts.iter().filter_map(|part| inputs.records[*part].folder()).map(Path::to_path_buf).collect();
    let secrets = of.judged_by.as_ref().map(|scenario| scenario.secrets.clone()).unwrap_or_default();
    let published = match (&of.judged_by, folders.as_slice()) {
        (None, [folder]) => adopt(&of.record, folder, reports)?,
        _ => write_merged(&of.record, &secrets, reports, &folders)?,
    };
    published.not_latest.iter().for_each(warn);
    let name = published.place.strip_prefix(reports).unwrap_or(&published.place);
    Ok(name.display().to_string())
}

fn warn(not_latest: &NotLatest) {
    print::warning(&not_latest.to_string(), Some(&not_latest.advice()));
}

/// Prints what it came to, and writes the page.
fn conclude(inputs: &Inputs, placed: &[Placed], reports: &Path, json: bool) -> Exit {
    let index = night::write_index(reports);
    let mut exits: Vec<Exit> = placed.iter().map(|placed| Exit::from(placed.of.record.status)).collect();
    exits.extend(inputs.not_measured.iter().map(|_| Exit::CouldNotRun));
    let mut printed = Exit::Passed;
    for placed in placed {
        printed = printed.max(if json { print_record(&placed.of.record) } else { print::out(&line(placed, reports)) });
    }
    for entry in &inputs.not_measured {
        let why = entry.problems.first().map(|why| format!(": {why}")).unwrap_or_default();
        print::note(one_line(&format!("{}: could not run{why}", entry.scenario)));
    }
    if !json {
        print::note(format_args!("index: {}", reports.join("index.html").display()));
    }
    print::note(tally(&exits, 0));
    let outcomes: Vec<ScenarioOutcome> = placed
        .iter()
        .map(|placed| ScenarioOutcome { name: placed.of.record.scenario.name.clone(), ..ScenarioOutcome::default() })
        .map(|outcome| outcome.with_history(index.iter().flat_map(|index| &index.rows)))
        .collect();
    index.iter().for_each(|index| night::tell_regressions(index, &outcomes));
    let regressed = outcomes.iter().any(|outcome| outcome.fails_by_regression).then_some(Exit::Failed);
    exits.into_iter().chain(regressed).chain([printed]).max().unwrap_or(Exit::Passed)
}

/// `shop: passed, merged from 2 records; reports/shop/2026-11-30T02-00-00Z/report.md`.
fn line(placed: &Placed, reports: &Path) -> String {
    let (record, parts) = (&placed.of.record, placed.of.record.merged.len());
    let of = if parts == 0 { String::new() } else { format!(", merged from {}", counted(parts as u64, "record")) };
    let report = reports.join(&placed.name).join(FORMATS[0].main);
    let name = one_line(&record.scenario.name);
    format!("{name}: {}{of}; report: {}\n", status_in_words(record.status), report.display())
}
