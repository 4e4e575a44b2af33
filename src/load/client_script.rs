//! A load's script from its setup to its teardown, and what its hooks found.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::scenario::ScriptSpec;
use crate::script::client::{self, Called, Setup};
use crate::script::heartbeat::Heartbeat;
use crate::script::{Hooks, Limits, ScriptError};
use crate::server::OF_THIS_PROCESS;

/// ErrorSamples of one kind that are kept, and lines of the log.
const MOST_SAMPLES: usize = 5;
const MOST_LOGGED: usize = 20;
/// Characters of a sample's texts.
const LONGEST_TEXT: usize = 500;

/// A script whose setup has run.
#[derive(Debug, Clone)]
pub struct ClientScript {
    script: Arc<ScriptSpec>,
    setup: Setup,
}

impl ClientScript {
    /// Runs `setup`.
    pub fn begin(script: Arc<ScriptSpec>, pulse: Arc<Heartbeat>) -> Called<ClientScript> {
        let called = match compile(&script, &Setup::default(), pulse) {
            Ok(hooks) => hooks.setup(),
            Err(error) => Called { result: Err(error), log: Vec::new() },
        };
        Called { result: called.result.map(|setup| ClientScript { script, setup }), log: called.log }
    }

    /// The hooks, for one thread, which shows its pulse.
    pub(super) fn hooks(&self, pulse: Arc<Heartbeat>) -> Result<Hooks, ScriptError> {
        compile(&self.script, &self.setup, pulse)
    }

    /// Runs `teardown`.
    pub fn end(self, pulse: Arc<Heartbeat>) -> Called<()> {
        match self.hooks(pulse) {
            Ok(hooks) => hooks.teardown(),
            Err(error) => Called { result: Err(error), log: Vec::new() },
        }
    }
}

fn compile(script: &ScriptSpec, setup: &Setup, pulse: Arc<Heartbeat>) -> Result<Hooks, ScriptError> {
    let folder = script.path.parent().unwrap_or(Path::new(""));
    let hooks = Hooks::compile(&script.source, folder, Limits::default(), setup, now)?;
    Ok(hooks.measured(OF_THIS_PROCESS).watched(pulse))
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64()
}

/// What the hooks of a load found: counts, and a few samples as evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookFindings {
    pub passed: u64,
    pub failed: u64,
    /// How long `request` had users think, summed; warm-up included.
    pub thought: Duration,
    /// Of failed checks, the earliest.
    pub samples: Vec<HookSample>,
    /// Of requests that the script failed to make, the earliest.
    pub errors: Vec<HookSample>,
    pub log: Vec<String>,
}

/// A request that the script found wrong, or could not make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookSample {
    pub user: u32,
    pub seq: u64,
    /// When it was due, from the start of the measured part.
    pub at: Duration,
    /// `POST /checkout/`; empty if there is no request.
    pub line: String,
    pub status: Option<u16>,
    /// Why there is no response.
    pub failure: Option<String>,
    /// The beginning of the response's body.
    pub excerpt: String,
    /// What the check, or the error, said.
    pub said: String,
}

fn clipped(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

impl HookSample {
    /// Without a request.
    pub(super) fn new(user: u32, seq: u64, at: Duration, said: String) -> Self {
        HookSample { user, seq, at, said: clipped(&said), ..HookSample::default() }
    }

    /// With the request and what came of it.
    pub(super) fn of(self, exchange: &client::HookExchange) -> Self {
        let line = exchange.request.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let response = exchange.response.as_ref();
        let body = response.map_or(&[][..], |response| &response.body);
        // No character has more than four bytes.
        let start = &body[..body.len().min(LONGEST_TEXT * 4)];
        HookSample {
            line: clipped(line.strip_suffix(" HTTP/1.1").unwrap_or(&line)),
            status: response.map(|response| response.status),
            failure: exchange.failure.map(str::to_owned),
            excerpt: clipped(&String::from_utf8_lossy(start)),
            ..self
        }
    }
}

impl HookFindings {
    /// Counts a check; what is wrong comes as a sample.
    pub(super) fn checked(&mut self, wrong: Option<HookSample>) {
        match wrong {
            None => self.passed += 1,
            Some(sample) => {
                self.failed += 1;
                keep(&mut self.samples, sample);
            }
        }
    }

    /// A user thinks for so long before it asks.
    pub(super) fn thinks(&mut self, pause: Duration) {
        self.thought = self.thought.saturating_add(pause);
    }

    pub(super) fn error(&mut self, sample: HookSample) {
        keep(&mut self.errors, sample);
    }

    /// Keeps the first lines that hooks log, each up to a length; the rest is dropped.
    pub fn logged(&mut self, lines: Vec<String>) {
        let room = MOST_LOGGED.saturating_sub(self.log.len());
        self.log.extend(lines.iter().take(room).map(|line| clipped(line)));
    }

    /// Adds what another load thread found; of samples the earliest stay. The log is the one part that depends on the order.
    pub fn merge(&mut self, other: &HookFindings) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.thought = self.thought.saturating_add(other.thought);
        earliest(&mut self.samples, &other.samples);
        earliest(&mut self.errors, &other.errors);
        self.logged(other.log.clone());
    }
}

fn keep(samples: &mut Vec<HookSample>, sample: HookSample) {
    if samples.len() < MOST_SAMPLES {
        samples.push(sample);
    }
}

fn earliest(samples: &mut Vec<HookSample>, others: &[HookSample]) {
    samples.extend_from_slice(others);
    samples.sort_by_key(|sample| (sample.at, sample.user, sample.seq));
    samples.truncate(MOST_SAMPLES);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_few_and_the_earliest_of_all_threads() {
        let of = |times: std::ops::Range<u64>| {
            let mut findings = HookFindings::default();
            let at = |second| HookSample::new(0, 0, Duration::from_secs(second), String::new());
            times.for_each(|second| findings.checked(Some(at(second))));
            findings.checked(None);
            findings
        };
        let mut merged = of(3..20);
        merged.merge(&of(0..4));
        let times: Vec<u64> = merged.samples.iter().map(|sample| sample.at.as_secs()).collect();
        assert_eq!((merged.passed, merged.failed, times), (2, 21, vec![0, 1, 2, 3, 3]));
    }

    #[test]
    fn what_came_from_outside_is_clipped_at_whole_characters() {
        let long = "é".repeat(9_999);
        let exchange = client::HookExchange {
            user: client::HookUser::new(0, std::iter::empty()),
            seq: 0,
            request: b"GET /a HTTP/1.1\r\nhost: h\r\n\r\n".to_vec(),
            response: Some(client::HookResponse {
                status: 200,
                head: Vec::new(),
                body: long.clone().into_bytes(),
                undecoded: None,
            }),
            failure: None,
            latency: Duration::ZERO,
            service_time: Duration::ZERO,
        };
        let sample = HookSample::new(0, 0, Duration::ZERO, long).of(&exchange);
        assert_eq!(sample.line, "GET /a");
        assert_eq!((sample.said.chars().count(), sample.excerpt.chars().count()), (500, 500));
        assert!(!sample.excerpt.contains('\u{fffd}'));
    }
}
