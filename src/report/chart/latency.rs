//! Latency by percentile of one load: the slow tail drawn as large as the fast half.

use plotters::style::text_anchor::HPos;

use crate::analysis::responses::share_without_response;
use crate::measured_value::MeasuredValue;
use crate::record::LoadRecord;
use crate::stats::{Distribution, Latencies};
use crate::units::{show_count, show_percentage};

use super::canvas::{BLUE, Canvas, GREY, GRID, HATCH, INK, Key, MUTED, ORANGE, WHITE, sheet};
use super::font::text_width;
use super::percentiles::{depth, depth_of_rank, known, labels, points, quantile, rank_at_depth};
use super::scale::{Scale, log_range, log_ticks, time};

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 84.0;
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
        let name = if is_open { "latency (from when due), interval" } else { "latency (from when it was due)" };
        let mut keys = vec![(Key::Line(BLUE), name)];
        if let Some(service_times) = &service_times {
            canvas.dashes(&frame.curve(service_times), ORANGE, 2.5);
            keys.push((Key::Dashes(ORANGE), "service time (from the send)"));
        }
        canvas.legend(44.0, RIGHT, &keys);
    }))
}

/// The axes.
struct Frame {
    x: Scale,
    y: Scale,
    depth: f64,
    range: (f64, f64),
}

impl Frame {
    fn new(latencies: &Distribution, service_times: Option<&Distribution>) -> Option<Self> {
        let depth = depth(latencies.len());
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
        for (depth, label) in labels(self.depth) {
            let x = self.x.at(depth);
            let half = text_width(label, 12.0) / 2.0;
            if x - half < free_from {
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
        canvas.upwards((16.0, (TOP + BOTTOM) / 2.0), "time to the whole response", 12.0);
    }

    /// The part of the axis where a quantile falls among the unanswered: hatched, with what is known of it as dashes.
    fn never_answered(&self, canvas: &mut Canvas<'_>, load: &LoadRecord, latencies: &Distribution) {
        let (all, known) = (latencies.len(), known(latencies));
        if known == all {
            return;
        }
        let left = self.x.at(depth_of_rank(known + 1, all));
        canvas.area((left, TOP), (RIGHT, BOTTOM), GREY, 0.18);
        canvas.hatch((left, TOP), (RIGHT, BOTTOM), HATCH);
        canvas.line((left, TOP), (left, BOTTOM), GREY, 1.0);
        let bounds = points(latencies, (self.x, self.y), known + 1, all);
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
        if known == 0 { Vec::new() } else { points(latencies, (self.x, self.y), 1, known) }
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
}

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
    canvas.area((x - width / 2.0, top), (x + width / 2.0, top + height), WHITE, 0.92);
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
