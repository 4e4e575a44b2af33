//! An agent as one of the generators of a load.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::super::bus::{Bus, BusError, persist};
use super::super::message::{
    ForLoad, PartReport, Prepare, ProgressReport, Refusal, StartedServer, decode, encode, pack,
};
use super::super::store;
use super::super::subjects::{self, RECORDS};
use super::super::{clock, message};
use super::{LoadRequest, Own, Waiting, lock};
use crate::load::part::LoadPart;
use crate::load::slice::ThreadSlice;
use crate::load::snapshot::{Snapshot, SnapshotRequest};
use crate::load::start::CommonStart;
use crate::load::{LiveCounters, LoadProgress};
use crate::net::clock::Clock;
use crate::record::redacted;
use crate::run::slice::{PreparedSlice, SliceJob};
use crate::scenario::{self, Address, LoadSpec, Scenario};

/// All generators of a load tell how far they are at multiples of this, from its start.
pub(in super::super) const TICK: Duration = Duration::from_millis(500);
/// What was measured is sent each so many ticks.
const TICKS_PER_PART: u64 = 4;
/// A coordinator that was not heard of for so long is gone: nobody would stop this load.
const UNHEARD: Duration = Duration::from_secs(10);
/// It says that it is there at the start, and soon.
const UNHEARD_AT_START: Duration = Duration::from_secs(2);
/// What a message holds besides its payload, in bytes, at most.
const ROOM: usize = 1024;
/// How often to look after a load.
const LOOK: Duration = Duration::from_millis(20);

/// What the watch over a load has found.
#[derive(Debug, Default)]
struct Heard {
    /// When the coordinator was heard last, by this process' clock.
    beat: AtomicU64,
    /// It wants the load to end.
    stop: AtomicBool,
}

/// Drives a slice as it is asked, and replies: first whether it is ready, then, as parts, what it measured.
pub(super) fn drive(own: &Own, request: LoadRequest, cancel: &CancellationToken, say: &(dyn Fn(&str) + Sync)) {
    let LoadRequest { prepare, reply } = request;
    let (run, load) = (prepare.run.clone(), prepare.load);
    let once = Mutex::new(reply);
    let bus = own.bus.clone();
    // Said once: by whoever knows first.
    let reply = Arc::new(move |said: Result<(), Refusal>| {
        if let Some(to) = lock(&once).take() {
            bus.publish_bytes(&to, encode(&said));
        }
    });
    let refuse = |mut refusal: Refusal| {
        if refusal.advice.contains("--allow-host") {
            refusal.advice =
                "both sides have to allow a host: `runner run` and this `runner agent`, each with --allow-host"
                    .to_owned();
        }
        say(&format!("refused a load of run {run}: {}", refusal.message));
        warn!(run, "refused: {}", refusal.message);
        reply(Err(refusal));
    };
    let (scenario, variant) = match scenario_of(own, &prepare) {
        Ok(found) => found,
        Err(refusal) => return refuse(refusal),
    };
    let heard = Arc::new(Heard::default());
    heard.beat.store(clock::now(), Ordering::Relaxed);
    let listening = match listen(&own.bus, &run, load, &heard) {
        Ok(listening) => listening,
        Err(error) => return refuse(error.into()),
    };
    let stop = cancel.child_token();
    let (tell, start) = channel();
    *lock(&own.starts) = Some(Waiting { run: run.clone(), load, tell });
    let slice = ThreadSlice { first: prepare.first, count: prepare.count, of: prepare.of };
    let allowed: Vec<String> = both(&prepare.allowed_hosts, &own.options.allowed_hosts);
    let started = prepare.started.as_ref().map(address);
    let job = SliceJob {
        variant: &scenario.variants[variant],
        started: started.as_ref(),
        slice,
        seed: prepare.seed,
        allowed_hosts: &allowed,
    };
    let plan = scenario.variants[variant].load.as_ref();
    let watch = LoadWatch { own, prepare: &prepare, heard: &heard, stop: &stop, scenario: &scenario, plan };
    let came = std::thread::scope(|scope| {
        let (over, is_over) = channel::<()>();
        let live = {
            let (reply, start, stop) = (Arc::clone(&reply), Mutex::new(start), stop.clone());
            // Called when all threads are ready.
            Arc::new(LiveCounters::of(
                slice,
                CommonStart::when(move || {
                    reply(Ok(()));
                    wait_for_start(&lock(&start), &stop)
                }),
            ))
        };
        let looking = Arc::clone(&live);
        let watching = scope.spawn(move || watch.until(&is_over, &looking));
        let prepared = PreparedSlice::new(&job, &stop);
        let driven = prepared.and_then(|prepared| {
            say(&format!("run {run}: {} of {} threads are ready", slice.count, slice.of));
            prepared.drive(&live, &stop)
        });
        drop(over);
        let why = watching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (driven.map_err(Refusal::from), live.progress(), live.elapsed(), why)
    });
    drop(listening);
    *lock(&own.starts) = None;
    let (driven, progress, elapsed, why) = came;
    let Some(elapsed) = elapsed else {
        // It never began.
        return refuse(
            driven
                .err()
                .unwrap_or_else(|| Refusal { message: "the start was called off".to_owned(), advice: String::new() }),
        );
    };
    let part = driven.and_then(|part| hidden(part, &scenario));
    let cut = if cancel.is_cancelled() { Some("it was ended".to_owned()) } else { why };
    info!(run, started = progress.started, cut, "load ended");
    say(&format!(
        "run {run}: {} requests started{}",
        progress.started,
        cut.as_ref().map(|why| format!("; {why}")).unwrap_or_default()
    ));
    let report = PartReport {
        load,
        generator: prepare.generator,
        at: elapsed.as_nanos() as u64,
        last: true,
        cut,
        progress,
        part,
    };
    deliver(&own.bus, &prepare, &report, cancel);
}

/// The scenario and the index of the variant that is to be driven.
fn scenario_of(own: &Own, prepare: &Prepare) -> Result<(Scenario, usize), Refusal> {
    let refuse = |message: String, advice: &str| Refusal { message, advice: advice.to_owned() };
    if prepare.version != own.info.version {
        let message = format!("it is runner {}, and this is {}", own.info.version, prepare.version);
        return Err(refuse(message, "install the same version on both"));
    }
    if let Some(StartedServer { place, .. }) = &prepare.started
        && *place != own.info.place
    {
        let message = "it is on another machine than the server, which listens on loopback".to_owned();
        return Err(refuse(
            message,
            "start the server yourself on an address that all machines reach, and name it: [server] url",
        ));
    }
    let folder = own.bundle(&prepare.bundle)?;
    let scenario = load_scenario(own, &folder, &prepare.file, &prepare.overrides)?;
    let found = scenario.variants.iter().position(|variant| variant.name == prepare.variant);
    let variant = found.ok_or_else(|| {
        refuse(format!("it finds no variant {}", prepare.variant), "is an environment variable another one there?")
    })?;
    Ok((scenario, variant))
}

/// Loads a scenario of a bundle, with what this agent's environment says.
pub(super) fn load_scenario(own: &Own, folder: &Path, file: &str, overrides: &[String]) -> Result<Scenario, Refusal> {
    let place = folder.join(file);
    scenario::load(&place, overrides, &*own.options.system).map_err(|problems| {
        let all: Vec<String> = problems.iter().map(|problem| problem.title.clone()).collect();
        let help = problems.iter().find_map(|problem| problem.help.clone()).unwrap_or_default();
        Refusal {
            message: format!("it cannot load {file}: {}", all.join("; ")),
            advice: format!("{help}; variables are those of the agent"),
        }
    })
}

/// Hosts that both allow.
pub(super) fn both(one: &[String], other: &[String]) -> Vec<String> {
    one.iter().filter(|host| other.contains(host)).cloned().collect()
}

fn address(started: &StartedServer) -> Address {
    if started.unix {
        return Address::Unix(started.address.clone().into());
    }
    let (host, port) = started.address.rsplit_once(':').unwrap_or((&started.address, "0"));
    Address::Host(host.trim_matches(['[', ']']).to_owned(), port.parse().unwrap_or_default())
}

/// A part without the secrets of its scenario.
fn hidden(part: LoadPart, scenario: &Scenario) -> Result<LoadPart, Refusal> {
    redacted(part, &scenario.secrets).map_err(|error| Refusal {
        message: format!("secrets cannot be taken out of what it measured: {error}"),
        advice: "nothing of it was sent".to_owned(),
    })
}

/// Blocks until the load is to begin.
fn wait_for_start(start: &Receiver<u64>, stop: &CancellationToken) -> Option<Clock> {
    let at = loop {
        match start.recv_timeout(LOOK) {
            Ok(at) => break at,
            Err(RecvTimeoutError::Timeout) if !stop.is_cancelled() => {}
            Err(_) => return None,
        }
    };
    let zero = clock::instant(at);
    loop {
        let left = zero.saturating_duration_since(Instant::now());
        if stop.is_cancelled() {
            return None;
        }
        if left.is_zero() {
            return Some(Clock::since(zero));
        }
        std::thread::sleep(left.min(LOOK));
    }
}

fn listen(bus: &Bus, run: &str, load: u32, heard: &Arc<Heard>) -> Result<[super::AbortOnDrop; 2], BusError> {
    let of_load = move |payload: &[u8]| decode::<ForLoad>(payload).is_some_and(|said| said.load == load);
    let here = Arc::clone(heard);
    let beats = bus.hear(&subjects::beat(run), move |message| {
        if of_load(&message.payload) {
            here.beat.store(clock::now(), Ordering::Relaxed);
        }
    })?;
    let here = Arc::clone(heard);
    let stops = bus.hear(&subjects::stop(run), move |message| {
        if of_load(&message.payload) {
            here.stop.store(true, Ordering::Relaxed);
        }
    })?;
    Ok([beats, stops])
}

/// Looks after a load that is under way.
struct LoadWatch<'a> {
    own: &'a Own,
    prepare: &'a Prepare,
    heard: &'a Heard,
    stop: &'a CancellationToken,
    scenario: &'a Scenario,
    plan: Option<&'a LoadSpec>,
}

impl LoadWatch<'_> {
    /// Tells how far it is, and ends it where the coordinator wants that, or is gone; until nobody is left at the other end of
    /// `over`. Returns why it was ended, if not because the coordinator said so.
    fn until(&self, over: &Receiver<()>, live: &LiveCounters) -> Option<String> {
        let (mut next, mut why, mut asked) = (0, None, None);
        while over.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            let elapsed = live.elapsed();
            if self.heard.stop.load(Ordering::Relaxed) {
                self.stop.cancel();
            } else if let Some(gone) = self.is_alone(elapsed) {
                why.get_or_insert(gone);
                self.stop.cancel();
            }
            let Some(elapsed) = elapsed else { continue };
            let tick = (elapsed.as_millis() / TICK.as_millis()) as u64;
            if tick >= next {
                self.tell(tick, live);
                next = tick + 1;
                if tick > 0 && tick.is_multiple_of(TICKS_PER_PART) {
                    asked.get_or_insert_with(|| live.ask_for_snapshots());
                }
            }
            if let Some(came) = asked.as_mut().and_then(SnapshotRequest::poll) {
                asked = None;
                self.send_part(came, live.progress());
            }
        }
        why
    }

    /// Why nobody would end this load, if nobody would.
    fn is_alone(&self, elapsed: Option<Duration>) -> Option<String> {
        let silence = clock::now().saturating_sub(self.heard.beat.load(Ordering::Relaxed));
        let silence = Duration::from_nanos(silence);
        // At the start it has just been heard of, or else it ended between.
        let at_start = elapsed.is_some_and(|elapsed| elapsed >= UNHEARD_AT_START && silence > elapsed);
        (silence > UNHEARD || at_start)
            .then(|| format!("nothing was heard of the coordinator for {} s", silence.as_secs()))
    }

    fn tell(&self, tick: u64, live: &LiveCounters) {
        let Prepare { run, load, generator, .. } = self.prepare;
        let progress = live.progress();
        let report = ProgressReport { load: *load, generator: *generator, tick, progress };
        self.own.bus.publish(&subjects::progress(run, *generator), &report);
    }

    /// Sends what was measured so far. Where the next one takes its place soon, nobody waits for it to arrive.
    fn send_part(&self, snapshots: Vec<Snapshot>, progress: LoadProgress) {
        let (Some(plan), Some(at)) = (self.plan, snapshots.iter().map(|snapshot| snapshot.at).max()) else { return };
        let Prepare { run, load, generator, .. } = self.prepare;
        let report = PartReport {
            load: *load,
            generator: *generator,
            at: at.as_nanos() as u64,
            last: false,
            cut: None,
            progress,
            part: hidden(LoadPart::so_far(plan, snapshots), self.scenario),
        };
        let (bus, subject, bytes) = (&self.own.bus, subjects::part(run, *load, *generator), pack(&report));
        if fits(bus, &bytes) {
            bus.publish_bytes(&subject, bytes);
        } else if let Err(error) = send(bus, &subject, &bytes) {
            warn!(%error, "a part is not kept");
        }
    }
}

/// Sends the last part until the server has it.
fn deliver(bus: &Bus, prepare: &Prepare, report: &PartReport, cancel: &CancellationToken) {
    let subject = subjects::part(&prepare.run, prepare.load, prepare.generator);
    let bytes = pack(report);
    if let Err(error) = persist("the last part", cancel, || send(bus, &subject, &bytes)) {
        warn!(%error, "the last part is lost");
    }
}

/// Whether bytes can be sent as one message.
fn fits(bus: &Bus, bytes: &[u8]) -> bool {
    bytes.len() + ROOM < bus.client.max_payload()
}

/// Publishes a part. One that is larger than a message is kept as an object, and the message names it.
fn send(bus: &Bus, subject: &str, bytes: &[u8]) -> Result<(), BusError> {
    if fits(bus, bytes) {
        return store::publish(bus, subject, bytes.to_vec());
    }
    // What is there cannot be written again.
    let name = format!("{subject}/{}", clock::now());
    store::put(bus, RECORDS, &name, bytes)?;
    store::publish(bus, subject, message::elsewhere(&name))
}
