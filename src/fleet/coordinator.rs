//! `runner run --on`: gathers agents, has them drive each load together, and merges what they measured.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::agent::place;
use super::bundle::{Bundle, root_of};
use super::bus::{Bus, BusError, NatsOptions};
use super::message::{ALL_LOADS, AgentInfo, Discover, ForLoad, decode, encode};
use super::store;
use super::subjects::{BUNDLES, DISCOVER, PROTOCOL, drawn_id, stop};
use crate::load;
use crate::load::LiveCounters;
use crate::load::part::LoadPart;
use crate::record::TrialFailure;
use crate::run::generators::{Generators, SharedLoad, SharedResults};
use crate::scenario::{LoadSpec, Scenario};

mod gathering;
mod generator_state;
mod shared;
mod watch;

/// Replies to coordinators come below this.
const INBOX: &str = "_INBOX_coordinators";
/// How long agents have to answer one look for them.
const DISCOVERY: Duration = Duration::from_millis(300);

/// What becomes of a load that loses a generator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnLost {
    /// It is ended, and inconclusive.
    #[default]
    Stop,
    /// It goes on; what is missing is a caveat.
    Continue,
}

/// How a coordinator is run.
#[derive(Debug, Clone)]
pub struct CoordinatorOptions {
    pub nats: NatsOptions,
    /// Only agents of this pool take part; all where it is `None`.
    pub pool: Option<String>,
    /// How many generators drive a load.
    pub generators: u32,
    /// How long to wait for so many agents.
    pub wait: Duration,
    pub on_lost: OnLost,
    /// Hosts that may be loaded, apart from this machine.
    pub allowed_hosts: Vec<String>,
    /// Is given what each generator measured, if anybody wants it.
    pub keep_part: Option<KeepPart>,
}

/// Takes the number of a load, the name of a generator, and what it measured.
#[derive(Clone)]
pub struct KeepPart(Arc<Keep>);

type Keep = dyn Fn(u32, &str, &LoadPart) + Send + Sync;

impl KeepPart {
    /// Calls `keep` once for each load and generator.
    pub fn new(keep: impl Fn(u32, &str, &LoadPart) + Send + Sync + 'static) -> Self {
        KeepPart(Arc::new(keep))
    }
}

impl std::fmt::Debug for KeepPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeepPart")
    }
}

/// Agents that wait for the loads of one run.
#[derive(Debug)]
pub struct Coordinator {
    bus: Bus,
    /// Drawn for this run.
    run: String,
    agents: Vec<AgentInfo>,
    bundle: String,
    /// The scenario's file in the bundle.
    file: String,
    overrides: Vec<String>,
    options: CoordinatorOptions,
    /// How many loads there have been.
    loads: AtomicU32,
}

impl Coordinator {
    /// Connects, waits for enough agents that are free and of this version, and sends the files of a scenario.
    pub fn gather(
        scenario: &Scenario,
        options: CoordinatorOptions,
        cancel: &CancellationToken,
        say: &dyn Fn(&str),
    ) -> Result<Coordinator, BusError> {
        refuse_literals(scenario)?;
        let bus = connect(&options.nats)?;
        store::create(&bus)?;
        let agents = gathering::gather(&bus, &options, cancel, say)?;
        let (bundle, file) = send_bundle(&bus, &scenario.file)?;
        let run = drawn_id();
        let overrides = scenario.overrides.clone();
        Ok(Coordinator { bus, run, agents, bundle, file, overrides, options, loads: AtomicU32::new(0) })
    }

    /// Who takes part.
    pub fn agents(&self) -> &[AgentInfo] {
        &self.agents
    }
}

/// A connection as a coordinator.
pub(super) fn connect(nats: &NatsOptions) -> Result<Bus, BusError> {
    Bus::connect(nats, "runner coordinator", INBOX)
}

/// Keeps the files of a scenario's folder where agents find them; the digest, and the scenario's file within.
pub(super) fn send_bundle(bus: &Bus, scenario: &Path) -> Result<(String, String), BusError> {
    let bundle = Bundle::of(&root_of(scenario))?;
    let file = bundle.place_of(scenario)?;
    keep(bus, &bundle)?;
    Ok((bundle.digest, file))
}

/// Keeps a bundle, if it is not there.
pub(super) fn keep(bus: &Bus, bundle: &Bundle) -> Result<(), BusError> {
    match store::has(bus, BUNDLES, &bundle.digest)? {
        true => Ok(()),
        false => store::put(bus, BUNDLES, &bundle.digest, &bundle.bytes),
    }
}

/// Files are sent as they are: a secret that stands in one would be readable by all who may read the store.
pub(super) fn refuse_literals(scenario: &Scenario) -> Result<(), BusError> {
    let Some((name, key)) = scenario.secrets.literals().next() else { return Ok(()) };
    let message = format!(
        "{} holds a secret itself, at {key}, and its files are sent to other machines",
        scenario.file.display()
    );
    let advice = format!("write ${{{name}}} there, and set the variable {name} here and for each agent");
    Err(BusError::invalid(message, advice))
}

/// All agents that answer now.
pub fn agents(nats: &NatsOptions, pool: Option<&str>) -> Result<Vec<AgentInfo>, BusError> {
    let bus = connect(nats)?;
    let mut all = discover(&bus, pool)?;
    all.sort_by(|one, other| (&one.pool, &one.name, &one.id).cmp(&(&other.pool, &other.name, &other.id)));
    Ok(all)
}

/// Asks once who is there.
pub(super) fn discover(bus: &Bus, pool: Option<&str>) -> Result<Vec<AgentInfo>, BusError> {
    let inbox = bus.client.new_inbox();
    let replies = bus.subscribe(&inbox)?;
    let question = encode(&Discover { pool: pool.map(str::to_owned) });
    let asked = bus.client.publish_with_reply(DISCOVER, inbox.clone(), question.into());
    bus.wait(asked)
        .map_err(|error| BusError::new(format!("cannot look for agents: {error}"), "is the NATS server up?"))?;
    bus.is_allowed()?;
    let until = Instant::now() + DISCOVERY;
    let mut found: Vec<AgentInfo> = Vec::new();
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        let Some(heard) = replies.next(left) else { break };
        found.extend(decode::<AgentInfo>(&heard.payload));
    }
    Ok(found)
}

/// Why an agent cannot take part, if it cannot.
fn unfit(agent: &AgentInfo) -> Option<String> {
    let version = env!("CARGO_PKG_VERSION");
    match agent {
        agent if agent.protocol != PROTOCOL || agent.version != version => {
            Some(format!("is runner {}, and this is {version}", agent.version))
        }
        agent => agent.busy.as_ref().map(|busy| format!("is busy with a {busy}")),
    }
}

impl Generators for Coordinator {
    /// As many as the scenario says. Otherwise half of the cores of the smallest machine for each generator, where the server shares
    /// machines with them, else all; and never more than the load has use for.
    fn threads(&self, plan: &LoadSpec) -> u32 {
        let each = self.agents.len() as u32;
        if let Some(threads) = plan.threads {
            return threads.min(plan.connections());
        }
        let here = place();
        let is_shared = self.agents.iter().any(|agent| agent.place == here);
        let cores = self.agents.iter().map(|agent| agent.cpus).min().unwrap_or(1);
        let own = if is_shared { cores / 2 } else { cores }.max(1);
        (own * each).min(load::useful_threads(plan).max(each)).min(plan.connections())
    }

    fn drive(
        &self,
        load: &SharedLoad<'_>,
        live: &LiveCounters,
        cancel: &CancellationToken,
    ) -> Result<SharedResults, TrialFailure> {
        let number = self.loads.fetch_add(1, Ordering::Relaxed) + 1;
        shared::SharedRun::new(self, load, number)?.drive(live, cancel)
    }
}

impl Drop for Coordinator {
    /// Agents that work for one run only may end.
    fn drop(&mut self) {
        self.bus.publish(&stop(&self.run), &ForLoad { load: ALL_LOADS });
        self.bus.flush();
    }
}

/// For a run's options.
impl Coordinator {
    /// As generators.
    pub fn into_generators(self) -> Arc<dyn Generators> {
        Arc::new(self)
    }
}
