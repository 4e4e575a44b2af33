//! The metrics that rules can name, as a table: one row a metric.
//!
//! A new metric is a row here, and an arm in `analysis/observed.rs` that reads it from a trial: without it nothing compiles.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::exchange::{Failure, HIGHEST_STATUS};
use crate::trigger::Trigger;

/// What is measured, and in which unit a rule writes its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Duration,
    Rate,
    Percentage,
    Count,
    Size,
    /// A plain number, as for a mean of cores in use.
    Number,
}

impl Unit {
    /// The word in the documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Duration => "duration",
            Unit::Rate => "rate",
            Unit::Percentage => "percentage",
            Unit::Count => "count",
            Unit::Size => "size",
            Unit::Number => "number",
        }
    }
}

/// What a metric is measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricGroup {
    Load,
    Capacity,
    Dirty,
    Server,
}

impl MetricGroup {
    /// Every group, in the order in which the documentation has them.
    pub const ALL: [MetricGroup; 4] =
        [MetricGroup::Load, MetricGroup::Capacity, MetricGroup::Dirty, MetricGroup::Server];

    /// As in "metrics of the load".
    pub const fn name(self) -> &'static str {
        match self {
            MetricGroup::Load => "the load",
            MetricGroup::Capacity => "the capacity",
            MetricGroup::Dirty => "the dirty check",
            MetricGroup::Server => "the server",
        }
    }
}

/// A row of the table: a metric, or a family of metrics whose name has a `{}` for what tells them apart.
#[derive(Debug, Clone, Copy)]
pub struct MetricRow {
    pub name: &'static str,
    pub group: MetricGroup,
    pub unit: Unit,
    /// What other tools, and people in a hurry, call it.
    pub aliases: &'static [&'static str],
    /// What it is, in words; Markdown, for the documentation.
    pub doc: &'static str,
    /// The names of the row that are worth suggesting: one, or the usual ones of a family.
    pub names: fn() -> Vec<String>,
    /// The name as people write that of a family: `latency.pN`.
    pub pattern: fn() -> String,
}

/// What tells the metrics of a family apart.
trait Parameter: Copy + fmt::Display {
    /// What stands for it where the whole family is named.
    const PLACEHOLDER: &'static str;

    fn parse(text: &str) -> Option<Self>;

    /// Those that suggestions and the documentation name.
    fn usual() -> Vec<Self>;
}

/// The percentile of a distribution: 99.9 is `p99.9`, which may also be written `p999`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percentile(f64);

impl Percentile {
    /// From 0 to 1.
    pub fn quantile(self) -> f64 {
        self.0 / 100.0
    }
}

impl Parameter for Percentile {
    const PLACEHOLDER: &'static str = "pN";

    /// `p50` is 50, `p99.9` and `p999` are 99.9, `p9999` is 99.99.
    fn parse(text: &str) -> Option<Percentile> {
        let digits = text.strip_prefix('p')?;
        if !digits.chars().all(|c| c.is_ascii_digit() || c == '.') || digits.starts_with('.') {
            return None;
        }
        let value: f64 = if digits.len() > 2 && digits.starts_with('9') && !digits.contains('.') {
            format!("{}.{}", &digits[..2], &digits[2..]).parse().ok()?
        } else {
            digits.parse().ok()?
        };
        (value > 0.0 && value <= 100.0).then_some(Percentile(value))
    }

    fn usual() -> Vec<Percentile> {
        [50.0, 75.0, 90.0, 95.0, 99.0, 99.9].map(Percentile).to_vec()
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

/// The status of a response, from 100 to 999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusCode(pub u16);

impl Parameter for StatusCode {
    const PLACEHOLDER: &'static str = "CODE";

    fn parse(text: &str) -> Option<StatusCode> {
        let code = text.parse().ok().filter(|code| (100..=HIGHEST_STATUS).contains(code))?;
        (text.len() == 3).then_some(StatusCode(code))
    }

    fn usual() -> Vec<StatusCode> {
        vec![StatusCode(200)]
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why requests failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureKind(pub Failure);

impl Parameter for FailureKind {
    const PLACEHOLDER: &'static str = "KIND";

    fn parse(text: &str) -> Option<FailureKind> {
        Failure::ALL.into_iter().find(|failure| failure.name() == text).map(FailureKind)
    }

    fn usual() -> Vec<FailureKind> {
        Failure::ALL.map(FailureKind).to_vec()
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Parameter for Trigger {
    const PLACEHOLDER: &'static str = "TRIGGER";

    fn parse(text: &str) -> Option<Trigger> {
        Trigger::parse(text)
    }

    fn usual() -> Vec<Trigger> {
        Trigger::ALL.to_vec()
    }
}

/// The parameter that `name` has in the place of the `{}` of a family.
fn parameter<T: Parameter>(family: &str, name: &str) -> Option<T> {
    let (before, after) = family.split_once("{}")?;
    T::parse(name.strip_prefix(before)?.strip_suffix(after)?)
}

fn usual_names<T: Parameter>(family: &str) -> Vec<String> {
    T::usual().into_iter().map(|parameter| family.replace("{}", &parameter.to_string())).collect()
}

/// Declares the metrics. A row: the variant, with the type of its parameter if it is a family; the name; the unit; aliases;
/// the line of the documentation.
macro_rules! metrics {
    ($($group:ident { $($variant:ident $(($of:ty))? $name:literal $unit:ident [$($alias:literal)*] $doc:literal;)* })*) => {
        /// A metric that rules can name.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub enum Metric {
            $($(
                #[doc = $doc]
                $variant $(($of))?,
            )*)*
        }

        /// Every metric, a row each.
        pub const METRICS: &[MetricRow] = &[
            $($(MetricRow {
                name: $name,
                group: MetricGroup::$group,
                unit: Unit::$unit,
                aliases: &[$($alias),*],
                doc: $doc,
                names: || metrics!(@names $name $($of)?),
                pattern: || metrics!(@family $name $($of)?),
            },)*)*
        ];

        impl Metric {
            /// Looks a name up; `latency.p999` is the same as `latency.p99.9`.
            pub fn parse(name: &str) -> Option<Metric> {
                $($(
                    if let Some(metric) = metrics!(@parse name $variant $name $($of)?) {
                        return Some(metric);
                    }
                )*)*
                None
            }

            /// The name as rules write it; of the two spellings of a percentile the one with a point, `latency.p99.9`.
            pub fn name(self) -> String {
                match self {
                    $($(metrics!(@pattern $variant of $($of)?) => metrics!(@name $name of $($of)?),)*)*
                }
            }

            /// The unit in which rules write its limit.
            pub const fn unit(self) -> Unit {
                match self {
                    $($(Metric::$variant { .. } => Unit::$unit,)*)*
                }
            }

            /// What it is measured on.
            pub const fn group(self) -> MetricGroup {
                match self {
                    $($(Metric::$variant { .. } => MetricGroup::$group,)*)*
                }
            }
        }
    };
    (@names $name:literal) => { vec![$name.to_owned()] };
    (@names $name:literal $of:ty) => { usual_names::<$of>($name) };
    (@family $name:literal) => { $name.to_owned() };
    (@family $name:literal $of:ty) => { $name.replace("{}", <$of>::PLACEHOLDER) };
    (@parse $text:ident $variant:ident $name:literal) => { ($text == $name).then_some(Metric::$variant) };
    (@parse $text:ident $variant:ident $name:literal $of:ty) => {
        parameter::<$of>($name, $text).map(Metric::$variant)
    };
    (@pattern $variant:ident $parameter:ident) => { Metric::$variant };
    (@pattern $variant:ident $parameter:ident $of:ty) => { Metric::$variant($parameter) };
    (@name $name:literal $parameter:ident) => { $name.to_owned() };
    (@name $name:literal $parameter:ident $of:ty) => { $name.replace("{}", &$parameter.to_string()) };
}

metrics! {
    Load {
        Throughput "throughput" Rate ["rps" "qps" "req/s" "reqs/s" "requests/sec" "requests_per_sec" "requests_per_second" "http_reqs" "rate"]
            "responses with a status below 400 that arrived within the duration, per second";
        Started "started" Count ["requests" "count" "total"]
            "requests: the sum of the three below";
        Completed "completed" Count ["responses" "succeeded"]
            "requests to which a whole response came, whatever its status";
        Failed "failed" Count []
            "requests to which none came, and none would have";
        Unanswered "unanswered" Count ["pending" "in_flight"]
            "requests that were still waiting when the load ended";
        LatencyMin "latency.min" Duration ["fastest"]
            "from the moment a request was due to the end of its response, over every started request";
        LatencyMean "latency.mean" Duration ["latency" "avg" "average" "latency.avg" "latency.average" "duration" "http_req_duration"]
            "the mean of it";
        LatencyMax "latency.max" Duration ["slowest"]
            "the longest";
        LatencyPercentile(Percentile) "latency.{}" Duration []
            "percentiles of it; any other may be named, and `latency.p999` is `latency.p99.9`. [From that to that](report.md#how-unanswered-requests-rank) where requests that were cut off leave it open";
        ServiceTimeMin "service_time.min" Duration []
            "the same from the moment a request was sent";
        ServiceTimeMean "service_time.mean" Duration ["service_time" "service_time.avg"]
            "the mean of it";
        ServiceTimeMax "service_time.max" Duration []
            "the longest";
        ServiceTimePercentile(Percentile) "service_time.{}" Duration []
            "percentiles of it";
        ErrorCount "errors.count" Count ["errors" "error_count"]
            "failed requests, and responses of 400 or above";
        ErrorRate "errors.rate" Percentage ["error_rate" "errorrate" "http_req_failed" "failure_rate" "failed.rate"]
            "the same as a share of all started; from that to that with the unanswered, as nobody knows what their responses would have been";
        ErrorsOf(FailureKind) "errors.{}" Count []
            "failed requests by kind: no connection, a connection but no TLS handshake, no whole response in time, closed before the response was whole, not HTTP, not sent because the script failed";
        ErrorStatus "errors.status" Count ["non2xx" "non_2xx" "4xx" "5xx" "status.4xx" "status.5xx"]
            "responses of 400 or above";
        Status(StatusCode) "status.{}" Count []
            "responses with this status; any from `status.100` to `status.999`";
        RetryCount "retries.count" Count ["retries"]
            "how often a request was sent again: its connection, used before, ended before a byte of the response, or the server had refused it unseen";
        RetryRate "retries.rate" Percentage ["retry_rate"]
            "the same as a share of all started; one that is sent again more than once counts each time";
        Unsolicited "unsolicited" Count []
            "connections on which something came that no request had asked for, warm-up included";
        ChecksFailed "checks.failed" Count []
            "what the `check` of a [script](client-scripts.md) called wrong; without samples where nothing was checked";
        ChecksPassed "checks.passed" Count []
            "what it called right";
        CheckRate "checks.rate" Percentage ["checks" "check_rate"]
            "the share that passed";
    }
    Capacity {
        CapacityRate "capacity.rate" Rate ["capacity" "max_rate" "capacity.max"]
            "the highest arrival rate that kept the rules of [`[capacity]`](capacity.md); none kept them: 0";
    }
    Dirty {
        DirtyLeaks "dirty.leaks" Count ["leaked"]
            "responses that held another request's canary, or lacked their own";
        DirtyExposures "dirty.exposures" Count []
            "chances to leak";
        DirtyBound "dirty.bound" Percentage ["leak_rate" "dirty.rate"]
            "at most this share of exposures leaks, at 95 % confidence";
        DirtyFindings "dirty.findings" Count ["findings"]
            "causes of leaks that a [sweep](sweep.md) found";
        DirtyExercised "dirty.exercised" Percentage ["coverage" "dirty.coverage"]
            "the share of a sweep's operations that were answered with a status below 400";
        DirtyPairs "dirty.pairs" Percentage []
            "of all ordered pairs of these operations, those of which both were handled at one time";
        DirtyBoundWorst "dirty.bound.worst" Percentage []
            "at most this share of the exposures of any operation leaks, at 95 % confidence for all of them at once";
        TriggerLeaks(Trigger) "dirty.{}.leaks" Count []
            "the leaks that one [trigger](#triggers) showed";
        TriggerExposures(Trigger) "dirty.{}.exposures" Count []
            "the chances to leak that it made";
    }
    Server {
        ServerCpuMean "server.cpu.mean" Number ["cpu" "server.cpu" "cores" "cpu_usage"]
            "cores in use on average";
        ServerRssMax "server.rss.max" Size ["rss" "memory" "mem" "server.rss" "server.memory" "ram"]
            "the peak of resident memory, summed over the workers";
        ServerThreadsMax "server.threads.max" Count ["threads" "server.threads"]
            "the most threads of each worker, summed";
    }
}

/// Members of a family that a table lists one by one.
const MOST_LISTED: usize = 8;

impl Metric {
    /// What `abort_when` can watch while a load runs.
    pub const WATCHABLE: [Metric; 4] = [Metric::ErrorRate, Metric::ErrorCount, Metric::ErrorStatus, Metric::Throughput];

    /// Every name worth suggesting.
    pub fn names() -> impl Iterator<Item = String> {
        METRICS.iter().flat_map(|row| (row.names)())
    }

    /// The table of a group for the documentation, in Markdown. A family with many members stands there as its pattern.
    pub fn table(group: MetricGroup) -> String {
        let of_group = METRICS.iter().filter(|row| row.group == group);
        let rows: Vec<String> = of_group
            .map(|row| {
                let names = (row.names)();
                let names = if names.len() > MOST_LISTED { vec![(row.pattern)()] } else { names };
                let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
                format!("| {} | {} | {} |\n", names.join(", "), row.unit.name(), row.doc)
            })
            .collect();
        format!("| metric | unit | what it is |\n| --- | --- | --- |\n{}", rows.concat())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn percentiles_have_two_spellings() {
        assert_eq!(Metric::parse("latency.p999"), Metric::parse("latency.p99.9"));
        let Some(Metric::ServiceTimePercentile(percentile)) = Metric::parse("service_time.p99.9") else { panic!() };
        assert!((percentile.quantile() - 0.999).abs() < 1e-12);
        for wrong in ["latency.p101", "latency.p0", "latency.p", "latency.p.5", "latency.99"] {
            assert_eq!(Metric::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_row_is_found_by_its_names_and_has_a_unit_a_group_and_words() {
        let mut names = BTreeSet::new();
        for row in METRICS {
            assert!(!row.doc.is_empty() && !(row.names)().is_empty(), "{}", row.name);
            for name in (row.names)() {
                let metric = Metric::parse(&name).unwrap_or_else(|| panic!("{name} is not found"));
                assert_eq!((metric.name(), metric.unit(), metric.group()), (name.clone(), row.unit, row.group));
                assert!(names.insert(name), "{} is there twice", row.name);
            }
        }
    }

    #[test]
    fn every_trigger_has_its_own_metrics() {
        for trigger in Trigger::ALL {
            assert_eq!(Metric::parse(&format!("dirty.{trigger}.leaks")), Some(Metric::TriggerLeaks(trigger)));
            assert_eq!(Metric::parse(&format!("dirty.{trigger}.exposures")), Some(Metric::TriggerExposures(trigger)));
        }
        assert!(Metric::parse("dirty.gates.leaks").is_none() && Metric::parse("dirty.gate.rate").is_none());
    }

    #[test]
    fn a_status_has_three_digits() {
        assert_eq!(Metric::parse("status.503"), Some(Metric::Status(StatusCode(503))));
        assert!(["status.0200", "status.99", "status.1000", "status.+20"].iter().all(|n| Metric::parse(n).is_none()));
    }
}
