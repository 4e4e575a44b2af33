//! The whole story of a run: folder, trials, verdicts, record, report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{error, info, info_span};

use crate::analysis::{comparison, scalability};
use crate::record::{self, FORMAT, Record, RoundsRecord, Status, redacted};
use crate::report::{self, ReportLocation};
use crate::scenario::{self, Scenario, Secrets};
use crate::server::probe::Probes;
use crate::telemetry::RunLog;

mod abort;
mod crossover;
mod drift;
mod redacting_observer;
pub mod environment;
mod events;
mod examples;
mod facts;
mod folder;
pub mod generators;
mod hooks;
mod inspection;
mod judged;
mod latest;
mod locate;
mod log_tail;
pub mod merge;
pub mod merged_report;
pub mod panes;
pub mod plan;
mod private;
pub mod replay;
mod resume;
mod rounds;
pub mod serve;
pub mod slice;
mod so_far;
mod supervise;
mod trial;

use drift::DriftWatch;
use folder::Folder;
pub use folder::{FolderError, Published, write_report};
use generators::Generators;
pub use latest::NotLatest;
use redacting_observer::RedactingObserver;
pub use resume::NotResumable;
use resume::TrialStore;
pub use rounds::NoSuchRounds;
use rounds::TrialRun;
pub use so_far::LoadSoFar;

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
    /// Who drives loads, if not this process.
    pub generators: Option<Arc<dyn Generators>>,
    /// The rounds to run, from 0; all where it is `None`. [`plan::rounds`] says how many there are.
    pub rounds: Option<std::ops::Range<u32>>,
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
    /// Said once a second at most, to those who want it.
    LoadSoFar {
        so_far: &'a LoadSoFar,
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

    /// Whether somebody looks at [`RunEvent::LoadSoFar`] at the moment. It costs the load a little.
    fn wants_load_so_far(&self) -> bool {
        false
    }
}

/// Nobody looks on.
#[derive(Debug, Clone, Copy)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn event(&self, _: RunEvent<'_>) {}
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
    #[error(transparent)]
    NoSuchRounds(#[from] NoSuchRounds),
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
    let rounds = rounds::chosen(scenario, options.rounds.as_ref())?;
    let drawn = scenario.seed.unwrap_or_else(drawn_seed);
    let (mut store, earlier) = match home {
        Some(home) => {
            let began = shown(started);
            TrialStore::open(home, (scenario, rounds), &environment::read(), (drawn, &began), options.resume)?
        }
        None => Default::default(),
    };
    let (seed, resumed) = (earlier.seed.unwrap_or(drawn), earlier.resumed);
    let observer = RedactingObserver { observer, secrets: &scenario.secrets };
    let (variants, repeats) = (scenario.variants.len(), rounds.count);
    info!(scenario = scenario.name, seed, variants, repeats, version = env!("CARGO_PKG_VERSION"), "run begins");
    let mut drift = DriftWatch::new(variants > 1 || repeats > 1);
    drift.look();
    let part =
        TrialRun { scenario, seed, log, options, probes: Probes::default(), observer: &observer, cancel, rounds };
    let trials = part.all(earlier.trials, &mut store, &mut drift);
    something_ran(&trials, &scenario.secrets, cancel)?;
    let mut record = compile((scenario, rounds), seed, started, trials, options);
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

/// A seed by chance. Other programs read a record too, and some know whole numbers below 2^53 only (`jq`, JavaScript).
pub fn drawn_seed() -> u64 {
    rand::random::<u64>() & scenario::LARGEST_SEED
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
    (scenario, rounds): (&Scenario, RoundsRecord),
    seed: u64,
    started: jiff::Timestamp,
    trials: Vec<Vec<record::Trial>>,
    options: &Options,
) -> Record {
    let variants = judged::variants(scenario, rounds.count, trials);
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
        comparison: comparison::compare(&variants),
        variants,
        resumed: None,
        rounds: (rounds.count < rounds.of).then_some(rounds),
        merged: Vec::new(),
    }
}

/// What the scenario itself holds and the record does not show.
fn withheld(scenario: &Scenario) -> std::collections::BTreeMap<String, String> {
    scenario.secrets.literals().map(|(name, key)| (name.to_owned(), key.to_owned())).collect()
}

/// Now: UTC, RFC 3339.
pub fn now() -> String {
    shown(jiff::Timestamp::now())
}

/// UTC, RFC 3339.
fn shown(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
