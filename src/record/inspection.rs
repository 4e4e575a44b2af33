//! How many requests a server really works on at once, and what that says of how it is built.

use serde::{Deserialize, Serialize};

/// What an inspection saw, and what it concludes from that.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct InspectionRecord {
    /// What was sent, in words.
    pub request: String,
    /// The median service time of a request that was alone; `None` if none was answered well.
    pub alone_us: Option<f64>,
    /// Closed loads with more and more users, in the order in which they were driven.
    pub steps: Vec<ConcurrencyStep>,
    /// Requests that were sent at once; the last is the one that is told of.
    #[serde(default)]
    pub bursts: Vec<BurstRecord>,
    /// What became of connections that came while the server was at work.
    #[serde(default)]
    pub busy: Option<BusyRecord>,
    /// Arrivals of an open load, at the rate of the scenario.
    #[serde(default)]
    pub arrivals: Option<ArrivalsRecord>,
    /// Processes that accept connections, as the system shows them; `None` where it does not.
    #[serde(default)]
    pub workers: Option<u32>,
    /// Whether the server closes a connection after each response.
    #[serde(default)]
    pub closes: bool,
    /// The most users that were to be tried.
    pub max_concurrency: u32,
    /// `None` where too little was measured for it.
    pub parallelism: Option<Parallelism>,
    pub signature: Option<Signature>,
    /// Why nothing is concluded, where that is so: a sentence without a full stop.
    #[serde(default)]
    pub inconclusive: Option<String>,
}

/// A closed load with a number of users.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ConcurrencyStep {
    pub concurrency: u32,
    /// How long it was watched, once everybody had come.
    pub duration_s: f64,
    /// Responses with a status below 400 meanwhile.
    pub good: u64,
    /// Requests of the whole step without a response, and with a status of 400 or above.
    pub failed: u64,
    pub error_status: u64,
    /// Of these, a second, between two moments at which responses had just come.
    pub throughput: f64,
    pub service_time_p50_us: Option<f64>,
    pub service_time_mean_us: Option<f64>,
    /// What the server's processes did meanwhile; `None` where they cannot be seen.
    #[serde(default)]
    pub cpu: Option<CpuRecord>,
    /// Connections that each worker had when everybody had come; empty where they cannot be seen, or do not last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<u32>,
    /// What runner itself did: it may be the limit, too.
    #[serde(default)]
    pub generator: Option<CpuRecord>,
}

/// What the processes of a server did during a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuRecord {
    /// Cores in use.
    pub cores: f64,
    /// Of its busiest thread, the share of the time in which it ran, or waited for a core that others had: 0 to 1.
    pub busiest: f64,
    /// Threads of all of them, at the end.
    pub threads: u32,
}

/// Requests that were sent at once, and when their responses came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BurstRecord {
    pub size: u32,
    /// In the order of time; responses that came close to each other are one batch.
    pub batches: Vec<ResponseBatch>,
}

/// Responses that came close to each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ResponseBatch {
    /// From the start of the burst to its first response and to its last.
    pub first_ms: f64,
    pub last_ms: f64,
    pub responses: u32,
}

/// As many requests as the server works on at once are under way; more come meanwhile, and a line that is no request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BusyRecord {
    /// Requests that were under way.
    pub occupied: u32,
    /// Connections that came while the first were handled.
    pub later: u32,
    /// Of these, those that nobody had accepted: while the first requests were handled, and while the next were.
    /// `None` where the system does not show it.
    pub not_accepted_first: Option<u32>,
    pub not_accepted_next: Option<u32>,
    /// Whether a line that is no request was sent meanwhile.
    #[serde(default)]
    pub malformed_sent: bool,
    /// After how long it was answered, in milliseconds; `None` if it was not while the first requests
    /// were handled.
    pub malformed_answered_ms: Option<f64>,
    /// The same as a share of the time of a request.
    pub malformed_share: Option<f64>,
}

/// Requests in flight under an open load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ArrivalsRecord {
    /// Arrivals a second.
    pub rate: f64,
    pub duration_s: f64,
    pub completed: u64,
    /// How many more were in flight with each second, where that rose steadily.
    pub growth_per_s: Option<f64>,
    /// In flight at the end.
    pub in_flight: u64,
}

/// How many requests a server works on at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Parallelism {
    pub value: f64,
    pub low: f64,
    /// `None` where no limit was found: then `value` is the most that was seen.
    pub high: Option<f64>,
    /// Counted, and not estimated.
    pub counted: bool,
    /// The same for each worker, where their number is known.
    pub per_worker: Option<f64>,
}

/// How a server deals with requests that come at once, as seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// A request is worked on when the one before is done; of several workers, in each.
    OneAtATime,
    /// A fixed number of requests at once; further ones wait.
    Pool,
    /// A request that waits lets others run: no limit was found but that of the CPU.
    Suspends,
    /// A thread for each request: no limit was found, and there were as many threads more.
    ThreadPerRequest,
    /// An event loop that takes connections, but only between requests.
    BlockedLoop,
    /// A request keeps a core busy for most of its time.
    CpuBound,
}
