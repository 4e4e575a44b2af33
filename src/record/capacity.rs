//! The highest arrival rate at which a server keeps some rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::measured_value::MeasuredValue;

/// What a search for the capacity found, and every rate that it tried.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CapacityRecord {
    /// As the scenario wrote them.
    pub rules: Vec<String>,
    /// How far `high` was to lie above `rate`, as a share of it.
    pub precision: f64,
    /// `uniform` or `poisson`.
    pub spacing: String,
    /// The highest rate that kept the rules, in arrivals a second: the capacity is this, or more. `None` if none did.
    pub rate: Option<f64>,
    /// The lowest rate that broke them: the capacity is below it. `None` if none did.
    pub high: Option<f64>,
    /// Both were tried again and came out the same, and are as near to each other as was asked.
    pub confirmed: bool,
    /// How long the search took, in seconds.
    pub took_s: f64,
    /// The median latency of requests that were sent alone, one after another, in microseconds.
    pub alone_us: Option<f64>,
    /// Users who each wait for their response, so that it was known where to look.
    pub saturation: Vec<SaturationRecord>,
    /// In the order in which they were tried.
    pub probes: Vec<ProbeRecord>,
    /// What a higher rate runs into; `None` where nothing tells.
    pub limiting: Option<LimitingResource>,
    /// How many requests the server works on at once at `rate`, by Little's law: `rate` times the latency of one alone.
    pub at_once: Option<f64>,
    /// CPU time of the server for 1,000 requests at `rate`, in seconds; `None` where nobody could look.
    pub cpu_s_per_1000: Option<f64>,
    /// Resident memory of the server at `rate`; `None` where nobody could look.
    pub rss_bytes: Option<u64>,
}

/// A load of users who wait for their responses.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SaturationRecord {
    pub users: u32,
    /// Responses a second.
    pub throughput: f64,
    /// The median latency, in microseconds.
    pub p50_us: Option<f64>,
}

/// A load at one rate.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ProbeRecord {
    /// Its start, in seconds from that of the search.
    pub t_s: f64,
    /// Arrivals a second that were asked for.
    pub rate: f64,
    /// The part that counts, in seconds; what came before it is left out.
    pub duration_s: f64,
    /// Responses below 400 a second.
    pub achieved: f64,
    /// What broke; nothing did where the rate kept all rules.
    pub broken: Option<BrokenBy>,
    /// Latencies in microseconds.
    pub p50_us: Option<MeasuredValue>,
    pub p99_us: Option<MeasuredValue>,
    pub max_us: Option<MeasuredValue>,
    /// By how much the latency of requests grew from one second to the next, in seconds: a queue that grows. At a rate above
    /// what the server carries it is the rate over that, less 1.
    pub growth: Option<f64>,
    /// Requests in flight or waiting to be sent, on average.
    pub in_flight_mean: f64,
    /// Failed requests and responses of 400 or above, as a share of all.
    pub error_rate: f64,
    /// Of these, those that were not answered in time.
    pub timeout_rate: f64,
    /// Requests that were due while no connection was free, as there may be no more.
    pub queued: u64,
    /// Requests for which no connection could be made.
    pub not_connected: u64,
    /// Cores that runner itself had in use.
    pub generator_cores: f64,
    /// The server's CPU time, warm-up and drain included, in seconds.
    pub cpu_s: Option<f64>,
    /// Cores that the server had in use.
    pub cores: Option<f64>,
    /// Its resident memory at the end.
    pub rss_bytes: Option<u64>,
}

impl ProbeRecord {
    /// Whether the rate kept all rules.
    pub fn kept(&self) -> bool {
        self.broken.is_none()
    }
}

/// What of a rate was too much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum BrokenBy {
    /// A rule of the scenario does not hold, or what never came leaves open whether it does.
    Rule {
        rule: String,
        /// In the base unit of its metric; `None` where there are no samples.
        observed: Option<MeasuredValue>,
    },
    /// Requests waited longer and longer: no server can go on like this, whatever the rules say of the first seconds.
    GrowingQueue,
    /// Runner did not make the load: its threads were at their limit.
    Generator,
    /// Runner itself stood still, or came late, as it got no core: this says nothing of the rate, which was tried again.
    Disturbed,
}

/// What a higher rate runs into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitingResource {
    /// The cores that the server has, or that there are.
    Cpu,
    /// The server works on no more requests at once, while cores are idle.
    Pool,
    /// Connections were refused, or there were no more of them to send requests on.
    Connections,
    /// Responses turned into errors.
    Errors,
    /// A rule alone: the server would carry more.
    Rule,
    /// Runner itself.
    Generator,
    /// The scenario's `max_rate`.
    MaxRate,
}

/// How the capacity goes with the number of workers: the universal scalability law, `rate = per_worker N / (1 + contention
/// (N - 1) + crosstalk N (N - 1))`, fitted to variants that differ in nothing else.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ScalingRecord {
    /// What else the matrix sets in these variants.
    pub settings: BTreeMap<String, Value>,
    /// By number of workers, at least three.
    pub points: Vec<CapacityPoint>,
    /// Arrivals a second that the first worker keeps.
    pub per_worker: f64,
    /// The share of the work that workers do one after another.
    pub contention: f64,
    /// What each pair of workers costs, as they have to agree.
    pub crosstalk: f64,
    /// What one worker more than the most that were tried brings, as a share of their capacity; negative if it costs.
    pub next_gain: f64,
    /// With how many workers the capacity is highest; `None` where more always bring more.
    pub peak_workers: Option<f64>,
}

/// The capacity of a server with so many workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CapacityPoint {
    pub workers: u64,
    /// Arrivals a second.
    pub rate: f64,
}
