//! The dirty check: does a value of one request turn up in the response to another?
//!
//! The first request after a start, then a control run (one request at a time), then triggers, family by family, each
//! family on a server of its own where runner can start one; until a proof, or enough exposures, or the end of the time.
//! Every response is judged; what is found is kept with its witnesses and with the recipe that showed it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::trigger::Trigger;

mod addresses;
mod baseline;
mod check;
pub mod class;
mod classify;
mod client;
mod control;
mod declared;
mod diagnosis;
mod events;
pub mod evidence;
mod experiment;
pub mod exposure;
mod hypothesis;
mod identity;
pub mod judge;
mod limit;
mod login;
pub mod observation;
pub mod oracle;
mod perform;
mod personas;
mod phased;
mod place;
pub mod recipe;
mod relay;
mod replay;
mod request_forms;
pub mod samples;
mod stopwatch;
pub mod sweep;
mod sweep_order;
#[cfg(test)]
mod tests;
mod text;
mod totals;
mod triggers;
mod uninformative;

pub use check::{CheckPhase, DirtyCheck, Starts};
pub use class::LeakClass;
pub use control::Control;
pub use evidence::{Evidence, FoundBy, Leak};
pub use experiment::Reproduction;
pub use limit::Limit;
pub use observation::{Observation, Role, Seen};
pub use oracle::LeakOracle;
pub use phased::Phased;
pub use replay::{LeakReplay, ReplayResponse, ReplayTry};
pub use samples::ResponseSamples;
pub use stopwatch::Stopwatch;
pub use sweep::{Sweep, SweepFindings, SweepPhase};
pub use sweep_order::SweepOrder;
pub use totals::{Totals, TriggerCounts};

/// All that a dirty check found.
#[derive(Debug, Default)]
pub struct Findings {
    pub control: Control,
    /// `None` if it did not take place.
    pub positive_control: Option<PositiveControl>,
    pub totals: Totals,
    /// Why triggers were not exercised, sentences without a full stop.
    pub obstacles: BTreeMap<Trigger, String>,
    /// The server handles one request at a time: known, or seen.
    pub one_at_a_time: bool,
    pub duration: Duration,
    /// How long it was to take.
    pub time: Duration,
    /// When the first leak was proven, from the start.
    pub first_proof: Option<Duration>,
    pub interrupted: bool,
    /// Of the server, for this check.
    pub starts: Starts,
    /// Of the rate of requests, which the server has set.
    pub limit: Option<Limit>,
    /// What lone requests, and those that went wrong, were answered with.
    pub samples: ResponseSamples,
    /// Identities of the scenario whose responses cannot be told apart, by their names.
    pub alike: Vec<(String, String)>,
    /// Suspicions that neither stood nor were refuted when the time for that was up.
    pub unsettled: u64,
    /// What the trace ids of requests follow from, where they carry a `traceparent`.
    pub trace_seed: Option<u64>,
}

/// A leak that runner planted itself: two responses, exchanged on their way.
#[derive(Debug, Clone, Copy)]
pub struct PositiveControl {
    pub requests: u64,
    /// The check saw it.
    pub found: bool,
}

/// How far a dirty check has come, for the progress line.
#[derive(Debug, Default)]
pub struct DirtyProgress {
    pub exposures: AtomicU64,
    pub leaks: AtomicU64,
}

/// What is known of the server under test.
#[derive(Debug, Clone, Copy, Default)]
pub struct Premises {
    /// How many workers serve, where that is known.
    pub workers: Option<u32>,
    /// How many requests a worker handles at once, where that is known and bounded.
    pub in_flight: Option<u32>,
}

impl Premises {
    /// Requests of one worker cannot overlap.
    pub fn one_at_a_time(self) -> bool {
        self.in_flight == Some(1)
    }
}

/// Why a trigger was not exercised that could have been.
pub const NO_TURN: &str = "its turn had not come when the check ended";
