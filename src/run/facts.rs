//! From what was measured to what the record says.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::exchange::Failure;
use crate::load::Results;
use crate::load::recorder::Row;
use crate::load::request::show_sleep;
use crate::record::{self, Quantiles};
use crate::scenario::{self, Mode, Model};
use crate::server::{self, Life};
use crate::units::{counted, show_duration};

mod asked;
mod dirty;

pub(super) use dirty::dirty;

/// What serves, in words.
pub(super) fn describe_server(server: &scenario::Server) -> String {
    match server {
        scenario::Server::Builtin(builtin) => {
            let workers = counted(builtin.workers.into(), "worker");
            let threads = match builtin.mode {
                Mode::Threaded { threads } | Mode::AsyncPool { threads } => {
                    format!(" with {} each", counted(threads.into(), "thread"))
                }
                Mode::Sync | Mode::Async | Mode::AsyncBlocking => String::new(),
            };
            format!("built-in {}, {workers}{threads}", builtin.mode.name())
        }
        scenario::Server::Command(command) => {
            let words: Vec<String> = command.command.iter().map(ToString::to_string).collect();
            words.join(" ")
        }
        scenario::Server::Attached(attached) => format!("http://{}:{}", attached.host, attached.port),
    }
}

/// The load in words.
pub(super) fn describe_load(plan: &scenario::Load) -> String {
    let Model::Closed { concurrency } = plan.model;
    let warmup =
        if plan.warmup.is_zero() { String::new() } else { format!(" after {} of warm-up", show_duration(plan.warmup)) };
    let users = counted(concurrency.into(), "user");
    let request = what_is_sent(plan);
    format!("{request}, {users} for {}{warmup}", show_duration(plan.duration))
}

/// The request of a load; a script may give the path.
fn what_is_sent(plan: &scenario::Load) -> String {
    match &plan.script {
        Some(script) if plan.request.path.pieces.is_empty() => {
            let file = script.path.file_name().unwrap_or_default().to_string_lossy();
            format!("what {file} requests")
        }
        _ => describe_request(&plan.request, plan.sleep),
    }
}

/// Method and path; the sleep is filled in where it is the same for every request.
fn describe_request(request: &scenario::Request, sleep: Option<Duration>) -> String {
    let path = request.target().to_string();
    let path = sleep.map_or(path.clone(), |sleep| path.replace("{sleep}", &show_sleep(sleep)));
    format!("{} {path}", request.method)
}

/// The dirty check in words.
pub(super) fn describe_dirty(plan: &scenario::Dirty) -> String {
    let budget = plan.budget;
    let target = format!("{} or {}", counted(budget.exposures, "exposure"), show_duration(budget.time));
    format!("{}, up to {target}", describe_request(&plan.request, None))
}

/// How many requests a worker of the server handles at once, where that is known and bounded.
pub(super) fn in_flight(server: &scenario::Server) -> Option<u32> {
    let scenario::Server::Builtin(builtin) = server else { return None };
    match builtin.mode {
        Mode::Sync | Mode::AsyncBlocking => Some(1),
        Mode::Threaded { threads } | Mode::AsyncPool { threads } => Some(threads),
        Mode::Async => None,
    }
}

pub(super) fn server_life(life: &Life) -> record::Server {
    record::Server {
        ready_ms: life.ready_after.as_secs_f64() * 1e3,
        cpu_s: life.usage.cpu.as_secs_f64(),
        cpu_mean: life.usage.cpu_mean,
        rss_peak_bytes: life.usage.rss_max,
        threads_max: life.usage.threads_max,
        address: life.endpoint.to_string(),
        exit: life.exit.clone(),
        samples: samples(&life.usage.rows),
        events: life.happenings.iter().map(event).collect(),
    }
}

/// One row a sample, with rates since the one before.
fn samples(rows: &[server::Row]) -> Vec<record::Sample> {
    let mut before = rows.first().copied().unwrap_or_default();
    let mut samples = Vec::with_capacity(rows.len());
    for row in rows {
        let span = row.after.saturating_sub(before.after).as_secs_f64();
        let per_second = |grown: f64| if span > 0.0 { grown / span } else { 0.0 };
        samples.push(record::Sample {
            t_s: row.after.as_secs_f64(),
            processes: row.processes,
            cpu: per_second(row.cpu.saturating_sub(before.cpu).as_secs_f64()),
            rss_bytes: row.rss,
            threads: row.threads,
            descriptors: row.descriptors,
            context_switches_per_s: per_second(row.switches.saturating_sub(before.switches) as f64),
        });
        before = *row;
    }
    samples
}

fn event(happening: &server::Happening) -> record::Event {
    record::Event { t_s: happening.after.as_secs_f64(), what: happening.what.clone(), second_server: false }
}

/// The lives of the load's server and of the dirty check's as one: what was used adds up, the worse end stands.
pub(super) fn both(load: record::Server, dirty: record::Server) -> record::Server {
    let exit = if load.exit == dirty.exit { load.exit } else { format!("{}, then {}", load.exit, dirty.exit) };
    let second = dirty.events.into_iter().map(|event| record::Event { second_server: true, ..event });
    record::Server {
        cpu_s: load.cpu_s + dirty.cpu_s,
        rss_peak_bytes: load.rss_peak_bytes.max(dirty.rss_peak_bytes),
        threads_max: load.threads_max.max(dirty.threads_max),
        exit,
        events: load.events.into_iter().chain(second).collect(),
        ..load
    }
}

pub(super) fn load(plan: &scenario::Load, results: &Results) -> record::Load {
    let recorder = &results.recorder;
    let Model::Closed { concurrency } = plan.model;
    let duration_s = results.duration.as_secs_f64();
    let (latency, latency_unanswered) = recorder.latency.encode();
    let (service_time, service_time_unanswered) = recorder.service_time.encode();
    record::Load {
        model: "closed".to_owned(),
        concurrency,
        request: what_is_sent(plan),
        timeout_s: plan.timeout.as_secs_f64(),
        planned_duration_s: plan.duration.as_secs_f64(),
        started: recorder.started(),
        completed: recorder.completed,
        failed: recorder.failed(),
        unanswered: recorder.unanswered,
        duration_s,
        throughput: if duration_s > 0.0 { recorder.good_in_time() as f64 / duration_s } else { 0.0 },
        latency_us: Quantiles::of(&recorder.latency),
        service_time_us: Quantiles::of(&recorder.service_time),
        status: status_counts(&recorder.status),
        errors: error_counts(&recorder.failures, &recorder.status),
        bytes_received: recorder.bytes,
        timeline: timeline(&recorder.rows, results.duration),
        histogram: record::Histograms { latency, latency_unanswered, service_time, service_time_unanswered },
        generator: generator(results),
        checks: None,
    }
}

fn status_counts(counts: &[u64]) -> BTreeMap<String, u64> {
    counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(code, count)| (code.to_string(), *count)).collect()
}

fn error_counts(failures: &[u64], statuses: &[u64]) -> BTreeMap<String, u64> {
    let count = |failure: Failure| failures[failure as usize];
    // Most loads have no script that could fail.
    let told = Failure::ALL.into_iter().filter(|failure| *failure != Failure::Script || count(*failure) > 0);
    let mut errors: BTreeMap<String, u64> = told.map(|failure| (failure.name().to_owned(), count(failure))).collect();
    errors.insert("status".to_owned(), statuses.iter().skip(400).sum());
    errors
}

/// A row a second up to the end; what came while the load drained is in the totals alone.
fn timeline(rows: &[Row], duration: Duration) -> Vec<record::Second> {
    let length = duration.as_secs_f64();
    let seconds = length.ceil() as usize;
    let empty = Row::default();
    (0..seconds)
        .map(|second| {
            let row = rows.get(second).unwrap_or(&empty);
            let mean = row.latency_sum.as_secs_f64() * 1e6 / row.completed as f64;
            record::Second {
                t_s: second as f64,
                length_s: (length - second as f64).min(1.0),
                started: row.started,
                completed: row.completed,
                failed: row.failed,
                error_status: row.error_status,
                latency_mean_us: (row.completed > 0).then_some(mean),
                latency_max_us: (row.completed > 0).then_some(row.latency_max.as_secs_f64() * 1e6),
            }
        })
        .collect()
}

fn generator(results: &Results) -> record::Generator {
    let busiest = results.cpu.iter().max().copied().unwrap_or_default();
    record::Generator {
        threads: results.threads,
        cpu_max: busiest.as_secs_f64() / results.wall.as_secs_f64().max(1e-9),
        cpu_s: results.cpu.iter().sum::<Duration>().as_secs_f64(),
        connections_opened: results.connections_opened,
        retries: results.retried,
    }
}
