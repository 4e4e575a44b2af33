//! How far each block of a run is: the truth that agents and whoever waits share. An empty queue says nothing.
//!
//! A block is taken by writing its entry, which fails if somebody was faster; the revision of that entry is what entitles an agent to go
//! on. An agent that lost its block to another finds that out at its next write, whatever has delayed it.

use serde::{Deserialize, Serialize};

use super::bus::{Bus, BusError};
use super::message::{decode, encode};
use super::store::Bucket;
use crate::record::Status;

/// A block that was given up so often is not tried again: it may be what kills agents.
pub(super) const MOST_ATTEMPTS: u32 = 3;

/// What was submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub run: String,
    pub protocol: u32,
    pub pool: String,
    /// When it was submitted: UTC, RFC 3339.
    pub submitted: String,
    /// The SHA-256 of the files, in hexadecimal.
    pub bundle: String,
    pub overrides: Vec<String>,
    /// Hosts that the submitter allows, besides loopback.
    pub allowed_hosts: Vec<String>,
    /// For scenarios without one: rounds of one scenario make the trials of one run.
    pub seed: u64,
    pub blocks: Vec<Block>,
}

/// What one agent does at a time: a round of a scenario over all its variants, or a scenario that cannot be cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Block {
    pub scenario: String,
    /// Its file in the bundle.
    pub file: String,
    /// Its file as the submitter named it.
    pub named: String,
    /// The round, if there are several.
    pub round: Option<u32>,
    /// Whether it starts servers by a command line.
    pub commands: bool,
    /// How long it takes, in seconds, as planned.
    pub expected_s: f64,
}

/// How far a block is. One without an entry has not been taken yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct BlockEntry {
    pub state: BlockState,
    /// Who has it, or had it last.
    pub agent: String,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// Counts up while it is worked on.
    pub beat: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum BlockState {
    /// An agent works on it.
    Taken,
    /// An agent gave it back before its end: nothing is wrong with it.
    GivenBack,
    /// It has a result. A verdict that failed is a result, and not tried again.
    Done {
        /// How it came out.
        status: Status,
        /// The object with its report; `None` where nothing was measured.
        report: Option<String>,
        /// Why nothing was measured.
        why: Option<String>,
    },
    /// Too many agents were lost over it.
    Dead,
}

impl BlockEntry {
    /// Whether nothing more comes of it.
    pub fn is_over(&self) -> bool {
        matches!(self.state, BlockState::Done { .. } | BlockState::Dead)
    }
}

/// The ledger of one run.
#[derive(Debug, Clone)]
pub(super) struct BlockLedger {
    bucket: Bucket,
    run: String,
}

/// What entitles an agent to work on a block.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    pub entry: BlockEntry,
    pub revision: u64,
}

/// What came of the wish to take a block.
#[derive(Debug)]
pub(super) enum Taken {
    Mine(Hold),
    /// It has a result, or is dead.
    Over,
    /// Another agent was faster.
    Theirs,
}

impl BlockLedger {
    pub fn open(bus: &Bus, run: &str) -> Result<BlockLedger, BusError> {
        Ok(BlockLedger { bucket: Bucket::open(bus)?, run: run.to_owned() })
    }

    fn key(&self, block: u32) -> String {
        format!("{}.{block}", self.run)
    }

    fn manifest_key(&self) -> String {
        format!("{}.manifest", self.run)
    }

    /// Writes what a run consists of.
    pub fn submit(&self, manifest: &Manifest) -> Result<(), BusError> {
        self.bucket.create(&self.manifest_key(), encode(manifest)).map(drop)
    }

    /// What a run consists of; `None` where there is no such run.
    pub fn manifest(&self) -> Result<Option<Manifest>, BusError> {
        Ok(self.bucket.get(&self.manifest_key())?.and_then(|(bytes, _)| decode(&bytes)))
    }

    /// How far a block is, and at what revision.
    pub fn entry(&self, block: u32) -> Result<Option<(BlockEntry, u64)>, BusError> {
        let Some((bytes, revision)) = self.bucket.get(&self.key(block))? else { return Ok(None) };
        Ok(decode(&bytes).map(|entry| (entry, revision)))
    }

    /// How far all blocks are that were taken.
    pub fn entries(&self) -> Result<Vec<(u32, BlockEntry)>, BusError> {
        let prefix = format!("{}.", self.run);
        let all = self.bucket.all(&format!("{prefix}*"))?.into_iter();
        let entry = |(key, bytes): (String, Vec<u8>)| Some((key.strip_prefix(&prefix)?.parse().ok()?, decode(&bytes)?));
        Ok(all.filter_map(entry).collect())
    }

    /// Takes a block that was handed to this agent: nobody has renewed it for as long as that takes.
    pub fn take(&self, block: u32, agent: &str) -> Result<Taken, BusError> {
        let before = self.entry(block)?;
        let attempt = match &before {
            None => 1,
            Some((entry, _)) if entry.is_over() => return Ok(Taken::Over),
            Some((entry, _)) if entry.state == BlockState::GivenBack => entry.attempt,
            Some((entry, _)) => entry.attempt + 1,
        };
        let state = if attempt > MOST_ATTEMPTS { BlockState::Dead } else { BlockState::Taken };
        let is_dead = state == BlockState::Dead;
        let entry = BlockEntry { state, agent: agent.to_owned(), attempt: attempt.min(MOST_ATTEMPTS), beat: 0 };
        let revision =
            self.bucket.update(&self.key(block), encode(&entry), before.map_or(0, |(_, revision)| revision))?;
        Ok(match revision {
            None => Taken::Theirs,
            Some(_) if is_dead => Taken::Over,
            Some(revision) => Taken::Mine(Hold { entry, revision }),
        })
    }

    /// Writes how far a block is that this agent has; false if it has lost it.
    pub fn write(&self, block: u32, hold: &mut Hold, state: BlockState) -> Result<bool, BusError> {
        let entry = BlockEntry { state, beat: hold.entry.beat + 1, ..hold.entry.clone() };
        match self.bucket.update(&self.key(block), encode(&entry), hold.revision)? {
            Some(revision) => {
                *hold = Hold { entry, revision };
                Ok(true)
            }
            // It may have been this very write, whose reply was lost.
            None => match self.entry(block)? {
                Some((there, revision)) if there == entry => {
                    *hold = Hold { entry, revision };
                    Ok(true)
                }
                _ => Ok(false),
            },
        }
    }
}
