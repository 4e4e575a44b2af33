//! The search for the value of a key at which two alternatives are equal: where to measure next, and what is known so far.
//!
//! First the place is halved, on a logarithmic scale, until what is left is narrow. Then pairs of trials are spent around it, and a
//! line through the logarithms of their ratios is where it crosses zero, with the interval of inverse regression (Fieller,
//! "Some problems in interval estimation", 1954; Draper, Smith, "Applied regression analysis", 3.2). So noise that makes one
//! decision of the halving wrong costs time, and no truth.

use crate::stats::interval::{Interval, OF_A_FIGURE, student};

/// The place is halved until both ends are within this factor.
const NARROW: f64 = 1.3;
/// Measurements within this factor of the place make the line: over so little it is as good as straight.
const NEAR: f64 = 1.3;
/// Pairs are spent at this factor from the place, on both of its sides.
const ASIDE: f64 = 1.15;
/// The line needs this many.
const ENOUGH: usize = 6;
/// An interval whose ends are within this factor is narrow enough.
const PRECISE: f64 = 1.08;

/// Where two alternatives are compared, and what came of it.
#[derive(Debug, Clone)]
pub struct CrossoverSearch {
    /// In ascending order; the first may be zero. Below the crossover one alternative is better, above it the other.
    values: Vec<f64>,
    /// By value: how many times as good the alternative was that is better above, as logarithms.
    logs: Vec<Vec<f64>>,
}

impl CrossoverSearch {
    /// A search among these values, in ascending order, of which the first and the last have been measured: the alternative that
    /// is better above was `below` times as good at the first, and `above` times at the last.
    pub fn new(values: Vec<f64>, below: &[f64], above: &[f64]) -> Self {
        let mut search = CrossoverSearch { logs: vec![Vec::new(); values.len()], values };
        let last = search.values.len().saturating_sub(1);
        below.iter().for_each(|ratio| search.add(0, *ratio));
        above.iter().for_each(|ratio| search.add(last, *ratio));
        search
    }

    /// Adds what a pair of trials showed at the value of this index.
    pub fn add(&mut self, index: usize, ratio: f64) {
        if ratio.is_finite()
            && ratio > 0.0
            && let Some(logs) = self.logs.get_mut(index)
        {
            logs.push(ratio.ln());
        }
    }

    /// The index of the value to measure at next; `None` where more would tell little.
    pub fn next(&self) -> Option<usize> {
        let (low, high) = self.bracket();
        if high - low > 1 && (self.values[low] <= 0.0 || self.values[high] / self.values[low] > NARROW) {
            return Some(low + (high - low) / 2);
        }
        let at = self.estimate();
        if self.line().is_some() && at.ends().is_some_and(|(low, high)| high <= low * PRECISE) {
            return None;
        }
        // On both sides of it, as a line is known best that is known at both ends.
        let wanted = [at.value / ASIDE, at.value * ASIDE, at.value].map(|value| self.nearest(value));
        wanted.into_iter().min_by_key(|index| self.logs[*index].len())
    }

    /// Where it is, as far as is known: by the line, else between the values that hold it.
    pub fn estimate(&self) -> Interval {
        let (low, high) = self.bracket();
        let (low, high) = (self.values[low], self.values[high]);
        let middle = if low > 0.0 { (low * high).sqrt() } else { high / 2.0 };
        let (first, last) = (self.values[0], self.values[self.values.len() - 1]);
        let held = Interval { value: middle, low: Some(low), high: Some(high) };
        self.line().filter(|line| first <= line.value && line.value <= last).unwrap_or(held)
    }

    /// What was measured, by value.
    pub fn measured(&self) -> impl Iterator<Item = (f64, Vec<f64>)> {
        let measured = self.values.iter().zip(&self.logs).filter(|(_, logs)| !logs.is_empty());
        measured.map(|(value, logs)| (*value, logs.iter().map(|log| log.exp()).collect()))
    }

    /// The neighbours, of those that were measured, between which the sign changes; of several places the one that leaves fewest
    /// measurements on the wrong side.
    fn bracket(&self) -> (usize, usize) {
        let measured: Vec<(usize, f64)> = self.means().collect();
        let wrong = |cut: usize| {
            let below = measured[..cut].iter().map(|(_, mean)| mean.max(0.0)).sum::<f64>();
            below + measured[cut..].iter().map(|(_, mean)| (-mean).max(0.0)).sum::<f64>()
        };
        let cut = (1..measured.len().max(2)).min_by(|a, b| wrong(*a).total_cmp(&wrong(*b))).unwrap_or(1);
        match (measured.get(cut - 1), measured.get(cut)) {
            (Some((low, _)), Some((high, _))) => (*low, *high),
            _ => (0, self.values.len().saturating_sub(1)),
        }
    }

    fn means(&self) -> impl Iterator<Item = (usize, f64)> {
        let measured = self.logs.iter().enumerate().filter(|(_, logs)| !logs.is_empty());
        measured.map(|(index, logs)| (index, logs.iter().sum::<f64>() / logs.len() as f64))
    }

    fn nearest(&self, value: f64) -> usize {
        let off = |index: &usize| (self.values[*index].max(f64::MIN_POSITIVE) / value).ln().abs();
        (0..self.values.len()).min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(0)
    }

    /// Where the line through what was measured near the place crosses zero, with its interval; `None` where it does not say.
    fn line(&self) -> Option<Interval> {
        let (low, high) = self.bracket();
        let middle = (self.values[low].max(f64::MIN_POSITIVE) * self.values[high]).sqrt();
        let (from, to) = (middle / NEAR, middle * NEAR);
        let near =
            self.values.iter().zip(&self.logs).filter(|(value, _)| **value > 0.0 && (from..=to).contains(*value));
        let near: Vec<(f64, f64)> = near.flat_map(|(value, logs)| logs.iter().map(|log| (value.ln(), *log))).collect();
        let n = near.len() as f64;
        if near.len() < ENOUGH {
            return None;
        }
        let (x, y) = (near.iter().map(|(x, _)| x).sum::<f64>() / n, near.iter().map(|(_, y)| y).sum::<f64>() / n);
        let xx: f64 = near.iter().map(|(a, _)| (a - x).powi(2)).sum();
        let xy: f64 = near.iter().map(|(a, b)| (a - x) * (b - y)).sum();
        let slope = xy / xx;
        let left: f64 = near.iter().map(|(a, b)| (b - y - slope * (a - x)).powi(2)).sum();
        let t = student(OF_A_FIGURE, n - 2.0);
        // The share of the slope's square that is its own uncertainty: near 1 the line may as well be level.
        let g = t * t * left / (n - 2.0) / (slope * slope * xx);
        if slope <= 0.0 || g.is_nan() || g >= 1.0 {
            return None;
        }
        let deviation = (left / (n - 2.0)).sqrt();
        let offset = -y / slope;
        let half = t * deviation / slope * ((1.0 - g) / n + offset * offset / xx).sqrt() / (1.0 - g);
        let middle = x + offset / (1.0 - g);
        let value = (x + offset).exp();
        Some(Interval {
            value,
            low: Some((middle - half).exp().min(value)),
            high: Some((middle + half).exp().max(value)),
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

    use super::*;

    /// A search between 0 and 1 ms for two that are equal at `truth`: a pool that is flat below and falls above.
    fn search(truth: f64, deviation: f64, pairs: usize, rng: &mut StdRng) -> (Interval, usize) {
        let values: Vec<f64> =
            std::iter::once(0.0).chain((0..=96).map(|n| 1e-3 * 1024f64.powf(n as f64 / 96.0 - 1.0))).collect();
        let mut ratio = |value: f64| {
            let noise: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
            // Well below, the one is 20 % ahead; from there on the other gains by as much as the value grows.
            ((value / truth).ln().max(-0.2) + noise * deviation).exp()
        };
        let (first, last) = (ratio(1e-9), ratio(1e-3));
        let mut search = CrossoverSearch::new(values.clone(), &[first], &[last]);
        let mut spent = 0;
        while spent < pairs
            && let Some(index) = search.next()
        {
            search.add(index, ratio(values[index]));
            spent += 1;
        }
        (search.estimate(), spent)
    }

    #[test]
    fn intervals_hold_the_truth_and_few_pairs_make_them_narrow() {
        let mut rng = StdRng::seed_from_u64(7);
        let (mut held, mut width) = (0, 0.0);
        for round in 0..200 {
            let truth = 1e-3 * 64f64.powf(-f64::from(round % 20) / 20.0) * 0.6;
            let (at, _) = search(truth, 0.03, 18, &mut rng);
            let (low, high) = at.ends().unwrap();
            assert!(low <= at.value && at.value <= high, "{at:?}");
            held += usize::from(low <= truth && truth <= high);
            width += (high / low).ln() / 200.0;
        }
        assert!(held >= 180, "{held} of 200");
        assert!(width < 0.25, "{width}");
    }

    #[test]
    fn without_noise_it_is_found_and_the_search_ends_by_itself() {
        let (at, spent) = search(3e-4, 0.002, 100, &mut StdRng::seed_from_u64(1));
        assert!((at.value / 3e-4).ln().abs() < 0.05 && spent < 25, "{at:?} {spent}");
    }

    #[test]
    fn too_little_to_draw_a_line_leaves_the_place_between_the_neighbours() {
        let mut search = CrossoverSearch::new(vec![1.0, 2.0, 4.0, 8.0, 16.0], &[0.5], &[2.0]);
        assert_eq!(search.next(), Some(2));
        search.add(2, 0.9);
        search.add(9, 0.9);
        assert_eq!(search.estimate().ends(), Some((4.0, 16.0)));
        assert_eq!(search.measured().map(|(value, _)| value).collect::<Vec<_>>(), [1.0, 4.0, 16.0]);
    }
}
