//! Interval estimates of a figure over several trials, and of the ratio of two.
//!
//! Times, rates and costs are positive, and what disturbs a trial disturbs it by a factor: so all is done on logarithms, where
//! a ratio is a difference. An interval is that of Student's t ("The probable error of a mean", 1908) over the logarithms;
//! for paired trials that of their differences. Trials are few (three to ten): a bootstrap over so few covers less than it says
//! (Kalibera, Jones, "Rigorous benchmarking in reasonable time", 2013, who recommend such an interval for the ratio of two).

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The level of the interval of a figure.
pub const OF_A_FIGURE: f64 = 0.95;
/// The level of the interval of a ratio by which two are said to differ: of 100 comparisons of the same thing, one is wrong.
pub const OF_A_RATIO: f64 = 0.99;

/// A figure over several trials: its median, and the ends of its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub value: f64,
    /// `None`, as is `high`, where one trial, or one figure of zero, does not tell.
    pub low: Option<f64>,
    pub high: Option<f64>,
}

impl Interval {
    /// A figure of which nothing more is known than itself.
    pub fn alone(value: f64) -> Self {
        Interval { value, low: None, high: None }
    }

    /// Both ends, where they are known.
    pub fn ends(self) -> Option<(f64, f64)> {
        self.low.zip(self.high)
    }

    /// Whether it lies above 1, or below it, as a whole; `None` where it holds 1, or has no ends.
    pub fn side_of_one(self) -> Option<std::cmp::Ordering> {
        match self.ends()? {
            (low, _) if low > 1.0 => Some(std::cmp::Ordering::Greater),
            (_, high) if high < 1.0 => Some(std::cmp::Ordering::Less),
            _ => None,
        }
    }
}

/// The median of some figures; of an even number the mean of the middle two. `None` of none.
pub fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = figures.iter().copied().filter(|figure| figure.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// The median of a figure over its trials, with the interval of its geometric mean, stretched to hold the median; `None` of
/// no trials. `level` is from 0 to 1.
pub fn of_trials(figures: &[f64], level: f64) -> Option<Interval> {
    let value = median(figures)?;
    let logs: Vec<f64> = figures.iter().map(|figure| figure.ln()).collect();
    let Some((mean, half)) = mean_and_half_width(&logs, level) else { return Some(Interval::alone(value)) };
    let (low, high) = ((mean - half).exp(), (mean + half).exp());
    Some(Interval { value, low: Some(low.min(value)), high: Some(high.max(value)) })
}

/// The ratio of two that were measured in pairs, from that of each pair (above zero): the geometric mean, and its interval. Of
/// one pair its ratio alone; of none 1.
pub fn ratio_of(pairs: &[f64], level: f64) -> Interval {
    let logs: Vec<f64> = pairs.iter().map(|ratio| ratio.ln()).collect();
    let mean = logs.iter().sum::<f64>() / logs.len().max(1) as f64;
    let ends = mean_and_half_width(&logs, level).map(|(mean, half)| ((mean - half).exp(), (mean + half).exp()));
    Interval { value: mean.exp(), low: ends.map(|ends| ends.0), high: ends.map(|ends| ends.1) }
}

/// The ratio of `ones` to `others`, which were measured apart, at different times: Welch's interval for the difference of two
/// means of unlike variance ("The generalization of Student's problem", 1947), over the logarithms. `None` as above.
pub fn unpaired_ratio(ones: &[f64], others: &[f64], level: f64) -> Option<Interval> {
    let logs = |figures: &[f64]| figures.iter().filter(|figure| **figure > 0.0).map(|f| f.ln()).collect::<Vec<_>>();
    let (ones, others) = (logs(ones), logs(others));
    if ones.is_empty() || others.is_empty() {
        return None;
    }
    let mean = |logs: &[f64]| logs.iter().sum::<f64>() / logs.len() as f64;
    let difference = mean(&ones) - mean(&others);
    let (Some(one), Some(other)) = (variance_of_mean(&ones), variance_of_mean(&others)) else {
        return Some(Interval::alone(difference.exp()));
    };
    let variance = one + other;
    let parts = one * one / (ones.len() - 1) as f64 + other * other / (others.len() - 1) as f64;
    let half = if variance > 0.0 { student(level, variance * variance / parts) * variance.sqrt() } else { 0.0 };
    let (low, high) = ((difference - half).exp(), (difference + half).exp());
    Some(Interval { value: difference.exp(), low: Some(low), high: Some(high) })
}

/// `None` of fewer than two, and of what has no logarithm.
fn mean_and_half_width(logs: &[f64], level: f64) -> Option<(f64, f64)> {
    let variance = variance_of_mean(logs)?;
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    let half = student(level, (logs.len() - 1) as f64) * variance.sqrt();
    (mean.is_finite() && half.is_finite()).then_some((mean, half))
}

/// The variance of the mean of some numbers; `None` of fewer than two.
fn variance_of_mean(numbers: &[f64]) -> Option<f64> {
    let n = numbers.len() as f64;
    if numbers.len() < 2 {
        return None;
    }
    let mean = numbers.iter().sum::<f64>() / n;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    Some(squares / (n - 1.0) / n)
}

/// The two-sided quantile of Student's t at `level` (0 to 1), for `freedom` degrees of freedom; infinite for less than any.
pub fn student(level: f64, freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |t| t.inverse_cdf(0.5 + level / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{SeedableRng as _, rngs::StdRng};

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-3 * b.abs()
    }

    #[test]
    fn the_quantiles_of_student_are_those_of_the_tables() {
        assert!(
            close(student(0.95, 2.0), 4.3027) && close(student(0.99, 4.0), 4.6041) && close(student(0.95, 9.0), 2.2622)
        );
        assert_eq!(student(0.95, 0.0), f64::INFINITY);
    }

    #[test]
    fn an_interval_over_trials_holds_their_median_and_needs_two() {
        let three = of_trials(&[90.0, 100.0, 111.1], 0.95).unwrap();
        // ln of the ratios is about 0.105; 4.303 * 0.1053 / sqrt(3) = 0.2616.
        assert!(
            three.value == 100.0 && close(three.low.unwrap(), 76.98) && close(three.high.unwrap(), 129.9),
            "{three:?}"
        );
        assert_eq!(of_trials(&[5.0], 0.95), Some(Interval::alone(5.0)));
        assert_eq!(of_trials(&[0.0, 5.0], 0.95), Some(Interval::alone(2.5)), "zero has no logarithm");
        assert_eq!(of_trials(&[], 0.95), None);
        let skew = of_trials(&[1.0, 100.0, 101.0], 0.5).unwrap();
        assert!(skew.high.unwrap() >= skew.value);
    }

    #[test]
    fn pairs_take_out_what_both_of_a_pair_suffered() {
        // The machine got slower by half, and one is 10 % faster all the time.
        let (ones, others) = ([110.0, 82.0, 55.5], [100.0, 75.0, 50.0]);
        let pairs: Vec<f64> = ones.iter().zip(others).map(|(one, other)| one / other).collect();
        let paired = ratio_of(&pairs, 0.99);
        assert_eq!(paired.side_of_one(), Some(std::cmp::Ordering::Greater), "{paired:?}");
        assert_eq!(unpaired_ratio(&ones, &others, 0.99).unwrap().side_of_one(), None);
        assert_eq!(ratio_of(&[2.0], 0.99), Interval::alone(2.0));
    }

    #[test]
    fn what_did_not_vary_at_all_has_an_interval_of_no_width() {
        let same = unpaired_ratio(&[4.0, 4.0], &[2.0, 2.0], 0.99).unwrap();
        assert_eq!((same.value, same.ends()), (2.0, Some((2.0, 2.0))));
    }

    /// A factor of about 1, log-normal, with this deviation.
    fn noise(rng: &mut StdRng, deviation: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| rng.random::<f64>()).sum();
        ((sum - 6.0) * deviation).exp()
    }

    #[test]
    fn the_same_thing_twice_seldom_differs_and_intervals_cover_the_truth() {
        let mut rng = StdRng::seed_from_u64(1);
        let (mut differs, mut covered) = (0, 0);
        for _ in 0..2000 {
            let mut trials = |n: usize| (0..n).map(|_| 1000.0 * noise(&mut rng, 0.03)).collect::<Vec<_>>();
            let (ones, others) = (trials(5), trials(5));
            let pairs: Vec<f64> = ones.iter().zip(&others).map(|(one, other)| one / other).collect();
            differs += usize::from(ratio_of(&pairs, OF_A_RATIO).side_of_one().is_some());
            let (low, high) = of_trials(&ones, OF_A_FIGURE).unwrap().ends().unwrap();
            covered += usize::from(low <= 1000.0 && 1000.0 <= high);
        }
        assert!(differs <= 40, "{differs} of 2,000 at 99 %");
        assert!(covered >= 1870, "{covered} of 2,000 at 95 %");
    }

    proptest! {
        #[test]
        fn any_figures_have_ordered_ends(figures in proptest::collection::vec(0.0f64..1e9, 0..9)) {
            if let Some(interval) = of_trials(&figures, 0.95) && let Some((low, high)) = interval.ends() {
                prop_assert!(low <= interval.value && interval.value <= high, "{:?}", interval);
            }
        }
    }
}
