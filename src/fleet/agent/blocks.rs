//! An agent that works on the blocks of its pool, one after the other.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use async_nats::jetstream::AckKind;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::PullConsumer;
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::super::block_ledger::{Block, BlockLedger, BlockState, Hold, Manifest, Taken};
use super::super::bundle::Bundle;
use super::super::bus::{BusError, persist};
use super::super::message::Refusal;
use super::super::store;
use super::super::subjects::{PROTOCOL, RECORDS};
use super::generator::{both, load_scenario};
use super::{Claim, Own};
use crate::record::Status;
use crate::run::{self, Options, Unfinished, Unobserved};
use crate::telemetry::RunLog;

/// How long a block is waited for at a time.
const FETCH: Duration = Duration::from_secs(1);
/// An agent that works on a block says so this often; a block of whose agent nothing was heard for [`store::ACK_WAIT`] is another's.
const RENEW: Duration = Duration::from_secs(1);
/// What cannot be had at the moment is tried again after this.
const AGAIN: Duration = Duration::from_millis(500);
/// With `once`, an agent whose pool has had no block for so long has done its work.
const NOTHING_LEFT: Duration = Duration::from_secs(3);

/// What came of a block.
struct BlockResult {
    status: Status,
    report: Option<Vec<u8>>,
    why: Option<String>,
    /// Under which name its report is kept, once it is.
    object: Option<String>,
}

/// Works on blocks until `cancel`, or, with `once`, until there are none left.
pub(super) fn work(own: &Own, cancel: &CancellationToken, say: &(dyn Fn(&str) + Sync)) {
    let mut worker = Worker { own, cancel, say, consumer: None, runs: HashMap::new(), idle: None };
    while !cancel.is_cancelled() {
        match worker.one() {
            Ok(()) => {}
            Err(error) => {
                // The streams are made by the first coordinator: until then there is nothing to do.
                info!(%error, "no blocks");
                worker.consumer = None;
                std::thread::sleep(AGAIN);
            }
        }
        if own.options.once && worker.idle.is_some_and(|since| since.elapsed() > NOTHING_LEFT) {
            return;
        }
    }
}

/// A run that blocks were taken of.
struct KnownRun {
    ledger: BlockLedger,
    manifest: Manifest,
}

struct Worker<'a> {
    own: &'a Own,
    cancel: &'a CancellationToken,
    say: &'a (dyn Fn(&str) + Sync),
    consumer: Option<PullConsumer>,
    /// What is known of runs: read once each.
    runs: HashMap<String, Arc<KnownRun>>,
    /// Since when there has been no block, after one was done.
    idle: Option<Instant>,
}

impl Worker<'_> {
    /// Waits for a block, and works on it.
    fn one(&mut self) -> Result<(), BusError> {
        if super::lock(&self.own.busy).is_some() {
            std::thread::sleep(AGAIN / 5);
            return Ok(());
        }
        let consumer = match &self.consumer {
            Some(consumer) => consumer,
            None => self.consumer.insert(store::blocks(&self.own.bus, &self.own.info.pool)?),
        };
        let Some(message) = fetch(self.own, consumer)? else { return Ok(()) };
        if self.own.claim("block".to_owned()).is_err() {
            // A load has come first.
            self.own.acknowledge(&message, AckKind::Nak(None));
            return Ok(());
        }
        let _claim = Claim(self.own);
        let Some((run, block)) = address_of(&message) else {
            self.own.acknowledge(&message, AckKind::Term);
            return Ok(());
        };
        self.take(&message, &run, block)
    }

    fn take(&mut self, message: &Message, run: &str, block: u32) -> Result<(), BusError> {
        let (own, again) = (self.own, AckKind::Nak(Some(AGAIN)));
        let Some(known) = self.known(run)? else {
            own.acknowledge(message, AckKind::Term);
            return Ok(());
        };
        let KnownRun { ledger, manifest } = &*known;
        let Some(spec) = manifest.blocks.get(block as usize) else {
            own.acknowledge(message, AckKind::Term);
            return Ok(());
        };
        if manifest.protocol != PROTOCOL || spec.commands && !own.options.allow_commands {
            // Another agent may.
            own.acknowledge(message, again);
            std::thread::sleep(AGAIN);
            return Ok(());
        }
        let mut hold = match ledger.take(block, &own.info.name)? {
            Taken::Mine(hold) => hold,
            Taken::Over => {
                own.acknowledge(message, AckKind::Ack);
                return Ok(());
            }
            Taken::Theirs => {
                own.acknowledge(message, again);
                return Ok(());
            }
        };
        let name = describe(spec);
        (self.say)(&format!("run {run}: {name}"));
        info!(run, block, attempt = hold.entry.attempt, "block begins");
        let attempt = hold.entry.attempt;
        let came = self.hold_while(message, (ledger, block), &mut hold, |stop| {
            let result = perform(own, manifest, spec, stop);
            // Kept while the block is still renewed.
            self.kept(result, &format!("{run}/{block}/{attempt}"), stop)
        });
        match came {
            Some(result) => self.deliver(message, (ledger, run, block), hold, result),
            None if self.cancel.is_cancelled() => {
                ledger.write(block, &mut hold, BlockState::GivenBack)?;
                own.acknowledge(message, AckKind::Nak(None));
            }
            None => {
                (self.say)(&format!("run {run}: {name} was given to another agent, as nothing was heard of this one"))
            }
        }
        self.idle = Some(Instant::now());
        Ok(())
    }

    /// A run, by its number; `None` where there is none.
    fn known(&mut self, run: &str) -> Result<Option<Arc<KnownRun>>, BusError> {
        if let Some(known) = self.runs.get(run) {
            return Ok(Some(Arc::clone(known)));
        }
        let ledger = BlockLedger::open(&self.own.bus, run)?;
        let Some(manifest) = ledger.manifest()? else { return Ok(None) };
        let known = Arc::new(KnownRun { ledger, manifest });
        self.runs.insert(run.to_owned(), Arc::clone(&known));
        Ok(Some(known))
    }

    /// Does some work while it says again and again that it does; `None` where the block was lost meanwhile, or the agent ended.
    fn hold_while<T: Send>(
        &self,
        message: &Message,
        (ledger, block): (&BlockLedger, u32),
        hold: &mut Hold,
        work: impl FnOnce(&CancellationToken) -> T + Send,
    ) -> Option<T> {
        let stop = self.cancel.child_token();
        let lost = AtomicBool::new(false);
        let came = std::thread::scope(|scope| {
            let (over, is_over) = channel::<()>();
            let (stop, lost) = (&stop, &lost);
            let renewing = scope.spawn(move || {
                while is_over.recv_timeout(RENEW) == Err(RecvTimeoutError::Timeout) {
                    self.own.acknowledge(message, AckKind::Progress);
                    // Without a connection nobody can tell: the next write does.
                    if let Ok(false) = ledger.write(block, hold, BlockState::Taken) {
                        lost.store(true, Ordering::Relaxed);
                        stop.cancel();
                    }
                }
            });
            let came = work(stop);
            drop(over);
            let _ = renewing.join();
            came
        });
        let is_mine = !lost.load(Ordering::Relaxed) && !self.cancel.is_cancelled();
        is_mine.then_some(came)
    }

    /// Keeps the report of a result where others find it. Each try has a name of its own: what is there cannot be written again.
    fn kept(&self, mut result: BlockResult, name: &str, stop: &CancellationToken) -> BlockResult {
        let Some(bytes) = result.report.take() else { return result };
        let mut number = 0;
        let kept = persist("the report", stop, || {
            number += 1;
            let name = format!("{name}/{number}");
            store::put(&self.own.bus, RECORDS, &name, &bytes).map(|()| name)
        });
        match kept {
            Ok(name) => result.object = Some(name),
            Err(error) => {
                result.status = Status::CouldNotRun;
                result.why = Some(format!("its report could not be kept: {error}"));
            }
        }
        result
    }

    /// Sends a result until the server has it, unless somebody else has the block by then.
    fn deliver(
        &self,
        message: &Message,
        (ledger, run, block): (&BlockLedger, &str, u32),
        mut hold: Hold,
        result: BlockResult,
    ) {
        let BlockResult { status, object, why, .. } = result;
        let done = BlockState::Done { status, report: object, why };
        match persist("the result", self.cancel, || ledger.write(block, &mut hold, done.clone())) {
            Ok(true) => {
                // The server says that it knows: or else it would hand the block out once more.
                if let Err(error) = self.own.bus.wait(message.double_ack()) {
                    info!(%error, "not acknowledged");
                }
            }
            Ok(false) => {
                (self.say)(&format!("run {run}: the result of block {block} came too late, another agent has it"));
            }
            Err(error) => warn!(%error, "the result is lost"),
        }
    }
}

impl Own {
    fn acknowledge(&self, message: &Message, kind: AckKind) {
        if let Err(error) = self.bus.wait(message.ack_with(kind)) {
            info!(%error, "not acknowledged");
        }
    }
}

fn fetch(own: &Own, consumer: &PullConsumer) -> Result<Option<Message>, BusError> {
    let refused = |error: String| BusError::new(format!("cannot take a block: {error}"), "is the NATS server up?");
    own.bus.wait(async {
        let batch = consumer.fetch().max_messages(1).expires(FETCH).messages().await;
        let mut batch = batch.map_err(|error| refused(error.to_string()))?;
        // A server that goes away ends nothing by itself.
        match tokio::time::timeout(FETCH * 3, batch.next()).await {
            Ok(Some(Ok(message))) => Ok(Some(message)),
            Ok(Some(Err(error))) => Err(refused(error.to_string())),
            Ok(None) => Ok(None),
            Err(_) => Err(refused("no answer".to_owned())),
        }
    })
}

/// The run and the number of a block: `runner.block.<pool>.<run>.<block>`.
fn address_of(message: &Message) -> Option<(String, u32)> {
    let mut parts = message.subject.as_str().rsplit('.');
    let block = parts.next()?.parse().ok()?;
    Some((parts.next()?.to_owned(), block))
}

fn describe(block: &Block) -> String {
    match block.round {
        Some(round) => format!("{}, round {}", block.scenario, round + 1),
        None => block.scenario.clone(),
    }
}

/// Runs a block as `runner` would.
fn perform(own: &Own, manifest: &Manifest, block: &Block, stop: &CancellationToken) -> BlockResult {
    let failed = |why: String| BlockResult { status: Status::CouldNotRun, report: None, why: Some(why), object: None };
    match perform_or_refuse(own, manifest, block, stop) {
        Ok(result) => result,
        Err(Refusal { message, advice }) if advice.is_empty() => failed(message),
        Err(Refusal { message, advice }) => failed(format!("{message} ({advice})")),
    }
}

fn perform_or_refuse(
    own: &Own,
    manifest: &Manifest,
    block: &Block,
    stop: &CancellationToken,
) -> Result<BlockResult, Refusal> {
    let folder = own.bundle(&manifest.bundle)?;
    let mut scenario = load_scenario(own, &folder, &block.file, &manifest.overrides)?;
    if scenario.starts_commands() && !own.options.allow_commands {
        let message = "it starts servers by a command line, which this agent does not".to_owned();
        return Err(Refusal { message, advice: "start the agent with --allow-commands".to_owned() });
    }
    scenario.seed.get_or_insert(manifest.seed);
    scenario.file = Path::new(&block.named).to_owned();
    let machine = |error: std::io::Error| Refusal {
        message: format!("no folder for its report: {error}"),
        advice: String::new(),
    };
    let reports = tempfile::tempdir_in(own.folder.path()).map_err(machine)?;
    let options = Options {
        reports: reports.path().to_owned(),
        allowed_hosts: both(&manifest.allowed_hosts, &own.options.allowed_hosts),
        began: Instant::now(),
        log: RunLog::default(),
        resume: false,
        rounds: block.round.map(|round| round..round + 1),
        generators: None,
    };
    match run::run(&scenario, &options, &Unobserved, stop) {
        Ok(finished) => {
            let bundle = Bundle::of(&finished.folder)
                .map_err(|error| Refusal { message: error.message, advice: String::new() })?;
            Ok(BlockResult { status: finished.record.status, report: Some(bundle.bytes), why: None, object: None })
        }
        Err(unfinished) => {
            let is_cut = matches!(unfinished, Unfinished::Interrupted);
            let status = if is_cut { Status::Interrupted } else { Status::CouldNotRun };
            let why = scenario.secrets.hide(&unfinished.to_string()).into_owned();
            Ok(BlockResult { status, report: None, why: Some(why), object: None })
        }
    }
}
