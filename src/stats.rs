//! Histograms that keep the unanswered, and interval estimates.

use std::time::Duration;

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use statrs::distribution::{Beta, ContinuousCDF};

/// The longest wait that histograms tell apart; a longer one counts as this.
const LONGEST_NANOS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// A quantile over every started request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantile {
    /// It falls among the answered: their value, in nanoseconds.
    Exactly(u64),
    /// It falls among those never answered: all that is known is that it is longer than this, in nanoseconds.
    AtLeast(u64),
}

impl Quantile {
    /// The value or its lower bound, in nanoseconds.
    pub fn nanos(self) -> u64 {
        match self {
            Quantile::Exactly(nanos) | Quantile::AtLeast(nanos) => nanos,
        }
    }
}

/// Waiting times in nanoseconds, three significant digits, up to a day; those that ended in no answer are kept apart
/// and rank as longer than all that did. A fold: `answered` and `unanswered` observe, `merge` joins, `quantile` concludes.
#[derive(Debug, Clone)]
pub struct Latencies {
    answered: Histogram<u64>,
    unanswered: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies { answered: empty(), unanswered: empty() }
    }
}

impl Latencies {
    /// A whole answer came after this wait, in nanoseconds.
    pub fn answered(&mut self, wait: u64) {
        record(&mut self.answered, wait);
    }

    /// No answer came, and this is how long was waited for one, in nanoseconds.
    pub fn unanswered(&mut self, wait: u64) {
        record(&mut self.unanswered, wait);
    }

    /// Adds the waits of another.
    pub fn merge(&mut self, other: &Latencies) {
        for (mine, theirs) in [(&mut self.answered, &other.answered), (&mut self.unanswered, &other.unanswered)] {
            mine.add(theirs).expect("histograms of one shape add up");
        }
    }

    /// All started requests.
    pub fn len(&self) -> u64 {
        self.answered.len() + self.unanswered.len()
    }

    /// Whether no request was started.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were answered.
    pub fn answered_len(&self) -> u64 {
        self.answered.len()
    }

    /// The value at `q` (0 to 1) over all started requests, or `None` without any.
    ///
    /// The rank is `ceil(q n)`, the nearest-rank definition. A rank among the unanswered yields a lower bound: the longest
    /// answered wait, as they rank after it, or, where that is longer, the same rank over the answered and the waits so far
    /// of the others, which no later answer could have made shorter. So a higher quantile is never below a lower one, also
    /// where requests fail sooner than others are answered.
    pub fn quantile(&self, q: f64) -> Option<Quantile> {
        let n = self.len();
        if n == 0 {
            return None;
        }
        let rank = ((q * n as f64 - 1e-9).ceil() as u64).clamp(1, n);
        if rank <= self.answered.len() {
            return Some(Quantile::Exactly(at_rank(&self.answered, rank)));
        }
        let mut both = self.answered.clone();
        both.add(&self.unanswered).expect("histograms of one shape add up");
        let answered = if self.answered.is_empty() { 0 } else { at_rank(&self.answered, self.answered.len()) };
        Some(Quantile::AtLeast(at_rank(&both, rank).max(answered)))
    }

    /// The shortest wait for an answer; a lower bound where there was none.
    pub fn min(&self) -> Option<Quantile> {
        self.quantile(0.0)
    }

    /// The longest wait.
    pub fn max(&self) -> Option<Quantile> {
        self.quantile(1.0)
    }

    /// The mean over all started requests; a lower bound if some were never answered.
    pub fn mean(&self) -> Option<Quantile> {
        let n = self.len();
        if n == 0 {
            return None;
        }
        let sum =
            self.answered.mean() * self.answered.len() as f64 + self.unanswered.mean() * self.unanswered.len() as f64;
        // Of a bucket the mean takes the middle, and a quantile the upper edge: a mean is never outside of what it is of.
        let (least, most) = (self.quantile(0.0)?.nanos(), self.quantile(1.0)?.nanos());
        let mean = ((sum / n as f64).round() as u64).max(least).min(most);
        Some(if self.unanswered.is_empty() { Quantile::Exactly(mean) } else { Quantile::AtLeast(mean) })
    }

    /// Both histograms (answered, unanswered) in HdrHistogram's V2 encoding, base64.
    pub fn encode(&self) -> (String, String) {
        let encode = |histogram: &Histogram<u64>| {
            let mut bytes = Vec::new();
            V2Serializer::new().serialize(histogram, &mut bytes).expect("a Vec takes every byte");
            base64::engine::general_purpose::STANDARD.encode(bytes)
        };
        (encode(&self.answered), encode(&self.unanswered))
    }

    /// Reads what [`Latencies::encode`] wrote; `None` if it is anything else.
    pub fn decode(answered: &str, unanswered: &str) -> Option<Self> {
        let decode = |text: &str| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
            let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
            let mut histogram = empty();
            histogram.add(&read).ok()?;
            Some(histogram)
        };
        Some(Latencies { answered: decode(answered)?, unanswered: decode(unanswered)? })
    }
}

/// A histogram that grows with what it is given, so that many of them, of which most see little, take little room.
fn empty() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are among those that there are")
}

fn record(histogram: &mut Histogram<u64>, nanos: u64) {
    histogram.record(nanos.min(LONGEST_NANOS)).expect("it grows as far as a day, and far beyond");
}

/// A time in nanoseconds; 584 years if it is longer.
pub fn nanos(wait: Duration) -> u64 {
    wait.as_secs().saturating_mul(1_000_000_000).saturating_add(wait.subsec_nanos().into())
}

/// The value of rank `rank` (from 1): the upper edge of its bucket, as HdrHistogram reports it everywhere; at most 0.1 %
/// above the value itself, and never below a limit that the value has reached.
fn at_rank(histogram: &Histogram<u64>, rank: u64) -> u64 {
    // Half a rank lower, so that the division cannot round up into the next rank.
    histogram.value_at_quantile((rank as f64 - 0.5) / histogram.len() as f64)
}

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

    fn millis(values: impl IntoIterator<Item = u64>, unanswered: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        values.into_iter().for_each(|ms| latencies.answered(ms * 1_000_000));
        unanswered.into_iter().for_each(|ms| latencies.unanswered(ms * 1_000_000));
        latencies
    }

    fn close(quantile: Option<Quantile>, expected: Quantile) -> bool {
        let near = |a: u64, b: u64| (a as f64 - b as f64).abs() <= b as f64 * 0.001;
        match (quantile, expected) {
            (Some(Quantile::Exactly(a)), Quantile::Exactly(b)) | (Some(Quantile::AtLeast(a)), Quantile::AtLeast(b)) => {
                near(a, b)
            }
            _ => false,
        }
    }

    const MS: u64 = 1_000_000;

    #[test]
    fn none_in_further_trials_tells_as_much_as_counting_says() {
        // 10 of 10, then 0 of 4: one of the C(14, 10) = 1001 ways to place ten hits.
        assert!((chance_of_none(10, 10, 4) - 1.0 / 1001.0).abs() < 1e-12);
        // C(10, 3) / C(14, 3).
        assert!((chance_of_none(3, 10, 4) - 120.0 / 364.0).abs() < 1e-12);
        assert!((chance_of_none(0, 10, 4) - 1.0).abs() < 1e-12, "without a hit nothing is missed");
    }

    #[test]
    fn the_median_of_the_lucky_is_not_the_median() {
        // 500 users on one blocking worker at 100 ms: 100 answers in 10 s, 400 users never answered.
        let latencies = millis((1..=100).map(|n| n * 100), std::iter::repeat_n(10_000, 400));
        assert!(close(latencies.quantile(0.1), Quantile::Exactly(5_000 * MS)));
        assert!(close(latencies.quantile(0.5), Quantile::AtLeast(10_000 * MS)));
    }

    #[test]
    fn a_mean_is_never_outside_of_what_it_is_of() {
        for nanos in [3_113_000, 3_120_001, 99, 123_456_789] {
            let mut one = Latencies::default();
            one.answered(nanos);
            assert_eq!(one.mean(), one.min());
            one.unanswered(nanos);
            let (min, mean, max) = (one.min().unwrap(), one.mean().unwrap(), one.max().unwrap());
            assert!((min.nanos()..=max.nanos()).contains(&mean.nanos()), "{min:?} {mean:?} {max:?}");
        }
    }

    #[test]
    fn a_quantile_at_the_edge_of_the_answered_is_exact() {
        let latencies = millis(std::iter::repeat_n(100, 99), [100]);
        assert!(close(latencies.quantile(0.99), Quantile::Exactly(100 * MS)));
        assert!(close(latencies.quantile(0.999), Quantile::AtLeast(100 * MS)));
    }

    #[test]
    fn one_that_only_just_started_bounds_nothing_by_more_than_its_wait() {
        let latencies = millis([10, 20, 30], [1]);
        assert!(close(latencies.max(), Quantile::AtLeast(30 * MS)));
        assert!(matches!(latencies.mean(), Some(Quantile::AtLeast(_))));
    }

    #[test]
    fn a_higher_quantile_is_never_shorter_however_soon_requests_failed() {
        let refused = || std::iter::repeat_n(100_000, 100);
        let mut latencies = millis(1..=100, []);
        refused().for_each(|nanos| latencies.unanswered(nanos));
        let at = |q: f64| latencies.quantile(q);
        assert!(close(at(0.5), Quantile::Exactly(100 * MS)));
        let nanos = (0..=1000).map(|permille| at(f64::from(permille) / 1e3).unwrap().nanos());
        assert!(nanos.is_sorted(), "a quantile is below one before it");
        assert!(close(at(0.75), Quantile::AtLeast(100 * MS)) && close(latencies.max(), Quantile::AtLeast(100 * MS)));
        let mut none_answered = Latencies::default();
        refused().for_each(|nanos| none_answered.unanswered(nanos));
        assert!(close(none_answered.quantile(0.5), Quantile::AtLeast(100_000)));
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Latencies::default().quantile(0.5), None);
        assert_eq!(Latencies::default().mean(), None);
    }

    #[test]
    fn encoding_keeps_every_count() {
        let latencies = millis([1, 2, 3000], [4]);
        let (answered, unanswered) = latencies.encode();
        let back = Latencies::decode(&answered, &unanswered).unwrap();
        assert_eq!(back.len(), 4);
        assert_eq!(back.quantile(0.5), latencies.quantile(0.5));
        assert!(Latencies::decode("no", "no").is_none());
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
