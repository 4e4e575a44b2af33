//! Whether a series has become worse for good, and since when.
//!
//! A night alone tells little: machines are noisy, and one of a hundred nights is bad for no reason. So the change points of the
//! whole series are looked for ([`crate::stats::change_points`]). The last of them counts where there are enough figures since
//! then, which are worse as a rule and not by one outlier, and differ by more than figures differ from night to night anyway.
//! What has changed a few nights ago only has no change point yet: so the last nights are held against those since the last one
//! by themselves (Student's t test).

use serde::Serialize;

use crate::record::Better;
use crate::stats::change_points::{ChangeOptions, ChangePoint, change_points, mean, same_mean};
use crate::stats::interval::median;

/// So many nights must show a change before it is told.
pub const FEWEST_NIGHTS: usize = 3;
/// A change is news for so many nights; after them it is how things are.
pub const RECENT_NIGHTS: usize = 14;
/// The least that is told, however quiet a series is.
const LEAST: f64 = 0.01;
/// How likely a change point may be by chance, at most. They are looked for in the whole series each night anew, so it is low.
const OF_A_POINT: f64 = 0.0001;
/// How likely it may be, at most, that the last nights are as those before: of the metric that a variant is about.
const OF_LAST_NIGHTS: f64 = 0.002;
/// The same of each other metric, as there are several of them.
const OF_LAST_NIGHTS_BESIDE: f64 = 0.0002;
/// A night that is so many deviations from those beside it is an outlier.
const OUTLIER: f64 = 3.0;
/// The mean of the nights since must differ by so many deviations of the nights before.
const DEVIATIONS: f64 = 1.25;
/// So many last nights are looked at by themselves, at most: a longer change has a change point.
const LAST_NIGHTS: usize = 8;
/// So many nights there must be before them.
const FEWEST_BEFORE: usize = 14;

/// The metrics of which regressions are told, where a variant has them. Leaks and errors have rules of their own.
pub const WATCHED: [&str; 5] = ["capacity.rate", "throughput", "latency.p50", "latency.p99", "server.rss.max"];

/// A change for the worse that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Regression {
    /// Of the first figure that is worse.
    pub index: usize,
    /// How many figures there are since.
    pub nights: usize,
    /// The median before, and the mean since.
    pub before: f64,
    pub after: f64,
    /// How likely it is that nothing changed, by Student's t test.
    pub p_value: f64,
}

impl Regression {
    /// The same where so many figures come before.
    fn behind(self, figures: usize) -> Self {
        Regression { index: self.index + figures, ..self }
    }

    /// The change as a share of what was before: -0.1 where it fell by a tenth.
    pub fn relative(&self) -> f64 {
        if self.before == 0.0 { 0.0 } else { self.after / self.before - 1.0 }
    }
}

/// The regression that a series ends with, if there is one; `deciding` for the metric that its variant is about.
pub fn regression(series: &[f64], better: Better, deciding: bool) -> Option<Regression> {
    let options = ChangeOptions { p_value: OF_A_POINT, ..ChangeOptions::default() };
    let points = lasting(series, change_points(series, options));
    let point = points.last().filter(|point| series.len() - point.index <= RECENT_NIGHTS);
    let before = |at: usize| points.iter().map(|point| point.index).rfind(|index| *index < at).unwrap_or(0);
    if let Some(found) = point
        .and_then(|point| told(&series[before(point.index)..], point.index - before(point.index), better, OF_A_POINT))
    {
        return Some(found.behind(before(point?.index)));
    }
    // A change point needs more nights than are to pass before a large change is told.
    let from = points.last().map_or(0, |point| point.index);
    let p_value = if deciding { OF_LAST_NIGHTS } else { OF_LAST_NIGHTS_BESIDE };
    let level = &series[from..];
    let starts = (FEWEST_NIGHTS..=LAST_NIGHTS).filter_map(|nights| level.len().checked_sub(nights));
    let all = starts.filter(|at| *at >= FEWEST_BEFORE).filter_map(|at| told(level, at, better, p_value));
    all.min_by(|one, other| one.p_value.total_cmp(&other.p_value)).map(|found| found.behind(from))
}

/// The change for the worse at an index of a series, if it is large enough, is not one night's, and chance is no explanation.
fn told(series: &[f64], index: usize, better: Better, p_value: f64) -> Option<Regression> {
    let (old, new) = series.split_at(index);
    let (before, after) = (median(old)?, mean(new));
    let is_worse = |figure: f64| match better {
        Better::Higher => figure < before,
        Better::Lower => figure > before,
    };
    // Two groups that do not vary at all, and differ, differ for certain.
    let chance = same_mean(old, new).unwrap_or(0.0);
    let found = Regression { index, nights: new.len(), before, after, p_value: chance };
    let noise = deviation(old, before);
    let floor = (DEVIATIONS * noise).max(LEAST * before.abs());
    let enough = is_worse(after) && (after - before).abs() >= floor;
    let worse = new.iter().filter(|figure| is_worse(**figure)).count();
    // One of them may be as before; and an outlier is no reason.
    let lasts = worse >= FEWEST_NIGHTS
        && worse + 1 >= new.len()
        && same_mean(old, &without_outlier(new, before, noise)).is_none_or(|p| p <= p_value);
    (enough && lasts && chance <= p_value).then_some(found)
}

/// The figures, with one as it was before where it is an outlier even among them: further from their median than such figures
/// are from night to night.
fn without_outlier(figures: &[f64], before: f64, deviation: f64) -> Vec<f64> {
    let level = median(figures).unwrap_or(before);
    let mut all = figures.to_vec();
    let farthest = all.iter_mut().max_by(|one, other| (**one - level).abs().total_cmp(&(**other - level).abs()));
    if let Some(farthest) = farthest.filter(|farthest| (**farthest - level).abs() > OUTLIER * deviation) {
        *farthest = before;
    }
    all
}

/// The change points with enough figures on either side of them. A stretch that is shorter is a few odd nights.
fn lasting(series: &[f64], points: Vec<ChangePoint>) -> Vec<ChangePoint> {
    let mut kept: Vec<ChangePoint> = Vec::new();
    for (number, point) in points.iter().enumerate() {
        let until = points.get(number + 1).map_or(series.len(), |next| next.index);
        let from = kept.last().map_or(0, |before| before.index);
        if until - point.index >= FEWEST_NIGHTS && point.index - from >= FEWEST_NIGHTS {
            kept.push(*point);
        }
    }
    kept
}

/// How much figures of one level differ by themselves: their standard deviation, from the median of their distances to the median,
/// which odd nights do not move (1.4826 is the ratio of the two for a normal distribution).
fn deviation(figures: &[f64], level: f64) -> f64 {
    let distances: Vec<f64> = figures.iter().map(|figure| (figure - level).abs()).collect();
    1.4826 * median(&distances).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

    use super::*;

    /// Figures about 100 with this deviation, as a share.
    fn noisy(rng: &mut StdRng, nights: usize, deviation: f64) -> Vec<f64> {
        let normal = |rng: &mut StdRng| (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        (0..nights).map(|_| 100.0 * (1.0 + deviation * normal(rng))).collect()
    }

    fn of_throughput(series: &[f64]) -> Option<Regression> {
        regression(series, Better::Higher, true)
    }

    /// In how many of the nights from the tenth on a regression would have been told.
    fn alarms(series: &[f64], deciding: bool) -> usize {
        (10..=series.len()).filter(|until| regression(&series[..*until], Better::Higher, deciding).is_some()).count()
    }

    #[test]
    fn a_step_down_is_told_within_five_nights_and_a_step_up_is_not() {
        let (mut rng, mut found, mut late) = (StdRng::seed_from_u64(1), 0, Vec::new());
        for _ in 0..40 {
            let mut series = noisy(&mut rng, 65, 0.05);
            let up: Vec<f64> = series.iter().enumerate().map(|(n, f)| if n < 60 { *f } else { f * 1.1 }).collect();
            assert_eq!(of_throughput(&up), None);
            series[60..].iter_mut().for_each(|figure| *figure *= 0.9);
            let told = (62..=65).find(|until| of_throughput(&series[..*until]).is_some_and(|of| of.index >= 57));
            found += usize::from(told.is_some());
            late.extend(told);
        }
        assert!(found >= 34, "{found} of 40, {late:?}");
    }

    #[test]
    fn an_outlier_alone_is_never_told() {
        let mut rng = StdRng::seed_from_u64(2);
        for deviation in [0.0, 0.01, 0.05] {
            let series = noisy(&mut rng, 60, deviation);
            for factor in [0.05, 0.5, 0.8, 3.0] {
                for at in [0, 1, 30, 57, 58, 59] {
                    let mut odd = series.clone();
                    odd[at] *= factor;
                    assert!(of_throughput(&odd).is_none(), "{deviation} {factor} {at}: {:?}", of_throughput(&odd));
                }
            }
        }
    }

    #[test]
    fn a_change_is_news_for_two_weeks() {
        let series: Vec<f64> = (0..60).map(|n| if n < 30 { 100.0 } else { 80.0 }).collect();
        let told: Vec<usize> = (20..=60).filter(|until| of_throughput(&series[..*until]).is_some()).collect();
        assert_eq!(told, (33..=44).collect::<Vec<_>>());
        assert_eq!(of_throughput(&series[..40]).unwrap().relative(), 80.0 / 100.0 - 1.0);
    }

    #[test]
    fn what_is_within_the_noise_of_the_nights_is_not_told() {
        let mut rng = StdRng::seed_from_u64(3);
        let mut series = noisy(&mut rng, 400, 0.05);
        series[390..].iter_mut().for_each(|figure| *figure *= 0.97);
        assert_eq!(of_throughput(&series), None);
    }

    #[test]
    fn nights_that_do_not_change_have_few_alarms() {
        let mut rng = StdRng::seed_from_u64(4);
        let nights = 20 * 190;
        let count = |deciding: bool, rng: &mut StdRng| -> usize {
            (0..20).map(|_| alarms(&noisy(rng, 200, 0.05), deciding)).sum()
        };
        let (deciding, beside) = (count(true, &mut rng), count(false, &mut rng));
        assert!(deciding <= nights / 200, "{deciding} of {nights} nights");
        assert!(beside <= nights / 400, "{beside} of {nights} nights");
    }
}
