//! How many requests a server works on at once, and how: more and more users, then bursts, then connections that come while
//! the server is at work. Every step is waited for to its end, so that none finds what an earlier one left.

use std::io::Result;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::analysis::parallelism::{batches, breaks_down, is_doubtful, most_at_once, next_concurrency, parallelism};
use crate::analysis::signature::signature;
use crate::load::client_script::ClientScript;
use crate::load::{self, LiveCounters, Results};
use crate::net::target::Target;
use crate::record::{BurstRecord, ConcurrencyStep, InspectionRecord};
use crate::scenario::{InspectSpec, Level, LoadSpec, Model, Protocol};
use crate::server::ListenerView;
use crate::session::Session;
use crate::units::{counted, show_time};

mod arrivals;
mod busy;
mod curve;
mod usage;

use curve::CompletionCurve;
use usage::UsageWatch;

/// An inspection takes no longer, but for what is under way then.
pub(super) const MOST_TIME: Duration = Duration::from_secs(16);
/// So much of it is kept for what comes after the steps.
const AFTER_STEPS: Duration = Duration::from_secs(5);
/// A request that takes longer leaves no time to send many.
const LONGEST_REQUEST: Duration = Duration::from_secs(2);
/// Users come one by one: a server that has room for few connections loses none, and no worker takes them all.
const APART: Duration = Duration::from_micros(1500);
/// A step is watched for so long, and for so many times the time of a request.
const WATCHED: Duration = Duration::from_millis(300);
const WATCHED_TIMES: f64 = 2.0;
/// One user has more time: all else is compared with what a request takes alone.
const ALONE: Duration = Duration::from_secs(1);
const ALONE_TIMES: f64 = 3.0;
/// A step with more users than are worked on is watched until each should have had this many turns.
const TURNS: f64 = 2.0;
/// Users with a login: it takes time to let each in.
const MOST_WHO_LOG_IN: u32 = 64;
/// The first requests may load what later ones find loaded.
const FIRST: u32 = 3;
/// A burst is so many times what is worked on at once: two full batches and a half, and a few at least.
const BURST: f64 = 2.5;
/// More where several workers take it: each should have its full batches, also if it gets few of the connections.
const BURST_OF_WORKERS: f64 = 4.0;
const LEAST_BURST: u32 = 4;
const BURSTS: usize = 3;
const MOST_BURSTS: usize = 7;

/// The most users of an inspection.
pub(super) fn most_users(plan: &InspectSpec) -> u32 {
    if plan.load.login.is_some() { plan.max_concurrency.min(MOST_WHO_LOG_IN) } else { plan.max_concurrency }
}

/// A load with so many users, who send its requests one after the other.
pub(super) fn closed(load: &LoadSpec, users: u32) -> LoadSpec {
    let protocol = match load.protocol {
        Protocol::Http1 { .. } => Protocol::Http1 { pipeline: 1 },
        other => other,
    };
    let users = f64::from(users);
    LoadSpec {
        model: Model::Closed,
        levels: vec![Level { from: users, to: users, lasting: load.timeout }],
        duration: load.timeout,
        requests: None,
        pause: Duration::ZERO,
        warmup: Duration::ZERO,
        protocol,
        ..load.clone()
    }
}

/// What is under way, for who shows it.
pub(super) fn said(doing: &Mutex<String>) -> String {
    doing.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Inspects one server.
pub(super) struct Inspector<'a> {
    pub plan: &'a InspectSpec,
    /// The most users.
    pub most: u32,
    pub client: Option<&'a ClientScript>,
    pub sessions: &'a [Session],
    pub target: &'a Target,
    pub view: Option<ListenerView>,
    pub seed: u64,
    pub cancel: &'a CancellationToken,
    pub began: Instant,
    pub doing: &'a Mutex<String>,
}

impl Inspector<'_> {
    /// All of it, to its conclusion; cut short by the token. `Err` only if the machine refuses.
    pub fn inspect(&self, request: String) -> Result<InspectionRecord> {
        let mut record = InspectionRecord { request, max_concurrency: self.most, ..InspectionRecord::default() };
        record.workers = self.view.as_ref().and_then(ListenerView::workers);
        if let Some(alone) = self.alone(&mut record)? {
            self.sweep(&mut record, alone)?;
            self.look_closer(&mut record, alone)?;
            self.arrivals(&mut record)?;
        }
        conclude(&mut record);
        Ok(record)
    }

    /// The step with one user, and the time of a request; `None` where that is of no use.
    fn alone(&self, record: &mut InspectionRecord) -> Result<Option<Duration>> {
        self.says("one request at a time");
        let first = LoadSpec { requests: Some(u64::from(FIRST)), ..closed(&self.plan.load, 1) };
        let (results, _) = self.drive(&first)?;
        let Some(roughly) = median(&results) else {
            record.inconclusive = Some(why_none(&results));
            return Ok(None);
        };
        if roughly > LONGEST_REQUEST {
            let (took, most) = (show_time(roughly.as_secs_f64()), show_time(LONGEST_REQUEST.as_secs_f64()));
            record.inconclusive =
                Some(format!("a request alone takes {took}: with more than {most} there is no time to send many"));
            return Ok(None);
        }
        let (step, results) = self.step(1, roughly, 1.0)?;
        record.closes = results.measured.connections.opened >= step.good.max(2);
        let good = step.good > 0 && !breaks_down(&step);
        let alone = median(&results).filter(|_| good);
        record.steps.push(step);
        record.alone_us = alone.map(|alone| alone.as_secs_f64() * 1e6);
        if alone.is_none() {
            record.inconclusive = Some(why_none(&results));
        }
        Ok(alone)
    }

    /// More and more users, until more of them add nothing.
    fn sweep(&self, record: &mut InspectionRecord, alone: Duration) -> Result<()> {
        let workers = record.workers.unwrap_or(1);
        while let Some(users) = next_concurrency(&record.steps, workers, self.most) {
            let so_far = most_at_once(&record.steps).max(1.0);
            // Without anything queued, each of them should add one.
            let at_once = if so_far >= 0.75 * f64::from(users) / 2.0 { f64::from(users) } else { so_far };
            let takes = step_time(users, alone, at_once) + alone.mul_f64(f64::from(users) / at_once);
            if self.is_over() || self.began.elapsed() + takes + AFTER_STEPS > MOST_TIME {
                break;
            }
            self.says(&format!("{} at once", counted(u64::from(users), "request")));
            record.steps.push(self.step(users, alone, at_once)?.0);
            if is_doubtful(&record.steps) && !self.is_over() {
                let again = self.step(users, alone, at_once)?.0;
                let last = record.steps.last_mut().filter(|last| last.throughput < again.throughput);
                last.into_iter().for_each(|last| *last = again.clone());
            }
        }
        Ok(())
    }

    /// What tells more where there is a limit.
    fn look_closer(&self, record: &mut InspectionRecord, alone: Duration) -> Result<()> {
        let Some(roughly) = parallelism(record).filter(|seen| seen.high.is_some()) else { return Ok(()) };
        let times = if record.workers.is_some_and(|workers| workers > 1) { BURST_OF_WORKERS } else { BURST };
        let size = ((roughly.value.round() * times).ceil() as u32).max(LEAST_BURST);
        let at_once = roughly.value.round().max(1.0);
        let takes = alone.mul_f64((f64::from(size) / at_once).ceil());
        // More where the first do not agree: what disturbs one seldom disturbs the next.
        let enough = |record: &InspectionRecord| {
            let counted = parallelism(record).is_some_and(|seen| seen.counted);
            record.bursts.len() >= if counted { BURSTS } else { MOST_BURSTS }
        };
        while !enough(record) && !self.is_over() {
            if !record.bursts.is_empty() && self.began.elapsed() + takes * 3 + alone * 12 > MOST_TIME {
                break;
            }
            self.says(&format!("a burst of {size}"));
            record.bursts.push(self.burst(size, alone)?);
        }
        let occupied = parallelism(record).map_or(1.0, |seen| seen.value.round().max(1.0)) as u32;
        if !self.is_over() {
            self.says("connections that come while it is at work");
            record.busy = self.while_busy(occupied, alone)?;
        }
        Ok(())
    }

    /// A closed load with so many users, of which the server is thought to work on `at_once` at once.
    fn step(&self, users: u32, alone: Duration, at_once: f64) -> Result<(ConcurrencyStep, Results)> {
        // Half a request's time after the last user has come.
        let connected = ramp(users, alone) + alone / 2;
        let begin = settled(users, alone);
        let end = step_time(users, alone, at_once);
        let level = |from, lasting| Level { from, to: f64::from(users), lasting };
        let ramp = ramp(users, alone);
        let levels = match ramp.is_zero() {
            true => vec![level(f64::from(users), end)],
            false => vec![level(0.0, ramp), level(f64::from(users), end - ramp)],
        };
        // All that is under way at the end is waited for.
        let drain = alone.mul_f64(3.0 * f64::from(users) / at_once) + Duration::from_secs(2);
        let load = LoadSpec { levels, duration: end, drain, ..closed(&self.plan.load, users) };
        let mut usage = UsageWatch::new(self.view.as_ref(), connected, begin, end);
        let live = Arc::new(LiveCounters::new(load::threads(&load)));
        let (results, curve) = self.drive_with(&load, &live, &mut |now| usage.look(now))?;
        let (cpu, generator) = usage.used();
        let are_kept = results.measured.connections.opened <= u64::from(users);
        let whole = &results.measured.whole;
        let mean = whole.service_time.mean().map(|mean| mean.likely() / 1e3);
        let step = ConcurrencyStep {
            concurrency: users,
            duration_s: (end - begin).as_secs_f64(),
            good: curve.good_between(begin, end),
            failed: whole.failed() + whole.unanswered,
            error_status: whole.status.iter().skip(400).sum(),
            throughput: curve.rate_between(begin, end),
            service_time_p50_us: whole.service_time.distribution().median_of_answered().map(|ns| ns as f64 / 1e3),
            service_time_mean_us: mean,
            cpu,
            connections: if are_kept { usage.connections() } else { Vec::new() },
            generator,
        };
        if whole.unanswered > 0 {
            self.recover(alone)?;
        }
        Ok((step, results))
    }

    /// Requests that are sent at once, each on a connection of its own.
    fn burst(&self, size: u32, alone: Duration) -> Result<BurstRecord> {
        let load = LoadSpec { requests: Some(u64::from(size)), threads: Some(1), ..closed(&self.plan.load, size) };
        let (_, curve) = self.drive(&load)?;
        Ok(BurstRecord { size, batches: batches(&curve.times_ms(), alone.as_secs_f64() * 1e3) })
    }

    /// What nobody waits for any longer the server may still work on: waits until it is as fast as at the start.
    fn recover(&self, alone: Duration) -> Result<()> {
        let one = LoadSpec { requests: Some(1), ..closed(&self.plan.load, 1) };
        while !self.is_over() {
            let (results, _) = self.drive(&one)?;
            if median(&results).is_some_and(|took| took < alone.mul_f64(1.5) + Duration::from_millis(5)) {
                break;
            }
        }
        Ok(())
    }

    /// Drives a load to its end.
    fn drive(&self, load: &LoadSpec) -> Result<(Results, CompletionCurve)> {
        self.drive_with(load, &Arc::new(LiveCounters::new(load::threads(load))), &mut |_| {})
    }

    /// The same, so that others can look on.
    fn drive_with(
        &self,
        load: &LoadSpec,
        live: &Arc<LiveCounters>,
        look: &mut (dyn FnMut(Duration) + Send),
    ) -> Result<(Results, CompletionCurve)> {
        curve::during(live, look, || {
            load::run(load, self.client, self.sessions, self.target, self.seed, self.cancel, live)
        })
    }

    /// There is no time left, or nobody wants it any more.
    fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || self.began.elapsed() > MOST_TIME
    }

    fn says(&self, doing: &str) {
        doing.clone_into(&mut self.doing.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What was measured, and what it means.
fn conclude(record: &mut InspectionRecord) {
    record.parallelism = parallelism(record);
    record.signature = record.parallelism.as_ref().and_then(|parallelism| signature(record, parallelism));
    if record.signature.is_none() && record.inconclusive.is_none() {
        record.inconclusive = Some("the inspection was cut short".to_owned());
    }
}

/// How long users take to come.
fn ramp(users: u32, alone: Duration) -> Duration {
    if users == 1 { Duration::ZERO } else { alone.max(APART * users) }
}

/// From when on a step is watched: everybody has come and has had a response, and it is not the moment of a next one.
fn settled(users: u32, alone: Duration) -> Duration {
    let first = if users == 1 { 0.5 } else { 1.5 };
    ramp(users, alone) + alone.mul_f64(first)
}

/// How long a step lasts. It is watched for a whole number of times that a request takes: then it does not matter where in
/// them it begins.
fn step_time(users: u32, alone: Duration, at_once: f64) -> Duration {
    let (watched, least) = if users == 1 { (ALONE, ALONE_TIMES) } else { (WATCHED, WATCHED_TIMES) };
    let times = (watched.as_secs_f64() / alone.as_secs_f64().max(1e-6)).max(least);
    let times = times.max(TURNS * f64::from(users) / at_once).ceil();
    settled(users, alone) + alone.mul_f64(times)
}

/// The median service time of requests that were answered well.
fn median(results: &Results) -> Option<Duration> {
    let whole = &results.measured.whole;
    let good: u64 = whole.status.iter().take(400).sum();
    let median = whole.service_time.distribution().median_of_answered();
    median.filter(|_| good > 0).map(Duration::from_nanos)
}

/// Why a request alone tells nothing.
fn why_none(results: &Results) -> String {
    let whole = &results.measured.whole;
    let statuses: Vec<String> =
        (400..whole.status.len()).filter(|code| whole.status[*code] > 0).map(|code| code.to_string()).collect();
    match statuses.as_slice() {
        [] => "no request was answered".to_owned(),
        _ => format!("not one response has a status below 400: {}", statuses.join(", ")),
    }
}
