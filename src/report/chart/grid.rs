//! Small multiples: panels of one size that share their axes, so that they can be compared at a glance.

use plotters::style::text_anchor::HPos;
use serde_json::Value;

use crate::record::VariantRecord;

use super::canvas::{Canvas, GREY, GRID, INK, Key, LEGEND_ROW, MUTED, rows_of, sheet};
use super::font::{fitted, text_width};
use super::scale::{ChartAxis, Scale};

const WIDTH: f64 = 800.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 784.0;
/// Of the legend's first row.
const LEGEND: f64 = 48.0;
/// Between two panels side by side, and from the foot of one to the name of the next.
const BESIDE: f64 = 20.0;
const BELOW: f64 = 14.0;
/// How far a label may stand out beyond a panel.
const OVER: f64 = 6.0;
/// The height of a panel's name.
const NAME: f64 = 20.0;
/// Labels of the y axis are no nearer to each other.
const APART: f64 = 13.0;
/// The most panels that are drawn.
const PANELS: usize = 30;

/// A panel, with its scales.
#[derive(Debug, Clone, Copy)]
pub(super) struct PanelFrame {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    pub x: Scale,
    pub y: Scale,
}

/// What all panels share.
pub(super) struct SharedAxes<'a> {
    pub x: &'a ChartAxis,
    pub y: &'a ChartAxis,
    pub x_name: &'a str,
    pub y_name: &'a str,
}

/// Draws a panel for each name with `draw`, which gets its index.
pub(super) fn grid(
    title: &str,
    names: &[String],
    axes: &SharedAxes<'_>,
    keys: &[(Key, &str)],
    draw: impl Fn(&mut Canvas<'_>, usize, PanelFrame),
) -> String {
    let drawn = names.len().min(PANELS);
    let columns = columns(drawn);
    let rows = drawn.div_ceil(columns).max(1);
    let height = match columns {
        1 => 230.0,
        2 => 170.0,
        _ => 104.0,
    };
    let top = LEGEND + LEGEND_ROW * rows_of((LEFT, RIGHT), keys) as f64 - 4.0;
    let row = NAME + height + BELOW;
    let bottom = top + row * rows as f64 - BELOW;
    let left_out = names.len() - drawn;
    let foot = if left_out > 0 { 74.0 } else { 52.0 };
    sheet(WIDTH, bottom + foot, title, |canvas| {
        canvas.legend_rows(LEGEND, (LEFT, RIGHT), keys);
        let width = (RIGHT - LEFT - BESIDE * (columns - 1) as f64) / columns as f64;
        for (index, name) in names.iter().enumerate().take(drawn) {
            let left = LEFT + (width + BESIDE) * (index % columns) as f64;
            let top = top + row * (index / columns) as f64 + NAME;
            let (right, bottom) = (left + width, top + height);
            let (x, y) = (axes.x.scale.onto((left, right)), axes.y.scale.onto((bottom, top)));
            let cell = PanelFrame { left, right, top, bottom, x, y };
            // The lowest of its column has the labels.
            let is_lowest = index + columns >= drawn;
            frame(canvas, axes, cell, (index % columns == 0, is_lowest));
            draw(canvas, index, cell);
            canvas.line((left, bottom), (right, bottom), GREY, 1.0);
            canvas.text((left, top - 10.0), &fitted(name, width, 12.0), 12.0, INK, HPos::Left);
        }
        canvas.text(((LEFT + RIGHT) / 2.0, bottom + 36.0), axes.x_name, 12.0, MUTED, HPos::Center);
        canvas.upwards((16.0, (top + bottom) / 2.0), axes.y_name, 12.0);
        if left_out > 0 {
            canvas.text((16.0, bottom + 60.0), &format!("and {left_out} more, not drawn"), 12.0, MUTED, HPos::Left);
        }
    })
}

/// The names of variants as panels have them, and what to add to the title: where the whole names have no room, only the values
/// that the matrix sets, and which keys these are of.
pub(super) fn panel_names(variants: &[VariantRecord]) -> (Vec<String>, String) {
    let numbered = |texts: Vec<String>| -> Vec<String> {
        texts.into_iter().enumerate().map(|(index, text)| format!("{}  {text}", index + 1)).collect()
    };
    let whole = numbered(variants.iter().map(|variant| variant.name.clone()).collect());
    let count = columns(variants.len()) as f64;
    let width = (RIGHT - LEFT - BESIDE * (count - 1.0)) / count;
    if variants.iter().any(|of| of.settings.is_empty()) || whole.iter().all(|name| text_width(name, 12.0) <= width) {
        return (whole, String::new());
    }
    let short = |key: &String| key.rsplit('.').next().unwrap_or(key).to_owned();
    let values = |variant: &VariantRecord| {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        variant.settings.values().map(text).collect::<Vec<_>>().join(", ")
    };
    let keys: Vec<String> = variants[0].settings.keys().map(short).collect();
    (numbered(variants.iter().map(values).collect()), format!(" ({})", keys.join(", ")))
}

fn columns(panels: usize) -> usize {
    match panels {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => 3,
    }
}

/// Lines of both axes, and the labels that this panel has.
fn frame(canvas: &mut Canvas<'_>, axes: &SharedAxes<'_>, cell: PanelFrame, (with_y, with_x): (bool, bool)) {
    let places: Vec<f64> = axes.y.ticks.iter().map(|(tick, _)| cell.y.at(*tick)).collect();
    // Where 1, 2, 5 have no room, 1 stands alone.
    let is_tight = !axes.y.from_zero && places.windows(2).any(|pair| (pair[0] - pair[1]).abs() < APART);
    let mut free_to = f64::INFINITY;
    for (tick, label) in &axes.y.ticks {
        let (y, is_decade) = (cell.y.at(*tick), tick.log10().fract().abs() < 1e-9);
        if y > free_to || is_tight && !is_decade {
            continue;
        }
        canvas.line((cell.left, y), (cell.right, y), GRID, 1.0);
        if with_y {
            canvas.text((LEFT - 8.0, y), label, 12.0, MUTED, HPos::Right);
        }
        free_to = y - APART;
    }
    let mut free_from = 0.0;
    for (tick, label) in &axes.x.ticks {
        let (x, half) = (cell.x.at(*tick), text_width(label, 11.5) / 2.0);
        if x - half < free_from || x + half > cell.right + OVER {
            continue;
        }
        canvas.line((x, cell.top), (x, cell.bottom), GRID, 1.0);
        if with_x {
            canvas.text((x, cell.bottom + 14.0), label, 11.5, MUTED, HPos::Center);
        }
        free_from = x + half + 8.0;
    }
}
