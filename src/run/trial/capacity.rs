//! The highest rate at which a server keeps the rules: short loads at one rate after another, on a server of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{info, info_span};

use super::super::facts::{self, describe_capacity, probe};
use super::super::supervise::{self, Ending};
use super::super::{RunEvent, hooks};
use super::{Stage, target};
use crate::analysis::backlog;
use crate::analysis::capacity::CapacitySearch;
use crate::analysis::limiting_resource::{LimitContext, limiting_resource};
use crate::analysis::observed::observe;
use crate::load::client_script::ClientScript;
use crate::load::{self, LiveCounters};
use crate::net::target::Target;
use crate::record::{
    self, BrokenBy, CapacityRecord, LoadRecord, OpenLoadRecord, ProbeRecord, SaturationRecord, ServerPart, Trial,
};
use crate::scenario::{CapacitySpec, LoadSpec, Spacing};
use crate::script::client::Called;
use crate::server::Server;
use crate::session::Session;
use crate::units::{counted, show_rate};

mod probe_loads;

use probe_loads::ProbeLoads;

/// Users of the closed loads that show where to look, one load after the other until more users bring no more.
const USERS: [u32; 5] = [4, 16, 64, 256, 1024];
/// More users bring no more if the throughput grows by less than this factor.
const NO_MORE: f64 = 1.08;
/// Nor do they where so many times the latency of a request alone is waited: then there is a queue.
const QUEUED: f64 = 4.0;
/// A server has recovered when a request alone takes no longer than so many times what it took at first, and this.
const RECOVERED: f64 = 1.5;
const RECOVERED_WITHIN: Duration = Duration::from_millis(5);
/// It is given so long to recover.
const RECOVERY: Duration = Duration::from_secs(10);
/// Runner was disturbed by others if it sent so large a share more than 1 ms late. A rate is tried so often, and no more,
/// until it was not.
const LATE_SHARE: f64 = 0.05;
const MOST_DISTURBED: u32 = 3;
/// A load thread that was busier may be what limits.
const GENERATOR_BUSY: f64 = 0.95;

impl Stage<'_> {
    /// Finds the capacity, unless the trial has failed before.
    pub(super) fn capacity(&self, plan: &CapacitySpec, load: &LoadSpec, trial: &mut Trial) {
        if trial.failure.is_some() || trial.interrupted {
            return;
        }
        self.in_flight.take();
        let _search = info_span!("capacity").entered();
        self.part(ServerPart::Capacity, trial, (&self.variant.server, None), |stage, server, trial| {
            stage.search(plan, load, server, trial)
        });
        self.observer.event(RunEvent::CapacityEnded);
    }

    fn search(
        &self,
        plan: &CapacitySpec,
        load: &LoadSpec,
        server: &mut Server,
        trial: &mut Trial,
    ) -> std::io::Result<Ending> {
        let client = match load.script.as_ref().map(|script| (script, self.set_up(script))) {
            None => None,
            Some((_, Called { result: Ok(client), .. })) => Some(client),
            Some((script, Called { result: Err(error), log })) => {
                trial.failure = Some(hooks::setup_failure(&script.path, &error, &log));
                return Ok(Ending::Finished);
            }
        };
        let target = target(server, &self.variant.server);
        let users = match self.log_in(load, server, &target)? {
            (Ok(users), Ending::Finished) => users,
            (refused, ending) => {
                trial.failure = refused.err().filter(|_| matches!(ending, Ending::Finished));
                drop(client.map(|client| self.tear_down(client)));
                return Ok(ending);
            }
        };
        let description = describe_capacity(plan, load);
        self.observer.event(RunEvent::CapacityBegan { description: &description });
        info!("search for the capacity begins: {description}");
        let mut prober = Prober { stage: self, plan, load, target, client, users, begun: Instant::now(), loads: 0 };
        let (record, ended) = prober.search(server);
        if let Some(client) = prober.client.take() {
            drop(self.tear_down(client));
        }
        info!(rate = record.rate, high = record.high, probes = record.probes.len(), "search for the capacity ended");
        // Without a probe there was no search, and nothing can be said of it.
        trial.capacity = (!record.probes.is_empty()).then_some(record);
        match ended {
            Ok(()) => Ok(Ending::Finished),
            Err(Stopped::Ending(ending)) => Ok(*ending),
            Err(Stopped::Refused(error)) => Err(error),
            Err(Stopped::Hung(failure)) => {
                self.hung.set(true);
                trial.failure = Some(*failure);
                Ok(Ending::Finished)
            }
        }
    }
}

/// Why a search ended before its end.
enum Stopped {
    /// The user, or the server.
    Ending(Box<Ending>),
    /// The machine.
    Refused(std::io::Error),
    /// A hook did not come back.
    Hung(Box<record::TrialFailure>),
}

/// What one load of the search came to.
struct Driven {
    record: LoadRecord,
    /// The server's CPU time, and its memory at the end; `None` where nobody can look.
    used: Option<(Duration, u64)>,
    /// From its start to its end, drain included.
    took: Duration,
}

/// Drives the loads of a search.
struct Prober<'a> {
    stage: &'a Stage<'a>,
    plan: &'a CapacitySpec,
    load: &'a LoadSpec,
    target: Target,
    client: Option<ClientScript>,
    users: Vec<Session>,
    begun: Instant,
    /// How many loads there were, so that each draws its own chance.
    loads: u64,
}

impl Prober<'_> {
    /// The whole search; what is known when it is stopped is in the record.
    fn search(&mut self, server: &mut Server) -> (CapacityRecord, Result<(), Stopped>) {
        let mut record = CapacityRecord {
            rules: self.plan.rules.iter().map(|rule| rule.text.clone()).collect(),
            precision: self.plan.precision,
            spacing: if self.loads().spacing() == Spacing::Poisson { "poisson" } else { "uniform" }.to_owned(),
            ..CapacityRecord::default()
        };
        let ended = self.fill(server, &mut record);
        record.took_s = self.begun.elapsed().as_secs_f64();
        let context = LimitContext {
            machine_cores: std::thread::available_parallelism().map_or(1, usize::from),
            workers: self.stage.variant.server.workers(),
            max_rate: self.plan.max_rate,
        };
        record.limiting = limiting_resource(&record, context);
        let at_rate = record.probes.iter().rev().find(|probe| Some(probe.rate) == record.rate && probe.kept());
        record.at_once = record.rate.zip(record.alone_us).map(|(rate, alone)| rate * alone / 1e6);
        record.rss_bytes = at_rate.and_then(|probe| probe.rss_bytes);
        record.cpu_s_per_1000 = at_rate.and_then(|probe| Some(probe.cores? / probe.achieved.max(1e-9) * 1e3));
        (record, ended)
    }

    fn fill(&mut self, server: &mut Server, record: &mut CapacityRecord) -> Result<(), Stopped> {
        let alone = self.alone(server)?;
        record.alone_us = Some(alone.as_secs_f64() * 1e6);
        let start = self.saturate(server, alone, &mut record.saturation)?;
        self.recover(server, alone)?;
        let mut search = CapacitySearch::new(start, self.plan.precision, self.plan.max_rate);
        let mut disturbed = 0;
        while let Some(rate) = search.next_rate() {
            let lasting = self.loads().lasting(rate, alone);
            if self.begun.elapsed() + lasting > self.plan.time && !record.probes.is_empty() {
                break;
            }
            let tried = self.probe(server, rate, alone, record.probes.len() + 1)?;
            disturbed = if tried.broken == Some(BrokenBy::Disturbed) { disturbed + 1 } else { 0 };
            if disturbed > 0 && disturbed < MOST_DISTURBED {
                record.probes.push(tried);
                self.recover(server, alone)?;
                continue;
            }
            let least = self.loads().least_growth(rate, alone);
            let estimate = tried.growth.filter(|growth| !tried.kept() && *growth > least);
            search.tell(rate, tried.kept(), estimate.map(|growth| rate / (1.0 + growth)));
            info!(rate, kept = tried.kept(), growth = tried.growth, achieved = tried.achieved, "rate tried");
            let kept = tried.kept();
            record.probes.push(tried);
            let known = search.bracket();
            (record.rate, record.high, record.confirmed) = (known.low, known.high, known.confirmed);
            if !kept {
                self.recover(server, alone)?;
            }
        }
        Ok(())
    }

    /// The median latency of requests that are sent one after another.
    fn alone(&mut self, server: &mut Server) -> Result<Duration, Stopped> {
        let doing = "one request at a time";
        let first = self.drive(server, self.loads().alone(3), doing)?;
        let median = |driven: &Driven| driven.record.latency_us.p50.map_or(0.0, |p50| p50.likely() / 1e6);
        // The first warm the server up.
        let more = if median(&first) < 0.05 { self.drive(server, self.loads().alone(20), doing)? } else { first };
        Ok(Duration::from_secs_f64(median(&more)))
    }

    /// What the server answers to ever more users who each wait for their response: the highest rate.
    fn saturate(
        &mut self,
        server: &mut Server,
        alone: Duration,
        told: &mut Vec<SaturationRecord>,
    ) -> Result<f64, Stopped> {
        let most = self.loads().max_users();
        for users in USERS.into_iter().map(|users| users.min(most)) {
            let spec = self.loads().users(users, alone);
            let driven = self.drive(server, spec, &format!("{} who wait", counted(users.into(), "user")))?;
            let before = told.last().map_or(0.0, |last| last.throughput);
            let throughput = driven.record.throughput;
            let p50_us = driven.record.latency_us.p50.map(|p50| p50.likely());
            told.push(SaturationRecord { users, throughput, p50_us });
            let queued = p50_us.is_none_or(|p50| p50 / 1e6 > alone.as_secs_f64() * QUEUED);
            if throughput < before * NO_MORE || queued || users == most {
                break;
            }
        }
        let best = told.iter().map(|load| load.throughput).fold(0.0, f64::max);
        // Nothing was answered in time: one request after another is what is left.
        Ok(if best > 0.0 { best } else { 1.0 / alone.as_secs_f64().max(1e-3) })
    }

    /// Waits until a request alone is as fast as at first: what an overload has left behind is then done.
    fn recover(&mut self, server: &mut Server, alone: Duration) -> Result<(), Stopped> {
        let (begun, fast) = (Instant::now(), alone.mul_f64(RECOVERED) + RECOVERED_WITHIN);
        while begun.elapsed() < RECOVERY && self.begun.elapsed() < self.plan.time {
            let driven = self.drive(server, self.loads().alone(2), "the server recovers")?;
            let fastest = driven.record.latency_us.min.map_or(f64::INFINITY, |min| min.likely() / 1e6);
            if fastest <= fast.as_secs_f64() {
                break;
            }
        }
        Ok(())
    }

    /// A load at one rate.
    fn probe(
        &mut self,
        server: &mut Server,
        rate: f64,
        alone: Duration,
        number: usize,
    ) -> Result<ProbeRecord, Stopped> {
        let t_s = self.begun.elapsed().as_secs_f64();
        let (spec, least) = (self.loads().arrivals(rate, alone), self.loads().least_growth(rate, alone));
        let driven = self.drive(server, spec, &format!("rate {number}: {}", show_rate(rate)))?;
        let growth = backlog::growth(&driven.record.stages);
        let broken = self.broken(&driven.record, growth.filter(|growth| *growth > least));
        let cores = driven.used.map(|(cpu, _)| cpu.as_secs_f64() / driven.took.as_secs_f64().max(1e-9));
        let rss_bytes = driven.used.map(|(_, rss)| rss);
        let cpu_s = driven.used.map(|(cpu, _)| cpu.as_secs_f64());
        let took_s = driven.took.as_secs_f64();
        Ok(ProbeRecord { t_s, rate, broken, growth, cpu_s, cores, rss_bytes, ..probe(&driven.record, took_s) })
    }

    /// What of the rate was too much, if anything was.
    fn broken(&self, load: &LoadRecord, growth: Option<f64>) -> Option<BrokenBy> {
        if load.generator.cpu_max > GENERATOR_BUSY && growth.is_some() {
            return Some(BrokenBy::Generator);
        }
        let trial = Trial { load: Some(load.clone()), ..Trial::default() };
        let rule = self.plan.rules.iter().find_map(|rule| {
            let observed = observe(rule.metric, &trial);
            let holds = observed.and_then(|observed| observed.compare(rule.comparison, rule.limit));
            (holds != Some(true)).then(|| BrokenBy::Rule { rule: rule.text.clone(), observed })
        });
        let broken = rule.or(growth.map(|_| BrokenBy::GrowingQueue));
        let is_late = |open: &OpenLoadRecord| open.missed > 0 || open.late_share > LATE_SHARE;
        let disturbed = load.generator.stopped_s > 0.0 || load.open.as_ref().is_some_and(is_late);
        broken.map(|broken| if disturbed { BrokenBy::Disturbed } else { broken })
    }

    fn loads(&self) -> ProbeLoads<'_> {
        ProbeLoads { plan: self.plan, load: self.load, users: self.users.len() }
    }

    /// Drives one load to its end.
    fn drive(&mut self, server: &mut Server, spec: LoadSpec, doing: &str) -> Result<Driven, Stopped> {
        self.loads += 1;
        let seed = self.stage.seed.wrapping_add(self.loads.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let live = Arc::new(LiveCounters::new(load::threads(&spec)));
        let (elapsed, planned) = (|| self.begun.elapsed(), self.plan.time);
        let mut tick = |_: &Server| {
            let progress = live.progress();
            self.stage.in_flight.set(self.stage.in_flight.get().after(progress));
            self.stage.observer.event(RunEvent::Capacity { elapsed: elapsed(), planned, doing });
            None
        };
        let before = server.usage();
        let begun = Instant::now();
        let work = |cancel: &CancellationToken| {
            load::run(&spec, self.client.as_ref(), &self.users, &self.target, seed, cancel, &live)
        };
        let (results, ending) =
            supervise::watch(server, self.stage.cancel, &mut tick, work).map_err(Stopped::Refused)?;
        let took = begun.elapsed();
        if !matches!(ending, Ending::Finished) {
            return Err(Stopped::Ending(Box::new(ending)));
        }
        let mut results = results.map_err(Stopped::Refused)?;
        if let Some(hung) = results.hung.take() {
            let script = spec.script.as_ref().map(|script| &*script.path);
            return Err(Stopped::Hung(Box::new(hooks::hung(script, &hung))));
        }
        let after = server.usage();
        let used = after.rows.last().map(|row| (after.cpu.saturating_sub(before.cpu), row.rss));
        let findings = results.measured.findings.take();
        let checks = hooks::checks(findings, Vec::new(), Some(Called { result: Ok(()), log: Vec::new() }));
        Ok(Driven { record: LoadRecord { checks, ..facts::load(&spec, &results) }, used, took })
    }
}
