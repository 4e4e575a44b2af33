//! From what was measured to what the record says.

use crate::record::{self, ServerPart};
use crate::scenario;
use crate::scenario::template::Placeholder;
use crate::server::{self, Life};
use crate::units::{counted, show_duration};

mod capacity;
mod ceiling;
mod sent_requests;
mod response_samples;
mod dirty;
mod load;
mod sweep;
mod untested_classes;

pub(super) use capacity::{describe_capacity, probe};
pub(super) use ceiling::ceiling;
pub(super) use dirty::dirty;
pub(super) use load::{describe_load, load, what_is_sent};
pub(super) use sweep::sweep;

/// What serves, in words.
pub(super) fn describe_server(server: &scenario::ServerSpec) -> String {
    match server {
        scenario::ServerSpec::Builtin(builtin) => {
            let workers = counted(builtin.workers.into(), "worker");
            let each = |threads: u32| format!(" with {} each", counted(threads.into(), "thread"));
            let threads = builtin.threads.map(each).unwrap_or_default();
            format!("built-in {}, {workers}{threads}", builtin.mode.name())
        }
        scenario::ServerSpec::Command(command) => describe_command(command),
        scenario::ServerSpec::Attached(attached) => format!("{}://{}", server.scheme(), attached.authority()),
    }
}

/// A command line as one piece, and how many workers it is told to start, if it is.
fn describe_command(command: &scenario::CommandSpec) -> String {
    let known = |hole: &Placeholder| (*hole == Placeholder::Workers).then(|| command.workers.to_string());
    let words: Vec<String> = command.command.iter().map(|word| word.with(&known).to_string()).collect();
    let line = words.join(" ");
    // A backtick of its own would pair with those around it.
    let line = if line.contains('`') { line } else { format!("`{line}`") };
    match command.command.iter().any(|word| word.has(&Placeholder::Workers)) {
        true => format!("{line}, {}", counted(command.workers.into(), "worker")),
        false => line,
    }
}

/// The dirty check in words.
pub(super) fn describe_dirty(plan: &scenario::DirtySpec) -> String {
    let budget = plan.budget;
    let target = format!("{} or {}", counted(budget.exposures, "exposure"), show_duration(budget.time));
    if let Some(sweep) = &plan.sweep {
        // Those of the server are known once it was asked.
        let is_open = sweep.operations.iter().all(|operation| operation.is_given);
        let below = sweep.base.as_ref().map(|base| format!(" below {base}")).unwrap_or_default();
        let what = match (&sweep.source, sweep.operations.len() as u64) {
            (scenario::SweepSource::Server(path), count) if !is_open => {
                format!("{} of {path}{below}", counted(count, "request"))
            }
            (scenario::SweepSource::Server(path), 0) => format!("the requests that {path} lists{below}"),
            (scenario::SweepSource::Server(path), count) => {
                format!("{} and what {path} lists{below}", counted(count, "request"))
            }
            (scenario::SweepSource::File(file), count) => format!("{} of {file}{below}", counted(count, "request")),
            (scenario::SweepSource::Scenario, count) => counted(count, "request"),
        };
        return format!("a sweep of {what}, {} at most", show_duration(budget.time));
    }
    format!("{}, up to {target}", load::describe_request(&plan.request, None))
}

/// The inspection in words.
pub(super) fn describe_inspection(plan: &scenario::InspectSpec) -> String {
    let users = counted(super::inspection::most_users(plan).into(), "request");
    let time = show_duration(super::inspection::MOST_TIME);
    format!("{}, up to {users} at once, in {time} at most", what_is_sent(&plan.load))
}

/// How many requests a worker of the server handles at once, where that is known and bounded.
pub(super) fn in_flight(server: &scenario::ServerSpec) -> Option<u32> {
    match server {
        scenario::ServerSpec::Builtin(builtin) => builtin.in_flight(),
        scenario::ServerSpec::Command(_) | scenario::ServerSpec::Attached(_) => None,
    }
}

/// The record of a server that has come to its end.
pub(super) fn server(part: ServerPart, life: &Life) -> record::ServerRecord {
    record::ServerRecord {
        part,
        ready_ms: life.ready_after.as_secs_f64() * 1e3,
        cpu_s: life.usage.cpu.as_secs_f64(),
        cpu_mean: life.usage.cpu_mean,
        rss_peak_bytes: life.usage.rss_max,
        threads_max: life.usage.threads_max,
        address: life.endpoint.to_string(),
        end: life.end.clone(),
        samples: samples(&life.usage.rows),
        unmeasured: life.unmeasured.clone(),
        events: life.events.clone(),
    }
}

/// One row a sample, with rates since the one before.
fn samples(rows: &[server::UsageRow]) -> Vec<record::ServerSample> {
    let mut before = rows.first().copied().unwrap_or_default();
    let mut samples = Vec::with_capacity(rows.len());
    for row in rows {
        let span = row.after.saturating_sub(before.after).as_secs_f64();
        let per_second = |grown: f64| if span > 0.0 { grown / span } else { 0.0 };
        samples.push(record::ServerSample {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// How a command that runs this many workers is named.
    fn named(command: &[&str], workers: u32) -> String {
        let words = command.iter().map(|word| scenario::Template::parse(word).unwrap()).collect();
        let plan = scenario::CommandSpec { command: words, workers, ..scenario::tests::command("") };
        describe_server(&scenario::ServerSpec::Command(plan))
    }

    #[test]
    fn a_command_is_one_piece_and_says_how_many_workers_it_starts() {
        let gunicorn = ["gunicorn", "-w", "{workers}", "-b", "{host}:{port}"];
        assert_eq!(named(&gunicorn, 3), "`gunicorn -w 3 -b {host}:{port}`, 3 workers");
        assert_eq!(named(&gunicorn, 1), "`gunicorn -w 1 -b {host}:{port}`, 1 worker");
        assert_eq!(named(&["./serve", "{port}"], 1), "`./serve {port}`");
        assert_eq!(named(&["sh", "-c", "exec `cat it`"], 1), "sh -c exec `cat it`");
    }
}
