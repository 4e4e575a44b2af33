//! The figures of a variant over its trials.

use crate::analysis::observed::observe;
use crate::record::{FigureRecord, VariantRecord};
use crate::rule::Metric;
use crate::stats::interval::{OF_A_FIGURE, of_trials};

/// What is told of each variant.
const TOLD: [&str; 7] =
    ["capacity.rate", "throughput", "latency.p50", "latency.p99", "errors.rate", "server.cpu.mean", "server.rss.max"];

/// The median and the interval of each metric that the variant's trials show; where requests were cut off, of what is likely.
pub fn figures(variant: &VariantRecord) -> Vec<FigureRecord> {
    let figure = |name: &&str| {
        let metric = Metric::parse(name)?;
        let values: Vec<f64> =
            variant.trials.iter().filter_map(|trial| observe(metric, trial)).map(|value| value.likely()).collect();
        let interval = of_trials(&values, OF_A_FIGURE)?;
        Some(FigureRecord { metric: metric.name(), trials: values.len() as u32, interval })
    };
    TOLD.iter().filter_map(figure).collect()
}
