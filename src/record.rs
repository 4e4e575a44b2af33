//! The versioned facts of a run. Every report is a pure function of a [`Record`].
//!
//! The keys are a contract that other programs rely on; `FORMAT` counts up when one changes its meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dirty::recipe::Recipe;
use crate::stats::{Latencies, Quantile};

/// The version of the keys below.
pub const FORMAT: u32 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub format: u32,
    pub runner: Runner,
    /// UTC, RFC 3339.
    pub started: String,
    pub seed: u64,
    pub status: Status,
    pub scenario: Scenario,
    pub environment: Environment,
    /// From the start of the program to the record, in seconds.
    pub total_s: f64,
    pub variants: Vec<Variant>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Runner {
    pub version: String,
}

/// How a verdict, a variant or a run came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Passed,
    Failed,
    /// The evidence does not suffice either way.
    Inconclusive,
    /// The server did not start or died, or the machine refused.
    CouldNotRun,
    /// Ended by the user; what was measured until then is here.
    Interrupted,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scenario {
    pub name: String,
    pub about: Option<String>,
    /// As named on the command line.
    pub file: String,
    /// What `--set` gave, as typed.
    pub overrides: Vec<String>,
    /// The effective scenario, as TOML, without secrets.
    pub effective: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Environment {
    pub os: String,
    pub kernel: String,
    pub cpu: String,
    pub cpus: usize,
    pub memory_bytes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Variant {
    pub name: String,
    /// What the matrix set.
    pub settings: BTreeMap<String, Value>,
    /// What serves, in words: `built-in sync, 1 worker`.
    pub server: String,
    pub trials: Vec<Trial>,
    pub verdicts: Vec<Verdict>,
    pub caveats: Vec<Caveat>,
}

/// One execution of a variant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Trial {
    pub load: Option<Load>,
    pub dirty: Option<Dirty>,
    pub server: Option<Server>,
    /// Why the trial could not run, or not to its end.
    pub failure: Option<Failure>,
    /// Cut short by the user.
    pub interrupted: bool,
    /// The `abort_when` rule that ended the load.
    pub aborted: Option<Aborted>,
}

/// A rule of `abort_when` that held for as long as it says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Aborted {
    pub rule: String,
    /// Seconds from the start of the load.
    pub after_s: f64,
    pub observed: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// A sentence without a full stop: `worker 4711 was killed by signal 9 while 12 requests were in flight`.
    pub message: String,
    pub advice: String,
    /// The last lines of the server's log.
    pub log_tail: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Load {
    /// `closed`.
    pub model: String,
    pub concurrency: u32,
    pub request: String,
    pub timeout_s: f64,
    /// What the scenario asked for; `duration_s` is what it came to.
    pub planned_duration_s: f64,
    /// `completed + failed + unanswered`, warm-up left out.
    pub started: u64,
    /// A whole response came, whatever its status.
    pub completed: u64,
    /// None came, and none would have: the sum of `errors` but for `status`.
    pub failed: u64,
    /// Still waiting when the load, and the time to drain it, ended.
    pub unanswered: u64,
    pub duration_s: f64,
    /// Responses with a status below 400 that arrived within the duration, per second.
    pub throughput: f64,
    pub latency_us: Quantiles,
    pub service_time_us: Quantiles,
    /// Responses by status code.
    pub status: BTreeMap<String, u64>,
    /// By kind: `connect`, `timeout`, `closed`, `protocol`, `script`, and `status` for responses of 400 and above.
    pub errors: BTreeMap<String, u64>,
    pub bytes_received: u64,
    /// One row a second.
    pub timeline: Vec<Second>,
    pub histogram: Histograms,
    pub generator: Generator,
    /// What the load's script found; `None` without one.
    #[serde(default)]
    pub checks: Option<Checks>,
}

/// What a load's script found of the requests that count.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Checks {
    pub passed: u64,
    pub failed: u64,
    /// Of failed checks: the earliest, at most five.
    pub samples: Vec<CheckSample>,
    /// Of requests that the script failed to make: the earliest, at most five. `errors.script` counts them all.
    pub script_errors: Vec<CheckSample>,
    pub teardown_error: Option<String>,
    /// The first lines that hooks logged.
    pub log: Vec<String>,
}

/// A request that a script found wrong, or could not make.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CheckSample {
    pub user: u32,
    /// The number of the request within its user, from 0.
    pub seq: u64,
    /// When it was due, in seconds from the start of the measured part.
    pub t_s: f64,
    /// `POST /checkout/`; empty where there was no request.
    pub line: String,
    pub status: Option<u16>,
    /// Why there was no response: `timeout` and the like.
    pub failure: Option<String>,
    /// The beginning of the response's body.
    pub excerpt: String,
    /// What the check, or the error, said.
    pub said: String,
}

/// The threads that made the load.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Generator {
    pub threads: u32,
    /// CPU time of the busiest thread as a share of the duration, 0 to 1.
    pub cpu_max: f64,
    pub cpu_s: f64,
    pub connections_opened: u64,
    /// Requests sent once more because the server had closed their connection while it was idle.
    #[serde(default)]
    pub retries: u64,
}

/// What happened in one second of the measured part, answers to requests of the warm-up included.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Second {
    /// Its start, in seconds from the start of the measured part.
    pub t_s: f64,
    /// Its length; 1 but for the last.
    pub length_s: f64,
    pub started: u64,
    pub completed: u64,
    pub failed: u64,
    /// Responses of 400 and above among the completed.
    pub error_status: u64,
    /// The mean and longest latency of the answers of this second, in microseconds; `None` without answers.
    pub latency_mean_us: Option<f64>,
    pub latency_max_us: Option<f64>,
}

/// Latencies in microseconds, ranked over every started request. `None` without any.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Quantiles {
    pub min: Option<Micros>,
    pub mean: Option<Micros>,
    pub p50: Option<Micros>,
    pub p75: Option<Micros>,
    pub p90: Option<Micros>,
    pub p95: Option<Micros>,
    pub p99: Option<Micros>,
    pub p999: Option<Micros>,
    pub max: Option<Micros>,
}

/// A number, or `{"at_least": n}` where the quantile falls among requests that were never answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Micros {
    Exactly(f64),
    AtLeast(f64),
}

impl From<Quantile> for Micros {
    fn from(quantile: Quantile) -> Self {
        match quantile {
            Quantile::Exactly(nanos) => Micros::Exactly(nanos as f64 / 1e3),
            Quantile::AtLeast(nanos) => Micros::AtLeast(nanos as f64 / 1e3),
        }
    }
}

impl Serialize for Micros {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        match self {
            Micros::Exactly(value) => serializer.serialize_f64(*value),
            Micros::AtLeast(bound) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("at_least", bound)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let bound = value.get("at_least").and_then(Value::as_f64).map(Micros::AtLeast);
        let micros = value.as_f64().map(Micros::Exactly).or(bound);
        micros.ok_or_else(|| serde::de::Error::custom("expected a number or {\"at_least\": number}"))
    }
}

impl Quantiles {
    pub fn of(latencies: &Latencies) -> Self {
        let at = |q: f64| latencies.quantile(q).map(Micros::from);
        Quantiles {
            min: latencies.min().map(Micros::from),
            mean: latencies.mean().map(Micros::from),
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: latencies.max().map(Micros::from),
        }
    }
}

/// HdrHistogram V2 in base64, values in nanoseconds; `_unanswered` holds the waits that ended in no answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Histograms {
    pub latency: String,
    pub latency_unanswered: String,
    pub service_time: String,
    pub service_time_unanswered: String,
}

impl Histograms {
    /// `None` if the record was edited by hand into something else.
    pub fn latencies(&self) -> Option<Latencies> {
        Latencies::decode(&self.latency, &self.latency_unanswered)
    }

    pub fn service_times(&self) -> Option<Latencies> {
        Latencies::decode(&self.service_time, &self.service_time_unanswered)
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Dirty {
    /// `clean`, `dirty` or `report`.
    pub expect: String,
    /// Chances to leak among the requests sent: handled while another was, or after it by the same worker.
    pub exposures: u64,
    /// Responses that held another request's canary.
    pub leaks: u64,
    /// At most this fraction of exposures leaks, at 95 % confidence.
    pub bound: f64,
    pub duration_s: f64,
    pub control: Control,
    pub triggers: BTreeMap<String, Trigger>,
    /// A bounded selection, one per distinct kind of leak first.
    pub evidence: Vec<Leak>,
    /// Why nothing can be concluded, if so.
    pub inconclusive: Option<String>,
}

/// Requests sent one at a time before the concurrent run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Control {
    pub requests: u64,
    /// Sentences; each makes the check inconclusive.
    pub problems: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Trigger {
    pub requests: u64,
    pub exposures: u64,
    pub leaks: u64,
    pub rounds: u64,
    /// Rounds in which at least one response leaked.
    pub rounds_with_leak: u64,
    /// Requests without an answer, or with one of 400 and above.
    pub failed: u64,
    /// Answers below 400 that held no canary at all: nothing can be told from them.
    #[serde(default)]
    pub missing: u64,
    pub not_exercised: Option<String>,
}

/// One leaking response, with its witnesses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Leak {
    pub class: LeakClass,
    #[serde(default)]
    pub oracle: LeakOracle,
    /// Both requests were being handled at one time.
    #[serde(default)]
    pub overlapped: bool,
    /// `overlap`, or `control` for a leak without any overlap.
    pub trigger: String,
    pub round: u64,
    /// The request whose response leaked.
    pub victim: Witness,
    /// The request whose canary it held; `None` if it only lacked its own.
    pub source: Option<Witness>,
    /// Where in the response: `body`, `header x-user`, `status line`.
    pub place: String,
    /// The text around the foreign canary.
    pub excerpt: String,
    /// Whether the victim's own canary was in its response as well.
    pub own_present: bool,
    /// How many requests the round had.
    #[serde(default)]
    pub round_requests: u64,
    /// The other requests of the round, for the picture; bounded.
    pub bystanders: Vec<Witness>,
    /// What was sent in that round.
    #[serde(default)]
    pub recipe: Recipe,
}

/// How a leak came about; see [`crate::dirty::Class`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakClass {
    #[serde(alias = "overlap")]
    SharedSlot,
    NarrowRace,
    Capacity,
    #[serde(alias = "stale")]
    StaleState,
    StickyFirst,
    Cache,
    Pool,
    ErrorPath,
    Connection,
    Desync,
    Residue,
    Derived,
}

/// What tells that something is another's; see [`crate::dirty::Oracle`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakOracle {
    #[default]
    Canary,
    Fragment,
    Swap,
    Learned,
    Number,
}

/// One request of a dirty check. Times are milliseconds from the start of its round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Witness {
    /// Counted over the whole check.
    pub request: u64,
    pub canary: String,
    /// `long` or `short`, in `overlap`; `probe` in the control run.
    pub role: String,
    /// `GET /dirty/?sleep=0.7&email=...`.
    pub line: String,
    pub connection: u64,
    /// The process that answered, where it says so.
    pub worker: Option<String>,
    /// What the request asked its handler to sleep.
    pub sleep_ms: Option<f64>,
    pub sent_ms: f64,
    pub first_byte_ms: Option<f64>,
    pub done_ms: f64,
    pub status: Option<u16>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Server {
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
    pub samples: Vec<Sample>,
    /// Processes that ended or died, in order.
    #[serde(default)]
    pub events: Vec<Event>,
}

/// What all processes of a server used at one moment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sample {
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
pub struct Event {
    /// Since the start of the server.
    pub t_s: f64,
    /// `process 4712 was killed by signal 9 (KILL)`.
    pub what: String,
    /// It happened to the dirty check's own server, after the load's had been stopped: its time counts from that one's
    /// start, and no sample is near it.
    #[serde(default)]
    pub second_server: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verdict {
    /// As the scenario wrote it, or `dirty.expect = "clean"`.
    pub rule: String,
    pub status: Status,
    pub expected: String,
    pub observed: String,
    pub evidence: Option<String>,
}

/// A reason to trust a number less, with advice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Caveat {
    pub message: String,
    pub advice: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_written_as_at_least() {
        assert_eq!(serde_json::to_string(&Micros::AtLeast(2e6)).unwrap(), r#"{"at_least":2000000.0}"#);
        assert_eq!(serde_json::from_str::<Micros>(r#"{"at_least": 5}"#).unwrap(), Micros::AtLeast(5.0));
        assert_eq!(serde_json::from_str::<Micros>("7.5").unwrap(), Micros::Exactly(7.5));
        assert!(serde_json::from_str::<Micros>("\"x\"").is_err());
    }
}
