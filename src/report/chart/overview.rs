//! The variants of a matrix side by side: how much each served, and how long it took.

use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::analysis::median_trial::median_trial;
use crate::measured_value::MeasuredValue;
use crate::record::{LoadRecord, VariantRecord};
use crate::report::escape::clip;

use super::canvas::{BLUE, Canvas, GREY, GRID, INK, Key, MUTED, Shape, VERMILLION, sheet};
use super::font::text_width;
use super::scale::{ChartAxis, Measure};

const WIDTH: f64 = 800.0;
const RIGHT: f64 = 772.0;
const TOP: f64 = 76.0;
const ROW: f64 = 24.0;
/// Between the two panels, and so between the last label of one axis and the first of the next.
const GAP: f64 = 64.0;
/// The most variants that are drawn.
const ROWS: usize = 30;

/// Draws the variants that have a load; `None` if fewer than two do.
pub(crate) fn overview(variants: &[VariantRecord]) -> Option<String> {
    let load = |variant: &VariantRecord| median_trial(variant).and_then(|(_, trial)| trial.load.clone());
    let rows: Vec<(String, LoadRecord)> = variants
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
    let widest = rows.iter().map(|(name, _)| text_width(name, 12.0)).fold(60.0, f64::max);
    let left = widest.min(340.0) + 28.0;
    let middle = (left + RIGHT) / 2.0;
    let bottom = TOP + ROW * rows.len() as f64 + 4.0;
    Some(sheet(WIDTH, bottom + 26.0, "Throughput and latency by variant", |canvas| {
        for (index, (name, _)) in rows.iter().enumerate() {
            canvas.text((left - 14.0, row_y(index)), name, 12.0, INK, HPos::Right);
            canvas.line((left, row_y(index)), (RIGHT, row_y(index)), GRID, 1.0);
        }
        throughput(canvas, &rows, (left, middle - GAP / 2.0), bottom);
        latency(canvas, &rows, (middle + GAP / 2.0, RIGHT), bottom);
        let keys = [
            (Key::Dot(BLUE), "p50"),
            (Key::Mark(VERMILLION, Shape::Square), "p99"),
            (Key::Ring(VERMILLION), "this or longer: no response"),
        ];
        let unanswered = rows.iter().any(|(_, load)| load.latency_us.p99.is_some_and(is_bound));
        canvas.legend(26.0, RIGHT, if unanswered { &keys } else { &keys[..2] });
    }))
}

/// Whether all that is known of a value is that it is no less.
fn is_bound(value: MeasuredValue) -> bool {
    match value {
        MeasuredValue::Exactly(_) => false,
        MeasuredValue::Within(open) => open.estimate.is_none(),
        MeasuredValue::MoreThan(_) => true,
    }
}

fn row_y(index: usize) -> f64 {
    TOP + ROW * (index as f64 + 0.5)
}

/// A panel with an axis along its top.
fn panel(canvas: &mut Canvas<'_>, axis: &ChartAxis, left: f64, bottom: f64, name: &str) {
    let mut free_from = 0.0;
    for (tick, label) in &axis.ticks {
        let x = axis.scale.at(*tick);
        canvas.line((x, TOP), (x, bottom), GRID, 1.0);
        let half = text_width(label, 11.5) / 2.0;
        if x - half > free_from {
            canvas.text((x, TOP - 11.0), label, 11.5, MUTED, HPos::Center);
            free_from = x + half + 10.0;
        }
    }
    canvas.line((left, TOP), (left, bottom), GREY, 1.0);
    canvas.text((left, TOP - 29.0), name, 12.0, INK, HPos::Left);
}

fn throughput(canvas: &mut Canvas<'_>, rows: &[(String, LoadRecord)], edges: (f64, f64), bottom: f64) {
    let rates: Vec<f64> = rows.iter().map(|(_, load)| load.throughput).collect();
    let axis = ChartAxis::over(&rates, edges, Measure::Number);
    panel(canvas, &axis, edges.0, bottom, "throughput, responses per second");
    for (index, rate) in
        rates.iter().enumerate().filter(|(_, rate)| rate.is_finite() && (**rate > 0.0 || axis.from_zero))
    {
        let (x, y) = (axis.scale.at(*rate), row_y(index));
        // A stem that does not begin at zero would be too short by most of its length.
        if axis.from_zero {
            canvas.line((edges.0, y), (x, y), GREY, 3.0);
        }
        canvas.dot((x, y), 5.0, BLUE, true);
    }
}

fn latency(canvas: &mut Canvas<'_>, rows: &[(String, LoadRecord)], edges: (f64, f64), bottom: f64) {
    let seconds = |value: MeasuredValue| value.likely() / 1e6;
    let both = |load: &LoadRecord| load.latency_us.p50.zip(load.latency_us.p99);
    let values: Vec<f64> =
        rows.iter().filter_map(|(_, load)| both(load)).flat_map(|(p50, p99)| [seconds(p50), seconds(p99)]).collect();
    let axis = ChartAxis::over(&values, edges, Measure::Time);
    panel(canvas, &axis, edges.0, bottom, "latency");
    let x = axis.scale;
    for (index, (p50, p99)) in
        rows.iter().enumerate().filter_map(|(index, (_, load))| both(load).map(|both| (index, both)))
    {
        let y = row_y(index);
        canvas.line((x.at(seconds(p50)), y), (x.at(seconds(p99)), y), GREY, 3.0);
        let mut mark = |value: MeasuredValue, shape: Shape, radius: f64, color: RGBColor| {
            let shape = if is_bound(value) { Shape::Ring } else { shape };
            canvas.mark((x.at(seconds(value)), y), shape, radius, color);
        };
        mark(p99, Shape::Square, 5.0, VERMILLION);
        mark(p50, Shape::Dot, 4.0, BLUE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Quantiles, Trial};

    /// Variants with this many answers a second, whose p50 is 1 ms and whose p99 is this many milliseconds.
    fn drawn(loads: &[(f64, f64)]) -> String {
        let variants: Vec<VariantRecord> = loads
            .iter()
            .map(|(throughput, p99)| {
                let [p50, p99] = [1.0, *p99].map(|ms| Some(MeasuredValue::Exactly(ms * 1e3)));
                let latency_us = Quantiles { p50, p99, ..Quantiles::default() };
                let load = LoadRecord { throughput: *throughput, latency_us, ..LoadRecord::default() };
                let trials = vec![Trial { load: Some(load), ..Trial::default() }];
                VariantRecord {
                    name: "server.mode=threaded load.concurrency=1000".to_owned(),
                    settings: Default::default(),
                    server: String::new(),
                    planned_trials: 1,
                    trials,
                    verdicts: Vec::new(),
                    ..VariantRecord::default()
                }
            })
            .collect();
        overview(&variants).unwrap()
    }

    /// The labels of both axes with the pixels of their middles, from left to right.
    fn labels(svg: &str) -> Vec<(f64, String)> {
        let number = |of: &str, name: &str| -> f64 {
            let value = of.split_once(&format!(" {name}=\"")).unwrap().1;
            value.split_once('"').unwrap().0.parse::<f64>().unwrap() / 4.0
        };
        let texts = svg.split("<text").skip(1).filter(|text| text.contains("text-anchor=\"middle\""));
        let text = |of: &str| of.split_once(">\n").unwrap().1.split_once('\n').unwrap().0.to_owned();
        texts.map(|of| (number(of, "x"), text(of))).collect()
    }

    #[test]
    fn labels_of_both_axes_have_room_and_axes_of_close_values_begin_at_zero() {
        let close = drawn(&[(50_000.0, 2.0), (98_000.0, 4.0), (940_000.0, 1.5)]);
        let far = drawn(&[(12.0, 2.0), (9_000_000.0, 4000.0)]);
        for svg in [&close, &far] {
            let labels = labels(svg);
            assert!(labels.len() > 5, "{labels:?}");
            for pair in labels.windows(2) {
                let half = |label: &str| text_width(label, 11.5) / 2.0;
                let between = pair[1].0 - half(&pair[1].1) - pair[0].0 - half(&pair[0].1);
                assert!(between >= 5.0, "{pair:?}");
            }
        }
        let zeros = |svg: &str| labels(svg).iter().filter(|(_, label)| label == "0").count();
        assert_eq!((zeros(&drawn(&[(50_000.0, 2.0), (98_000.0, 4.0)])), zeros(&far)), (2, 0));
    }
}
