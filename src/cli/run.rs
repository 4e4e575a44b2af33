//! `runner FILE...`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::arguments::{REPORTS, Run};
use super::baseline::BaselineComparison;
use super::live::{self, LivePage, WithLive};
use super::logging::EventLog;
use super::progress::{Progress, Style};
use super::select::{InvalidFile, Selected, select};
use super::{Exit, night, print, signals};
use crate::export::ScenarioOutcome;
use crate::history::{Index, UnfinishedNight};
use crate::record::{LogOf, Record, Status};
use crate::report;
use crate::run::generators::Generators;
use crate::run::plan::{expected_time, in_whole_seconds};
use crate::run::{self, Finished, Options, Unfinished, environment};
use crate::scenario::Scenario;
use crate::units::counted;

/// Summaries are no wider than this.
const WIDEST: usize = 110;
const INTERRUPTED: &str = "interrupted: writing the report; once more to end at once";

/// A scenario and what its project says of it.
struct Job<'s> {
    scenario: &'s Scenario,
    reports: PathBuf,
    allowed_hosts: Vec<String>,
}

/// What came of a scenario.
struct Came {
    exit: Exit,
    outcome: ScenarioOutcome,
}

pub(super) fn run(arguments: &Run, log: &EventLog, began: Instant) -> Exit {
    let Some(selected) = select(&arguments.files, &arguments.overrides.set, &arguments.selection) else {
        return Exit::Invalid;
    };
    let jobs: Vec<Job<'_>> = selected.scenarios.iter().map(|scenario| job(scenario, arguments)).collect();
    let reports = jobs.first().map_or_else(|| arguments.reports.path(), |job| job.reports.clone());
    let Some(comparison) = BaselineComparison::new(&arguments.against, &reports) else { return Exit::Invalid };
    let Some(mut program) = Program::new(selected.scenarios.iter(), log, began) else { return Exit::CouldNotRun };
    match live::started(arguments.live, &log.style) {
        Ok(page) => program.live = page,
        Err(exit) => return exit,
    }
    let night =
        NightRun { arguments, selected: &selected, jobs, reports, comparison, program, noted: Default::default() };
    let exit = night.run();
    if let Some(live) = night.program.live {
        live.end();
    }
    exit
}

/// Runs a scenario that was not read from a file of its own, or not as it stands there: no night is about it.
pub(super) fn run_one(
    scenario: &Scenario,
    reports: &Path,
    allowed_hosts: &[String],
    json: bool,
    log: &EventLog,
    began: Instant,
) -> Exit {
    let Some(program) = Program::new(std::iter::once(scenario), log, began) else { return Exit::CouldNotRun };
    let job = Job { scenario, reports: reports.to_owned(), allowed_hosts: allowed_hosts.to_vec() };
    program.one(&job, json, false, None).exit
}

impl Came {
    /// Nothing was started, and it was said why.
    fn without_a_run(scenario: &Scenario, exit: Exit) -> Came {
        let status = if exit == Exit::Interrupted { Status::Interrupted } else { Status::CouldNotRun };
        let outcome = ScenarioOutcome {
            name: scenario.name.clone(),
            file: scenario.file.display().to_string(),
            status: Some(status),
            why: Some("the agents that were to drive its load could not be gathered".to_owned()),
            ..ScenarioOutcome::default()
        };
        Came { exit, outcome }
    }
}

/// What all scenarios of a call share.
struct Program<'l> {
    log: &'l EventLog,
    began: Instant,
    live: Option<LivePage>,
    /// The time of the first scenario is that of the program.
    ran: std::cell::Cell<bool>,
    cancel: CancellationToken,
}

impl<'l> Program<'l> {
    /// `None` once it was said that signals cannot be watched for.
    fn new<'s>(scenarios: impl Iterator<Item = &'s Scenario>, log: &'l EventLog, began: Instant) -> Option<Self> {
        scenarios.for_each(|scenario| log.telemetry().redaction().add(&scenario.secrets));
        let shown = log.style.clone();
        let cancel = signals::or_print(INTERRUPTED, move |text| shown.say(text))?;
        environment::prepare();
        Some(Program { log, began, live: None, ran: Default::default(), cancel })
    }

    /// Runs a scenario and prints what came of it.
    fn one(&self, job: &Job<'_>, json: bool, resume: bool, generators: Option<Arc<dyn Generators>>) -> Came {
        let scenario = job.scenario;
        let options = Options {
            reports: job.reports.clone(),
            allowed_hosts: job.allowed_hosts.clone(),
            began: if self.ran.replace(true) { Instant::now() } else { self.began },
            log: self.log.telemetry().run_log().clone(),
            resume,
            generators,
            rounds: None,
        };
        let progress = Progress::new(self.log.tells_parts, self.log.style.clone());
        if let Some(live) = &self.live {
            live.begin(&scenario.name);
        }
        let observer = WithLive { screen: &progress, page: self.live.as_ref() };
        let finished = run::run(scenario, &options, &observer, &self.cancel);
        progress.close();
        let came = |exit, status, why, record, report: Option<PathBuf>| Came {
            exit,
            outcome: ScenarioOutcome {
                name: scenario.name.clone(),
                file: scenario.file.display().to_string(),
                status: Some(status),
                why,
                record,
                report: report.map(|report| report.display().to_string()),
                ..ScenarioOutcome::default()
            },
        };
        match finished {
            Ok(finished) => {
                if let Some(live) = &self.live {
                    live.report(std::fs::read_to_string(finished.folder.join("report.html")).ok());
                }
                let exit = conclude(scenario, &finished, json);
                let status = finished.record.status;
                came(exit, status, None, Some(finished.record), Some(finished.folder))
            }
            Err(unfinished) => {
                if let Unfinished::NotWritten { record, .. } = &unfinished {
                    print_results(record, None, json);
                }
                let exit = complain(&scenario.name, &unfinished);
                let status = if exit == Exit::Interrupted { Status::Interrupted } else { Status::CouldNotRun };
                came(exit, status, Some(scenario.secrets.hide(&unfinished.to_string()).into_owned()), None, None)
            }
        }
    }
}

/// Several scenarios one after the other, each isolated, and what goes on around them.
struct NightRun<'a> {
    arguments: &'a Run,
    selected: &'a Selected,
    jobs: Vec<Job<'a>>,
    /// Where what is about all of them goes.
    reports: PathBuf,
    comparison: BaselineComparison<'a>,
    program: Program<'a>,
    /// The history has got a line.
    noted: std::cell::Cell<bool>,
}

impl NightRun<'_> {
    fn run(&self) -> Exit {
        let names: Vec<String> = self.jobs.iter().map(|job| job.scenario.name.clone()).collect();
        let left = UnfinishedNight::left(&self.reports, &names).filter(|_| self.arguments.resume);
        let mut state =
            left.unwrap_or_else(|| UnfinishedNight { night: run::now(), scenarios: names, done: Vec::new() });
        self.announce(&state);
        let mut all: Vec<Came> = self.selected.invalid.iter().map(|file| self.invalid(file, &state)).collect();
        let mut exits: Vec<Exit> = all.iter().map(|came| came.exit).collect();
        for (number, job) in self.jobs.iter().enumerate() {
            if self.program.cancel.is_cancelled()
                || self.arguments.fail_fast && exits.iter().any(|exit| *exit >= Exit::Failed)
            {
                break;
            }
            if let Some(code) = state.exit_of(&job.scenario.name) {
                exits.push(Exit::of_code(code));
                continue;
            }
            self.heading(number);
            let came = self.one(job, &state);
            exits.push(came.exit);
            if came.exit != Exit::Interrupted {
                state.done.push((job.scenario.name.clone(), came.exit.code()));
                self.keep(&state);
            }
            all.push(came);
        }
        let not_run = self.jobs.len() + self.selected.invalid.len() - exits.len();
        if !self.program.cancel.is_cancelled() {
            UnfinishedNight::remove(&self.reports);
        }
        let (outcomes, regressed) = self.look_back(all);
        let allowed = self.jobs.first().map_or(&self.arguments.allow_hosts, |job| &job.allowed_hosts);
        let is_a_night = self.selected.is_a_night;
        let exported = night::export(&outcomes, &self.arguments.exports, &self.reports, (allowed, is_a_night));
        if is_a_night {
            if !self.arguments.json && self.noted.get() {
                print::note(format_args!("index: {}", self.reports.join("index.html").display()));
            }
            print::note(tally(&exits, not_run));
        }
        let left_out = (not_run > 0 && self.program.cancel.is_cancelled()).then_some(Exit::Interrupted);
        let regressed = regressed.then_some(Exit::Failed);
        exits.into_iter().chain(left_out).chain(regressed).chain([exported]).max().unwrap_or(Exit::Passed)
    }

    /// Nothing but results is printed.
    fn is_silent(&self) -> bool {
        matches!(self.program.log.style, Style::Silent)
    }

    /// How many there are, and how long they take.
    fn announce(&self, state: &UnfinishedNight) {
        if !self.selected.is_a_night || self.jobs.is_empty() || self.is_silent() {
            return;
        }
        let done = match state.done.len() {
            0 => String::new(),
            n => format!(", {n} of them done before"),
        };
        let scenarios = counted(self.jobs.len() as u64, "scenario");
        print::note(format_args!("{scenarios}{done}, about {}", in_whole_seconds(self.left(state))));
    }

    /// The expected time of what is not done.
    fn left(&self, state: &UnfinishedNight) -> Duration {
        let open = self.jobs.iter().filter(|job| state.exit_of(&job.scenario.name).is_none());
        open.map(|job| expected_time(job.scenario)).sum()
    }

    fn heading(&self, number: usize) {
        if self.jobs.len() > 1 && !self.is_silent() {
            let (of, name) = (self.jobs.len(), &self.jobs[number].scenario.name);
            self.program.log.style.say(&format!("scenario {} of {of}: {name}", number + 1));
        }
    }

    fn one(&self, job: &Job<'_>, state: &UnfinishedNight) -> Came {
        let mut came = match self.generators(job) {
            Ok(generators) => self.program.one(job, self.arguments.json, self.arguments.resume, generators),
            Err(exit) => Came::without_a_run(job.scenario, exit),
        };
        let (record, folder) = (came.outcome.record.as_ref(), came.outcome.report.as_ref().map(Path::new));
        let why = came.outcome.why.as_deref().unwrap_or_default();
        // Of a single run that measured nothing nothing is left.
        if came.exit != Exit::Interrupted && (self.selected.is_a_night || record.is_some()) {
            self.noted.set(true);
            night::note(&state.night, &job.reports, job.scenario, record.zip(folder).ok_or(why));
        }
        if let Some(record) = record {
            came.exit = came.exit.max(self.comparison.judge(record, self.arguments.json));
        }
        came
    }

    /// The agents that drive its loads, if the call asks for any; or what to exit with, once it was said why not.
    #[cfg(feature = "fleet")]
    fn generators(&self, job: &Job<'_>) -> Result<Option<Arc<dyn Generators>>, Exit> {
        let context = (&self.program.cancel, self.program.log);
        super::fleet::generators(job.scenario, &self.arguments.fleet, &job.allowed_hosts, context)
    }

    /// Nobody else drives loads.
    #[cfg(not(feature = "fleet"))]
    fn generators(&self, _: &Job<'_>) -> Result<Option<Arc<dyn Generators>>, Exit> {
        Ok(None)
    }

    fn invalid(&self, file: &InvalidFile, state: &UnfinishedNight) -> Came {
        self.noted.set(true);
        night::note_invalid(&state.night, &self.reports, &file.name, &file.why);
        Came {
            exit: Exit::Invalid,
            outcome: ScenarioOutcome {
                name: file.name.clone(),
                file: file.path.display().to_string(),
                why: Some(file.why.clone()),
                ..ScenarioOutcome::default()
            },
        }
    }

    fn keep(&self, state: &UnfinishedNight) {
        // One scenario has nothing to take up but its trials.
        if self.jobs.len() > 1
            && let Err(error) = state.keep(&self.reports)
        {
            print::warning(&format!("cannot keep how far this night has come: {error}"), None);
        }
    }

    /// Writes the pages, and says what got worse: the outcomes with that, and whether it fails the night.
    fn look_back(&self, all: Vec<Came>) -> (Vec<ScenarioOutcome>, bool) {
        let mut folders: Vec<&Path> = self.jobs.iter().map(|job| job.reports.as_path()).collect();
        folders.push(&self.reports);
        folders.sort();
        folders.dedup();
        let indexes: Vec<Index> =
            folders.into_iter().filter(|_| self.noted.get()).filter_map(night::write_index).collect();
        let rows = || indexes.iter().flat_map(|index| &index.rows);
        let outcomes: Vec<ScenarioOutcome> =
            all.into_iter().map(|came| came.outcome).map(|outcome| outcome.with_history(rows())).collect();
        indexes.iter().for_each(|index| night::tell_regressions(index, &outcomes));
        let regressed = outcomes.iter().any(|outcome| outcome.fails_by_regression);
        (outcomes, regressed)
    }
}

/// A scenario with where its reports go and what it may be aimed at: as the call says, then as its project does.
fn job<'s>(scenario: &'s Scenario, arguments: &Run) -> Job<'s> {
    let of_project = || scenario.project.reports.clone();
    let reports = arguments.reports.given().or_else(of_project).unwrap_or_else(|| PathBuf::from(REPORTS));
    let allowed_hosts = arguments.allow_hosts.iter().chain(&scenario.project.allow_hosts).cloned().collect();
    Job { scenario, reports, allowed_hosts }
}

/// Prints the results of a run that left a report.
fn conclude(scenario: &Scenario, finished: &Finished, json: bool) -> Exit {
    let printed = print_results(&finished.record, Some(&finished.folder), json);
    if let Some(not_latest) = &finished.not_latest {
        print::warning(&format!("{}: {not_latest}", scenario.name), Some(&not_latest.advice()));
    }
    Exit::from(finished.record.status).max(printed)
}

/// Prints the record, or its summary and where the report is, if it is anywhere.
fn print_results(record: &Record, folder: Option<&Path>, json: bool) -> Exit {
    if json {
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
    print::columns().map_or(WIDEST, |columns| columns.min(WIDEST))
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
        Unfinished::NoSuchRounds(error) => {
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
pub(super) fn tally(exits: &[Exit], not_run: usize) -> String {
    let ways = [
        (Exit::Passed, "passed"),
        (Exit::Failed, "failed"),
        (Exit::Inconclusive, "inconclusive"),
        (Exit::CouldNotRun, "could not run"),
        (Exit::Invalid, "invalid"),
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
