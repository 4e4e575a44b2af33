//! Latency by percentile as a line. A percentile lies at the logarithm of how few requests are slower: 90 % at 1, 99 % at 2,
//! 99.9 % at 3.

use crate::measured_value::MeasuredValue;
use crate::stats::Distribution;

use super::scale::Scale;

/// Percentiles that are labelled, where there is room.
const PERCENTILES: [(f64, &str); 11] = [
    (0.0, "0 %"),
    (50.0, "50 %"),
    (75.0, "75 %"),
    (90.0, "90 %"),
    (95.0, "95 %"),
    (99.0, "99 %"),
    (99.9, "99.9 %"),
    (99.99, "99.99 %"),
    (99.999, "99.999 %"),
    (99.9999, "99.9999 %"),
    (99.99999, "99.99999 %"),
];

/// The places of percentiles, with their labels, down to where one request of `10^depth` is slower.
pub(super) fn labels(depth: f64) -> impl Iterator<Item = (f64, &'static str)> {
    let placed = PERCENTILES.iter().map(|(percent, label)| (-(1.0 - percent / 100.0).log10(), *label));
    placed.filter(move |(at, _)| *at <= depth + 1e-9)
}

/// How far the axis goes for this many requests.
pub(super) fn depth(requests: u64) -> f64 {
    (requests as f64).log10().clamp(1.0, 6.0)
}

pub(super) fn quantile(latencies: &Distribution, rank: u64) -> Option<MeasuredValue> {
    latencies.quantile(rank as f64 / latencies.len() as f64)
}

/// The last rank of which more is known than a lower bound.
pub(super) fn known(latencies: &Distribution) -> u64 {
    let (mut known, mut unknown) = (0, latencies.len() + 1);
    while unknown - known > 1 {
        let middle = known + (unknown - known) / 2;
        match quantile(latencies, middle).is_some_and(MeasuredValue::is_bounded) {
            true => known = middle,
            false => unknown = middle,
        }
    }
    known
}

/// Where the request of a rank (from 1) begins on the axis.
pub(super) fn depth_of_rank(rank: u64, all: u64) -> f64 {
    let slower = all.saturating_sub(rank - 1).max(1);
    (all as f64 / slower as f64).log10()
}

/// The rank whose stretch of the axis holds a depth: the inverse of [`depth_of_rank`].
pub(super) fn rank_at_depth(depth: f64, all: u64) -> u64 {
    let slower = all as f64 / 10f64.powf(depth);
    all.saturating_sub(slower.round() as u64) + 1
}

/// The line through the requests of some ranks, to the right end of the last one's stretch of the axis.
pub(super) fn points(latencies: &Distribution, (x, y): (Scale, Scale), first: u64, last: u64) -> Vec<(f64, f64)> {
    let all = latencies.len();
    let point = |rank: u64| {
        let seconds = quantile(latencies, rank).map_or(0.0, |quantile| quantile.likely() / 1e9);
        (x.at(depth_of_rank(rank, all)), y.at(seconds))
    };
    let (start, end) = (point(first), point(last));
    let mut points = vec![start];
    refine(&point, all, (first, start), (last, end), &mut points);
    points.push(end);
    points.push((x.at(depth_of_rank((last + 1).min(all), all)), end.1));
    points
}

/// A rank and where it is drawn.
type Ranked = (u64, (f64, f64));

/// Adds the points between two ranks that a straight line would miss; a flat stretch costs nothing.
fn refine(
    point: &impl Fn(u64) -> (f64, f64),
    all: u64,
    (low, a): Ranked,
    (high, b): Ranked,
    out: &mut Vec<(f64, f64)>,
) {
    if high - low < 2 || b.0 - a.0 < 5.0 || (a.1 - b.1).abs() < 1.0 {
        return;
    }
    // Halfway on the axis, not among the ranks: the axis stretches the slowest.
    let depth = (depth_of_rank(low, all) + depth_of_rank(high, all)) / 2.0;
    let middle = rank_at_depth(depth, all).clamp(low + 1, high - 1);
    let at = point(middle);
    refine(point, all, (low, a), (middle, at), out);
    out.push(at);
    refine(point, all, (middle, at), (high, b), out);
}
