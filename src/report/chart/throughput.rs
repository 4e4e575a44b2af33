//! What came back in each second of the load, or tenth of one: responses, and requests that failed.

use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::analysis::seconds::{drawable, joined};
use crate::record::{LoadRecord, Second};

use super::canvas::{BLUE, Canvas, DOTS, GREY, GRID, Key, MUTED, ORANGE, VERMILLION, sheet};
use super::scale::{Scale, number, ticks};

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 776.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 268.0;

const RESPONSES: &str = "responses of any status";

const ASKED: &str = "requests asked for";

/// The most steps that are told apart; more seconds are drawn in groups.
const STEPS: usize = 350;

/// A row at the end that is shorter than this share of the others is drawn with the one before it: one batch of answers would
/// make a peak of it.
const SHORTEST: f64 = 0.5;

/// Draws the timeline; `None` without one.
pub(crate) fn throughput(load: &LoadRecord, title: &str) -> Option<String> {
    let rows = grouped(&load.timeline);
    let end = rows.last().map(|row| row.t_s + row.length_s).filter(|end| *end > 0.0 && end.is_finite())?;
    let series = [
        (VERMILLION, &[4.0, 3.0][..], "no response: timeouts and other failures", rates(&rows, |row| row.failed)),
        (ORANGE, &[10.0, 3.0], "responses with a status of 400 or above", rates(&rows, |row| row.error_status)),
        (BLUE, &[], RESPONSES, rates(&rows, |row| row.completed)),
    ];
    let asked = asked(load, end);
    let all = series.iter().flat_map(|(.., rates)| rates).chain(asked.iter().map(|(_, rate)| rate));
    let highest = all.fold(0.0, |a: f64, b| a.max(*b));
    let y_ticks = ticks(highest * 1.05, 5.0);
    let y = Scale::linear((0.0, y_ticks.last().copied().unwrap_or(1.0)), (BOTTOM, TOP));
    let x = Scale::linear((0.0, end), (LEFT, RIGHT));
    Some(sheet(WIDTH, HEIGHT, title, |canvas| {
        axes(canvas, (x, end), (y, &y_ticks));
        let mut keys = Vec::new();
        for (color, dashes, name, rates) in &series {
            let is_all = *name == RESPONSES;
            if is_all || rates.iter().any(|rate| *rate > 0.0) {
                line(canvas, &steps(&rows, rates, (x, y)), *color, dashes, is_all);
                keys.push((Key::Marked(*color, dashes, None), *name));
            }
        }
        if !asked.is_empty() {
            let points: Vec<_> = asked.iter().map(|(t, rate)| (x.at(*t), y.at(*rate))).collect();
            canvas.dashed(&points, &DOTS, GREY, 1.5);
            keys.push((Key::Dots(GREY), ASKED));
        }
        keys.reverse();
        canvas.legend(44.0, RIGHT, &keys);
    }))
}

/// The corners of the rate that was asked for, up to `end`; empty for a closed load.
fn asked(load: &LoadRecord, end: f64) -> Vec<(f64, f64)> {
    let Some(open) = &load.open else { return Vec::new() };
    if load.stages.is_empty() {
        return vec![(0.0, open.rate), (end, open.rate)];
    }
    let begun = load.stages.iter().filter(|stage| stage.t_s < end && stage.length_s > 0.0);
    let corners = begun.flat_map(|stage| {
        let lasted = stage.length_s.min(end - stage.t_s);
        let reached = stage.from + (stage.to - stage.from) * lasted / stage.length_s;
        [(stage.t_s, stage.from), (stage.t_s + lasted, reached)]
    });
    corners.collect()
}

fn axes(canvas: &mut Canvas<'_>, (x, end): (Scale, f64), (y, y_ticks): (Scale, &[f64])) {
    for tick in y_ticks {
        canvas.line((LEFT, y.at(*tick)), (RIGHT, y.at(*tick)), GRID, 1.0);
        canvas.text((LEFT - 8.0, y.at(*tick)), &number(*tick), 12.0, MUTED, HPos::Right);
    }
    for tick in ticks(end, 10.0).into_iter().filter(|tick| *tick <= end * 1.0001) {
        canvas.line((x.at(tick), BOTTOM), (x.at(tick), BOTTOM + 4.0), GREY, 1.0);
        canvas.text((x.at(tick), BOTTOM + 15.0), &number(tick), 12.0, MUTED, HPos::Center);
    }
    canvas.line((LEFT, BOTTOM), (RIGHT, BOTTOM), GREY, 1.0);
    canvas.text(((LEFT + RIGHT) / 2.0, BOTTOM + 36.0), "seconds from the start of the load", 12.0, MUTED, HPos::Center);
    canvas.upwards((16.0, (TOP + BOTTOM) / 2.0), "requests per second", 12.0);
}

/// The corners of a line that stays at each rate for the length of its row.
pub(super) fn steps(rows: &[Second], rates: &[f64], (x, y): (Scale, Scale)) -> Vec<(f64, f64)> {
    let ends = |(row, rate): (&Second, &f64)| [row.t_s, row.t_s + row.length_s].map(|t_s| (x.at(t_s), y.at(*rate)));
    rows.iter().zip(rates).flat_map(ends).collect()
}

fn line(canvas: &mut Canvas<'_>, points: &[(f64, f64)], color: RGBColor, dashes: &[f64], fill: bool) {
    if fill && let (Some(first), Some(last)) = (points.first(), points.last()) {
        let foot = [(last.0, BOTTOM), (first.0, BOTTOM)];
        let closed: Vec<_> = points.iter().copied().chain(foot).collect();
        canvas.polygon(&closed, color, 0.12);
    }
    canvas.dashed(points, dashes, color, 2.5);
}

pub(super) fn rates(rows: &[Second], count: impl Fn(&Second) -> u64) -> Vec<f64> {
    rows.iter().map(|row| if row.length_s > 0.0 { count(row) as f64 / row.length_s } else { 0.0 }).collect()
}

/// Joins neighbours until there are few enough to draw.
pub(super) fn grouped(timeline: &[Second]) -> Vec<Second> {
    let timeline = drawable(timeline);
    let size = timeline.len().div_ceil(STEPS).max(1);
    // `chunks` yields no empty slice.
    let mut rows: Vec<Second> = timeline.chunks(size).map(joined).collect();
    if rows.len() > 1
        && let Some(usual) = rows.first().map(|first| first.length_s)
        && let Some(last) = rows.pop_if(|last| last.length_s < SHORTEST * usual)
        && let Some(before) = rows.pop()
    {
        rows.push(joined(&[before, last]));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 a second in batches of ten, for this many seconds.
    fn batches(length: f64) -> Vec<Second> {
        let second = |second: usize| {
            let length_s = (length - second as f64).min(1.0);
            Second {
                t_s: second as f64,
                length_s,
                completed: (length_s * 10.0).ceil() as u64 * 10,
                ..Second::default()
            }
        };
        (0..length.ceil() as usize).map(second).collect()
    }

    #[test]
    fn a_moment_at_the_end_is_no_second_of_its_own() {
        for (length, rows) in [(9.03, 9), (9.49, 9), (9.6, 10), (9.0, 9), (0.03, 1), (999.03, 333), (1001.0, 334)] {
            let grouped = grouped(&batches(length));
            let rates = rates(&grouped, |row| row.completed);
            let last = grouped.last().unwrap();
            assert_eq!(grouped.len(), rows, "{length}");
            assert!((last.t_s + last.length_s - length).abs() < 1e-9);
            assert!(length < 1.0 || rates.iter().all(|rate| (95.0..=115.0).contains(rate)), "{rates:?}");
        }
        assert!(grouped(&[]).is_empty());
    }
}
