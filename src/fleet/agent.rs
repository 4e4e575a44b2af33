//! `runner agent`: drives slices of loads, and runs blocks of scenarios, for whoever asks over NATS.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::info;

use super::bundle;
use super::bus::{AbortOnDrop, Bus, BusError, NatsOptions};
use super::clock;
use super::message::{ALL_LOADS, AgentInfo, Armed, Discover, ForLoad, Prepare, Refusal, StartAt, decode, encode};
use super::store;
use super::subjects::{self, BUNDLES, DISCOVER, PROTOCOL};
use crate::run::environment;
use crate::scenario::SystemContext;
use crate::server::scratch::Scratch;

mod blocks;
mod generator;

/// How often an idle agent looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);
/// How long a server is waited for that is not there.
const CONNECT_FOR: Duration = Duration::from_secs(60);
/// With `once`, a run that has no other load for so long is over, even if its coordinator has not said so.
const NEXT_LOAD_WITHIN: Duration = Duration::from_secs(300);
/// Replies to agents come below this.
const INBOX: &str = "_INBOX_agents";

/// How an agent is run.
#[derive(Clone)]
pub struct AgentOptions {
    pub nats: NatsOptions,
    /// What people call it; its host if not given.
    pub name: Option<String>,
    /// It works for those who ask this pool.
    pub pool: String,
    /// Hosts that it may load, apart from its own machine.
    pub allowed_hosts: Vec<String>,
    /// Whether it starts servers by a command line: whoever may submit then runs programs here.
    pub allow_commands: bool,
    /// End after the loads of one run, or once there are no more blocks.
    pub once: bool,
    /// The environment that scenarios are filled from.
    pub system: Arc<dyn SystemContext + Send + Sync>,
}

/// An agent that is connected.
pub struct Agent {
    own: Arc<Own>,
    jobs: Receiver<LoadRequest>,
    _answering: Vec<AbortOnDrop>,
}

/// What all parts of an agent need.
struct Own {
    bus: Bus,
    info: AgentInfo,
    options: AgentOptions,
    /// What it is at.
    busy: Mutex<Option<String>>,
    /// Where the start of the load at hand is told.
    starts: Mutex<Option<Waiting>>,
    /// Bundles, each in a folder by its digest; they go with the agent.
    folder: Scratch,
}

impl Drop for Agent {
    /// The event loop may hold on to what it needs for longer.
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.own.folder.path());
    }
}

/// A load that waits for its start.
struct Waiting {
    run: String,
    load: u32,
    tell: Sender<u64>,
}

/// A load that somebody asks for, and where the reply goes.
struct LoadRequest {
    prepare: Prepare,
    reply: Option<String>,
}

/// Keeps an agent busy until it is dropped.
struct Claim<'a>(&'a Own);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        *lock(&self.0.busy) = None;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Own {
    /// Whether it was free, and is not any more.
    fn claim(&self, what: String) -> Result<(), String> {
        let mut busy = lock(&self.busy);
        match &*busy {
            Some(other) => Err(other.clone()),
            None => {
                *busy = Some(what);
                Ok(())
            }
        }
    }

    /// The folder of a bundle, fetched if it is not there.
    fn bundle(&self, digest: &str) -> Result<PathBuf, Refusal> {
        let place = self.folder.path().join(digest);
        if place.is_dir() {
            return Ok(place);
        }
        let bytes = store::get(&self.bus, BUNDLES, digest)?;
        let full = |error: std::io::Error| Refusal {
            message: format!("cannot write below {}: {error}", self.folder.path().display()),
            advice: "is the disk full?".to_owned(),
        };
        // Named only once it is whole.
        let unpacked = tempfile::tempdir_in(self.folder.path()).map_err(full)?;
        bundle::unpack(&bytes, digest, unpacked.path())?;
        std::fs::rename(unpacked.keep(), &place).map_err(full)?;
        Ok(place)
    }
}

impl Agent {
    /// Connects, and answers whoever looks for agents. A server that is not there yet is waited for, for a minute or until `cancel`.
    pub fn connect(options: AgentOptions, cancel: &CancellationToken) -> Result<Agent, BusError> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let name = options.name.clone().unwrap_or_else(|| host.split('.').next().unwrap_or_default().to_owned());
        let bus = connect(&options.nats, &name, cancel)?;
        let of = environment::read();
        let info = AgentInfo {
            id: subjects::drawn_id(),
            name,
            pool: options.pool.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            machine: format!("{} x {}, {} {}", of.cpus, of.cpu, of.os, of.kernel),
            cpus: of.cpus as u32,
            place: place(),
            busy: None,
            allowed_hosts: options.allowed_hosts.clone(),
            allow_commands: options.allow_commands,
        };
        let folder = Scratch::for_an_agent(&std::env::temp_dir());
        let folder = folder.map_err(|error| {
            BusError::new(format!("no folder for files: {error}"), "set TMPDIR to a folder that can be written")
        })?;
        let own = Arc::new(Own { bus, info, options, busy: Mutex::default(), starts: Mutex::default(), folder });
        let (asked, jobs) = channel();
        let answering = answer(&own, &asked)?;
        own.bus.is_allowed()?;
        info!(id = own.info.id, name = own.info.name, pool = own.info.pool, "agent is ready");
        Ok(Agent { own, jobs, _answering: answering })
    }

    /// What it tells of itself.
    pub fn info(&self) -> &AgentInfo {
        &self.own.info
    }

    /// Works until `cancel`, or, with `once`, until it has done its work. `say` is told what it does.
    pub fn run(&self, cancel: &CancellationToken, say: &(dyn Fn(&str) + Sync)) {
        let over = cancel.child_token();
        std::thread::scope(|scope| {
            let (own, until) = (&self.own, over.clone());
            scope.spawn(move || {
                blocks::work(own, &until, say);
                // It has done its work, or is to end.
                until.cancel();
            });
            let mut last: Option<LastRun> = None;
            while !over.is_cancelled() {
                match self.jobs.recv_timeout(LOOK) {
                    Ok(request) => {
                        let claim = Claim(&self.own);
                        last = last.filter(|last| last.run == request.prepare.run);
                        let ended = last.take().map(|last| last.ended);
                        let run = request.prepare.run.clone();
                        let ended = ended.or_else(|| RunEnd::of(&self.own.bus, &run).ok());
                        generator::drive(&self.own, request, cancel, say);
                        drop(claim);
                        last = ended.map(|ended| LastRun { run, ended, since: Instant::now() });
                    }
                    Err(RecvTimeoutError::Timeout) if self.own.options.once => {
                        // A run may have several loads.
                        if last.as_ref().is_some_and(LastRun::is_over) {
                            over.cancel();
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => over.cancel(),
                }
            }
        });
    }
}

/// The run that an agent has driven loads of last.
struct LastRun {
    run: String,
    ended: RunEnd,
    /// When its last load here ended.
    since: Instant,
}

impl LastRun {
    fn is_over(&self) -> bool {
        self.ended.came.load(Ordering::Relaxed) || self.since.elapsed() > NEXT_LOAD_WITHIN
    }
}

/// Hears when a coordinator has no more loads.
struct RunEnd {
    came: Arc<AtomicBool>,
    _hearing: AbortOnDrop,
}

impl RunEnd {
    fn of(bus: &Bus, run: &str) -> Result<RunEnd, BusError> {
        let came = Arc::new(AtomicBool::new(false));
        let here = Arc::clone(&came);
        let hearing = bus.hear(&subjects::stop(run), move |heard| {
            let is_end = decode::<ForLoad>(&heard.payload).is_some_and(|said| said.load == ALL_LOADS);
            here.fetch_or(is_end, Ordering::Relaxed);
        })?;
        Ok(RunEnd { came, _hearing: hearing })
    }
}

fn connect(nats: &NatsOptions, name: &str, cancel: &CancellationToken) -> Result<Bus, BusError> {
    let until = Instant::now() + CONNECT_FOR;
    loop {
        match Bus::connect(nats, &format!("runner agent {name}"), INBOX) {
            Err(error) if error.passing && Instant::now() < until && !cancel.is_cancelled() => {
                std::thread::sleep(LOOK * 5);
            }
            connected => return connected,
        }
    }
}

/// Answers on the event loop, whatever the agent is at.
fn answer(own: &Arc<Own>, asked: &Sender<LoadRequest>) -> Result<Vec<AbortOnDrop>, BusError> {
    let (bus, id) = (&own.bus, own.info.id.as_str());
    let here = Arc::clone(own);
    let discovery = bus.answer(DISCOVER, move |message| {
        let wanted: Discover = decode(message)?;
        let meant = wanted.pool.is_none_or(|pool| pool == here.info.pool);
        meant.then(|| AgentInfo { busy: lock(&here.busy).clone(), ..here.info.clone() })
    })?;
    let clocks = bus.answer(&subjects::agent(id, "clock"), |_| Some(clock::now()))?;
    let here = Arc::clone(own);
    let starts = bus.answer(&subjects::agent(id, "start"), move |message| {
        let start: StartAt = decode(message)?;
        let late = clock::now() >= start.at;
        let waiting = lock(&here.starts).take_if(|waiting| waiting.run == start.run && waiting.load == start.load)?;
        // A load that was given up meanwhile does not begin.
        waiting.tell.send(start.at).ok()?;
        Some(Armed { late })
    })?;
    let (here, asked) = (Arc::clone(own), asked.clone());
    let prepares = bus.hear(&subjects::agent(id, "prepare"), move |heard| {
        let refuse = |message: String, advice: &str| {
            let reply: Result<(), Refusal> = Err(Refusal { message, advice: advice.to_owned() });
            let (client, to) = (here.bus.client.clone(), heard.reply.clone());
            here.bus.handle.spawn(async move {
                if let Some(to) = to {
                    let _ = client.publish(to, encode(&reply).into()).await;
                }
            });
        };
        let Some(prepare) = decode::<Prepare>(&heard.payload) else {
            return refuse(
                "it does not understand what it is asked".to_owned(),
                "use the same version of runner everywhere",
            );
        };
        match here.claim(format!("load of run {}", prepare.run)) {
            Err(busy) => {
                refuse(format!("it is busy with a {busy}"), "wait until it is done; `runner agents` shows who is free")
            }
            Ok(()) => {
                let _: Result<(), _> = asked.send(LoadRequest { prepare, reply: heard.reply.clone() });
            }
        }
    })?;
    Ok(vec![discovery, clocks, starts, prepares])
}

/// The boot of this machine and its network namespace: processes with the same reach each other's loopback.
pub(super) fn place() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let network = std::fs::read_link("/proc/self/ns/net").unwrap_or_default();
    format!("{} {}", boot.trim(), network.display())
}
