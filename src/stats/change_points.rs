//! Where in a series of figures, one a night, something changed for good.
//!
//! E-divisive means: Matteson, James, "A nonparametric approach for multiple change point analysis of multivariate data" (2014).
//! Windows, Student's t test in place of permutations, and the merge of weak points: Fleming et al., "Hunter: using change
//! point detection to hunt for performance regressions" (2023), as Apache Otava does it, whose change points these are.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// What is taken for a change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangeOptions {
    /// So many figures are looked at together; at least 2.
    pub window: usize,
    /// How likely it may be, at most, that both sides are the same; 0 to 1.
    pub p_value: f64,
    /// The least change, as a share of either side's mean.
    pub magnitude: f64,
}

impl Default for ChangeOptions {
    /// Those of Apache Otava.
    fn default() -> Self {
        ChangeOptions { window: 50, p_value: 0.001, magnitude: 0.0 }
    }
}

/// A place where a series changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChangePoint {
    /// Of the first figure that is not as those before.
    pub index: usize,
    /// Means of what lies between it and the change points beside it, before and after.
    pub before: f64,
    pub after: f64,
    /// How likely it is that both sides are the same, by Student's t test.
    pub p_value: f64,
}

impl ChangePoint {
    /// The change as a share of the mean before: -0.1 where it fell by a tenth.
    pub fn relative(&self) -> f64 {
        if self.before == 0.0 { 0.0 } else { self.after / self.before - 1.0 }
    }

    /// The larger of the changes there and back, as a share.
    fn magnitude(&self) -> f64 {
        let back = if self.after == 0.0 { 0.0 } else { self.before / self.after - 1.0 };
        self.relative().abs().max(back.abs())
    }
}

/// The change points of a series, in their order.
pub fn change_points(series: &[f64], options: ChangeOptions) -> Vec<ChangePoint> {
    // The first pass keeps ten times what is likely enough, so that the second has all beside it.
    let weak = match options.p_value {
        p if p < 0.05 => p * 10.0,
        p if p < 0.5 => p * 2.0,
        p => p,
    };
    let candidates = split(series, options.window.max(2), weak);
    merge(candidates, series, options)
}

/// The change points of each window, all of them tested once more between their neighbours.
fn split(series: &[f64], window: usize, p_value: f64) -> Vec<ChangePoint> {
    let step = window / 2;
    let (mut start, mut found) = (0, Vec::new());
    while start < series.len() {
        let end = (start + window).min(series.len());
        let new: Vec<usize> = divide(&series[start..end], p_value).into_iter().map(|index| index + start).collect();
        let last = new.last().copied().unwrap_or(0);
        start = last.max(start + step);
        for index in new {
            if !found.contains(&index) {
                found.push(index);
            }
        }
    }
    found.sort_unstable();
    let at = |position: usize| test(series, &found, position);
    (0..found.len()).map(at).collect()
}

/// Splits a series where its parts differ most, and the parts again, for as long as they differ. Indices in their order.
fn divide(series: &[f64], p_value: f64) -> Vec<usize> {
    let distances = Distances::of(series);
    let mut found: Vec<usize> = Vec::new();
    loop {
        let parts = parts(&found, series.len());
        let candidates = parts.filter(|(from, to)| to - from > 1).map(|(from, to)| distances.best(from, to));
        let best = candidates.reduce(|best, next| if next.1 > best.1 { next } else { best });
        let Some((index, _)) = best else { return found };
        let place = found.partition_point(|other| *other < index);
        let from = place.checked_sub(1).map_or(0, |before| found[before]);
        let to = found.get(place).copied().unwrap_or(series.len());
        // What has no probability, as two parts that do not vary and are equal, is no difference.
        if same_mean(&series[from..index], &series[index..to]).is_none_or(|p| p > p_value) {
            return found;
        }
        found.insert(place, index);
    }
}

/// Drops the weakest points until all that are left are likely and large enough.
fn merge(mut points: Vec<ChangePoint>, series: &[f64], options: ChangeOptions) -> Vec<ChangePoint> {
    let pick = |points: &[ChangePoint], worse: fn(&ChangePoint, &ChangePoint) -> bool| {
        (1..points.len()).fold(0, |worst, next| if worse(&points[next], &points[worst]) { next } else { worst })
    };
    while !points.is_empty() {
        let mut weakest = pick(&points, |next, worst| next.p_value > worst.p_value);
        if points[weakest].p_value < options.p_value {
            weakest = pick(&points, |next, worst| next.magnitude() < worst.magnitude());
            if points[weakest].magnitude() > options.magnitude {
                break;
            }
        }
        points.remove(weakest);
        let indices: Vec<usize> = points.iter().map(|point| point.index).collect();
        // The two that follow, as Otava does it; the one before keeps what it was known by.
        for position in weakest..points.len().min(weakest + 2) {
            points[position] = test(series, &indices, position);
        }
    }
    points
}

/// A change point between its neighbours.
fn test(series: &[f64], indices: &[usize], position: usize) -> ChangePoint {
    let index = indices[position];
    let from = position.checked_sub(1).map_or(0, |before| indices[before]);
    let to = indices.get(position + 1).copied().unwrap_or(series.len());
    let (left, right) = (&series[from..index], &series[index..to]);
    ChangePoint {
        index,
        before: mean(left),
        after: mean(right),
        p_value: same_mean(left, right).unwrap_or(f64::INFINITY),
    }
}

/// The stretches between change points.
fn parts(indices: &[usize], length: usize) -> impl Iterator<Item = (usize, usize)> {
    let starts = std::iter::once(0).chain(indices.iter().copied());
    let ends = indices.iter().copied().chain(std::iter::once(length));
    starts.zip(ends)
}

/// Distances between all figures of a series, summed so that those of any two stretches are known at once.
struct Distances {
    /// `[i][j]`: over all pairs of one of the first `i` and one of the first `j`.
    sums: Vec<Vec<f64>>,
}

impl Distances {
    fn of(series: &[f64]) -> Self {
        let n = series.len();
        let mut sums = vec![vec![0.0; n + 1]; n + 1];
        for i in 0..n {
            let mut row = 0.0;
            for j in 0..n {
                row += (series[i] - series[j]).abs();
                sums[i + 1][j + 1] = sums[i][j + 1] + row;
            }
        }
        Distances { sums }
    }

    /// Over all pairs of one of `a..b` and one of `c..d`.
    fn between(&self, (a, b): (usize, usize), (c, d): (usize, usize)) -> f64 {
        self.sums[b][d] - self.sums[a][d] - self.sums[b][c] + self.sums[a][c]
    }

    /// The index in `start..end` at which what is before differs most from a stretch behind it, and by how much.
    fn best(&self, start: usize, end: usize) -> (usize, f64) {
        let mut best = (start + 1, f64::NEG_INFINITY);
        for at in start + 1..end {
            for until in at + 1..=end {
                let difference = self.difference(start, at, until);
                if difference > best.1 {
                    best = (at, difference);
                }
            }
        }
        best
    }

    /// The empirical divergence of `start..at` and `at..until`, as scaled in the first of the papers (with an exponent of 1).
    fn difference(&self, start: usize, at: usize, until: usize) -> f64 {
        let (left, right) = ((at - start) as f64, (until - at) as f64);
        let all = left + right;
        let across = self.between((start, at), (at, until));
        let within_left = self.between((start, at), (start, at)) / 2.0;
        let within_right = self.between((at, until), (at, until)) / 2.0;
        let mut difference = 2.0 / all * across;
        if left > 1.0 {
            difference -= 2.0 * right / (all * (left - 1.0)) * within_left;
        }
        if right > 1.0 {
            difference -= 2.0 * left / (all * (right - 1.0)) * within_right;
        }
        difference
    }
}

/// How likely it is that two groups have one mean: Student's t test for equal variances, with the variances of the groups
/// themselves (divided by their sizes), as Otava has it. `None` where neither varies and they are equal.
pub fn same_mean(left: &[f64], right: &[f64]) -> Option<f64> {
    let (n, m) = (left.len() as f64, right.len() as f64);
    if left.len() + right.len() <= 2 {
        return Some(1.0);
    }
    let freedom = n + m - 2.0;
    let pooled = ((n - 1.0) * variance(left) + (m - 1.0) * variance(right)) / freedom;
    let t = (mean(left) - mean(right)) / (pooled * (1.0 / n + 1.0 / m)).sqrt();
    if t.is_nan() {
        return None;
    }
    let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
    Some(if t.is_infinite() { 0.0 } else { 2.0 * student.cdf(-t.abs()) })
}

/// The mean of some figures; 0 of none.
pub fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / figures.len().max(1) as f64
}

fn variance(figures: &[f64]) -> f64 {
    let mean = mean(figures);
    figures.iter().map(|figure| (figure - mean).powi(2)).sum::<f64>() / figures.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{SeedableRng as _, rngs::StdRng};

    fn indices(series: &[f64]) -> Vec<usize> {
        change_points(series, ChangeOptions::default()).iter().map(|point| point.index).collect()
    }

    /// Noise about zero with a deviation of 1, the same in each run: of `n` nights.
    fn noise(n: usize) -> Vec<f64> {
        let mut rng = StdRng::seed_from_u64(7);
        (0..n).map(|_| (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0).collect()
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let level = |n: usize| if n < 40 { 100.0 } else { 112.0 };
        let series: Vec<f64> = noise(80).iter().enumerate().map(|(n, noise)| level(n) + 2.0 * noise).collect();
        assert_eq!(indices(&series), [40]);
        let point = change_points(&series, ChangeOptions::default())[0];
        assert!((point.relative() - 0.12).abs() < 0.02 && point.p_value < 1e-9, "{point:?}");
    }

    #[test]
    fn what_does_not_change_has_no_change_points() {
        let none = |series: &[f64]| assert!(indices(series).is_empty(), "{series:?}");
        none(&noise(60).iter().map(|noise| 100.0 + noise).collect::<Vec<_>>());
        none(&[5.0; 60]);
        none(&[]);
        none(&[1.0]);
        none(&[1.0, 2.0]);
    }

    #[test]
    fn steps_further_apart_than_a_window_are_all_found() {
        let level = |n: usize| [100.0, 80.0, 95.0, 60.0][n / 70];
        let series: Vec<f64> = noise(280).iter().enumerate().map(|(n, noise)| level(n) + noise).collect();
        assert_eq!(indices(&series), [70, 140, 210]);
        let large = ChangeOptions { magnitude: 0.24, ..ChangeOptions::default() };
        let kept: Vec<usize> = change_points(&series, large).iter().map(|point| point.index).collect();
        assert_eq!(kept, [70, 210], "a change of a fifth is not of a quarter");
    }

    /// `scripts/compare-with-otava` draws the series, and asks Otava.
    #[test]
    fn change_points_are_those_of_otava() {
        #[derive(serde::Deserialize)]
        struct Case {
            series: Vec<f64>,
            change_points: Vec<usize>,
        }
        let kept = std::fs::read_to_string("tests/fixtures/otava.json").unwrap();
        let cases: Vec<Case> = serde_json::from_str(&kept).unwrap();
        assert!(cases.iter().map(|case| case.change_points.len()).sum::<usize>() > 50);
        let other: Vec<_> = cases.iter().filter(|case| indices(&case.series) != case.change_points).collect();
        let told = other
            .iter()
            .map(|case| format!("{:?}: {:?}, Otava {:?}", case.series, indices(&case.series), case.change_points));
        assert!(
            other.is_empty(),
            "{} of {} differ:\n{}",
            other.len(),
            cases.len(),
            told.take(3).collect::<Vec<_>>().join("\n")
        );
    }

    #[test]
    fn the_divergence_is_that_of_the_definition() {
        let series = [1.0, 4.0, 2.0, 9.0, 7.0, 8.5];
        let distances = Distances::of(&series);
        let (x, y) = (&series[0..3], &series[3..6]);
        let pairs = |one: &[f64], other: &[f64]| -> f64 {
            one.iter().flat_map(|a| other.iter().map(move |b| (a - b).abs())).sum()
        };
        let expected = 2.0 / 6.0 * pairs(x, y)
            - 2.0 * 3.0 / 6.0 / 2.0 * pairs(x, x) / 2.0
            - 2.0 * 3.0 / 6.0 / 2.0 * pairs(y, y) / 2.0;
        assert!((distances.difference(0, 3, 6) - expected).abs() < 1e-12);
        assert_eq!(distances.best(0, 6).0, 3);
    }

    proptest! {
        #[test]
        fn any_series_has_change_points_in_order_within_it(series in proptest::collection::vec(-1e6f64..1e6, 0..120)) {
            let found = indices(&series);
            prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(found.iter().all(|index| (1..series.len()).contains(index)));
        }
    }
}
