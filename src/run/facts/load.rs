//! From what a load measured to what the record says of it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::exchange::Failure;
use crate::load::error_samples::ErrorSamples;
use crate::load::recorder::{Recorder, TimelineRow};
use crate::load::slowest::SlowRequest;
use crate::load::{Results, system_limits};
use crate::net::request::show_sleep;
use crate::record::{self, Quantiles};
use crate::scenario::{self, Level, Model, Protocol, Spacing};
use crate::units::{counted, show_duration, show_rate};

/// The load in words.
pub(in crate::run) fn describe_load(plan: &scenario::LoadSpec) -> String {
    let warmup =
        if plan.warmup.is_zero() { String::new() } else { format!(" after {} of warm-up", show_duration(plan.warmup)) };
    let until = match plan.requests {
        Some(requests) => format!("until {}", counted(requests, "request")),
        None => format!("for {}", show_duration(plan.duration)),
    };
    format!("{}, {}{} {until}{warmup}", what_is_sent(plan), levels(plan), travel(plan.protocol))
}

/// How requests travel, where that is not the usual way.
fn travel(protocol: Protocol) -> String {
    match protocol {
        Protocol::Http1 { pipeline: 1 } => String::new(),
        Protocol::Http1 { pipeline } => format!(" who send {pipeline} requests at once"),
        Protocol::Http2 { streams: 1 } => " over HTTP/2".to_owned(),
        Protocol::Http2 { streams } => format!(" over HTTP/2, up to {streams} on a connection,"),
    }
}

/// How many ask, or how often.
fn levels(plan: &scenario::LoadSpec) -> String {
    let show = |value: f64| match plan.model {
        Model::Closed => counted(value as u64, "user"),
        Model::Open { .. } => show_rate(value),
    };
    let by_chance = match plan.model {
        Model::Open { spacing: Spacing::Poisson, .. } => " by chance",
        Model::Open { spacing: Spacing::Uniform, .. } | Model::Closed => "",
    };
    match plan.levels.as_slice() {
        [only] => format!("{}{by_chance}", show(only.to)),
        several => format!("{} of up to {}{by_chance}", counted(several.len() as u64, "stage"), show(plan.peak())),
    }
}

/// The requests of a load; a script may give the path.
pub(in crate::run) fn what_is_sent(plan: &scenario::LoadSpec) -> String {
    let names: Vec<&str> = plan.kinds.iter().map(|kind| kind.name.as_str()).collect();
    match (&plan.script, plan.kinds.as_slice()) {
        (Some(script), [only]) if only.request.path.pieces.is_empty() => {
            let file = script.path.file_name().unwrap_or_default().to_string_lossy();
            format!("what {file} requests")
        }
        (_, [only]) => describe_request(&only.request, plan.sleep),
        _ => names.join(", "),
    }
}

/// Method and path; the sleep is filled in where it is the same for every request.
pub(super) fn describe_request(request: &scenario::RequestSpec, sleep: Option<Duration>) -> String {
    let path = request.target().to_string();
    let path = sleep.map_or(path.clone(), |sleep| path.replace("{sleep}", &show_sleep(sleep)));
    format!("{} {path}", request.method)
}

pub(in crate::run) fn load(plan: &scenario::LoadSpec, results: &Results) -> record::LoadRecord {
    let recorder = &results.measured.whole;
    let duration_s = results.duration.as_secs_f64();
    record::LoadRecord {
        model: if plan.model == Model::Closed { "closed" } else { "open" }.to_owned(),
        concurrency: plan.users(),
        request: what_is_sent(plan),
        http: if matches!(plan.protocol, Protocol::Http2 { .. }) { "2" } else { "1.1" }.to_owned(),
        streams: plan.protocol.streams(),
        pipeline: plan.protocol.pipeline(),
        timeout_s: plan.timeout.as_secs_f64(),
        planned_duration_s: plan.requests.is_none().then_some(plan.duration.as_secs_f64()),
        planned_requests: plan.requests,
        pause_s: plan.pause.as_secs_f64(),
        started: recorder.started(),
        completed: recorder.completed,
        failed: recorder.failed(),
        unanswered: recorder.unanswered,
        duration_s,
        throughput: if duration_s > 0.0 { recorder.good_in_time() as f64 / duration_s } else { 0.0 },
        answers_to_warmup: recorder.good_of_warmup,
        latency_us: Quantiles::of(&recorder.latency),
        service_time_us: Quantiles::of(&recorder.service_time),
        status: status_counts(&recorder.status),
        errors: error_counts(&recorder.failures, &recorder.status),
        error_samples: error_samples(&recorder.failures, &results.measured.samples),
        error_bodies: results
            .measured
            .samples
            .errors()
            .map(|(status, body)| (status.to_string(), body.to_owned()))
            .collect(),
        unsolicited: results.measured.connections.unsolicited,
        bytes_received: recorder.bytes,
        timeline: timeline(recorder, results.duration),
        histogram: record::Histograms::of(&recorder.latency, &recorder.service_time),
        generator: generator(plan, results),
        open: open(plan, results),
        silence: results.watch.longest_lull.map(|lull| record::Silence {
            t_s: lull.from.saturating_sub(plan.warmup).as_secs_f64(),
            length_s: lull.lasting.as_secs_f64(),
            waiting: lull.waiting,
        }),
        stages: stages(&plan.levels, &results.measured.stages, results.duration),
        requests: plan
            .kinds
            .iter()
            .zip(&results.measured.kinds)
            .map(|(kind, of)| (kind.name.clone(), part(of)))
            .collect(),
        slowest: results.measured.slowest.iter().map(slow).collect(),
        checks: None,
        generators: Vec::new(),
    }
}

fn slow(request: &SlowRequest) -> record::SlowRequestRecord {
    record::SlowRequestRecord {
        latency_us: request.latency.as_secs_f64() * 1e6,
        t_s: request.at.as_secs_f64(),
        request: request.line.clone(),
        status: request.outcome.ok(),
        failure: request.outcome.err().map(|failure| failure.name().to_owned()),
        trace_id: request.trace_id.clone(),
    }
}

fn open(plan: &scenario::LoadSpec, results: &Results) -> Option<record::OpenLoadRecord> {
    let Model::Open { spacing, .. } = plan.model else { return None };
    let measured = &results.measured;
    let late = measured.lateness;
    let each = late.arrivals.max(1) as f64;
    Some(record::OpenLoadRecord {
        rate: asked(&plan.levels, results.duration) / results.duration.as_secs_f64().max(1e-9),
        spacing: if spacing == Spacing::Uniform { "uniform" } else { "poisson" }.to_owned(),
        queued: measured.queued,
        never_sent: measured.never_sent,
        missed: measured.missed,
        late_share: late.late as f64 / each,
        late_mean_us: late.sum.as_secs_f64() * 1e6 / each,
        late_max_us: late.max.as_secs_f64() * 1e6,
        in_flight_mean: results.in_flight_mean,
    })
}

/// Arrivals that were asked for in this time.
fn asked(levels: &[Level], duration: Duration) -> f64 {
    crate::load::schedule::Profile::new(Duration::ZERO, levels).arrivals_before(duration)
}

/// The stages that began within the duration. The last may have been cut short: a ramp has then come only so far.
fn stages(levels: &[Level], recorders: &[Recorder], duration: Duration) -> Vec<record::StageRecord> {
    let mut begin = Duration::ZERO;
    let stage = |(level, of): (&Level, &Recorder)| {
        let t_s = begin.as_secs_f64();
        let lasted = level.lasting.min(duration.saturating_sub(begin));
        begin += level.lasting;
        let share = lasted.as_secs_f64() / level.lasting.as_secs_f64().max(1e-9);
        let to = level.from + (level.to - level.from) * share;
        record::StageRecord { t_s, length_s: lasted.as_secs_f64(), from: level.from, to, part: part(of) }
    };
    levels.iter().zip(recorders).map(stage).filter(|stage| stage.length_s > 0.0).collect()
}

fn part(of: &Recorder) -> record::PartRecord {
    record::PartRecord {
        started: of.started(),
        completed: of.completed,
        failed: of.failed(),
        unanswered: of.unanswered,
        error_status: of.status.iter().skip(400).sum(),
        latency_us: Quantiles::of(&of.latency),
        service_time_us: Quantiles::of(&of.service_time),
    }
}

fn status_counts(counts: &[u64]) -> BTreeMap<String, u64> {
    counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(code, count)| (code.to_string(), *count)).collect()
}

fn error_counts(failures: &[u64], statuses: &[u64]) -> BTreeMap<String, u64> {
    let count = |failure: Failure| failures[failure as usize];
    // Most loads have no script that could fail, and no TLS.
    let told = Failure::ALL
        .into_iter()
        .filter(|failure| !matches!(failure, Failure::Script | Failure::Tls) || count(*failure) > 0);
    let mut errors: BTreeMap<String, u64> = told.map(|failure| (failure.name().to_owned(), count(failure))).collect();
    errors.insert("status".to_owned(), statuses.iter().skip(400).sum());
    errors
}

/// Why requests failed, for each kind that counts.
fn error_samples(failures: &[u64], samples: &ErrorSamples) -> BTreeMap<String, String> {
    let counted = Failure::ALL.into_iter().filter(|failure| failures[*failure as usize] > 0);
    counted.filter_map(|failure| Some((failure.name().to_owned(), samples.of(failure)?.to_owned()))).collect()
}

/// The rows up to the end; what came while the load drained is in the totals alone.
fn timeline(recorder: &Recorder, duration: Duration) -> Vec<record::Second> {
    let (length, each) = (duration.as_secs_f64(), recorder.row_length().as_secs_f64());
    let empty = TimelineRow::default();
    // A stretch that is no longer than the clocks are apart is none.
    let count = (length / each - 1e-6).ceil().max(0.0) as usize;
    (0..count)
        .map(|number| {
            let row = recorder.rows.get(number).unwrap_or(&empty);
            let mean = row.latency_sum as f64 / 1e3 / row.completed as f64;
            let t_s = thousandths(number as f64 * each);
            record::Second {
                t_s,
                length_s: (length - t_s).min(each),
                started: row.started,
                completed: row.completed,
                failed: row.failed,
                error_status: row.error_status,
                latency_mean_us: (row.completed > 0).then_some(mean),
                latency_max_us: (row.completed > 0).then_some(row.latency_max as f64 / 1e3),
            }
        })
        .collect()
}

/// Without the last digits of a product of binary fractions.
fn thousandths(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

fn generator(plan: &scenario::LoadSpec, results: &Results) -> record::Generator {
    record::Generator {
        threads: results.measured.generator.threads,
        cpu_max: results.measured.generator.busiest,
        cpu_s: results.measured.generator.cpu.as_secs_f64(),
        connections_opened: results.measured.connections.opened,
        handshakes_resumed: results.handshakes_resumed,
        retries: results.measured.connections.retried,
        spin_s: results.measured.generator.spun.as_secs_f64(),
        descriptors_needed: system_limits::descriptors_needed(plan, results.measured.generator.threads),
        descriptors_limit: system_limits::descriptors_limit(),
        time_wait: results.time_wait,
        ports: system_limits::ports().map(|ports| ports * plan.source_addresses.len().max(1) as u64),
        clock_ns: system_limits::clock_grain(),
        stopped_s: results.watch.stopped.as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Exchange, Outcome};
    use crate::load::measurement::Measurement;
    use crate::load::stall_monitor::StallMonitor;
    use crate::load::tests::plan;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Results of a load that ended after so long, with nothing but these requests.
    fn results(plan: &scenario::LoadSpec, duration: Duration, intended: impl Iterator<Item = Duration>) -> Results {
        let mut measured = Measurement::new(plan);
        intended.for_each(|due| {
            let outcome = Outcome::Answered(200);
            measured.record(0, &Exchange { intended: due, sent: Some(due), first_byte: None, done: due, outcome }, 1);
        });
        Results {
            measured,
            duration,
            in_flight_mean: 1.0,
            handshakes_resumed: None,
            time_wait: None,
            watch: StallMonitor::new(plan.warmup, plan.warmup + plan.duration),
            hung: None,
        }
    }

    #[test]
    fn stages_of_a_load_that_was_cut_short_are_as_long_as_they_were() {
        let level = |from, to| Level { from, to, lasting: seconds(10) };
        let model = Model::Open { max_concurrency: 10, spacing: Spacing::Uniform };
        let levels = vec![level(100.0, 100.0), level(100.0, 300.0), level(300.0, 300.0)];
        let plan = scenario::LoadSpec { model, levels, duration: seconds(30), ..plan() };
        // The rate that a ramp from 100/s to 300/s has on average in its first half is 150/s.
        let due = (0..1000).map(|n| seconds(10).mul_f64(f64::from(n) / 1e3));
        let due = due.chain((0..750).map(|n| seconds(10) + seconds(5).mul_f64(f64::from(n) / 750.0)));
        let stages = load(&plan, &results(&plan, seconds(15), due)).stages;
        let told: Vec<_> = stages.iter().map(|stage| (stage.t_s, stage.length_s, stage.from, stage.to)).collect();
        assert_eq!(told, [(0.0, 10.0, 100.0, 100.0), (10.0, 5.0, 100.0, 200.0)]);
        let rates: Vec<_> = stages.iter().map(|stage| stage.part.started as f64 / stage.length_s).collect();
        assert_eq!(rates, [100.0, 150.0]);
        assert_eq!(load(&plan, &results(&plan, seconds(20), std::iter::empty())).stages.len(), 2);
        assert_eq!(load(&plan, &results(&plan, seconds(30), std::iter::empty())).stages.len(), 3);
    }
}
