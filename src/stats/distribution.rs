//! What is known of the waits of some requests.

use super::curve::{Curve, Estimate, Rank, Step};
use super::drift::differ;

/// A quantile that moved by less than this share while it was measured did not move.
const MOVED: f64 = 0.1;

/// A quantile over every started request, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantile {
    Exactly(u64),
    /// Requests that were cut off leave open what it is.
    Within(Within),
    /// It falls where there are only requests that were cut off or failed: it is longer than this.
    AtLeast(u64),
}

/// A value that is not known exactly, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Within {
    /// It is this for certain, or more: cut requests count with what they had waited.
    pub least: u64,
    /// It is this for certain, or less: cut requests rank above all others. `None` if there is no such time.
    pub most: Option<u64>,
    /// `None` where the data do not allow one.
    pub estimate: Option<Estimate>,
}

impl Quantile {
    /// The value, else what it is likely to be, else the least that it can be.
    pub fn nanos(self) -> u64 {
        match self {
            Quantile::Exactly(nanos) | Quantile::AtLeast(nanos) => nanos,
            Quantile::Within(within) => within.estimate.map_or(within.least, |estimate| estimate.value),
        }
    }

    /// Whether more is known of it than that it is longer than something.
    pub fn is_bounded(self) -> bool {
        match self {
            Quantile::Exactly(_) => true,
            Quantile::Within(within) => within.estimate.is_some() || within.most.is_some(),
            Quantile::AtLeast(_) => false,
        }
    }
}

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

    /// The value at `q` (0 to 1), or `None` without requests. The rank is `ceil(q n)`, the nearest-rank definition.
    ///
    /// An answer that was not waited for would have taken longer than the wait. So the value of the rank over the answered
    /// and the waits of the cut is a lower bound, and that over the answered alone, with the cut above them, an upper one.
    /// Where the two are the same, this is the value. A failed request ranks above all others.
    pub fn quantile(&self, q: f64) -> Option<Quantile> {
        let rank = self.rank(q)?;
        let (least, is_cut) = match self.whole.rank(rank) {
            Rank::Answered(at) => (at, false),
            Rank::Cut(at) => (at, true),
            Rank::Beyond => return Some(Quantile::AtLeast(self.whole.beyond(rank))),
        };
        let most = self.whole.answered(rank);
        if most == Some(least) {
            return Some(Quantile::Exactly(least));
        }
        let estimate = self.estimate(q, rank);
        Some(match (most, estimate) {
            (None, None) if is_cut => Quantile::AtLeast(least),
            _ => Quantile::Within(Within { least, most, estimate }),
        })
    }

    /// The shortest wait for an answer; a lower bound where there was none.
    pub fn min(&self) -> Option<Quantile> {
        self.whole.answered(1).map(Quantile::Exactly).or_else(|| self.quantile(0.0))
    }

    /// The longest wait.
    pub fn max(&self) -> Option<Quantile> {
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
