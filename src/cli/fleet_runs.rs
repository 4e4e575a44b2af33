//! `runner submit` and `runner wait`.

use std::path::Path;
use std::time::{Duration, Instant};

use super::arguments::fleet::{SubmitArguments, WaitArguments};
use super::fleet::complain;
use super::live::{self, LivePage};
use super::logging::EventLog;
use super::merge::{GatheredNight, gather};
use super::select::select;
use super::status_line::StatusLine;
use super::{Exit, print, signals};
use crate::fleet::{self, BlockOutcome, NatsOptions, RunProgress, SubmitOptions, Waiting};
use crate::report::one_line;
use crate::run::plan::in_whole_seconds;
use crate::units::counted;

/// A block is taken at once, where there is somebody to take it.
const NOBODY_AFTER: Duration = Duration::from_secs(3);
const LEAVING: &str = "waiting ends; the agents go on";

pub(super) fn submit(arguments: &SubmitArguments, log: &EventLog) -> Exit {
    let Some(selected) = select(&arguments.files, &arguments.overrides.set, &arguments.selection) else {
        return Exit::Invalid;
    };
    // All of them are on their way, or none is.
    if !selected.invalid.is_empty() {
        print::note(format_args!(
            "nothing was submitted: {}",
            counted(selected.invalid.len() as u64, "invalid scenario")
        ));
        return Exit::Invalid;
    }
    let mut allowed_hosts = arguments.allow_hosts.clone();
    allowed_hosts.extend(selected.scenarios.iter().flat_map(|scenario| scenario.project.allow_hosts.clone()));
    allowed_hosts.sort();
    allowed_hosts.dedup();
    let nats = arguments.credentials.to(&arguments.on);
    let options = SubmitOptions {
        nats: nats.clone(),
        pool: arguments.pool.clone(),
        overrides: arguments.overrides.set.clone(),
        allowed_hosts,
    };
    let submitted = match fleet::submit(&selected.scenarios, &options) {
        Ok(submitted) => submitted,
        Err(error) => return complain(&error),
    };
    let time = in_whole_seconds(Duration::from_secs_f64(submitted.expected_s / submitted.agents.max(1) as f64));
    let agents = match submitted.agents {
        0 => format!("no agent of the pool {} is there yet", options.pool),
        n => format!("about {time} for {}", counted(n as u64, "agent")),
    };
    print::note(format_args!("{}, {agents}", counted(submitted.blocks as u64, "block")));
    if arguments.and_wait {
        let shown = Shown { reports: &arguments.reports.path(), json: arguments.json, live: arguments.live };
        return wait_for(&submitted.run, &nats, &shown, log);
    }
    print::out(&format!("{}\n", submitted.run))
}

pub(super) fn wait(arguments: &WaitArguments, log: &EventLog) -> Exit {
    let nats = arguments.credentials.to(&arguments.on);
    let shown = Shown { reports: &arguments.reports.path(), json: arguments.json, live: arguments.live };
    wait_for(&arguments.run, &nats, &shown, log)
}

/// How results are shown.
struct Shown<'a> {
    reports: &'a Path,
    json: bool,
    live: Option<u16>,
}

fn wait_for(run: &str, nats: &NatsOptions, shown: &Shown<'_>, log: &EventLog) -> Exit {
    let page = match live::started(shown.live, &log.style) {
        Ok(page) => page,
        Err(exit) => return exit,
    };
    let exit = wait_with(run, nats, shown, (page.as_ref(), log));
    if let Some(page) = page {
        let index = std::fs::read_to_string(shown.reports.join("index.html")).ok();
        page.report(index.filter(|_| matches!(exit, Exit::Passed | Exit::Failed | Exit::Inconclusive)));
        page.end();
    }
    exit
}

fn wait_with(run: &str, nats: &NatsOptions, shown: &Shown<'_>, (page, log): (Option<&LivePage>, &EventLog)) -> Exit {
    let style = log.style.clone();
    let Some(cancel) = signals::or_print(LEAVING, move |text| style.say(text)) else { return Exit::CouldNotRun };
    let waiting = match Waiting::open(nats, run) {
        Ok(waiting) => waiting,
        Err(error) => return complain(&error),
    };
    let status = StatusLine::new(log.style.clone());
    let begun = Instant::now();
    if let Some(page) = page {
        page.begin(&format!("run {run}"));
    }
    let done = waiting.until_done(&cancel, &|progress| {
        let (text, elapsed) = (line(progress, begun.elapsed()), begun.elapsed());
        status.show(&text);
        if let Some(page) = page {
            page.show(&text, elapsed, elapsed + left(progress));
        }
    });
    status.close();
    match done {
        Ok(true) => {}
        Ok(false) => {
            let creds =
                nats.credentials.as_ref().map(|file| format!(" --creds {}", file.display())).unwrap_or_default();
            print::note(format_args!("take it up again: runner wait {run} --on {}{creds}", shown_url(&nats.url)));
            return Exit::Interrupted;
        }
        Err(error) => return complain(&error),
    }
    let folder = match tempfile::Builder::new().prefix("runner-wait-").tempdir() {
        Ok(folder) => folder,
        Err(error) => {
            print::error(
                &format!("no folder for the reports: {error}"),
                Some("set TMPDIR to a folder that can be written"),
            );
            return Exit::CouldNotRun;
        }
    };
    let outcomes = match waiting.outcomes(folder.path()) {
        Ok(outcomes) => outcomes,
        Err(error) => return complain(&error),
    };
    let night = GatheredNight {
        night: waiting.submitted().to_owned(),
        reports: outcomes.iter().filter_map(|outcome| outcome.report.clone()).collect(),
        not_measured: not_measured(&outcomes),
    };
    gather(night, shown.reports, shown.json)
}

/// Scenarios of which nothing was measured, or not all, and why.
fn not_measured(outcomes: &[BlockOutcome]) -> Vec<(String, String)> {
    let told = |outcome: &BlockOutcome| {
        let round = outcome.round.map(|round| format!("round {} of it, ", round + 1)).unwrap_or_default();
        let why = outcome.why.as_ref()?;
        Some((outcome.scenario.clone(), one_line(&format!("{round}on agent {}: {why}", outcome.agent))))
    };
    let mut all: Vec<(String, String)> =
        outcomes.iter().filter(|outcome| outcome.report.is_none()).filter_map(told).collect();
    all.dedup_by(|one, other| one.0 == other.0);
    all
}

/// How long the agents that are at work take for the rest, as planned.
fn left(progress: &RunProgress) -> Duration {
    Duration::from_secs_f64(progress.left_s / progress.agents.max(1) as f64)
}

/// `12 of 24 blocks done, 4 under way on 4 agents, about 2m left; 1 did not pass`.
fn line(progress: &RunProgress, waited: Duration) -> String {
    let RunProgress { blocks, done, agents, under_way, not_passed, .. } = *progress;
    let mut text = format!("{done} of {} done", counted(blocks as u64, "block"));
    if done < blocks {
        match under_way {
            0 if waited > NOBODY_AFTER => text += ", none under way: is an agent of the pool there?",
            0 => {}
            n => {
                let left = in_whole_seconds(left(progress));
                text += &format!(", {n} under way on {}, about {left} left", counted(agents as u64, "agent"));
            }
        }
    }
    if not_passed > 0 {
        text += &format!("; {not_passed} did not pass");
    }
    text
}

/// Without a password.
fn shown_url(url: &str) -> String {
    url.split(',').map(|part| part.rsplit('@').next().unwrap_or_default()).collect::<Vec<_>>().join(",")
}
