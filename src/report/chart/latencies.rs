//! Latency by percentile of several servers over each other: a panel for each condition, or each variant.

use crate::analysis::median_trial::median_trial;
use crate::analysis::pooled;
use crate::record::{ComparisonRecord, VariantRecord};
use crate::stats::Distribution;

use super::by_key::{chosen, left_out};
use super::canvas::{DOTS, Key, MUTED};
use super::grid::{SharedAxes, grid, panel_names};
use super::percentiles::{depth, known, labels, points};
use super::scale::{ChartAxis, Measure, Scale};
use super::styles::style;

/// Draws what was measured of the alternatives under each condition, all trials of each together; `None` if fewer than two have a
/// load.
pub(crate) fn alternatives(comparison: &ComparisonRecord, variants: &[VariantRecord]) -> Option<String> {
    let drawn = chosen(comparison);
    let panels: Vec<Panel> = comparison
        .conditions
        .iter()
        .map(|condition| {
            let of = |index: &Option<usize>| index.and_then(|index| distribution(variants.get(index)?));
            let lines = drawn.iter().map(|alternative| of(condition.variants.get(*alternative)?)).collect();
            Panel { name: condition.name.clone(), lines }
        })
        .collect();
    let names: Vec<&str> = drawn.iter().map(|alternative| comparison.alternatives[*alternative].as_str()).collect();
    let title = format!("Latency by percentile, under each condition{}", left_out(comparison));
    (drawn.len() >= 2).then(|| draw(&title, &panels, &names)).flatten()
}

/// Draws a panel for each variant; `None` if none has a load.
pub(crate) fn by_variant(variants: &[VariantRecord]) -> Option<String> {
    let (names, keys_of_names) = panel_names(variants);
    let panel = |(name, variant)| Some(Panel { name, lines: vec![Some(distribution(variant)?)] });
    let panels: Vec<Panel> = names.into_iter().zip(variants).filter_map(panel).collect();
    draw(&format!("Latency by percentile{keys_of_names}"), &panels, &["latency (from when it was due)"])
}

struct Panel {
    name: String,
    /// In the order of the legend.
    lines: Vec<Option<Distribution>>,
}

fn distribution(variant: &VariantRecord) -> Option<Distribution> {
    let of_one = || median_trial(variant)?.1.load.as_ref()?.histogram.latencies();
    let latencies = pooled::latencies(&variant.trials).or_else(of_one);
    latencies.map(|latencies| latencies.distribution()).filter(|known| !known.is_empty())
}

fn draw(title: &str, panels: &[Panel], names: &[&str]) -> Option<String> {
    let lines = || panels.iter().flat_map(|panel| panel.lines.iter().flatten());
    let ends =
        |of: &Distribution| [of.min(), of.max()].into_iter().flatten().map(|at| at.likely() / 1e9).collect::<Vec<_>>();
    let values: Vec<f64> = lines().flat_map(ends).map(|seconds| seconds.max(1e-7)).collect();
    let most = lines().map(Distribution::len).max()?;
    let depth = depth(most);
    let ticks = labels(depth).map(|(at, label)| (at, label.to_owned())).collect();
    let x = ChartAxis { scale: Scale::linear((0.0, depth), (0.0, 1.0)), ticks, from_zero: true };
    let y = ChartAxis::over(&values, (1.0, 0.0), Measure::Time);
    let axes = SharedAxes {
        x: &x,
        y: &y,
        x_name: "share of all started requests that took no longer",
        y_name: "time to the whole response",
    };
    let mut keys: Vec<(Key, &str)> =
        names.iter().enumerate().map(|(index, name)| (style(index).key(false), *name)).collect();
    if lines().any(|line| known(line) < line.len()) {
        keys.push((Key::Dots(MUTED), "no response: longer than this"));
    }
    let panel_names: Vec<String> = panels.iter().map(|panel| panel.name.clone()).collect();
    Some(grid(title, &panel_names, &axes, &keys, |canvas, index, cell| {
        for (index, line) in panels[index].lines.iter().enumerate() {
            let Some(line) = line else { continue };
            let (style, known, all) = (style(index), known(line), line.len());
            if known > 0 {
                canvas.dashed(&points(line, (cell.x, cell.y), 1, known), style.dashes, style.color, 2.5);
            }
            if known < all {
                canvas.dashed(&points(line, (cell.x, cell.y), known + 1, all), &DOTS, style.color, 1.5);
            }
        }
    }))
}
