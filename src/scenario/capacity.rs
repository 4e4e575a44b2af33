//! What a search for the capacity is to find.

use std::time::Duration;

use crate::rule::metric::MetricGroup;
use crate::rule::{Metric, Rule};

/// The highest arrival rate at which the rules hold is to be found.
#[derive(Debug, Clone)]
pub struct CapacitySpec {
    /// At least one, each on a metric that [`is_of_a_probe`] accepts.
    pub rules: Vec<Rule>,
    /// How long the search may take, the server's start left out.
    pub time: Duration,
    /// How far the lowest rate that broke the rules may lie above the highest that kept them, as a share of it.
    pub precision: f64,
    /// No higher rate is tried, in arrivals a second.
    pub max_rate: Option<f64>,
}

/// Whether a metric tells, of one load, if its rate was too high. That more is answered at a higher rate says nothing.
pub fn is_of_a_probe(metric: Metric) -> bool {
    metric.group() == MetricGroup::Load && !matches!(metric, Metric::Throughput | Metric::Started | Metric::Completed)
}
