//! A leak of a record once more, with a probe in the server: which line wrote the value, and which read it?
//!
//! It changes no verdict. A server that does not start with the probe, or dies of it, is a reason in the record.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::canary;
use crate::dirty::recipe::Recipe;
use crate::dirty::{LeakReplay, Reproduction, Seen};
use crate::locate::history::ProcessHistory;
use crate::locate::{self, Agreement, Confidence, History, Location, NotLocated, Party, Showing};
use crate::net::target::Target;
use crate::record::{LeakRecord, LocationRecord, ShownRecord};
use crate::scenario::{DirtySpec, ServerSpec, Variant};
use crate::server::probe::{self, EventsRead, Probe, Probes};

mod places;

/// How often the leak is tried, and for how long; and how often where each try takes a server of its own.
const MOST_TRIES: u64 = 20;
pub(super) const MOST_TIME: Duration = Duration::from_secs(10);
const MOST_SERVERS: u64 = 6;
/// How long the events of a try may be on their way, how often to look for them, and how long after the last answers.
const ON_THEIR_WAY: Duration = Duration::from_millis(1500);
const LOOK: Duration = Duration::from_millis(20);
const AFTER_THE_ANSWERS: Duration = Duration::from_millis(60);
/// What it does, for the line of progress.
pub(super) const DOING: &str = "locating: which line wrote it";

/// Starts a server for a piece of work, and stops it. The error is why it could not, or how it ended.
pub(super) trait Servers {
    /// `untouched`: nothing is asked before the work.
    fn on_a_server(
        &mut self,
        untouched: bool,
        probe: Option<&Probe>,
        work: &mut (dyn FnMut(&Target, &CancellationToken) -> Result<(), String> + Send),
    ) -> Result<(), String>;
    /// Nobody wants to know any more.
    fn is_cancelled(&self) -> bool;
}

/// Whether leaks of a variant are looked for in its code. The error is why not, where that is worth a word.
pub(super) fn is_wanted(variant: &Variant) -> Option<Result<(), NotLocated>> {
    let asked = variant.dirty.as_ref()?.locate;
    match &variant.server {
        _ if asked == Some(false) => None,
        ServerSpec::Attached(_) => None,
        ServerSpec::Builtin(_) => Some(Ok(())),
        ServerSpec::Command(command) if asked == Some(true) || probe::is_known(command) => Some(Ok(())),
        ServerSpec::Command(_) => Some(Err(NotLocated::NoProbe)),
    }
}

/// Looks for the lines of a leak.
pub(super) fn leak(
    variant: &Variant,
    leak: &LeakRecord,
    seed: u64,
    probes: &Probes,
    servers: &mut dyn Servers,
) -> LocationRecord {
    let (location, with) = match search(variant, leak, seed, probes, servers) {
        Ok(found) => found,
        Err(reason) => (Location::not_located(reason), ShownRecord::default()),
    };
    let location = match location.reason {
        Some(NotLocated::NotShown) if servers.is_cancelled() => Location::not_located(NotLocated::Interrupted),
        _ => location,
    };
    let confidence = location.confidence.name();
    info!(class = leak.class.name(), confidence, shown = with.shown, tries = with.tries, "leak located in the code");
    places::record(location, &code_of(&variant.server), with, without(leak))
}

/// That a leak is not located, for this reason.
pub(super) fn not_located(leak: &LeakRecord, reason: NotLocated) -> LocationRecord {
    places::record(Location::not_located(reason), Path::new("."), ShownRecord::default(), without(leak))
}

/// How often a leak shows without a probe.
fn without(leak: &LeakRecord) -> Option<ShownRecord> {
    leak.shrunk.as_ref().map(|least| ShownRecord { shown: least.shown, tries: least.tries })
}

/// The folder below which the application's code is.
fn code_of(server: &ServerSpec) -> PathBuf {
    match server {
        ServerSpec::Command(command) => probe::application(command),
        ServerSpec::Builtin(builtin) => {
            let folder = builtin.script.as_ref().and_then(|script| script.path.parent());
            folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf()
        }
        ServerSpec::Attached(_) => Path::new(".").to_path_buf(),
    }
}

fn search(
    variant: &Variant,
    leak: &LeakRecord,
    seed: u64,
    probes: &Probes,
    servers: &mut dyn Servers,
) -> Result<(Location, ShownRecord), NotLocated> {
    let not_repeatable = |message: String| NotLocated::NotRepeatable { message };
    let plan = variant.dirty.as_ref().ok_or_else(|| not_repeatable("there is no dirty check".to_owned()))?;
    let recipe = leak.replayable().ok_or_else(|| not_repeatable("what was sent is not known".to_owned()))?;
    recipe.validate().map_err(not_repeatable)?;
    let probe = probes.probe(canary::PATTERN).map_err(|error| NotLocated::ServerFailed {
        message: format!("the probe cannot be written to the folder for temporary files: {error}"),
    })?;
    let failed = |message| NotLocated::ServerFailed { message };
    let mut search = Search::new(plan, recipe, variant.server.ready_within(), seed).map_err(not_repeatable)?;
    if search.replay.must_learn() {
        let learn = &mut |target: &Target, stop: &CancellationToken| search.learn(target, stop);
        servers.on_a_server(false, None, learn).map_err(failed)?;
    }
    while search.is_due() && !servers.is_cancelled() {
        let before = search.with.tries;
        search.servers += 1;
        let run = &mut |target: &Target, stop: &CancellationToken| search.run(target, &probe, stop);
        match servers.on_a_server(recipe.fresh_server, Some(&probe), run) {
            // What was seen until then counts.
            Err(message) if search.with.shown == 0 => return Err(failed(message)),
            Err(_) => break,
            Ok(()) if search.with.tries == before => break,
            Ok(()) => {}
        }
    }
    Ok(search.conclude(&probe))
}

/// Tries with a probe.
struct Search<'a> {
    replay: LeakReplay<'a>,
    recipe: &'a Recipe,
    patience: Option<Duration>,
    began: Option<Instant>,
    servers: u64,
    with: ShownRecord,
    found: Agreement,
}

impl<'a> Search<'a> {
    /// The error says why the recipe cannot be carried out.
    fn new(plan: &'a DirtySpec, recipe: &'a Recipe, patience: Option<Duration>, seed: u64) -> Result<Self, String> {
        let replay = LeakReplay::new(plan, recipe, seed)?;
        let (with, found) = (ShownRecord::default(), Agreement::default());
        Ok(Search { replay, recipe, patience, began: None, servers: 0, with, found })
    }

    fn learn(&mut self, target: &Target, stop: &CancellationToken) -> Result<(), String> {
        self.replay.aim(target, self.patience)?;
        self.replay.learn(stop)
    }

    /// Whether a further server is of use.
    fn is_due(&self) -> bool {
        let servers = if self.recipe.fresh_server { MOST_SERVERS } else { 1 };
        self.servers < servers && self.is_in_time()
    }

    /// As many tries as one server is good for. What they create is removed.
    fn run(&mut self, target: &Target, probe: &Probe, stop: &CancellationToken) -> Result<(), String> {
        let tried = self.try_out(target, probe, stop);
        self.replay.clean_up();
        tried
    }

    fn try_out(&mut self, target: &Target, probe: &Probe, stop: &CancellationToken) -> Result<(), String> {
        self.began.get_or_insert_with(Instant::now);
        self.replay.aim(target, self.patience)?;
        // What was learned of personas is known by now.
        probe.look_for(&self.replay.all_values()).map_err(|error| error.to_string())?;
        while self.is_in_time() && !stop.is_cancelled() {
            let before = probe.so_far();
            let tried = self.replay.run(self.recipe, stop).map_err(|error| error.to_string())?;
            let Some(tried) = tried else { break };
            self.with.tries += 1;
            if let Some(leak) = &tried.leak {
                self.with.shown += 1;
                let showing = self.showing(leak);
                let history = awaited(probe, &before, &showing, stop);
                let location = locate::locate(&history, &showing);
                debug!(confidence = location.confidence.name(), reason = ?location.reason, "events of a showing read");
                self.found.add(location);
            }
            if self.recipe.fresh_server {
                break;
            }
        }
        Ok(())
    }

    fn is_in_time(&self) -> bool {
        let in_time = self.began.is_none_or(|began| began.elapsed() < MOST_TIME);
        in_time && self.with.tries < MOST_TRIES && !self.found.is_enough()
    }

    /// Who got whose value.
    fn showing(&self, leak: &Reproduction) -> Showing {
        let party = |seen: &Seen| Party::new(&seen.canary, self.replay.values_of(seen));
        Showing { victim: party(&leak.victim), source: leak.source.as_ref().map(party) }
    }

    fn conclude(self, probe: &Probe) -> (Location, ShownRecord) {
        let location = self.found.conclude();
        if location.confidence < Confidence::NotLocated {
            return (location, self.with);
        }
        let all = history(probe, &EventsRead::default());
        let rewritten = all.has_modules() || location.reason != Some(NotLocated::NotInOwnCode);
        let location = match all.is_of_a_probe() {
            false => Location::not_located(NotLocated::ProbeNotLoaded),
            true if !rewritten => Location::not_located(NotLocated::NoModule),
            true => location,
        };
        (location, self.with)
    }
}

/// The events of a try, once they are all there, or have had their time.
fn awaited(probe: &Probe, before: &EventsRead, showing: &Showing, stop: &CancellationToken) -> History {
    let until = Instant::now() + ON_THEIR_WAY;
    loop {
        let read = history(probe, before);
        if locate::is_complete(&read, showing) {
            std::thread::sleep(AFTER_THE_ANSWERS);
            return history(probe, before);
        }
        if stop.is_cancelled() || Instant::now() >= until {
            return read;
        }
        std::thread::sleep(LOOK);
    }
}

fn history(probe: &Probe, before: &EventsRead) -> History {
    History { processes: probe.since(before).iter().map(|text| ProcessHistory::parse(text)).collect() }
}
