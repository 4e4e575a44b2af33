//! What another worker brings: the universal scalability law, fitted to the capacity over the number of workers.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::record::{CapacityPoint, ScalingRecord, VariantRecord};

use super::median_trial::median_capacity;

/// The key of the matrix that says how many workers a server has.
const WORKERS: &str = "server.workers";
/// So many numbers of workers are needed: the law has three parameters.
const FEWEST: usize = 3;

/// A fit of each group of variants that differ in nothing but their workers, of which there are three numbers or more.
pub fn scaling(variants: &[VariantRecord]) -> Vec<ScalingRecord> {
    let mut groups: Vec<(BTreeMap<String, Value>, Vec<CapacityPoint>)> = Vec::new();
    for variant in variants {
        let mut settings = variant.settings.clone();
        let Some(workers) = settings.remove(WORKERS).and_then(|workers| workers.as_u64()) else { continue };
        let Some(rate) = median_capacity(variant).and_then(|found| found.rate) else { continue };
        let point = CapacityPoint { workers, rate };
        match groups.iter_mut().find(|(of, _)| *of == settings) {
            Some((_, points)) => points.push(point),
            None => groups.push((settings, vec![point])),
        }
    }
    groups.into_iter().filter_map(|(settings, points)| fit(settings, points)).collect()
}

/// The universal scalability law, by least squares of the relative error:
/// `X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1))`.
///
/// Divided by `X`, it is linear in `1/lambda`, `sigma/lambda` and `kappa/lambda`. Neither contention nor crosstalk is
/// negative: one that comes out so is left out, and the rest fitted again. Source: N. J. Gunther (2007), "Guerrilla Capacity
/// Planning", chapter 4: <https://doi.org/10.1007/978-3-540-31010-5>.
fn fit(settings: BTreeMap<String, Value>, mut points: Vec<CapacityPoint>) -> Option<ScalingRecord> {
    points.sort_by_key(|point| point.workers);
    points.dedup_by_key(|point| point.workers);
    if points.len() < FEWEST || points.iter().any(|point| point.workers == 0 || point.rate <= 0.0) {
        return None;
    }
    let candidates = [[true, true], [true, false], [false, true], [false, false]];
    let fits = candidates.into_iter().filter_map(|terms| Some((terms, solve(&points, terms)?)));
    // Of those without a negative term, the one that is nearest; of two that are as near, the one with fewer terms.
    let possible = fits.filter(|(_, law)| law.is_possible()).map(|(terms, law)| {
        let count = terms.into_iter().filter(|term| *term).count();
        (law.error(&points), count, law)
    });
    let key = |(error, count, _): &(f64, usize, Law)| (*error * 1e9).round() + *count as f64 * 1e-3;
    let (.., law) = possible.min_by(|a, b| key(a).total_cmp(&key(b)))?;
    let most = points.last()?.workers as f64;
    let peak = (law.kappa > 0.0).then(|| ((1.0 - law.sigma).max(0.0) / law.kappa).sqrt());
    Some(ScalingRecord {
        settings,
        per_worker: law.lambda,
        contention: law.sigma,
        crosstalk: law.kappa,
        next_gain: law.at(most + 1.0) / law.at(most) - 1.0,
        peak_workers: peak,
        points,
    })
}

#[derive(Debug, Clone, Copy)]
struct Law {
    lambda: f64,
    sigma: f64,
    kappa: f64,
}

impl Law {
    fn at(self, workers: f64) -> f64 {
        self.lambda * workers / (1.0 + self.sigma * (workers - 1.0) + self.kappa * workers * (workers - 1.0))
    }

    fn is_possible(self) -> bool {
        self.lambda > 0.0 && self.sigma >= 0.0 && self.kappa >= 0.0
    }

    /// The sum of the squares of the relative errors.
    fn error(self, points: &[CapacityPoint]) -> f64 {
        points.iter().map(|point| (self.at(point.workers as f64) / point.rate - 1.0).powi(2)).sum()
    }
}

/// The law with the terms that are wanted, contention and crosstalk; `None` where the points do not tell them apart.
fn solve(points: &[CapacityPoint], [contention, crosstalk]: [bool; 2]) -> Option<Law> {
    let mut normal = [[0.0; 4]; 3];
    for point in points {
        let workers = point.workers as f64;
        let seconds = workers / point.rate;
        // Divided by what is to be met, so that the error is a relative one.
        let term = |wanted: bool, value: f64| if wanted { value / seconds } else { 0.0 };
        let row = [1.0 / seconds, term(contention, workers - 1.0), term(crosstalk, workers * (workers - 1.0)), 1.0];
        for (equation, factor) in normal.iter_mut().zip(row) {
            equation.iter_mut().zip(row).for_each(|(sum, value)| *sum += factor * value);
        }
    }
    // A term that is left out is zero.
    for (index, wanted) in [(1, contention), (2, crosstalk)] {
        if !wanted {
            normal[index][index] = 1.0;
        }
    }
    let [inverse, sigma, kappa] = eliminate(normal)?;
    Some(Law { lambda: 1.0 / inverse, sigma: sigma / inverse, kappa: kappa / inverse })
}

/// Solves three equations by Gauss's elimination with pivots.
fn eliminate(mut rows: [[f64; 4]; 3]) -> Option<[f64; 3]> {
    for column in 0..3 {
        let pivot = (column..3).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, pivot);
        let of_pivot = rows[column];
        if of_pivot[column].abs() < 1e-12 {
            return None;
        }
        for (index, row) in rows.iter_mut().enumerate() {
            if index != column {
                let factor = row[column] / of_pivot[column];
                row.iter_mut().zip(of_pivot).for_each(|(value, of_pivot)| *value -= factor * of_pivot);
            }
        }
    }
    Some([0, 1, 2].map(|index| rows[index][3] / rows[index][index]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{CapacityRecord, Trial};

    fn points(law: Law, workers: &[u64]) -> Vec<CapacityPoint> {
        workers.iter().map(|workers| CapacityPoint { workers: *workers, rate: law.at(*workers as f64) }).collect()
    }

    fn fitted(points: Vec<CapacityPoint>) -> ScalingRecord {
        fit(BTreeMap::new(), points).unwrap()
    }

    #[test]
    fn a_law_is_found_from_what_it_gives() {
        let law = Law { lambda: 995.0, sigma: 0.02671, kappa: 0.000769 };
        let found = fitted(points(law, &[1, 4, 8, 12, 16, 20, 24, 28, 32, 48, 64]));
        assert!((found.per_worker - 995.0).abs() < 0.01, "{found:?}");
        assert!((found.contention - 0.02671).abs() < 1e-6 && (found.crosstalk - 0.000769).abs() < 1e-8, "{found:?}");
        // Where it peaks: the square root of (1 - sigma) / kappa.
        assert!((found.peak_workers.unwrap() - 35.57).abs() < 0.02, "{found:?}");
        assert!(found.next_gain < 0.0, "beyond its peak another worker costs");
    }

    #[test]
    fn workers_that_do_not_hinder_each_other_bring_as_much_as_the_first() {
        let found = fitted(points(Law { lambda: 50.0, sigma: 0.0, kappa: 0.0 }, &[1, 2, 4]));
        assert!(
            (found.per_worker - 50.0).abs() < 1e-6 && found.contention.abs() < 1e-9 && found.crosstalk.abs() < 1e-9
        );
        assert!((found.next_gain - 0.25).abs() < 1e-6 && found.peak_workers.is_none(), "{found:?}");
    }

    #[test]
    fn noise_makes_no_negative_term() {
        let rates = [(1, 50.0), (2, 101.5), (3, 148.0), (4, 203.0)];
        let points = rates.map(|(workers, rate)| CapacityPoint { workers, rate }).to_vec();
        let found = fitted(points);
        assert!(found.contention >= 0.0 && found.crosstalk >= 0.0, "{found:?}");
        assert!((found.next_gain - 0.25).abs() < 0.03, "{found:?}");
    }

    #[test]
    fn two_numbers_of_workers_tell_no_law() {
        assert!(fit(BTreeMap::new(), points(Law { lambda: 1.0, sigma: 0.0, kappa: 0.0 }, &[1, 2])).is_none());
    }

    #[test]
    fn variants_that_differ_in_more_than_their_workers_are_fitted_apart() {
        let variant = |mode: &str, workers: u64, rate: f64| VariantRecord {
            name: String::new(),
            settings: [("server.mode".to_owned(), mode.into()), (WORKERS.to_owned(), workers.into())].into(),
            server: String::new(),
            planned_trials: 1,
            trials: vec![Trial {
                capacity: Some(CapacityRecord { rate: Some(rate), ..CapacityRecord::default() }),
                ..Trial::default()
            }],
            verdicts: Vec::new(),
            ..VariantRecord::default()
        };
        let of = |mode: &'static str, rate: f64| [1, 2, 3].map(|workers| variant(mode, workers, rate * workers as f64));
        let variants: Vec<VariantRecord> = of("sync", 10.0).into_iter().chain(of("async", 800.0)).collect();
        let found = scaling(&variants);
        let rates: Vec<f64> = found.iter().map(|fit| fit.per_worker.round()).collect();
        assert_eq!(rates, [10.0, 800.0]);
        assert_eq!(found[0].settings, [("server.mode".to_owned(), Value::from("sync"))].into());
        assert!(scaling(&variants[..2]).is_empty());
    }
}
