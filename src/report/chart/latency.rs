//! Latency by percentile: the slow tail drawn as large as the fast half.

use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::analysis::responses::share_without_response;
use crate::measured_value::MeasuredValue;
use crate::record::LoadRecord;
use crate::stats::{Distribution, Latencies};
use crate::units::{show_count, show_percentage};

use super::canvas::{BLUE, Canvas, GREY, GRID, INK, Key, MUTED, ORANGE, sheet, text_width};
use super::scale::{Scale, log_range, log_ticks, time};

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 776.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 308.0;
/// A narrower stretch of the axis has no label.
const NARROW: f64 = 12.0;

/// Draws the load's histograms; `None` if they hold nothing or cannot be read.
pub(crate) fn latency(load: &LoadRecord, title: &str) -> Option<String> {
    let known = |latencies: Latencies| Some(latencies.distribution()).filter(|known| !known.is_empty());
    let latencies = load.histogram.latencies().and_then(known)?;
    let service_times = load.histogram.service_times().and_then(known);
    let frame = Frame::new(&latencies, service_times.as_ref())?;
    Some(sheet(WIDTH, HEIGHT, title, |canvas| {
        frame.axes(canvas);
        frame.never_answered(canvas, load, &latencies);
        let is_open = frame.interval(canvas, &latencies);
        canvas.path(&frame.curve(&latencies), BLUE, 4.0);
        let name = if is_open { "latency (from when due) and interval" } else { "latency (from when it was due)" };
        let mut keys = vec![(Key::Line(BLUE), name)];
        if let Some(service_times) = &service_times {
            canvas.dashes(&frame.curve(service_times), ORANGE, 2.5);
            keys.push((Key::Dashes(ORANGE), "service time (from the send)"));
        }
        canvas.legend(44.0, RIGHT, &keys);
    }))
}

/// The axes. A percentile lies at the logarithm of how few requests are slower: 90 % at 1, 99 % at 2, 99.9 % at 3.
struct Frame {
    x: Scale,
    y: Scale,
    depth: f64,
    range: (f64, f64),
}

impl Frame {
    fn new(latencies: &Distribution, service_times: Option<&Distribution>) -> Option<Self> {
        let depth = (latencies.len() as f64).log10().clamp(1.0, 6.0);
        let both = || [Some(latencies), service_times].into_iter().flatten();
        let seconds = |quantile: Option<MeasuredValue>| quantile.map(|quantile| quantile.likely() / 1e9);
        let low = both().filter_map(|of| seconds(of.min())).fold(f64::INFINITY, f64::min);
        let high = seconds(latencies.max())?;
        let range = log_range(low.max(1e-7), high);
        let x = Scale::linear((0.0, depth), (LEFT, RIGHT));
        let y = Scale::logarithmic(range, (BOTTOM, TOP));
        Some(Frame { x, y, depth, range })
    }

    fn axes(&self, canvas: &mut Canvas<'_>) {
        for tick in log_ticks(self.range) {
            let y = self.y.at(tick);
            canvas.line((LEFT, y), (RIGHT, y), GRID, 1.0);
            canvas.text((LEFT - 8.0, y), &time(tick), 12.0, MUTED, HPos::Right);
        }
        let mut free_from = 0.0;
        for (percent, label) in PERCENTILES {
            let depth = -(1.0 - percent / 100.0).log10();
            let x = self.x.at(depth);
            let half = text_width(label, 12.0) / 2.0;
            if depth > self.depth + 1e-9 || x - half < free_from {
                continue;
            }
            canvas.line((x, TOP), (x, BOTTOM), GRID, 1.0);
            canvas.text((x, BOTTOM + 15.0), label, 12.0, MUTED, HPos::Center);
            free_from = x + half + 8.0;
        }
        canvas.line((LEFT, BOTTOM), (RIGHT, BOTTOM), GREY, 1.0);
        let middle = (LEFT + RIGHT) / 2.0;
        canvas.text(
            (middle, BOTTOM + 36.0),
            "share of all started requests that took no longer",
            12.0,
            MUTED,
            HPos::Center,
        );
        canvas.upwards((20.0, (TOP + BOTTOM) / 2.0), "time to the whole response", 12.0);
    }

    /// The part of the axis where a quantile falls among the unanswered: hatched, with what is known of it as dashes.
    fn never_answered(&self, canvas: &mut Canvas<'_>, load: &LoadRecord, latencies: &Distribution) {
        let (all, known) = (latencies.len(), known(latencies));
        if known == all {
            return;
        }
        let left = self.x.at(depth_of_rank(known + 1, all));
        canvas.area((left, TOP), (RIGHT, BOTTOM), GREY, 0.18);
        canvas.hatch((left, TOP), (RIGHT, BOTTOM), RGBColor(203, 207, 213));
        canvas.line((left, TOP), (left, BOTTOM), GREY, 1.0);
        let bounds = self.points(latencies, known + 1, all);
        canvas.dashes(&bounds, BLUE, 2.0);
        // The very last is open wherever any were cut off: no label fits there.
        if RIGHT - left < NARROW {
            return;
        }
        // The curve may go on beyond the requests that were answered, by what these tell of the others.
        let share = show_percentage(share_without_response(load));
        let lines = [
            "no response: longer than the dashed line".to_owned(),
            format!("{share} of all requests; {} had one", show_count(load.completed)),
        ];
        label(canvas, &lines, (left, RIGHT), bounds.last().map_or(TOP, |last| last.1));
    }

    /// Where it is known, or estimated.
    fn curve(&self, latencies: &Distribution) -> Vec<(f64, f64)> {
        let known = known(latencies);
        if known == 0 { Vec::new() } else { self.points(latencies, 1, known) }
    }

    /// What requests that were cut off leave open of the curve, as a band; whether they leave anything open.
    fn interval(&self, canvas: &mut Canvas<'_>, latencies: &Distribution) -> bool {
        let all = latencies.len();
        let (mut low, mut high) = (Vec::new(), Vec::new());
        let curve = self.curve(latencies);
        for (x, y) in &curve {
            let rank = rank_at_depth((x - LEFT) / (RIGHT - LEFT) * self.depth, all).clamp(1, known(latencies));
            let (least, most) = match quantile(latencies, rank).map(|nanos| nanos.map(|nanos| nanos / 1e3)) {
                Some(MeasuredValue::Within(open)) => open.ends(),
                _ => {
                    low.push((*x, *y));
                    high.push((*x, *y));
                    continue;
                }
            };
            low.push((*x, self.y.at(least / 1e6)));
            high.push((*x, most.map_or(TOP, |most| self.y.at(most / 1e6).max(TOP))));
        }
        let is_open = low != high;
        if is_open {
            let around: Vec<(f64, f64)> = low.into_iter().chain(high.into_iter().rev()).collect();
            canvas.polygon(&around, BLUE, 0.2);
        }
        is_open
    }

    /// The line through the requests of some ranks, to the right end of the last one's stretch of the axis.
    fn points(&self, latencies: &Distribution, first: u64, last: u64) -> Vec<(f64, f64)> {
        let all = latencies.len();
        let point = |rank: u64| {
            let seconds = quantile(latencies, rank).map_or(0.0, |quantile| quantile.likely() / 1e9);
            (self.x.at(depth_of_rank(rank, all)), self.y.at(seconds))
        };
        let (start, end) = (point(first), point(last));
        let mut points = vec![start];
        refine(&point, all, (first, start), (last, end), &mut points);
        points.push(end);
        let edge = if last == all { RIGHT } else { self.x.at(depth_of_rank(last + 1, all)) };
        points.push((edge, end.1));
        points
    }
}

fn quantile(latencies: &Distribution, rank: u64) -> Option<MeasuredValue> {
    latencies.quantile(rank as f64 / latencies.len() as f64)
}

/// The last rank of which more is known than a lower bound.
fn known(latencies: &Distribution) -> u64 {
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

/// Where the request of a rank (from 1) begins on the axis.
fn depth_of_rank(rank: u64, all: u64) -> f64 {
    let slower = all.saturating_sub(rank - 1).max(1);
    (all as f64 / slower as f64).log10()
}

/// The rank whose stretch of the axis holds a depth: the inverse of [`depth_of_rank`].
fn rank_at_depth(depth: f64, all: u64) -> u64 {
    let slower = all as f64 / 10f64.powf(depth);
    all.saturating_sub(slower.round() as u64) + 1
}

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

/// A rank and where it is drawn.
type Ranked = (u64, (f64, f64));

/// Lines of text on a white ground, in the middle of a stretch of the axis, above or below a height that stays visible.
fn label(canvas: &mut Canvas<'_>, lines: &[String], (left, right): (f64, f64), avoid: f64) {
    let width = lines.iter().map(|line| text_width(line, 13.0)).fold(0.0, f64::max) + 24.0;
    let height = 20.0 * lines.len() as f64 + 10.0;
    let x = ((left + right) / 2.0).min(RIGHT - 8.0 - width / 2.0).max(LEFT + 8.0 + width / 2.0);
    let top = if avoid - TOP > BOTTOM - avoid {
        (TOP + avoid) / 2.0 - height / 2.0
    } else {
        (avoid + BOTTOM) / 2.0 - height / 2.0
    };
    canvas.area((x - width / 2.0, top), (x + width / 2.0, top + height), RGBColor(255, 255, 255), 0.92);
    for (index, line) in lines.iter().enumerate() {
        let y = top + 15.0 + 20.0 * index as f64;
        canvas.text((x, y), line, 13.0, if index == 0 { INK } else { MUTED }, HPos::Center);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Histograms;
    use crate::stats::Half;

    fn drawn(cut_after_ms: &[u64]) -> String {
        let mut latencies = Latencies::default();
        (1..=500).for_each(|ms| latencies.answered(Half::First, ms * 1_000_000));
        cut_after_ms.iter().for_each(|ms| latencies.cut(Half::First, ms * 1_000_000));
        let histogram = Histograms::of(&latencies, &latencies);
        latency(&LoadRecord { histogram, ..LoadRecord::default() }, "").unwrap()
    }

    #[test]
    fn what_requests_that_were_cut_off_leave_open_is_a_band() {
        let [none, late, early] = [vec![], vec![600; 100], (0..100).map(|n| n * 5).collect()].map(|cut| drawn(&cut));
        assert!(!none.contains("interval") && !none.contains("no response"));
        assert!(!late.contains("interval") && late.contains("no response"), "all of them had waited for longer");
        assert!(early.contains("interval"));
        let bands = |svg: &str| svg.matches("<polygon").count();
        assert!(bands(&early) > bands(&none), "{} {}", bands(&early), bands(&none));
    }
}
