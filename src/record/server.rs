//! How servers lived, and what they used.

use serde::{Deserialize, Serialize};

use crate::process_end::ServerEnd;
pub use crate::process_end::{Happening, ServerEvent, Unmeasured};

/// One server of a trial: what it was for, what it used, and how it ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ServerRecord {
    /// What of the trial it served.
    pub part: ServerPart,
    /// From the start of the server to the first sign that it is ready.
    pub ready_ms: f64,
    /// User and system time of all workers.
    pub cpu_s: f64,
    /// Cores in use on average, from the first sample to the last.
    pub cpu_mean: f64,
    /// The most resident memory of all its processes at once.
    pub rss_peak_bytes: u64,
    pub threads_max: u64,
    pub address: String,
    pub end: ServerEnd,
    /// What its processes used, about ten rows a second.
    #[serde(default)]
    pub samples: Vec<ServerSample>,
    /// Why nothing is known of what it used, where its processes could not be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmeasured: Option<Unmeasured>,
    /// What happened to its processes, in order.
    #[serde(default)]
    pub events: Vec<ServerEvent>,
}

/// What a server was started for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerPart {
    #[default]
    Load,
    /// The search for the highest rate that keeps the rules.
    Capacity,
    /// The search for how many requests it works on at once.
    Inspection,
    /// Rounds of the dirty check.
    DirtyCheck,
    /// The search for the least that shows a leak.
    Diagnosis,
    /// A leak once more, with a probe in the server, to locate it in the code.
    Location,
}

/// What all processes of a server used at one moment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ServerSample {
    /// Since the start of the server.
    pub t_s: f64,
    pub processes: u64,
    /// Cores in use since the sample before.
    pub cpu: f64,
    pub rss_bytes: u64,
    pub threads: u64,
    /// Open files and sockets.
    pub descriptors: u64,
    pub context_switches_per_s: f64,
}
