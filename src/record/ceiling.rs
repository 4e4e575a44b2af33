//! The most that a server of its kind can carry.

use serde::{Deserialize, Serialize};

/// The most responses a second that a model of concurrency allows, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CeilingRecord {
    /// Responses a second: `at_once / wait_s`.
    pub throughput: f64,
    /// Requests at once: as many as are worked on, or as there are users.
    pub at_once: f64,
    /// How long each is worked on, in seconds.
    pub wait_s: f64,
    pub because: CeilingReason,
    /// The throughput that was measured, as a share of it.
    pub measured_share: f64,
}

/// What limits how many requests are worked on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CeilingReason {
    /// A worker works on one.
    Workers,
    /// A thread works on one.
    Threads,
    /// There are no more users: each request has its turn at once.
    Users,
    /// What an inspection found.
    Inspection,
}
