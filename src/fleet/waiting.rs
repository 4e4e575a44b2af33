//! `runner wait`: until all blocks of a run have a result.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::block_ledger::{BlockEntry, BlockLedger, BlockState, MOST_ATTEMPTS, Manifest};
use super::bundle;
use super::bus::{Bus, BusError, NatsOptions};
use super::coordinator::connect;
use super::store;
use super::subjects::RECORDS;
use super::submission::queue;
use crate::record::Status;

/// How often the ledger is read.
const LOOK: Duration = Duration::from_millis(500);
/// Blocks that nobody has taken or renewed for so long are queued once more: the server may have lost what it had promised to keep.
const QUEUE_AGAIN: Duration = Duration::from_secs(60);

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunProgress {
    pub blocks: usize,
    pub done: usize,
    /// How many agents are at work, and on how many blocks.
    pub agents: usize,
    pub under_way: usize,
    /// The planned time of what is not done, in seconds, one after the other.
    pub left_s: f64,
    /// Results that did not pass.
    pub not_passed: usize,
}

/// What came of a block.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockOutcome {
    pub scenario: String,
    /// The round, from 0, where there are several.
    pub round: Option<u32>,
    pub agent: String,
    pub status: Status,
    /// Why nothing was measured, if so.
    pub why: Option<String>,
    /// Where its report was unpacked, if it has one.
    pub report: Option<std::path::PathBuf>,
}

/// A run whose blocks are waited for.
#[derive(Debug)]
pub struct Waiting {
    bus: Bus,
    ledger: BlockLedger,
    manifest: Manifest,
}

impl Waiting {
    /// Finds a run.
    pub fn open(nats: &NatsOptions, run: &str) -> Result<Waiting, BusError> {
        let bus = connect(nats)?;
        let ledger = BlockLedger::open(&bus, run)?;
        let unknown = || {
            BusError::invalid(
                format!("there is no run {run} on this server"),
                "`runner submit` prints the run that it makes; runs are kept for 7 days",
            )
        };
        let manifest = ledger.manifest()?.ok_or_else(unknown)?;
        Ok(Waiting { bus, ledger, manifest })
    }

    /// When it was submitted: UTC, RFC 3339.
    pub fn submitted(&self) -> &str {
        &self.manifest.submitted
    }

    /// Waits until every block of the manifest has a result in the ledger, or until `cancel`; then false. An empty queue says nothing.
    pub fn until_done(&self, cancel: &CancellationToken, show: &dyn Fn(&RunProgress)) -> Result<bool, BusError> {
        let mut known: BTreeMap<u32, (BlockEntry, Instant)> = BTreeMap::new();
        let begun = Instant::now();
        let mut queued = BTreeMap::new();
        loop {
            // A server that is away for a while comes back.
            match self.ledger.entries() {
                Ok(entries) => entries.into_iter().for_each(|(block, entry)| note(&mut known, block, entry)),
                Err(error) if begun.elapsed() < LOOK * 4 => return Err(error),
                Err(_) => {}
            }
            let progress = self.progress(&known);
            show(&progress);
            if progress.done == progress.blocks {
                return Ok(true);
            }
            if cancel.is_cancelled() {
                return Ok(false);
            }
            self.queue_again(&known, begun, &mut queued);
            std::thread::sleep(LOOK);
        }
    }

    fn progress(&self, known: &BTreeMap<u32, (BlockEntry, Instant)>) -> RunProgress {
        let mut progress = RunProgress { blocks: self.manifest.blocks.len(), ..RunProgress::default() };
        let mut agents: Vec<&str> = Vec::new();
        for (index, block) in (0..).zip(&self.manifest.blocks) {
            match known.get(&index).map(|(entry, _)| entry) {
                Some(entry) if entry.is_over() => {
                    progress.done += 1;
                    let passed = matches!(entry.state, BlockState::Done { status: Status::Passed, .. });
                    progress.not_passed += usize::from(!passed);
                }
                Some(entry) if entry.state == BlockState::Taken => {
                    progress.under_way += 1;
                    agents.push(&entry.agent);
                    progress.left_s += block.expected_s;
                }
                _ => progress.left_s += block.expected_s,
            }
        }
        agents.sort_unstable();
        agents.dedup();
        progress.agents = agents.len();
        progress
    }

    /// Queues blocks again that nobody has touched for long, where the queue is empty.
    fn queue_again(
        &self,
        known: &BTreeMap<u32, (BlockEntry, Instant)>,
        begun: Instant,
        queued: &mut BTreeMap<u32, Instant>,
    ) {
        let stale: Vec<u32> = (0..self.manifest.blocks.len() as u32)
            .filter(|block| {
                let touched =
                    known.get(block).map_or(begun, |(_, at)| *at).max(queued.get(block).copied().unwrap_or(begun));
                !known.get(block).is_some_and(|(entry, _)| entry.is_over()) && touched.elapsed() > QUEUE_AGAIN
            })
            .collect();
        if stale.is_empty()
            || store::pending(&self.bus, &self.manifest.pool, &self.manifest.run).is_none_or(|pending| pending > 0)
        {
            return;
        }
        tracing::warn!(blocks = stale.len(), "blocks are queued again: the server has lost them");
        if queue(&self.bus, &self.manifest, stale.iter().copied()).is_ok() {
            queued.extend(stale.into_iter().map(|block| (block, Instant::now())));
        }
    }

    /// What came of the blocks that have a result; their reports are unpacked below `folder`, each into one of its own.
    pub fn outcomes(&self, folder: &Path) -> Result<Vec<BlockOutcome>, BusError> {
        let entries: BTreeMap<u32, BlockEntry> = self.ledger.entries()?.into_iter().collect();
        let mut outcomes = Vec::new();
        for (index, block) in (0..).zip(&self.manifest.blocks) {
            let Some(entry) = entries.get(&index).filter(|entry| entry.is_over()) else { continue };
            let (status, report, why) = match &entry.state {
                BlockState::Done { status, report, why } => (*status, report.clone(), why.clone()),
                _ => {
                    let why = format!("{MOST_ATTEMPTS} agents were lost over it, the last one was {}", entry.agent);
                    (Status::CouldNotRun, None, Some(why))
                }
            };
            let report = report.map(|name| self.unpacked(&name, folder, index)).transpose()?;
            let (scenario, round, agent) = (block.scenario.clone(), block.round, entry.agent.clone());
            outcomes.push(BlockOutcome { scenario, round, agent, status, why, report });
        }
        Ok(outcomes)
    }

    fn unpacked(&self, name: &str, folder: &Path, block: u32) -> Result<std::path::PathBuf, BusError> {
        let bytes = store::get(&self.bus, RECORDS, name)?;
        let place = folder.join(format!("block-{block}"));
        let digest = bundle::sha256(&bytes);
        bundle::unpack(&bytes, &digest, &place).map_err(|error| BusError::new(error.message, error.advice))?;
        Ok(place)
    }
}

/// When a block was seen to change last.
fn note(known: &mut BTreeMap<u32, (BlockEntry, Instant)>, block: u32, entry: BlockEntry) {
    match known.get(&block) {
        Some((before, _)) if *before == entry => {}
        _ => drop(known.insert(block, (entry, Instant::now()))),
    }
}
