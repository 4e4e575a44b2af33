//! How much load is due when: pure arithmetic, no clock.
//!
//! A load is a row of segments, each a straight line from one level to another; a constant one has equal ends. In the
//! open model a level is a rate and its integral counts arrivals; in the closed model it is a number of users.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::rng::{self, RandomStream};
use crate::scenario::{Level, Spacing};

/// A straight piece of a load.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Segment {
    /// Seconds from the start.
    begin: f64,
    /// Seconds; above zero.
    lasting: f64,
    from: f64,
    to: f64,
    /// Arrivals that were due before it.
    before: f64,
}

impl Segment {
    fn slope(&self) -> f64 {
        (self.to - self.from) / self.lasting
    }

    fn end(&self) -> f64 {
        self.begin + self.lasting
    }

    /// Arrivals in its first `t` seconds: the integral of its level.
    fn arrivals(&self, t: f64) -> f64 {
        t * (self.from + self.slope() * t / 2.0)
    }

    /// How many seconds it takes until `n` have arrived: solves `slope/2 t^2 + from t = n` for the smaller root that is
    /// not negative, in the form that does not cancel where the slope is small.
    fn time_of(&self, n: f64) -> f64 {
        let discriminant = (self.from * self.from + 2.0 * self.slope() * n).max(0.0);
        let divisor = self.from + discriminant.sqrt();
        if divisor > 0.0 { (2.0 * n / divisor).min(self.lasting) } else { self.lasting }
    }
}

/// The level of a load over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    segments: Vec<Segment>,
}

impl Profile {
    /// `levels`, after a `warmup` at the level that the first begins with.
    pub fn new(warmup: Duration, levels: &[Level]) -> Self {
        let first = levels.first().map_or(0.0, |level| level.from);
        let warm = Level { from: first, to: first, lasting: warmup };
        let mut segments: Vec<Segment> = Vec::new();
        let (mut begin, mut before) = (0.0, 0.0);
        for level in [warm].iter().chain(levels).filter(|level| !level.lasting.is_zero()) {
            let lasting = level.lasting.as_secs_f64();
            let segment = Segment { begin, lasting, from: level.from, to: level.to, before };
            begin = segment.end();
            before += segment.arrivals(lasting);
            segments.push(segment);
        }
        Profile { segments }
    }

    /// The level at a time; zero from the end on.
    pub fn rate_at(&self, time: Duration) -> f64 {
        let t = time.as_secs_f64();
        let now = self.segments.iter().find(|segment| t < segment.end());
        now.map_or(0.0, |segment| segment.from + segment.slope() * (t - segment.begin))
    }

    /// How many arrivals are due before a time, not rounded.
    pub fn arrivals_before(&self, time: Duration) -> f64 {
        let t = time.as_secs_f64();
        let begun = self.segments.iter().rfind(|segment| segment.begin <= t);
        begun.map_or(0.0, |segment| segment.before + segment.arrivals((t - segment.begin).min(segment.lasting)))
    }

    /// When `n` arrivals, not rounded, have come; `None` if that many never do.
    pub fn due(&self, n: f64) -> Option<Duration> {
        let until = |segment: &&Segment| n < segment.before + segment.arrivals(segment.lasting);
        let segment = self.segments.iter().find(until)?;
        Some(Duration::from_secs_f64(segment.begin + segment.time_of(n - segment.before)))
    }

    /// The first time from `from` on at which the level is at least `level`; `None` if there is none.
    pub fn reaches(&self, level: f64, from: Duration) -> Option<Duration> {
        let now = from.as_secs_f64();
        let mut ahead = self.segments.iter().filter(|segment| now < segment.end());
        let seconds = ahead.find_map(|segment| {
            let start = now.max(segment.begin);
            if segment.from + segment.slope() * (start - segment.begin) >= level {
                return Some(start);
            }
            // It rises to it, but for its very end, which belongs to the next.
            (segment.to > level).then(|| segment.begin + (level - segment.from) / segment.slope())
        })?;
        // Rounded up, so that it is reached then and not a nanosecond later.
        Some(if seconds > now { Duration::from_nanos((seconds * 1e9).ceil() as u64) } else { from })
    }
}

/// The share of a load thread in the arrivals of an open load, one due time after another.
#[derive(Debug)]
pub struct Arrivals<'a> {
    profile: &'a Profile,
    /// Expected arrivals of the whole load at which the next of this thread is due.
    at: f64,
    threads: f64,
    /// For gaps by chance.
    random: Option<SmallRng>,
}

impl<'a> Arrivals<'a> {
    /// Thread `index` of `threads`. Evenly spaced arrivals are dealt out in turn; those by chance are independent of each
    /// other, so that each thread draws its own and all together still come by chance.
    pub fn new(profile: &'a Profile, spacing: Spacing, (index, threads): (u32, u32), seed: u64) -> Self {
        let threads = f64::from(threads);
        match spacing {
            Spacing::Uniform => Arrivals { profile, at: f64::from(index), threads, random: None },
            Spacing::Poisson => {
                let mut random = rng::stream(seed, RandomStream::Arrivals, (index, 0));
                let at = threads * exponential(&mut random);
                Arrivals { profile, at, threads, random: Some(random) }
            }
        }
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Duration;

    /// Gaps are counted in expected arrivals and turned into time by the profile: so chance follows a ramp, too
    /// (time-rescaling of a Poisson process).
    fn next(&mut self) -> Option<Duration> {
        let due = self.profile.due(self.at)?;
        self.at += self.threads * self.random.as_mut().map_or(1.0, exponential);
        Some(due)
    }
}

/// A draw from the exponential distribution of mean 1.
fn exponential(random: &mut SmallRng) -> f64 {
    // 1 - u is never zero.
    -(1.0 - random.random::<f64>()).ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level(from: f64, to: f64, millis: u64) -> Level {
        Level { from, to, lasting: Duration::from_millis(millis) }
    }

    fn all(levels: &[Level], spacing: Spacing, threads: u32) -> Vec<Duration> {
        let profile = Profile::new(Duration::ZERO, levels);
        let mut times: Vec<_> =
            (0..threads).flat_map(|index| Arrivals::new(&profile, spacing, (index, threads), 7)).collect();
        times.sort();
        times
    }

    #[test]
    fn a_constant_rate_is_due_at_equal_distances_from_the_start_on() {
        let times = all(&[level(100.0, 100.0, 50)], Spacing::Uniform, 1);
        let expected: Vec<_> = (0..5).map(|n| Duration::from_millis(n * 10)).collect();
        assert_eq!(times, expected);
    }

    #[test]
    fn a_warm_up_is_at_the_level_of_the_first_stage_and_comes_before() {
        let profile = Profile::new(Duration::from_secs(1), &[level(10.0, 10.0, 1000), level(10.0, 30.0, 1000)]);
        assert_eq!(profile.due(15.0), Some(Duration::from_millis(1500)));
        assert_eq!(profile.rate_at(Duration::from_millis(2500)), 20.0);
        assert_eq!(profile.rate_at(Duration::from_secs(3)), 0.0);
        assert_eq!(profile.due(40.0), None, "the end itself is outside");
    }

    #[test]
    fn users_come_as_a_ramp_rises_and_go_as_it_falls() {
        let profile =
            Profile::new(Duration::ZERO, &[level(1.0, 1.0, 1000), level(1.0, 5.0, 1000), level(2.0, 2.0, 1000)]);
        let at = |level, millis| profile.reaches(level, Duration::from_millis(millis)).map(|time| time.as_millis());
        assert_eq!((at(1.0, 0), at(1.0, 2500)), (Some(0), Some(2500)));
        assert_eq!((at(3.0, 0), at(3.0, 1700), at(3.0, 2000)), (Some(1500), Some(1700), None));
        assert_eq!((at(2.0, 0), at(1.0, 3000)), (Some(1250), None));
    }

    proptest! {
        /// Any row of stages: as many arrivals as the integral of the rate, in order, and each when the integral says.
        #[test]
        fn arrivals_are_as_many_as_the_integral_of_the_rate(
            stages in proptest::collection::vec((0.5..500.0_f64, 0.5..500.0_f64, 1..3000_u64), 1..5),
            threads in 1..4_u32,
        ) {
            let levels: Vec<_> = stages.iter().map(|(from, to, millis)| level(*from, *to, *millis)).collect();
            let integral: f64 = stages.iter().map(|(from, to, millis)| (from + to) / 2.0 * *millis as f64 / 1e3).sum();
            let times = all(&levels, Spacing::Uniform, threads);
            prop_assert!((times.len() as f64 - integral).abs() <= 1.0, "{} {integral}", times.len());
            prop_assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
            let profile = Profile::new(Duration::ZERO, &levels);
            for (n, time) in times.iter().enumerate() {
                prop_assert!((profile.arrivals_before(*time) - n as f64).abs() < 1e-3);
            }
        }

        /// The count of a Poisson process has its mean as variance: five standard deviations are never left by chance.
        #[test]
        fn arrivals_by_chance_are_as_many_as_the_rate_says_up_to_chance(rate in 50.0..2000.0_f64, threads in 1..4_u32) {
            let levels = [level(rate, rate, 4000), level(rate, rate * 3.0, 4000)];
            let mean = rate * 4.0 + rate * 8.0;
            let times = all(&levels, Spacing::Poisson, threads);
            prop_assert!((times.len() as f64 - mean).abs() < 5.0 * mean.sqrt(), "{} {mean}", times.len());
        }
    }

    #[test]
    fn gaps_by_chance_are_exponential() {
        let times = all(&[level(1000.0, 1000.0, 20_000)], Spacing::Poisson, 2);
        let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e3).collect();
        // A gap is longer than its mean with probability 1/e; 20,000 gaps settle that to 0.3 %.
        let longer = gaps.iter().filter(|gap| **gap > 1.0).count() as f64 / gaps.len() as f64;
        assert!((longer - (-1.0_f64).exp()).abs() < 0.02, "{longer}");
    }
}
