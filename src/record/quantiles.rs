//! Latencies as they are written: numbers, or what is known of them where requests were cut off.

use serde::{Deserialize, Serialize};

use crate::measured_value::{Bounds, MeasuredValue};
use crate::stats::Latencies;

/// Latencies in microseconds, ranked over every started request. `None` without any.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    pub min: Option<MeasuredValue>,
    pub mean: Option<MeasuredValue>,
    pub p50: Option<MeasuredValue>,
    pub p75: Option<MeasuredValue>,
    pub p90: Option<MeasuredValue>,
    pub p95: Option<MeasuredValue>,
    pub p99: Option<MeasuredValue>,
    pub p999: Option<MeasuredValue>,
    pub max: Option<MeasuredValue>,
}

impl Quantiles {
    /// What is known of those between the least and the most that requests that were cut off leave open.
    pub fn open(&self) -> impl Iterator<Item = Bounds> {
        let all = [self.p50, self.p75, self.p90, self.p95, self.p99, self.p999];
        all.into_iter().flatten().filter_map(|value| match value {
            MeasuredValue::Within(bounds) => Some(bounds),
            MeasuredValue::Exactly(_) | MeasuredValue::MoreThan(_) => None,
        })
    }

    /// The quantile at `q` (0 to 1), if it is one of those that are written and there were requests.
    pub fn written(&self, q: f64) -> Option<MeasuredValue> {
        let all = [
            (0.5, self.p50),
            (0.75, self.p75),
            (0.9, self.p90),
            (0.95, self.p95),
            (0.99, self.p99),
            (0.999, self.p999),
        ];
        all.into_iter().find(|(known, _)| (known - q).abs() < 1e-9).and_then(|(_, value)| value)
    }

    /// Those of some waits; none of them without requests.
    pub fn of(latencies: &Latencies) -> Self {
        let known = latencies.distribution();
        let at = |q: f64| known.quantile(q).map(micros);
        Quantiles {
            min: known.min().map(micros),
            mean: latencies.mean().map(micros),
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: known.max().map(micros),
        }
    }
}

fn micros(nanos: MeasuredValue) -> MeasuredValue {
    nanos.map(|nanos| nanos / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_quantiles_that_are_written_are_found() {
        let (exactly, more) = (MeasuredValue::Exactly(5.0), MeasuredValue::MoreThan(9.0));
        let quantiles = Quantiles { p50: Some(exactly), p999: Some(more), ..Quantiles::default() };
        assert_eq!((quantiles.written(0.5), quantiles.written(99.9 / 100.0)), (Some(exactly), Some(more)));
        assert_eq!((quantiles.written(0.99), quantiles.written(0.51)), (None, None));
    }
}
