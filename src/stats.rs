//! Histograms that keep the unanswered, and interval estimates.

use statrs::distribution::{Beta, ContinuousCDF};

pub mod change_points;
mod curve;
mod distribution;
mod drift;
pub mod interval;
mod latencies;

pub use distribution::Distribution;
pub use latencies::{Encoded, Half, Latencies, nanos};

/// The upper end of the one-sided 95 % Clopper-Pearson interval for a proportion, after `hits` in `n` trials.
///
/// Source: Clopper, Pearson (1934), "The use of confidence or fiducial limits illustrated in the case of the binomial":
/// the 95 % quantile of Beta(hits + 1, n - hits). With no hits it is `1 - 0.05^(1/n)`. Without trials it is 1.
///
/// It also holds for a check that stops after the first round with a hit, or after a fixed number of trials. There the
/// outcomes are ordered by how small a rate they speak for: an earlier stop speaks for a larger one, no hit for the
/// smallest (Jennison, Turnbull (1983), "Confidence intervals for a binomial parameter following a multistage test").
/// The exact bound after `hits` in the last round of `m`, `n` trials in all, is the rate `p` at which what speaks for as
/// small a rate or a smaller one, no hit in the first `n - m` and at most `hits` in the next `m`, has a probability of
/// 5 %. Those outcomes are among "at most `hits` in `n`", the event of Clopper and Pearson, so their bound is never below
/// the exact one. Without a hit the two are the same; after one hit in `n` single trials the exact one (inverse sampling,
/// Haldane (1945)) is that of no hit in `n - 1`. What follows is on the safe side by that much, and needs no word about
/// how the check came to its end. (The *lower* end, or a bound read after every trial as if no more were to come, would
/// not hold so simply.)
///
/// All of it takes trials to be independent and of one rate.
pub fn upper_bound_95(hits: u64, n: u64) -> f64 {
    if hits >= n {
        return 1.0;
    }
    if hits == 0 {
        return 1.0 - 0.05f64.powf(1.0 / n as f64);
    }
    let beta = Beta::new(hits as f64 + 1.0, (n - hits) as f64).expect("both shapes are positive as hits < n");
    beta.inverse_cdf(0.95)
}

/// The two-sided 95 % Clopper-Pearson interval for a proportion, after `hits` in `n` trials: from the 2.5 % quantile of
/// Beta(hits, n - hits + 1) to the 97.5 % quantile of Beta(hits + 1, n - hits). Without trials it is 0 to 1.
pub fn interval_95(hits: u64, n: u64) -> (f64, f64) {
    let upper = |hits: u64| {
        let shapes = (hits < n).then(|| Beta::new(hits as f64 + 1.0, (n - hits) as f64)).and_then(Result::ok);
        shapes.map_or(1.0, |beta| beta.inverse_cdf(0.975))
    };
    (1.0 - upper(n.saturating_sub(hits)), upper(hits))
}

/// The probability that chance alone puts all of `hits` into the first `n` of `n + others` trials, if all are of one rate:
/// small where `others` trials without a hit tell that theirs is lower.
///
/// Fisher's exact test, one-sided, for none in the second row: C(n, hits) / C(n + others, hits). Source: Fisher (1935), "The
/// logic of inductive inference": <https://doi.org/10.2307/2342435>.
pub fn chance_of_none(hits: u64, n: u64, others: u64) -> f64 {
    (0..hits.min(n)).map(|hit| (n - hit) as f64 / (n + others - hit) as f64).product()
}

/// How many trials without a hit it takes for [`upper_bound_95`] to be at most `bound` (a fraction).
pub fn trials_for_bound(bound: f64) -> u64 {
    if bound >= 1.0 {
        return 1;
    }
    (0.05f64.ln() / (1.0 - bound).ln()).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    #[test]
    fn none_in_further_trials_tells_as_much_as_counting_says() {
        // 10 of 10, then 0 of 4: one of the C(14, 10) = 1001 ways to place ten hits.
        assert!((chance_of_none(10, 10, 4) - 1.0 / 1001.0).abs() < 1e-12);
        // C(10, 3) / C(14, 3).
        assert!((chance_of_none(3, 10, 4) - 120.0 / 364.0).abs() < 1e-12);
        assert!((chance_of_none(0, 10, 4) - 1.0).abs() < 1e-12, "without a hit nothing is missed");
    }

    #[test]
    fn bounds_match_the_published_tables() {
        // The rule of three, and Clopper-Pearson values as printed by R's binom.test(alternative = "less").
        assert!((upper_bound_95(0, 3000) - 0.000_998).abs() < 1e-6);
        assert!((upper_bound_95(0, 10) - 0.258_866).abs() < 1e-5);
        assert!((upper_bound_95(1, 10) - 0.394_163).abs() < 1e-5);
        assert!((upper_bound_95(5, 100) - 0.102_258).abs() < 1e-4);
        assert_eq!(upper_bound_95(0, 0), 1.0);
        assert_eq!(upper_bound_95(3, 3), 1.0);
    }

    /// Hits and trials of a check that stops after the first round with a hit, or after `most` trials.
    fn stopped_at_a_hit(rate: f64, round: u64, most: u64, random: &mut StdRng) -> (u64, u64) {
        let (mut hits, mut n) = (0, 0);
        while hits == 0 && n < most {
            hits += (0..round).filter(|_| random.random_bool(rate)).count() as u64;
            n += round;
        }
        (hits, n)
    }

    /// Of how many servers in 1,000, which leak at rates from 0.05 % to 5 %, `bound` covers the true rate.
    fn covered(round: u64, mut bound: impl FnMut(u64, u64) -> f64) -> usize {
        let mut random = StdRng::seed_from_u64(4);
        let most = trials_for_bound(0.001);
        let covers = |_: &u32| {
            let rate = 0.0005 * 100f64.powf(random.random());
            let (hits, n) = stopped_at_a_hit(rate, round, most, &mut random);
            bound(hits, n) >= rate
        };
        (0..1000).filter(covers).count()
    }

    #[test]
    fn the_bound_covers_the_true_rate_of_a_check_that_stops_at_the_first_hit() {
        for round in [1, 20] {
            let covered = covered(round, upper_bound_95);
            assert!(covered >= 950, "{covered} of 1000 in rounds of {round}");
        }
        let estimate = covered(1, |hits, n| hits as f64 / n as f64);
        assert!(estimate < 950, "a mere estimate covers {estimate} of 1000: nothing was tested");
    }

    #[test]
    fn the_bound_after_a_stop_is_never_below_the_exact_one() {
        // No hit in n - 1 trials, then one: at the exact bound that, or less, has a probability of 5 %.
        for n in 2..2000 {
            let exact = upper_bound_95(0, n - 1);
            assert!(((1.0 - exact).powf(n as f64 - 1.0) - 0.05).abs() < 1e-9);
            assert!(upper_bound_95(1, n) >= exact, "{n}");
        }
    }

    /// The coverage at one rate, summed over every outcome of a check that stops at the first hit: nothing is left to
    /// chance. Outcomes are numbered by the trial of the hit; the last one is no hit at all.
    #[test]
    fn the_bound_covers_every_single_rate() {
        let most = trials_for_bound(0.001);
        let bounds: Vec<f64> = (1..=most).map(|n| upper_bound_95(1, n)).chain([upper_bound_95(0, most)]).collect();
        for rate in (0..=40).map(|step| 0.0005 * 100f64.powf(f64::from(step) / 40.0)) {
            let chance = |trial: usize| {
                let before = (1.0 - rate).powf(trial as f64);
                if trial as u64 == most { before } else { before * rate }
            };
            let covered: f64 = (0..bounds.len()).filter(|trial| bounds[*trial] >= rate).map(chance).sum();
            assert!(covered >= 0.95, "{covered} at {rate}");
        }
    }

    #[test]
    fn ten_of_ten_is_at_least_69_percent() {
        // As printed by R's binom.test.
        let near = |(a, b): (f64, f64), (c, d): (f64, f64)| (a - c).abs() < 1e-5 && (b - d).abs() < 1e-5;
        assert!(near(interval_95(10, 10), (0.691_503, 1.0)));
        assert!(near(interval_95(0, 10), (0.0, 0.308_497)));
        assert!(near(interval_95(3, 10), (0.066_739_5, 0.652_452_9)));
        assert_eq!(interval_95(0, 0), (0.0, 1.0));
    }

    #[test]
    fn a_bound_of_a_tenth_of_a_percent_takes_three_thousand() {
        let n = trials_for_bound(0.001);
        assert!(upper_bound_95(0, n) <= 0.001 && upper_bound_95(0, n - 1) > 0.001, "{n}");
    }
}
