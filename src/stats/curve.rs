//! What is known of a quantile where requests were cut off: bounds that hold for certain, and an estimate.
//!
//! A request that was cut off after a wait is known to have taken longer than that, and nothing else: its latency is
//! right-censored. One that failed is none of those: no response would ever have come, so it ranks above all that did.
//!
//! The share of requests that are answered within a time is estimated as Kaplan and Meier do: of those that had waited so
//! long, that part was answered then (Kaplan, Meier (1958), "Nonparametric estimation from incomplete observations",
//! <https://doi.org/10.2307/2281868>). Where requests fail, which competes with a response, that is the estimate of Aalen and
//! Johansen (1978), "An empirical transition matrix for non-homogeneous Markov chains based on censored observations". The
//! variance is theirs by the delta method (Marubini, Valsecchi (1995), "Analysing survival data from clinical trials and
//! observational studies", section 10.3), which is Greenwood's where nothing fails. The interval of a quantile holds those
//! times at which the share might be the wanted one (Brookmeyer, Crowley (1982), "A confidence interval for the median
//! survival time", <https://doi.org/10.2307/2530286>), with shares compared on the scale log(-log(1 - share)), on which they
//! are closer to normal (Borgan, Liestøl (1990), "A note on confidence intervals and bands for the survival function").

/// 95 % of a normal distribution are within this many standard deviations of its mean.
const NORMAL_95: f64 = 1.959_963_984_540_054;
/// The chance to be beyond one of the ends of a two-sided interval at 95 %.
const BEYOND_ONE_END: f64 = 0.025;
/// A sum of shares may be off by so much as it was rounded.
const ROUNDING: f64 = 1e-9;

/// What came of requests at one time: a bucket of a histogram.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Step {
    /// The bucket's upper edge, in nanoseconds.
    pub at: u64,
    pub answered: u64,
    /// Had waited so long when nobody waited for them any more.
    pub cut: u64,
    pub failed: u64,
}

/// What a value is likely to be, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub value: u64,
    /// The interval at 95 % confidence; without an upper end if the data allow none.
    pub low: u64,
    pub high: Option<u64>,
}

/// The estimated share of requests that are answered within a time, with its interval.
#[derive(Debug, Clone, Copy)]
struct Share {
    value: f64,
    low: f64,
    high: f64,
}

/// A time, with what came of all requests until then.
#[derive(Debug, Clone, Copy)]
struct Point {
    at: u64,
    answered: u64,
    /// Answered until then, or cut off before.
    with_cut_before: u64,
    with_cut: u64,
    with_failed: u64,
    share: Share,
}

/// All that is known of the times of some requests.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    points: Vec<Point>,
    all: u64,
}

/// Where a rank falls among the answered and the cut, these with what they had waited.
pub(super) enum Rank {
    Answered(u64),
    Cut(u64),
    /// Beyond them all: among the failed.
    Beyond,
}

impl Curve {
    /// From steps in the order of time.
    pub(super) fn of(steps: &[Step]) -> Self {
        let all = steps.iter().map(|step| step.answered + step.cut + step.failed).sum();
        let (mut answered, mut with_cut, mut failed) = (0, 0, 0);
        let mut shares = Shares::of(all);
        let point = |step: &Step| {
            answered += step.answered;
            let with_cut_before = with_cut + step.answered;
            with_cut = with_cut_before + step.cut;
            failed += step.failed;
            let with_failed = with_cut + failed;
            Point { at: step.at, answered, with_cut_before, with_cut, with_failed, share: shares.after(step) }
        };
        Curve { points: steps.iter().map(point).collect(), all }
    }

    /// All requests.
    pub(super) fn len(&self) -> u64 {
        self.all
    }

    pub(super) fn answered_len(&self) -> u64 {
        self.points.last().map_or(0, |last| last.answered)
    }

    pub(super) fn rank(&self, rank: u64) -> Rank {
        match self.points.get(self.points.partition_point(|point| point.with_cut < rank)) {
            None => Rank::Beyond,
            Some(point) if rank <= point.with_cut_before => Rank::Answered(point.at),
            Some(point) => Rank::Cut(point.at),
        }
    }

    /// A time that a rank among the failed is beyond: what that many had waited, or, where that is longer, the longest wait
    /// of the others, as they rank before it. So a higher quantile is never below a lower one.
    pub(super) fn beyond(&self, rank: u64) -> u64 {
        let waited = self.points.iter().find(|point| point.with_failed >= rank).map_or(0, |point| point.at);
        let others = self.points.last().map_or(0, |last| last.with_cut);
        waited.max(self.points.iter().find(|point| others > 0 && point.with_cut == others).map_or(0, |point| point.at))
    }

    /// The time within which this many were answered.
    pub(super) fn answered(&self, rank: u64) -> Option<u64> {
        self.points.get(self.points.partition_point(|point| point.answered < rank)).map(|point| point.at)
    }

    /// The estimate of a quantile; `None` if the estimated share never comes to that. Where nothing was answered, there is none
    /// even of the least.
    pub(super) fn estimate(&self, q: f64) -> Option<Estimate> {
        let share = (q - ROUNDING).max(f64::MIN_POSITIVE);
        let first = |reached: &dyn Fn(&Share) -> f64| {
            self.points.iter().find(|point| reached(&point.share) >= share).map(|point| point.at)
        };
        let value = first(&|share| share.value)?;
        let low = first(&|share| share.high).unwrap_or(value).min(value);
        Some(Estimate { value, low, high: first(&|share| share.low).map(|high| high.max(value)) })
    }
}

/// The sums that the estimate and its variance are made of, over the steps so far.
#[derive(Debug, Default)]
struct Shares {
    waiting: u64,
    /// The estimated share of which nothing had come.
    open: f64,
    answered: f64,
    ended: [f64; 3],
    by_step: f64,
    crossed: [f64; 2],
    last: Option<Share>,
}

impl Shares {
    fn of(all: u64) -> Self {
        Shares { waiting: all, open: 1.0, ..Shares::default() }
    }

    fn after(&mut self, step: &Step) -> Share {
        let waiting = self.waiting as f64;
        self.waiting -= step.answered + step.cut + step.failed;
        if step.answered + step.failed == 0 {
            return self.last.unwrap_or(Share { value: 0.0, low: 0.0, high: 0.0 });
        }
        let (answered, ended) = (step.answered as f64, (step.answered + step.failed) as f64);
        let before = self.open;
        self.answered += before * answered / waiting;
        self.open = before * (1.0 - ended / waiting);
        let share = self.answered;
        // The last of all has no share beyond it that could vary.
        if ended < waiting {
            let weight = ended / (waiting * (waiting - ended));
            self.ended =
                [self.ended[0] + weight, self.ended[1] + weight * share, self.ended[2] + weight * share * share];
        }
        self.by_step += before * before * answered * (waiting - answered) / waiting.powi(3);
        let weight = before * answered / waiting.powi(2);
        self.crossed = [self.crossed[0] + weight, self.crossed[1] + weight * share];
        let [ended_sum, ended_share, ended_square] = self.ended;
        let variance = share * share * ended_sum - 2.0 * share * ended_share + ended_square + self.by_step
            - 2.0 * (share * self.crossed[0] - self.crossed[1]);
        let (low, high) = match 1.0 - share {
            // Nobody who had waited so long waited on: so much more might have, of as many, by chance (Clopper-Pearson).
            left if left < ROUNDING => {
                let earlier = self.last.map_or(0.0, |last| last.low);
                (1.0 - (1.0 - earlier) * (1.0 - BEYOND_ONE_END.powf(1.0 / waiting)), 1.0)
            }
            left => {
                let deviation = variance.max(0.0).sqrt() / (left * left.ln().abs()).max(f64::MIN_POSITIVE);
                let end = |side: f64| 1.0 - left.powf((side * NORMAL_95 * deviation).exp());
                (end(-1.0), end(1.0))
            }
        };
        let last = Share { value: share, low, high };
        self.last = Some(last);
        last
    }
}

#[cfg(test)]
pub(super) mod tests;
