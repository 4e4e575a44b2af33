//! What is known of the waits of some requests.

use super::curve::{Curve, Estimate, Rank, Step};
use super::drift::differ;
use crate::measured_value::{Bounds, MeasuredValue};

/// A quantile that moved by less than this share while it was measured did not move.
const MOVED: f64 = 0.1;

/// What is known of the waits of some requests: `quantile` tells it.
#[derive(Debug, Clone)]
pub struct Distribution {
    whole: Curve,
    /// Of the first and the second half, where they differ by more than chance.
    differing: Option<[Curve; 2]>,
}

impl Distribution {
    /// From what came of all of them, in the order of time, and, where any were cut off, of those of each half but the failed.
    pub(super) fn of(all: &[Step], halves: Option<[Vec<Step>; 2]>) -> Self {
        let differing = halves.filter(|[first, second]| differ(first, second));
        let differing = differing.map(|halves| halves.each_ref().map(|half| Curve::of(half)));
        Distribution { whole: Curve::of(all), differing }
    }

    /// The value at `q` (0 to 1) in nanoseconds, or `None` without requests. The rank is `ceil(q n)`, the nearest-rank definition.
    ///
    /// A response that was not waited for would have taken longer than the wait. So the value of the rank over the answered
    /// and the waits of the cut is a lower bound, and that over the answered alone, with the cut above them, an upper one.
    /// Where the two are the same, this is the value. A failed request ranks above all others.
    pub fn quantile(&self, q: f64) -> Option<MeasuredValue> {
        let rank = self.rank(q)?;
        let (least, is_cut) = match self.whole.rank(rank) {
            Rank::Answered(at) => (at, false),
            Rank::Cut(at) => (at, true),
            Rank::Beyond => return Some(MeasuredValue::MoreThan(self.whole.beyond(rank) as f64)),
        };
        let most = self.whole.answered(rank);
        if most == Some(least) {
            return Some(exactly(least));
        }
        let estimate = self.estimate(q, rank);
        Some(match (most, estimate) {
            (None, None) if is_cut => MeasuredValue::MoreThan(least as f64),
            _ => MeasuredValue::Within(Bounds {
                at_least: least as f64,
                at_most: most.map(|most| most as f64),
                estimate: estimate.map(|estimate| estimate.value as f64),
                low: estimate.map(|estimate| estimate.low as f64),
                high: estimate.and_then(|estimate| estimate.high).map(|high| high as f64),
            }),
        })
    }

    /// The shortest wait for a response, in nanoseconds; a lower bound where there was none.
    pub fn min(&self) -> Option<MeasuredValue> {
        self.whole.answered(1).map(exactly).or_else(|| self.quantile(0.0))
    }

    /// The longest wait, in nanoseconds.
    pub fn max(&self) -> Option<MeasuredValue> {
        self.quantile(1.0)
    }

    /// The median over the answered alone, in nanoseconds: that of the lucky.
    pub fn median_of_answered(&self) -> Option<u64> {
        self.whole.answered(self.whole.answered_len().div_ceil(2).max(1))
    }

    /// How many were answered.
    pub fn answered_len(&self) -> u64 {
        self.whole.answered_len()
    }

    /// All requests.
    pub fn len(&self) -> u64 {
        self.whole.len()
    }

    /// Whether there is no request.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn rank(&self, q: f64) -> Option<u64> {
        let n = self.len();
        (n > 0).then(|| ((q * n as f64 - 1e-9).ceil() as u64).clamp(1, n))
    }

    /// What the answered tell of the cut. Of the longest wait of all they tell nothing, nor where it depends on the half.
    fn estimate(&self, q: f64, rank: u64) -> Option<Estimate> {
        if rank == self.len() || self.moved(q) {
            return None;
        }
        self.whole.estimate(q)
    }

    /// Whether the quantile is another in the second half.
    fn moved(&self, q: f64) -> bool {
        let Some(halves) = &self.differing else { return false };
        let [first, second] = halves.each_ref().map(|half| half.estimate(q));
        match (first, second) {
            (Some(first), Some(second)) => {
                let (first, second) = (first.value as f64, second.value as f64);
                (first - second).abs() > MOVED * first.min(second)
            }
            _ => true,
        }
    }
}

fn exactly(nanos: u64) -> MeasuredValue {
    MeasuredValue::Exactly(nanos as f64)
}
