//! What agents and coordinators say to each other: JSON, parts compressed.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::bundle::BundleError;
use crate::load::LoadProgress;
use crate::load::part::LoadPart;
use crate::run::slice::SliceRefused;

/// A part that is larger once unpacked is not read: nobody's measurement is.
const LARGEST: u64 = 256 << 20;
/// Nothing that is packed begins so.
const ELSEWHERE: char = '@';

/// Whoever looks for agents.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Discover {
    /// Only those of this pool answer; all where it is `None`.
    pub pool: Option<String>,
}

/// An agent, as it tells of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentInfo {
    /// Drawn at its start; no two have the same.
    pub id: String,
    /// What people call it: its host, if nothing else was said.
    pub name: String,
    pub pool: String,
    pub version: String,
    pub protocol: u32,
    /// Its CPU and kernel, in words.
    pub machine: String,
    pub cpus: u32,
    /// The boot of its machine and its network: two with the same reach each other's loopback.
    pub place: String,
    /// What it is at, in words, if it is at anything.
    pub busy: Option<String>,
    /// Hosts that it may load, apart from its own.
    pub allowed_hosts: Vec<String>,
    /// Whether it starts servers by a command line.
    pub allow_commands: bool,
}

/// What a generator is to drive.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Prepare {
    pub run: String,
    /// Which load of the run it is, from 1.
    pub load: u32,
    /// Which generator of the load it is, from 0.
    pub generator: u32,
    pub version: String,
    /// The SHA-256 of the files, in hexadecimal.
    pub bundle: String,
    /// The scenario's file within.
    pub file: String,
    pub overrides: Vec<String>,
    /// The name of the variant.
    pub variant: String,
    /// Where the server listens that the coordinator has started, if it has.
    pub started: Option<StartedServer>,
    /// The slice of the threads.
    pub first: u32,
    pub count: u32,
    pub of: u32,
    pub seed: u64,
    /// Hosts that the coordinator allows, besides loopback.
    pub allowed_hosts: Vec<String>,
}

/// A server that the coordinator has started for a load.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StartedServer {
    /// `127.0.0.1:8000`, or the path of a Unix socket.
    pub address: String,
    pub unix: bool,
    /// [`AgentInfo::place`] of the coordinator: it listens on loopback there.
    pub place: String,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refusal {
    pub message: String,
    pub advice: String,
}

impl From<BundleError> for Refusal {
    fn from(error: BundleError) -> Self {
        Refusal { message: error.message, advice: error.advice }
    }
}

impl From<SliceRefused> for Refusal {
    fn from(refused: SliceRefused) -> Self {
        Refusal { message: refused.message, advice: refused.advice }
    }
}

/// When a load begins, by the agent's own clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StartAt {
    pub run: String,
    pub load: u32,
    /// In nanoseconds, as [`super::clock::now`] tells them there.
    pub at: u64,
}

/// Whether a start was taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Armed {
    /// It came after the load should have begun.
    pub late: bool,
}

/// How far a generator has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ProgressReport {
    pub load: u32,
    pub generator: u32,
    /// Which look it was, counted from the start of the load: all generators look at the same times.
    pub tick: u64,
    pub progress: LoadProgress,
}

/// Stands for the number of a load where a run as a whole has ended. Loads count from 1.
pub(super) const ALL_LOADS: u32 = 0;

/// A sign of life of a coordinator, or its wish that a load ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ForLoad {
    pub load: u32,
}

/// What a generator has measured so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PartReport {
    pub load: u32,
    pub generator: u32,
    /// Up to when, in nanoseconds from the start of the load.
    pub at: u64,
    /// It has come to its end, and nothing follows.
    pub last: bool,
    /// Why it ended before its time, if it did, and nobody had asked for that.
    #[serde(default)]
    pub cut: Option<String>,
    /// What it had done by then.
    pub progress: LoadProgress,
    /// The measurement, or why there is none.
    pub part: Result<LoadPart, Refusal>,
}

/// A message as bytes. It cannot fail: all that is said can be written as JSON.
pub(super) fn encode(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_default()
}

/// What bytes say, if they say it.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

/// A message that may be large.
pub(super) fn pack(message: &impl Serialize) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    // Memory takes every byte.
    let written = out.write_all(&encode(message)).and_then(|()| out.finish());
    written.unwrap_or_default()
}

/// What a packed message says, if it says it.
pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut text = Vec::new();
    GzDecoder::new(bytes).take(LARGEST).read_to_end(&mut text).ok()?;
    decode(&text)
}

/// What stands for a message that is kept as an object of this name, as it is too large.
pub(super) fn elsewhere(name: &str) -> Vec<u8> {
    format!("{ELSEWHERE}{name}").into_bytes()
}

/// The name of the object that a message stands for, if it does.
pub(super) fn is_elsewhere(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()?.strip_prefix(ELSEWHERE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_the_same_again() {
        let said = ProgressReport { load: 1, generator: 2, tick: 3, progress: LoadProgress::default() };
        let heard: ProgressReport = unpack(&pack(&said)).unwrap();
        assert_eq!((heard.load, heard.generator, heard.tick), (1, 2, 3));
        assert!(unpack::<ProgressReport>(b"not packed").is_none() && decode::<Armed>(b"{}").is_none());
    }
}
