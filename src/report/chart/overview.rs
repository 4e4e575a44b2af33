//! The variants of a matrix side by side: how much each served, and how long it took.

use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::record::{Load, Micros, Variant};
use crate::report::escape::clip;
use crate::report::words::typical;

use super::canvas::{BLUE, Canvas, GREY, GRID, INK, Key, MUTED, VERMILLION, sheet, text_width};
use super::scale::{Scale, log_range, log_ticks, number, time};

const WIDTH: f64 = 800.0;
const RIGHT: f64 = 780.0;
const TOP: f64 = 76.0;
const ROW: f64 = 24.0;
/// Between the two panels.
const GAP: f64 = 40.0;
/// The most variants that are drawn.
const ROWS: usize = 30;

/// Draws the variants that have a load; `None` if fewer than two do.
pub(crate) fn overview(variants: &[Variant]) -> Option<String> {
    let load = |variant: &Variant| typical(variant).and_then(|(_, trial)| trial.load.clone());
    let rows: Vec<(String, Load)> = variants
        .iter()
        .enumerate()
        .filter_map(|(index, variant)| {
            load(variant).map(|load| (format!("{}  {}", index + 1, clip(&variant.name, 44)), load))
        })
        .take(ROWS)
        .collect();
    if rows.len() < 2 {
        return None;
    }
    let left = rows.iter().map(|(name, _)| text_width(name, 12.0)).fold(60.0, f64::max).min(320.0) + 28.0;
    let middle = (left + RIGHT) / 2.0;
    let bottom = TOP + ROW * rows.len() as f64 + 4.0;
    Some(sheet(WIDTH, bottom + 26.0, "Throughput and latency by variant", |canvas| {
        for (index, (name, _)) in rows.iter().enumerate() {
            canvas.text((left - 14.0, row_y(index)), name, 12.0, INK, HPos::Right);
        }
        throughput(canvas, &rows, (left, middle - GAP / 2.0), bottom);
        latency(canvas, &rows, (middle + GAP / 2.0, RIGHT), bottom);
        let keys = [
            (Key::Dot(BLUE), "p50"),
            (Key::Dot(VERMILLION), "p99"),
            (Key::Ring(VERMILLION), "longer than this: never answered"),
        ];
        let unanswered = rows.iter().any(|(_, load)| matches!(load.latency_us.p99, Some(Micros::AtLeast(_))));
        canvas.legend(26.0, RIGHT, if unanswered { &keys } else { &keys[..2] });
    }))
}

fn row_y(index: usize) -> f64 {
    TOP + ROW * (index as f64 + 0.5)
}

/// A panel with a logarithmic axis along its top.
fn panel(
    canvas: &mut Canvas<'_>,
    values: &[f64],
    (left, right): (f64, f64),
    bottom: f64,
    name: &str,
    show: fn(f64) -> String,
) -> Scale {
    let usable = || values.iter().copied().filter(|value| *value > 0.0 && value.is_finite());
    let range = log_range(usable().fold(f64::INFINITY, f64::min), usable().fold(0.0, f64::max));
    let scale = Scale::logarithmic(range, (left, right));
    let mut free_from = 0.0;
    for tick in log_ticks(range) {
        let (x, label) = (scale.at(tick), show(tick));
        canvas.line((x, TOP), (x, bottom), GRID, 1.0);
        let half = text_width(&label, 11.5) / 2.0;
        if x - half > free_from {
            canvas.text((x, TOP - 11.0), &label, 11.5, MUTED, HPos::Center);
            free_from = x + half + 6.0;
        }
    }
    canvas.line((left, TOP), (left, bottom), GREY, 1.0);
    canvas.text((left, TOP - 29.0), name, 12.0, INK, HPos::Left);
    scale
}

fn throughput(canvas: &mut Canvas<'_>, rows: &[(String, Load)], edges: (f64, f64), bottom: f64) {
    let rates: Vec<f64> = rows.iter().map(|(_, load)| load.throughput).collect();
    let x = panel(canvas, &rates, edges, bottom, "throughput, answers per second", number);
    for (index, rate) in rates.iter().enumerate().filter(|(_, rate)| **rate > 0.0) {
        canvas.line((edges.0, row_y(index)), (x.at(*rate), row_y(index)), GREY, 1.5);
        canvas.dot((x.at(*rate), row_y(index)), 5.0, BLUE, true);
    }
}

fn latency(canvas: &mut Canvas<'_>, rows: &[(String, Load)], edges: (f64, f64), bottom: f64) {
    let seconds = |value: Micros| match value {
        Micros::Exactly(us) | Micros::AtLeast(us) => us / 1e6,
    };
    let both = |load: &Load| load.latency_us.p50.zip(load.latency_us.p99);
    let values: Vec<f64> =
        rows.iter().filter_map(|(_, load)| both(load)).flat_map(|(p50, p99)| [seconds(p50), seconds(p99)]).collect();
    let x = panel(canvas, &values, edges, bottom, "latency", time);
    for (index, (p50, p99)) in
        rows.iter().enumerate().filter_map(|(index, (_, load))| both(load).map(|both| (index, both)))
    {
        let y = row_y(index);
        canvas.line((x.at(seconds(p50)), y), (x.at(seconds(p99)), y), GREY, 3.0);
        let mut dot = |value: Micros, radius: f64, color: RGBColor| {
            canvas.dot((x.at(seconds(value)), y), radius, color, matches!(value, Micros::Exactly(_)));
        };
        dot(p99, 5.0, VERMILLION);
        dot(p50, 4.0, BLUE);
    }
}
