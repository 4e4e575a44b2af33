//! One load on several generators: prepared, started at one time, and gathered.

use std::sync::Mutex;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::info;

use super::super::agent::place;
use super::super::bus::BusError;
use super::super::clock::{self, ClockOffset, RoundTrip};
use super::super::message::{Armed, ForLoad, Prepare, Refusal, StartAt, StartedServer};
use super::super::subjects::{self};
use super::Coordinator;
use super::generator_state::GeneratorState;
use crate::load::LiveCounters;
use crate::load::part::LoadPart;
use crate::load::slice::ThreadSlice;
use crate::net::clock::Clock;
use crate::net::endpoint::Endpoint;
use crate::record::{GeneratorRecord, LogOf, TrialFailure};
use crate::run::generators::{Generators as _, SharedLoad, SharedResults};
use crate::units::counted;

/// How long a generator may take to get ready: it fetches files, sets its script up, and logs users in.
const READY_WITHIN: Duration = Duration::from_secs(300);
/// Round trips by which clocks are compared.
const PINGS: usize = 30;
/// A request that takes longer finds nobody.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How far ahead of the start it is told, apart from the time that messages take.
const LEAD: Duration = Duration::from_millis(250);
/// How long messages are waited for at a time.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// A load on its way over several generators.
pub(super) struct SharedRun<'a> {
    pub(super) coordinator: &'a Coordinator,
    pub(super) load: &'a SharedLoad<'a>,
    pub(super) number: u32,
    pub(super) slices: Vec<ThreadSlice>,
}

impl<'a> SharedRun<'a> {
    pub fn new(coordinator: &'a Coordinator, load: &'a SharedLoad<'a>, number: u32) -> Result<Self, TrialFailure> {
        let (threads, parts) = (coordinator.threads(load.plan), coordinator.agents.len() as u32);
        if threads < parts {
            let message = format!(
                "{} cannot share {}",
                counted(u64::from(parts), "generator"),
                counted(u64::from(threads), "thread")
            );
            let advice = "each needs a thread, and each thread a connection: raise load.threads or the users, or lower --generators";
            return Err(failure(message, advice));
        }
        let slices = (0..parts).map(|index| ThreadSlice::part(threads, index, parts)).collect();
        Ok(SharedRun { coordinator, load, number, slices })
    }

    /// Drives the load to its end.
    pub fn drive(&self, live: &LiveCounters, cancel: &CancellationToken) -> Result<SharedResults, TrialFailure> {
        let (bus, run) = (&self.coordinator.bus, &self.coordinator.run);
        let subscribed = bus
            .subscribe(&subjects::all_progress(run))
            .and_then(|progress| Ok((progress, bus.subscribe(&subjects::all_parts(run, self.number))?)));
        let (progress, parts) = subscribed.map_err(unreachable)?;
        let offsets = self.ready(cancel)?;
        let zero = self.start(&offsets)?;
        info!(generators = self.slices.len(), "load begins on all generators");
        live.begin(Clock::since(clock::instant(zero)));
        let states = self.watch(&progress, &parts, (live, zero), cancel);
        self.conclude(states, &offsets)
    }

    /// Has every generator get ready, and finds how far its clock is ahead.
    fn ready(&self, cancel: &CancellationToken) -> Result<Vec<ClockOffset>, TrialFailure> {
        let agents = &self.coordinator.agents;
        let refused: Mutex<Option<(String, Refusal)>> = Mutex::default();
        let offsets: Vec<Option<ClockOffset>> = std::thread::scope(|scope| {
            let each: Vec<_> = (0..agents.len())
                .map(|index| {
                    let refused = &refused;
                    scope.spawn(move || {
                        let name = &agents[index].name;
                        self.ready_one(index)
                            .map_err(|refusal| {
                                let mut first = refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                                first.get_or_insert((name.clone(), refusal));
                                // Those that still get ready need not.
                                self.stop();
                            })
                            .ok()
                    })
                })
                .collect();
            while each.iter().any(|one| !one.is_finished()) {
                self.beat();
                if cancel.is_cancelled() {
                    self.stop();
                }
                std::thread::sleep(LOOK * 5);
            }
            each.into_iter().map(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        if let Some((name, refusal)) = refused.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            self.stop();
            return Err(failure(format!("generator {name}: {}", refusal.message), &refusal.advice));
        }
        Ok(offsets.into_iter().flatten().collect())
    }

    fn ready_one(&self, index: usize) -> Result<ClockOffset, Refusal> {
        let (coordinator, slice) = (self.coordinator, self.slices[index]);
        let agent = &coordinator.agents[index];
        let prepare = Prepare {
            run: coordinator.run.clone(),
            load: self.number,
            generator: index as u32,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            bundle: coordinator.bundle.clone(),
            file: coordinator.file.clone(),
            overrides: coordinator.overrides.clone(),
            variant: self.load.variant.name.clone(),
            started: self.load.started.map(started),
            first: slice.first,
            count: slice.count,
            of: slice.of,
            seed: self.load.seed,
            allowed_hosts: coordinator.options.allowed_hosts.clone(),
        };
        let asked = |error: BusError| Refusal { message: error.message, advice: error.advice };
        let bus = &coordinator.bus;
        let subject = subjects::agent(&agent.id, "prepare");
        bus.request::<Result<(), Refusal>>(&subject, &prepare, READY_WITHIN).map_err(asked)??;
        let subject = subjects::agent(&agent.id, "clock");
        let trips: Vec<RoundTrip> = (0..PINGS)
            .filter_map(|_| {
                let sent = clock::now();
                let theirs = bus.request::<u64>(&subject, &(), ANSWER_WITHIN).ok()?;
                Some(RoundTrip { sent, came: clock::now(), theirs })
            })
            .collect();
        let silent = || Refusal {
            message: "it does not tell its clock".to_owned(),
            advice: "is its machine cut off?".to_owned(),
        };
        ClockOffset::of(&trips).ok_or_else(silent)
    }

    /// Tells every generator when to begin, each by its own clock; the time by this process' clock. Unless all have taken it before that
    /// time, none begins.
    fn start(&self, offsets: &[ClockOffset]) -> Result<u64, TrialFailure> {
        let farthest = offsets.iter().map(|offset| offset.error * 2).max().unwrap_or_default();
        let zero = clock::now() + (LEAD + farthest * 4).as_nanos() as u64;
        let coordinator = self.coordinator;
        let one = |index: usize| -> Result<(), String> {
            let agent = &coordinator.agents[index];
            let start = StartAt { run: coordinator.run.clone(), load: self.number, at: offsets[index].theirs(zero) };
            let left = Duration::from_nanos(zero.saturating_sub(clock::now()));
            let subject = subjects::agent(&agent.id, "start");
            match coordinator.bus.request::<Armed>(&subject, &start, left.max(LOOK)) {
                Ok(Armed { late: false }) => Ok(()),
                Ok(Armed { late: true }) => Err(format!("generator {} heard of the start too late", agent.name)),
                Err(error) => Err(format!("generator {}: {}", agent.name, error.message)),
            }
        };
        let taken: Vec<Result<(), String>> = std::thread::scope(|scope| {
            let each: Vec<_> = (0..offsets.len()).map(|index| scope.spawn(move || one(index))).collect();
            each.into_iter().map(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        self.beat();
        match taken.into_iter().find_map(Result::err) {
            None => Ok(zero),
            Some(why) => {
                self.stop();
                Err(failure(
                    format!("the start was called off: {why}"),
                    "run it again; `runner agents` shows who is there",
                ))
            }
        }
    }

    pub(super) fn beat(&self) {
        self.coordinator.bus.publish(&subjects::beat(&self.coordinator.run), &ForLoad { load: self.number });
    }

    pub(super) fn stop(&self) {
        self.coordinator.bus.publish(&subjects::stop(&self.coordinator.run), &ForLoad { load: self.number });
    }

    fn conclude(&self, states: Vec<GeneratorState>, offsets: &[ClockOffset]) -> Result<SharedResults, TrialFailure> {
        let (mut parts, mut generators) = (Vec::new(), Vec::new());
        for (index, state) in states.into_iter().enumerate() {
            let (agent, slice, offset) = (&self.coordinator.agents[index], self.slices[index], offsets[index]);
            let report = state.part;
            let part = match report.as_ref().map(|report| report.part.clone()) {
                Some(Ok(part)) => part,
                Some(Err(refusal)) => {
                    return Err(failure(format!("generator {}: {}", agent.name, refusal.message), &refusal.advice));
                }
                None => LoadPart::empty(self.load.plan),
            };
            let mut lost = state.lost;
            if let (Some(lost), Some(report)) = (&mut lost, report.filter(|report| !report.last)) {
                // They are among its unanswered: a part counts what is in flight so.
                lost.in_flight = report.progress.in_flight();
            }
            if let Some(keep) = &self.coordinator.options.keep_part {
                keep.0(self.number, &agent.name, &part);
            }
            let whole = &part.measured.whole;
            generators.push(GeneratorRecord {
                name: agent.name.clone(),
                machine: agent.machine.clone(),
                first_thread: slice.first,
                threads: slice.count,
                started: whole.started(),
                completed: whole.completed,
                failed: whole.failed(),
                unanswered: whole.unanswered,
                cpu_max: part.measured.generator.busiest,
                cpu_s: part.measured.generator.cpu.as_secs_f64(),
                clock_offset_us: offset.ahead as f64 / 1e3,
                clock_error_us: offset.error.as_secs_f64() * 1e6,
                lost,
            });
            parts.push(part);
        }
        Ok(SharedResults { parts, generators })
    }
}

/// A server of this process, as others reach it.
fn started(endpoint: &Endpoint) -> StartedServer {
    let (address, unix) = match endpoint {
        Endpoint::Tcp(address) => (address.to_string(), false),
        Endpoint::Unix(path) => (path.display().to_string(), true),
    };
    StartedServer { address, unix, place: place() }
}

fn failure(message: String, advice: &str) -> TrialFailure {
    TrialFailure { message, advice: advice.to_owned(), log_tail: Vec::new(), log_of: LogOf::Server }
}

fn unreachable(error: BusError) -> TrialFailure {
    failure(error.message, &error.advice)
}
