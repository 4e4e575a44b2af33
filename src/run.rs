//! The whole story of a run: folder, trials, verdicts, record, report.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{error, info, info_span};

use crate::analysis::{caveats, comparison, scalability};
use crate::load::hook_watchdog::call_watched;
use crate::record::{self, FORMAT, Record, Status, redacted};
use crate::report::{self, ReportLocation};
use crate::scenario::{self, Scenario, Secrets, Variant};
use crate::server::probe::Probes;
use crate::telemetry::RunLog;
use crate::verdict;

mod abort;
mod crossover;
mod drift;
mod redacting_observer;
pub mod environment;
mod events;
mod examples;
mod facts;
mod folder;
mod hooks;
mod inspection;
mod locate;
mod log_tail;
pub mod panes;
pub mod plan;
mod private;
pub mod replay;
mod resume;
pub mod serve;
mod supervise;
mod trial;

use drift::DriftWatch;
pub use folder::write_report;
use folder::{Folder, Published};
pub use folder::{FolderError, NotLatest};
use redacting_observer::RedactingObserver;
pub use resume::NotResumable;
use resume::TrialStore;

/// How to run, apart from what the scenario says.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where reports go, a folder per scenario.
    pub reports: PathBuf,
    /// Hosts that may be attached to although they are not this machine.
    pub allowed_hosts: Vec<String>,
    /// When the program started.
    pub began: Instant,
    /// Where the events of the run go: into `run.log` of its folder.
    pub log: RunLog,
    /// Whether to take up the run of the scenario that was cut off, if there is one.
    pub resume: bool,
}

/// What happens during a run, for whoever shows it.
#[derive(Debug, Clone)]
pub enum RunEvent<'a> {
    /// The next trial starts.
    Trial {
        variant: &'a str,
        number: usize,
        of: usize,
        /// How long the run will go on, as far as can be told.
        left: Option<Duration>,
    },
    /// Said again and again, until it is ready or has failed to start.
    ServerStarting {
        /// Which start of the trial it is, from 1.
        number: u32,
        elapsed: Duration,
        /// The last line that the set-up said, while it runs.
        set_up: Option<&'a str>,
    },
    ServerReady {
        description: &'a str,
        after: Duration,
    },
    /// The users of a load log in, before it begins.
    LoggingIn {
        elapsed: Duration,
        done: u32,
        of: u32,
    },
    LoadBegan {
        description: &'a str,
    },
    Load {
        elapsed: Duration,
        planned: Duration,
        progress: crate::load::LoadProgress,
        /// What the server uses, where it is looked at.
        used: Option<crate::server::UsedNow>,
    },
    LoadEnded,
    CapacityBegan {
        description: &'a str,
    },
    /// A rate is tried, or the server recovers from one.
    Capacity {
        elapsed: Duration,
        planned: Duration,
        /// What is under way.
        doing: &'a str,
    },
    CapacityEnded,
    InspectionBegan {
        description: &'a str,
    },
    Inspection {
        elapsed: Duration,
        planned: Duration,
        /// What is under way.
        doing: &'a str,
    },
    DirtyBegan {
        description: &'a str,
    },
    Dirty {
        elapsed: Duration,
        planned: Duration,
        exposures: u64,
        leaks: u64,
        /// What is under way, where that may go on after the planned time.
        doing: Option<&'static str>,
    },
    DirtyEnded,
    /// A pair of short trials of the search for a crossover begins.
    Crossover {
        elapsed: Duration,
        planned: Duration,
        /// `threaded and async at sleep=450 us`.
        doing: &'a str,
    },
    /// The report is in its place.
    Reported,
    /// A trial could not run, or not to its end.
    Trouble {
        message: &'a str,
    },
}

/// Is told of every event, from the thread that runs the scenario.
pub trait Observer {
    /// Something has happened. The run waits until this returns.
    fn event(&self, event: RunEvent<'_>);
}

/// A run that left a report.
#[derive(Debug)]
pub struct Finished {
    pub record: Record,
    /// `reports/<scenario>/<UTC time>`.
    pub folder: PathBuf,
    /// Why `reports/<scenario>/latest` does not lead there.
    pub not_latest: Option<NotLatest>,
}

/// Why there is no report. The text fits after "error: ".
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    NotResumable(#[from] NotResumable),
    /// All was measured, and then the report could not be written.
    #[error("{error}")]
    NotWritten { record: Box<Record>, error: FolderError },
    /// Nothing was measured.
    #[error("{}", .0.message)]
    NothingRan(record::TrialFailure),
    #[error("interrupted before anything was measured")]
    Interrupted,
    /// All was measured, and nothing can be shown of it.
    #[error("the secrets of this run cannot be taken out of its record: {0}")]
    NotRedacted(#[from] serde_json::Error),
}

/// Runs a scenario to its report, or until `cancel`.
pub fn run(
    scenario: &Scenario,
    options: &Options,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Finished, Unfinished> {
    let started = jiff::Timestamp::now();
    let _run = info_span!("run", scenario = scenario.name).entered();
    let folder = Folder::create(&options.reports, &scenario.name, started)?;
    // A run is worth more than its log.
    let logging = folder.run_log().ok().map(|file| options.log.begin(file));
    let record = record(scenario, started, (&folder.server_log(), Some(folder.home())), options, observer, cancel)?;
    info!(status = ?record.status, "run ended");
    drop(logging);
    let _report = info_span!("report").entered();
    let render = |place: &Path| report::render(&record, ReportLocation { folder: place, beside: true });
    match folder.publish(&record, &scenario.secrets, render) {
        Ok(Published { place, not_latest }) => {
            observer.event(RunEvent::Reported);
            info!(folder = %place.display(), "report written");
            Ok(Finished { record, folder: place, not_latest })
        }
        Err(error) => {
            error!(%error, "report not written");
            Err(Unfinished::NotWritten { record: Box::new(record), error })
        }
    }
}

/// Runs a scenario until `cancel` and writes nothing: no report, and no log of a server that runner starts.
pub fn measure(
    scenario: &Scenario,
    options: &Options,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Record, Unfinished> {
    record(scenario, jiff::Timestamp::now(), (Path::new("/dev/null"), None), options, observer, cancel)
}

/// The trials and what they came to.
fn record(
    scenario: &Scenario,
    started: jiff::Timestamp,
    (log, home): (&Path, Option<&Path>),
    options: &Options,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Record, Unfinished> {
    let drawn = scenario.seed.unwrap_or_else(drawn_seed);
    let (mut store, earlier) = match home {
        Some(home) => {
            let began = shown(started);
            TrialStore::open(home, scenario, &environment::read(), (drawn, &began), options.resume)?
        }
        None => Default::default(),
    };
    let (seed, resumed) = (earlier.seed.unwrap_or(drawn), earlier.resumed);
    let observer = RedactingObserver { observer, secrets: &scenario.secrets };
    let (variants, repeats) = (scenario.variants.len(), scenario.repeats);
    info!(scenario = scenario.name, seed, variants, repeats, version = env!("CARGO_PKG_VERSION"), "run begins");
    let mut drift = DriftWatch::new(variants > 1 || repeats > 1);
    drift.look();
    let part = TrialRun { scenario, seed, log, options, probes: Probes::default(), observer: &observer, cancel };
    let trials = part.all(earlier.trials, &mut store, &mut drift);
    something_ran(&trials, &scenario.secrets, cancel)?;
    let mut record = compile(scenario, seed, started, trials, options);
    record.comparison = comparison::compare(&record.variants);
    if let (Some(comparison), Some(spec)) = (&mut record.comparison, &scenario.crossover) {
        let allowed_hosts = &options.allowed_hosts;
        let search = crossover::CrossoverRun { spec, seed, log, allowed_hosts, observer: &observer, cancel };
        search.search(&record.variants, comparison);
        if cancel.is_cancelled() {
            record.status = Status::Interrupted;
        }
    }
    drift.look();
    if let Some(comparison) = &mut record.comparison {
        comparison.drift = drift.record();
    }
    if !cancel.is_cancelled() {
        store.done();
    }
    record.resumed = resumed;
    record.total_s = options.began.elapsed().as_secs_f64();
    Ok(redacted(record, &scenario.secrets)?)
}

/// Other programs read a record too, and some know whole numbers below 2^53 only (`jq`, JavaScript).
fn drawn_seed() -> u64 {
    rand::random::<u64>() & scenario::LARGEST_SEED
}

/// What all trials of a run have in common.
struct TrialRun<'a> {
    scenario: &'a Scenario,
    seed: u64,
    log: &'a Path,
    options: &'a Options,
    probes: Probes,
    observer: &'a dyn Observer,
    cancel: &'a CancellationToken,
}

impl TrialRun<'_> {
    /// Every trial of every variant, interleaved and in an order that alternates, so that a drifting machine favours no variant.
    /// Of those in `earlier`, by variant, none is run again.
    fn all(
        &self,
        mut earlier: Vec<Vec<record::Trial>>,
        store: &mut TrialStore,
        drift: &mut DriftWatch,
    ) -> Vec<Vec<record::Trial>> {
        let scenario = self.scenario;
        let count = scenario.variants.len();
        earlier.resize_with(count, Vec::new);
        let mut trials: Vec<Vec<record::Trial>> = vec![Vec::new(); count];
        let (all, kept) = (count * scenario.repeats as usize, earlier.iter().map(Vec::len).sum::<usize>());
        let mut earlier: Vec<_> = earlier.into_iter().map(Vec::into_iter).collect();
        let (mut number, mut hung, began) = (0, false, Instant::now());
        for round in 0..scenario.repeats {
            let mut order: Vec<usize> = (0..count).collect();
            // Each other round goes back the way, so that what gets slower from trial to trial favours none either.
            if round % 2 == 1 {
                order.reverse();
            }
            for index in order {
                if self.cancel.is_cancelled() {
                    break;
                }
                if hung {
                    trials[index].push(hooks::not_run());
                    continue;
                }
                number += 1;
                if let Some(trial) = earlier[index].next() {
                    trials[index].push(trial);
                    continue;
                }
                if number == all / 2 && number > 1 {
                    drift.look();
                }
                let left = time_left(scenario, began.elapsed(), number - 1 - kept.min(number - 1), all - kept);
                let ran = self.one(index, number, all, left);
                hung = ran.hung;
                store.add(index, &ran.trial, scenario);
                trials[index].push(ran.trial);
            }
        }
        trials
    }

    fn one(&self, index: usize, number: usize, of: usize, left: Option<Duration>) -> trial::Ran {
        let variant = &self.scenario.variants[index];
        self.observer.event(RunEvent::Trial { variant: &variant.name, number, of, left });
        let _trial = info_span!("trial", variant = variant.name, number, of).entered();
        info!(variant = variant.name, number, of, "trial begins");
        let seed = self.seed.wrapping_add(number as u64);
        let allowed_hosts = &self.options.allowed_hosts;
        trial::run(variant, seed, self.log, allowed_hosts, &self.probes, self.observer, self.cancel)
    }
}

/// How long a run will go on after `done` trials in so much time, of `all` that are to run: as they took, or, before the first has
/// ended, as is planned. `None` where there is no more than one trial.
fn time_left(scenario: &Scenario, elapsed: Duration, done: usize, all: usize) -> Option<Duration> {
    let search = scenario.crossover.as_ref().map_or(Duration::ZERO, |search| search.time);
    let trials = match done {
        0 => plan::expected_time(scenario).saturating_sub(search),
        done => elapsed.mul_f64(all.saturating_sub(done) as f64 / done as f64),
    };
    (all > 1).then(|| trials + search)
}

/// A report needs something to report.
fn something_ran(
    trials: &[Vec<record::Trial>],
    secrets: &Secrets,
    cancel: &CancellationToken,
) -> Result<(), Unfinished> {
    let all = || trials.iter().flatten();
    if all().any(|trial| trial.load.is_some() || trial.dirty.is_some() || trial.inspection.is_some()) {
        return Ok(());
    }
    match all().find_map(|trial| trial.failure.clone()) {
        _ if cancel.is_cancelled() => Err(Unfinished::Interrupted),
        Some(failure) => Err(Unfinished::NothingRan(redacted(failure, secrets)?)),
        None => Err(Unfinished::Interrupted),
    }
}

/// The record: all facts, judged.
fn compile(
    scenario: &Scenario,
    seed: u64,
    started: jiff::Timestamp,
    trials: Vec<Vec<record::Trial>>,
    options: &Options,
) -> Record {
    let variants: Vec<record::VariantRecord> = scenario
        .variants
        .iter()
        .zip(trials)
        .map(|(variant, trials)| judge(variant, scenario.repeats, trials, &scenario.secrets))
        .collect();
    Record {
        format: FORMAT,
        runner: record::Runner { version: env!("CARGO_PKG_VERSION").to_owned() },
        started: shown(started),
        seed,
        status: Record::status_of(&variants),
        scenario: record::ScenarioRecord {
            name: scenario.name.clone(),
            about: scenario.about.clone(),
            file: scenario.file.display().to_string(),
            overrides: scenario.overrides.clone(),
            effective: scenario.effective.clone(),
            allowed_hosts: options.allowed_hosts.clone(),
            secrets: scenario.secrets.names(),
            withheld: withheld(scenario),
        },
        environment: environment::read(),
        total_s: options.began.elapsed().as_secs_f64(),
        scaling: scalability::scaling(&variants),
        variants,
        comparison: None,
        resumed: None,
    }
}

/// Now: UTC, RFC 3339.
pub fn now() -> String {
    shown(jiff::Timestamp::now())
}

/// UTC, RFC 3339.
fn shown(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What the scenario itself holds and the record does not show.
fn withheld(scenario: &Scenario) -> std::collections::BTreeMap<String, String> {
    scenario.secrets.literals().map(|(name, key)| (name.to_owned(), key.to_owned())).collect()
}

/// A variant's part of the record. Of one that was not started nothing can be judged.
fn judge(
    variant: &Variant,
    planned_trials: u32,
    trials: Vec<record::Trial>,
    secrets: &Secrets,
) -> record::VariantRecord {
    let verdicts = if trials.is_empty() { Vec::new() } else { verdicts(variant, &trials) };
    record::VariantRecord {
        name: variant.name.clone(),
        settings: variant.settings.iter().map(|(key, value)| (key.clone(), as_shown(value, secrets))).collect(),
        server: facts::describe_server(&variant.server),
        planned_trials,
        caveats: caveats::of(&trials),
        trials,
        verdicts,
    }
}

/// Everything that is judged of a variant.
fn verdicts(variant: &Variant, trials: &[record::Trial]) -> Vec<record::Verdict> {
    let mut verdicts: Vec<record::Verdict> = Vec::new();
    if let Some(plan) = &variant.dirty {
        let of_each = trials.iter().filter_map(|trial| verdict::judge_dirty(plan.expect, trial.dirty.as_ref()?));
        verdicts.extend(of_each.max_by_key(|verdict| verdict.status.severity()));
    }
    verdicts.extend(variant.rules.iter().map(|rule| verdict::judge(rule, trials)));
    verdicts.extend(variant.verdicts.iter().flat_map(|script| judge_by(script, trials)));
    verdicts.extend(trials.iter().filter_map(|trial| trial.aborted.as_ref()).map(abort::judged));
    // A rule that does not hold, or cannot be judged, says more.
    if verdicts.iter().all(|verdict| verdict.status == Status::Passed) {
        verdicts.extend(verdict::success::judge(&variant.rules, variant.verdicts.is_some(), trials));
    }
    verdicts
}

/// A setting. A number that is a secret becomes a text, as only texts are hidden.
fn as_shown(value: &serde_json::Value, secrets: &Secrets) -> serde_json::Value {
    let number = value.as_number().map(ToString::to_string);
    let hidden = number.filter(|number| matches!(secrets.hide(number), Cow::Owned(_)));
    hidden.map_or_else(|| value.clone(), serde_json::Value::String)
}

/// The verdicts of a script; one that does not come back is inconclusive, with that as evidence.
fn judge_by(script: &scenario::ScriptSpec, trials: &[record::Trial]) -> Vec<record::Verdict> {
    let (own, judged) = (script.clone(), trials.to_vec());
    let judged = call_watched(&|| false, move |pulse| verdict::script::judge(&own, &judged, pulse));
    judged.unwrap_or_else(|hung| vec![verdict::script::unjudged(script, &hung.to_string())])
}
