//! From what was measured to what the record says.

use crate::record;
use crate::scenario::{self, Mode};
use crate::server::{self, Life};
use crate::units::{counted, show_duration};

mod asked;
mod dirty;
mod load;

pub(super) use dirty::dirty;
pub(super) use load::{describe_load, load};

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
        scenario::Server::Attached(attached) => format!("{}://{}", server.scheme(), attached.authority()),
    }
}

/// The dirty check in words.
pub(super) fn describe_dirty(plan: &scenario::Dirty) -> String {
    let budget = plan.budget;
    let target = format!("{} or {}", counted(budget.exposures, "exposure"), show_duration(budget.time));
    format!("{}, up to {target}", load::describe_request(&plan.request, None))
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
