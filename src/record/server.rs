//! How a server lived, and what it used.

use serde::{Deserialize, Serialize};

/// The server of a trial: what it used, and how it ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ServerRecord {
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
    /// How the workers ended: `stopped`, `killed after the grace of 1s`, `worker 4711 exited with status 3 at 2.4s`.
    pub exit: String,
    /// What its processes used, about ten rows a second during the load (the dirty check if there is no load).
    #[serde(default)]
    pub samples: Vec<ServerSample>,
    /// Why nothing is known of what it used, and the remedy, where its processes could not be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmeasured: Option<String>,
    /// Processes that ended or died, in order.
    #[serde(default)]
    pub events: Vec<ServerEvent>,
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

/// Something that happened to a process of the server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ServerEvent {
    /// Since the start of the server.
    pub t_s: f64,
    /// `process 4712 was killed by signal 9 (KILL)`.
    pub what: String,
    /// It happened to the dirty check's own server, after the load's had been stopped: its time counts from that one's
    /// start, and no sample is near it.
    #[serde(default)]
    pub second_server: bool,
}
