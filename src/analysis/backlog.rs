//! Whether requests queue up: at a rate above what a server carries, each waits longer than the one before.

use crate::record::StageRecord;

/// Segments that lie so far apart are compared: one stall of the machine then moves less than half of the differences.
const APART: usize = 3;
/// So many differences tell.
const FEWEST: usize = 3;

/// By how much the latency of requests grew from one second to the next, in seconds, over a load of constant rate in several
/// stages of one length; `None` where too few of them have requests.
///
/// At a rate above the capacity it is `rate / capacity - 1`: what arrives in a second takes that much longer than a second. It
/// is the median of the differences between stages that lie three apart, so that a jump, after which the latency stays as it
/// is, does not count as growth.
pub fn growth(stages: &[StageRecord]) -> Option<f64> {
    let means: Vec<(f64, f64)> =
        stages.iter().filter_map(|stage| Some((stage.t_s, stage.part.latency_us.mean?.likely() / 1e6))).collect();
    let differences = means.iter().zip(means.iter().skip(APART));
    let mut slopes: Vec<f64> =
        differences.map(|((from, low), (to, high))| (high - low) / (to - from).max(1e-9)).collect();
    slopes.sort_by(f64::total_cmp);
    let middle = slopes.len() / 2;
    match slopes.len() {
        ..FEWEST => None,
        odd if odd % 2 == 1 => Some(slopes[middle]),
        _ => Some((slopes[middle - 1] + slopes[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured_value::MeasuredValue;
    use crate::record::{PartRecord, Quantiles};

    /// Stages of a quarter of a second with these mean latencies, in milliseconds.
    fn stages(millis: &[f64]) -> Vec<StageRecord> {
        let stage = |(index, millis): (usize, &f64)| {
            let latency_us = Quantiles { mean: Some(MeasuredValue::Exactly(millis * 1e3)), ..Quantiles::default() };
            let part = PartRecord { latency_us, ..PartRecord::default() };
            StageRecord { t_s: index as f64 * 0.25, length_s: 0.25, part, ..StageRecord::default() }
        };
        millis.iter().enumerate().map(stage).collect()
    }

    #[test]
    fn a_rate_two_percent_above_the_capacity_adds_twenty_milliseconds_a_second() {
        let grown: Vec<f64> = (0..10).map(|index| 20.0 + 5.0 * f64::from(index)).collect();
        assert!((growth(&stages(&grown)).unwrap() - 0.02).abs() < 1e-9);
        assert_eq!(growth(&stages(&[20.0; 10])), Some(0.0));
    }

    #[test]
    fn one_stall_is_no_growth_whether_the_queue_stays_or_goes() {
        for at in 1..10 {
            let stays: Vec<f64> = (0..10).map(|index| if index < at { 20.0 } else { 120.0 }).collect();
            assert!(growth(&stages(&stays)).unwrap() < 0.001, "from stage {at} on");
            let goes: Vec<f64> = (0..10).map(|index| if index == at { 120.0 } else { 20.0 }).collect();
            assert!(growth(&stages(&goes)).unwrap().abs() < 0.001, "in stage {at}");
        }
    }

    #[test]
    fn of_a_few_stages_nothing_is_told() {
        assert_eq!(growth(&stages(&[1.0, 2.0, 3.0, 4.0, 5.0])), None);
        assert_eq!(growth(&[]), None);
    }
}
