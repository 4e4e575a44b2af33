//! One trial: a fresh server for the load, a fresh one for the dirty check.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{debug, info, info_span, warn};

use super::generators::Generators;
use super::log_tail;
use super::supervise::{self, Ending};
use super::{Observer, RunEvent, events, facts, hooks};

use crate::dirty::{self, Phased};
use crate::load::{LoadProgress, system_limits};
use crate::net::target::Target;
use crate::record::{LogOf, ServerPart, Trial, TrialFailure};
use crate::scenario::{self, DirtySpec, LoadSpec, Variant};
use crate::server::probe::{Probe, Probes};
use crate::server::{self, Death, Server, StartError, Starting};

mod capacity;
mod inspected;
mod load;
mod located;
mod shared_load;
pub(super) mod sweep;

/// How often to look at what a set-up has said.
const READ_EVERY: Duration = Duration::from_secs(1);
/// A server may print megabytes: this many bytes at the end of its log are looked at.
const LONGEST_TAIL: u64 = 64 * 1024;

/// What every part of a trial needs.
struct Stage<'a> {
    variant: &'a Variant,
    seed: u64,
    log: &'a Path,
    allowed_hosts: &'a [String],
    /// Who drives its load, if not this process.
    generators: Option<&'a dyn Generators>,
    probes: &'a Probes,
    observer: &'a dyn Observer,
    cancel: &'a CancellationToken,
    in_flight: Cell<InFlight>,
    /// How often a server was started.
    starts: Cell<u32>,
    /// Where in the log the words of the server at hand begin.
    log_from: Cell<u64>,
    /// A hook did not come back.
    hung: Cell<bool>,
}

/// What trials are run with.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrialTools<'a> {
    /// Hosts that may be loaded although they are not this machine.
    pub allowed_hosts: &'a [String],
    /// Who drives loads, if not this process.
    pub generators: Option<&'a dyn Generators>,
    /// Those of the whole run.
    pub probes: &'a Probes,
}

/// A trial that ran.
pub(super) struct Ran {
    pub trial: Trial,
    /// A hook did not come back: it keeps a core busy, beside which nothing can be measured.
    pub hung: bool,
}

/// Runs a trial to its end, or until `cancel` or a failure; what was measured until then is in it.
pub(super) fn run(
    variant: &Variant,
    seed: u64,
    log: &Path,
    TrialTools { allowed_hosts, generators, probes }: TrialTools<'_>,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Ran {
    let stage = Stage {
        variant,
        seed,
        log,
        allowed_hosts,
        generators,
        probes,
        observer,
        cancel,
        in_flight: Cell::default(),
        starts: Cell::new(0),
        log_from: Cell::new(0),
        hung: Cell::new(false),
    };
    let failure = variant.load.as_ref().and_then(|plan| stage.foreign_source(plan));
    let mut trial = Trial { failure, ..Trial::default() };
    if let Some(plan) = variant.load.as_ref().filter(|_| trial.failure.is_none()) {
        stage.part(ServerPart::Load, &mut trial, (&variant.server, None), |stage, server, trial| {
            stage.load(plan, server, trial)
        });
    }
    if let (Some(plan), Some(load)) = (&variant.capacity, &variant.load) {
        stage.capacity(plan, load, &mut trial);
    }
    let over = |trial: &Trial| trial.failure.is_some() || trial.interrupted;
    if let Some(plan) = variant.inspect.as_ref().filter(|_| !over(&trial)) {
        stage.part(ServerPart::Inspection, &mut trial, (&variant.server, None), |stage, server, trial| {
            stage.inspect(plan, server, trial)
        });
    }
    trial.ceiling = facts::ceiling(variant, &trial);
    if let Some(plan) = variant.dirty.as_ref().filter(|_| !over(&trial)) {
        match plan.sweep {
            Some(_) => stage.sweep(plan, &mut trial),
            None => stage.dirty(plan, &mut trial),
        }
    }
    if let Some(failure) = &trial.failure {
        observer.event(RunEvent::Trouble { message: &failure.message });
        warn!("trouble: {}", failure.message);
    }
    Ran { trial, hung: stage.hung.get() }
}

/// Requests in flight, so that a death can tell how many it hit. By the time that it is noticed they may have failed: so
/// the number is that of the last look after which a response still came.
#[derive(Debug, Clone, Copy, Default)]
struct InFlight {
    last: Option<(LoadProgress, u64)>,
    alive: Option<u64>,
}

impl InFlight {
    fn after(self, progress: LoadProgress) -> Self {
        let open = progress.in_flight();
        let answered_since = self.last.filter(|(before, _)| progress.completed > before.completed);
        InFlight { last: Some((progress, open)), alive: answered_since.map(|(_, open)| open).or(self.alive) }
    }

    fn at_the_end(self) -> u64 {
        self.alive.or(self.last.map(|(_, open)| open)).unwrap_or(0)
    }
}

impl Stage<'_> {
    /// Starts a server for a part, does `work` with it, and stops it.
    fn part(
        &self,
        part: ServerPart,
        trial: &mut Trial,
        (plan, probe): (&scenario::ServerSpec, Option<&Probe>),
        work: impl FnOnce(&Self, &mut Server, &mut Trial) -> std::io::Result<Ending>,
    ) {
        if self.cancel.is_cancelled() {
            trial.interrupted = true;
            return;
        }
        let log = server::Log::from_here(self.log);
        self.log_from.set(log.from);
        let number = self.starts.get() + 1;
        self.starts.set(number);
        let _life = info_span!("server", start = number).entered();
        debug!(start = number, "server starts");
        let begun = Instant::now();
        // Asked again and again while the server starts.
        let (said, read_at) = (RefCell::new(String::new()), Cell::new(begun));
        let cancelled = |at| {
            if at == Starting::SetUp && read_at.get().elapsed() >= READ_EVERY {
                read_at.set(Instant::now());
                said.replace(self.log_tail().pop().unwrap_or_default());
            }
            let last_line = said.borrow();
            let set_up = (at == Starting::SetUp).then_some(last_line.as_str());
            self.observer.event(RunEvent::ServerStarting { number, elapsed: begun.elapsed(), set_up });
            self.cancel.is_cancelled()
        };
        let mut server = match Server::start_with(plan, log, self.allowed_hosts, probe, &cancelled) {
            Ok(server) => server,
            Err(_) if self.cancel.is_cancelled() => {
                trial.interrupted = true;
                return;
            }
            Err(StartError { message, advice }) => {
                warn!(start = number, after = ?begun.elapsed(), "server did not start: {message}");
                trial.failure = Some(self.failure(message, advice));
                return;
            }
        };
        let description = format!("{} on {}", facts::describe_server(&self.variant.server), server.endpoint());
        self.observer.event(RunEvent::ServerReady { description: &description, after: server.ready_after() });
        events::server_ready(number, &server, &description);
        let ending = work(self, &mut server, trial);
        let life = server.stop();
        events::server_ended(number, &life);
        let ending = match (ending, &life.death) {
            (Ok(Ending::Finished), Some(death)) => Ok(Ending::Died(death.clone())),
            (ending, _) => ending,
        };
        trial.servers.push(facts::server(part, &life));
        match ending {
            Ok(Ending::Finished) => {}
            Ok(Ending::Interrupted) => trial.interrupted = true,
            Ok(Ending::Aborted(aborted)) => trial.aborted = Some(aborted),
            Ok(Ending::Died(death)) => trial.failure = Some(self.death(&death)),
            Err(error) => {
                let advice = hooks::MACHINE_REFUSED;
                trial.failure = Some(self.failure(format!("the machine refused: {error}"), advice.to_owned()));
            }
        }
    }

    /// A dirty check, part by part, each on a server of its own.
    fn dirty(&self, plan: &DirtySpec, trial: &mut Trial) {
        self.in_flight.take();
        let premises = dirty::Premises {
            workers: self.variant.server.workers(),
            in_flight: facts::in_flight(&self.variant.server),
        };
        let owned = !matches!(self.variant.server, scenario::ServerSpec::Attached(_));
        let progress = Arc::new(dirty::DirtyProgress::default());
        let description = facts::describe_dirty(plan);
        let _check = info_span!("dirty").entered();
        let mut check = dirty::DirtyCheck::new(plan, premises, owned, self.seed, Arc::clone(&progress));
        while let Some(mut part) = check.next_phase() {
            let over = trial.failure.is_some() || trial.interrupted;
            if over {
                break;
            }
            // A request for readiness would be the first.
            let server = match check.must_be_untouched(part) {
                true => &self.variant.server.ready_without_a_request(),
                false => &self.variant.server,
            };
            let serves = match part {
                dirty::CheckPhase::Diagnosis => ServerPart::Diagnosis,
                _ => ServerPart::DirtyCheck,
            };
            self.part(serves, trial, (server, None), |stage, server, _| {
                let target = target(server, &stage.variant.server);
                if !check.has_begun() {
                    stage.observer.event(RunEvent::DirtyBegan { description: &description });
                    info!("dirty check begins: {description}");
                }
                check.on_a_new_server(part, stage.variant.server.ready_within());
                stage.phases(server, &mut check, &mut part, &target, (&progress, plan))
            });
            // The leak is proven: a server that does not start for its diagnosis, or dies of it, takes nothing from that.
            if part == dirty::CheckPhase::Diagnosis && trial.failure.take().is_some() {
                check.give_up_diagnosis();
            }
        }
        events::dirty_ended(&progress);
        // Without a server there was no check, and nothing can be said of it.
        if check.has_begun() {
            let mut findings = check.conclude();
            findings.interrupted |= trial.interrupted;
            let failure = trial.failure.as_ref().map(|failure| failure.message.as_str());
            trial.dirty = Some(facts::dirty(plan, self.variant.server.tls(), &findings, failure));
            self.locate(self.variant, trial);
        }
        self.observer.event(RunEvent::DirtyEnded);
    }

    /// Runs a check from a phase on for as long as the next one shares the server; `phase` is the last that was run.
    fn phases<C: Phased + Send>(
        &self,
        server: &mut Server,
        check: &mut C,
        phase: &mut C::Phase,
        target: &Target,
        (progress, plan): (&dirty::DirtyProgress, &DirtySpec),
    ) -> std::io::Result<Ending> {
        let (time, planned) = (check.time(), plan.budget.time);
        loop {
            let now = *phase;
            let mut tick = |_: &Server| {
                let exposures = progress.exposures.load(Ordering::Relaxed);
                let leaks = progress.leaks.load(Ordering::Relaxed);
                let (elapsed, doing) = (time.now(), C::doing(now));
                self.observer.event(RunEvent::Dirty { elapsed, planned, exposures, leaks, doing });
                None
            };
            let (ran, ending) =
                supervise::watch(server, self.cancel, &mut tick, |cancel| check.run(now, target, cancel))?;
            ran?;
            match check.next_phase().filter(|next| check.shares(*next)) {
                Some(next) if matches!(ending, Ending::Finished) => *phase = next,
                _ => return Ok(ending),
            }
        }
    }

    /// Said before anything is started.
    fn foreign_source(&self, plan: &LoadSpec) -> Option<TrialFailure> {
        let (source, why) = system_limits::foreign(&plan.source_addresses)?;
        let advice = "name addresses of this machine as sources: `ip address` lists them";
        let message = format!("no connection can come from {source}: {why}");
        Some(TrialFailure { message, advice: advice.to_owned(), log_tail: Vec::new(), log_of: LogOf::Server })
    }

    fn death(&self, death: &Death) -> TrialFailure {
        let in_flight = match self.in_flight.get().at_the_end() {
            0 => String::new(),
            1 => " with 1 request in flight".to_owned(),
            count => format!(" with {count} requests in flight"),
        };
        self.failure(format!("{}{in_flight}", death.end), death.advice.to_owned())
    }

    fn failure(&self, message: String, advice: String) -> TrialFailure {
        TrialFailure { message, advice, log_tail: self.log_tail(), log_of: LogOf::Server }
    }

    /// The last lines of the server at hand.
    fn log_tail(&self) -> Vec<String> {
        let text = self.read_log().unwrap_or_default();
        log_tail::of(String::from_utf8_lossy(&text).lines())
    }

    /// The end of what the server at hand has said.
    fn read_log(&self) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(self.log)?;
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(self.log_from.get().max(end.saturating_sub(LONGEST_TAIL))))?;
        let mut bytes = Vec::new();
        file.take(LONGEST_TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// How a server is reached by a load or a check.
pub(super) fn target(server: &Server, plan: &scenario::ServerSpec) -> Target {
    Target::new(server.endpoint().clone(), server.tls().cloned(), server.authority(), plan.workers())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_in_flight_at_a_death_is_told_although_it_has_failed_since() {
        let at = |started, completed, failed| LoadProgress { started, completed, failed, ..LoadProgress::default() };
        let alive = InFlight::default().after(at(14, 10, 0));
        assert_eq!(alive.at_the_end(), 4);
        assert_eq!(alive.after(at(20, 15, 5)).at_the_end(), 4, "it died between two looks");
        assert_eq!(alive.after(at(20, 15, 5)).after(at(24, 15, 9)).at_the_end(), 4, "and that was noticed late");
    }
}
