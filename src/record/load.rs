//! What a load measured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Quantiles;
use crate::stats::{Encoded, Latencies};

/// What was measured of a load; of the counts and times the warm-up is left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LoadRecord {
    /// `closed` or `open`.
    pub model: String,
    /// The most users: of the open model, its `max_concurrency`.
    pub concurrency: u32,
    pub request: String,
    /// The version of HTTP: `1.1` or `2`.
    #[serde(default)]
    pub http: String,
    /// Requests that a connection of HTTP/2 carries at once, and that a user of HTTP/1.1 sends at once.
    #[serde(default)]
    pub streams: u32,
    #[serde(default)]
    pub pipeline: u32,
    pub timeout_s: f64,
    /// What the scenario asked for; `duration_s` is what it came to. `None` where a number of requests was to end it.
    #[serde(default)]
    pub planned_duration_s: Option<f64>,
    /// The number of requests that was to end it; `duration_s` is how long they took.
    #[serde(default)]
    pub planned_requests: Option<u64>,
    /// How long a user of the closed model thought after each response.
    #[serde(default)]
    pub pause_s: f64,
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
    /// How many of these were to requests of the warm-up, which count nowhere else.
    #[serde(default)]
    pub answers_to_warmup: u64,
    pub latency_us: Quantiles,
    pub service_time_us: Quantiles,
    /// Responses by status code.
    pub status: BTreeMap<String, u64>,
    /// By kind: `connect`, `tls`, `timeout`, `closed`, `protocol`, `script`, and `status` for responses of 400 and above.
    pub errors: BTreeMap<String, u64>,
    /// Why requests failed, by kind: the first of each. What came from outside is escaped, and cut.
    #[serde(default)]
    pub error_samples: BTreeMap<String, String>,
    /// What the first response of 4xx and the first of 5xx said, by status. What came from outside is escaped, and cut.
    #[serde(default)]
    pub error_bodies: BTreeMap<String, String>,
    /// Connections on which something came that no request had asked for, warm-up included; they were closed.
    #[serde(default)]
    pub unsolicited: u64,
    /// Heads and bodies of the responses that arrived within the duration; over HTTP/2 bodies only.
    pub bytes_received: u64,
    /// A row for each second, of a load of less than 20 s for each tenth of one.
    pub timeline: Vec<Second>,
    pub histogram: Histograms,
    pub generator: Generator,
    /// Of the open model: what was asked for, and how well it was kept.
    #[serde(default)]
    pub open: Option<OpenLoadRecord>,
    /// The longest while in which nothing was answered, though requests were waiting; `None` where each was short.
    #[serde(default)]
    pub silence: Option<Silence>,
    /// One after another; empty where the load has no more than one.
    #[serde(default)]
    pub stages: Vec<StageRecord>,
    /// By name; empty where the load has no more than one.
    #[serde(default)]
    pub requests: BTreeMap<String, PartRecord>,
    /// The slowest of the requests that carried a trace id, at most five; the slowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slowest: Vec<SlowRequestRecord>,
    /// What the load's script found; `None` without one.
    #[serde(default)]
    pub checks: Option<Checks>,
    /// The processes that drove it, where several did, in the order of their threads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generators: Vec<GeneratorRecord>,
}

/// The loads of several trials together: all their requests, ranked as one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PooledRecord {
    /// How many trials had a load.
    pub trials: u32,
    /// Requests of all of them.
    pub started: u64,
    pub latency_us: Quantiles,
    pub service_time_us: Quantiles,
}

/// A process, on this machine or another, that drove a slice of the threads of a load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorRecord {
    /// What it calls itself.
    pub name: String,
    /// Its CPU and kernel, in words.
    pub machine: String,
    /// The index of its first thread, and how many it has.
    pub first_thread: u32,
    pub threads: u32,
    pub started: u64,
    pub completed: u64,
    pub failed: u64,
    pub unanswered: u64,
    /// CPU time of its busiest thread as a share of its busiest second, 0 to 1, and that of all its threads.
    pub cpu_max: f64,
    pub cpu_s: f64,
    /// By how many microseconds its clock was ahead of that of the process that coordinates, give or take `clock_error_us`: half of
    /// the shortest round trip.
    pub clock_offset_us: f64,
    pub clock_error_us: f64,
    /// Set where it was lost before its load ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<LostGenerator>,
}

/// A generator of which nothing was heard any more.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LostGenerator {
    /// When it was last heard of, in seconds from the start of the load, warm-up included.
    pub heard_s: f64,
    /// Up to when what it had measured is in the record.
    pub measured_s: f64,
    /// Requests that it had in flight then, which count as unanswered.
    pub in_flight: u64,
    /// Whether the load was ended for it.
    pub ended_load: bool,
}

/// A request that took long, by whose trace id the server's own traces can be searched for it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SlowRequestRecord {
    pub latency_us: f64,
    /// When it was due, in seconds from the start of the measured part.
    pub t_s: f64,
    /// `POST /checkout/`.
    pub request: String,
    pub status: Option<u16>,
    /// Why there was no response: `timeout` and the like.
    pub failure: Option<String>,
    /// 32 hexadecimal digits, as in the `traceparent` header.
    pub trace_id: String,
}

/// A while in which nothing was answered. It is known to 100 ms, and told to have been no longer than it was.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Silence {
    /// Its start, in seconds from the start of the measured part.
    pub t_s: f64,
    pub length_s: f64,
    /// Requests that were waiting then.
    pub waiting: u64,
}

/// How an open load was kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OpenLoadRecord {
    /// Arrivals a second that were asked for, on average over the measured part.
    pub rate: f64,
    /// `uniform` or `poisson`.
    pub spacing: String,
    /// Requests that were due while all users were busy, and so had to wait for one. Their latency counts that.
    pub queued: u64,
    /// Of these, those for which none was free before the end. They are among the unanswered.
    pub never_sent: u64,
    /// Requests that the load threads came to only when the load was over, and so did not send. They are among the
    /// unanswered and the late, and not among the queued.
    #[serde(default)]
    pub missed: u64,
    /// Of all but the queued, the share that the load threads themselves sent more than 1 ms late, or missed; 0 to 1.
    pub late_share: f64,
    pub late_mean_us: f64,
    pub late_max_us: f64,
    /// Requests in flight or waiting to be sent, on average.
    pub in_flight_mean: f64,
}

/// What was measured of a part of the requests of a load.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PartRecord {
    pub started: u64,
    pub completed: u64,
    pub failed: u64,
    pub unanswered: u64,
    /// Responses of 400 and above among the completed.
    pub error_status: u64,
    pub latency_us: Quantiles,
    pub service_time_us: Quantiles,
}

/// A stage of a load that began, with the requests that were due in it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StageRecord {
    /// Its start, in seconds from the start of the measured part.
    pub t_s: f64,
    /// How long it took; less than was planned if the load was cut short.
    pub length_s: f64,
    /// Arrivals a second in the open model, users in the closed one; a ramp goes from one to the other. `to` is what it had
    /// come to if the load was cut short.
    pub from: f64,
    pub to: f64,
    pub part: PartRecord,
}

/// What a load's script found of the requests that count.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Checks {
    pub passed: u64,
    pub failed: u64,
    /// How long its `request` had users sleep before they asked, all of them together and warm-up included.
    #[serde(default)]
    pub thought_s: f64,
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
    /// CPU time of the busiest thread as a share of its busiest second, 0 to 1; of its whole life if the measured part was
    /// shorter than half a second.
    pub cpu_max: f64,
    /// CPU time of all of them, warm-up and drain included.
    pub cpu_s: f64,
    /// CPU time that load threads spent awake before arrivals so as not to miss them; not in `cpu_s` and `cpu_max`.
    #[serde(default)]
    pub spin_s: f64,
    /// Descriptors that the load may need at once, and how many the process may have.
    #[serde(default)]
    pub descriptors_needed: u64,
    #[serde(default)]
    pub descriptors_limit: Option<u64>,
    /// Sockets of connections to the server in TIME_WAIT after the load, and the ports that connections are made from, those of all
    /// source addresses together.
    #[serde(default)]
    pub time_wait: Option<u64>,
    #[serde(default)]
    pub ports: Option<u64>,
    /// How long runner itself stood still within the measured part: it was stopped, or got no core.
    #[serde(default)]
    pub stopped_s: f64,
    /// The grain of the clock, in nanoseconds.
    #[serde(default)]
    pub clock_ns: Option<u64>,
    pub connections_opened: u64,
    /// Of these, those whose TLS handshake took up an earlier session; `None` without TLS.
    #[serde(default)]
    pub handshakes_resumed: Option<u64>,
    /// How often a request was sent once more, warm-up left out: its connection, used before, had ended before a byte of its
    /// response came, or, over HTTP/2, the server had refused it unseen (REFUSED_STREAM, GOAWAY). Each time counts.
    #[serde(default)]
    pub retries: u64,
}

/// What happened in a stretch of the measured part, answers to requests of the warm-up included.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Second {
    /// Its start, in seconds from the start of the measured part.
    pub t_s: f64,
    /// Its length: 1 or 0.1, but for the last.
    pub length_s: f64,
    pub started: u64,
    pub completed: u64,
    pub failed: u64,
    /// Responses of 400 and above among the completed.
    pub error_status: u64,
    /// The mean and longest latency of the answers in it, in microseconds; `None` without answers.
    pub latency_mean_us: Option<f64>,
    pub latency_max_us: Option<f64>,
}

/// HdrHistogram V2 in base64, values in nanoseconds; `_unanswered` holds the waits that ended in no response, and `_failed`
/// those of them for which none would have come. Where others were cut off, `_late` and `_cut_late` hold those of the answered
/// and of the cut that were due in the second half. What would be empty is left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Histograms {
    pub latency: String,
    pub latency_unanswered: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub latency_failed: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub latency_late: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub latency_cut_late: String,
    pub service_time: String,
    pub service_time_unanswered: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service_time_failed: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service_time_late: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service_time_cut_late: String,
}

impl Histograms {
    /// Those of a load, on both of its clocks.
    pub fn of(latencies: &Latencies, service_times: &Latencies) -> Self {
        let (latency, service_time) = (latencies.encode(), service_times.encode());
        Histograms {
            latency: latency.answered,
            latency_unanswered: latency.unanswered,
            latency_failed: latency.failed,
            latency_late: latency.late_answered,
            latency_cut_late: latency.late_cut,
            service_time: service_time.answered,
            service_time_unanswered: service_time.unanswered,
            service_time_failed: service_time.failed,
            service_time_late: service_time.late_answered,
            service_time_cut_late: service_time.late_cut,
        }
    }

    /// `None` if the record was edited by hand into something else.
    pub fn latencies(&self) -> Option<Latencies> {
        Latencies::decode(&Encoded {
            answered: &self.latency,
            unanswered: &self.latency_unanswered,
            failed: &self.latency_failed,
            late_answered: &self.latency_late,
            late_cut: &self.latency_cut_late,
        })
    }

    /// The histogram of service times; `None` if the record holds none that can be read.
    pub fn service_times(&self) -> Option<Latencies> {
        Latencies::decode(&Encoded {
            answered: &self.service_time,
            unanswered: &self.service_time_unanswered,
            failed: &self.service_time_failed,
            late_answered: &self.service_time_late,
            late_cut: &self.service_time_cut_late,
        })
    }
}
