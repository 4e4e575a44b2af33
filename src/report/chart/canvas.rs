//! A white sheet with a plot area, a title, axes and a legend: what all charts share.

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontFamily, FontStyle, FontTransform, IntoFont, RGBColor, ShapeStyle, TextStyle};

use crate::report::escape::clean;

use super::font::{FAMILY, text_width};
use super::theme;
pub(super) use super::theme::{BLUE, GREEN, GREY, GRID, HATCH, INK, MUTED, ORANGE, PURPLE, SKY, VERMILLION, WHITE};

/// plotters counts whole pixels: drawn this much larger and shown this much smaller, lines are smooth.
const FINE: f64 = 4.0;

/// The lengths of a dash and of the gap after it.
pub(super) const DASHES: [f64; 2] = [6.0, 5.0];
/// The same of a thin line that only bounds others.
pub(super) const DOTS: [f64; 2] = [2.0, 4.0];

/// The form of a mark: told apart without any colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Dot,
    Square,
    Triangle,
    Diamond,
    Ring,
    Cross,
}

/// A mark in the legend.
#[derive(Clone, Copy)]
pub(super) enum Key {
    Line(RGBColor),
    Dashes(RGBColor),
    Dots(RGBColor),
    /// A line with its dashes and its marks.
    Marked(RGBColor, &'static [f64], Option<Shape>),
    Mark(RGBColor, Shape),
    Box(RGBColor, f64),
    Tick(RGBColor),
    Ring(RGBColor),
    Dot(RGBColor),
}

/// Coordinates are pixels of the finished picture, from its upper left corner.
pub(super) struct Canvas<'a> {
    backend: SVGBackend<'a>,
}

fn pen(color: RGBColor, alpha: f64, width: f64) -> ShapeStyle {
    ShapeStyle { color: color.mix(alpha), filled: false, stroke_width: (width * FINE).round() as u32 }
}

fn fine(point: (f64, f64)) -> (i32, i32) {
    ((point.0 * FINE).round() as i32, (point.1 * FINE).round() as i32)
}

/// Draws with `draw` on a white sheet and returns the SVG.
pub(super) fn sheet(width: f64, height: f64, title: &str, draw: impl FnOnce(&mut Canvas<'_>)) -> String {
    let mut svg = String::new();
    let size = ((width * FINE) as u32, (height * FINE) as u32);
    let mut canvas = Canvas { backend: SVGBackend::with_string(&mut svg, size) };
    canvas.area((0.0, 0.0), (width, height), WHITE, 1.0);
    canvas.bold((16.0, 22.0), title, 15.0);
    draw(&mut canvas);
    // A sheet in memory has nothing that could fail.
    let _ = canvas.backend.present();
    drop(canvas);
    let large = format!("width=\"{}\" height=\"{}\"", size.0, size.1);
    let svg = svg.replacen(&large, &format!("width=\"{width}\" height=\"{height}\" role=\"img\""), 1);
    theme::with_dark(&svg)
}

impl Canvas<'_> {
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), color: RGBColor, width: f64) {
        let _ = self.backend.draw_line(fine(from), fine(to), &pen(color, 1.0, width));
    }

    pub(super) fn path(&mut self, points: &[(f64, f64)], color: RGBColor, width: f64) {
        let _ = self.backend.draw_path(points.iter().copied().map(fine), &pen(color, 1.0, width));
    }

    /// A path of dashes.
    pub(super) fn dashes(&mut self, points: &[(f64, f64)], color: RGBColor, width: f64) {
        self.dashed(points, &DASHES, color, width);
    }

    /// A path of dashes and gaps of these lengths, in turns; an unbroken one of none.
    pub(super) fn dashed(&mut self, points: &[(f64, f64)], pattern: &[f64], color: RGBColor, width: f64) {
        let period: f64 = pattern.iter().sum();
        if period <= 0.0 {
            return self.path(points, color, width);
        }
        let mut walked = 0.0;
        for pair in points.windows(2) {
            let [from, to] = [pair[0], pair[1]];
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            let along = |at: f64| (from.0 + (to.0 - from.0) * at / length, from.1 + (to.1 - from.1) * at / length);
            let mut at = 0.0;
            while at < length {
                let (drawn, left) = piece(pattern, (walked + at) % period);
                // A floor, so that rounding cannot make a step of nothing.
                let next = (at + left.max(0.01)).min(length);
                if drawn {
                    self.line(along(at), along(next), color, width);
                }
                at = next;
            }
            walked += length;
        }
    }

    pub(super) fn area(&mut self, from: (f64, f64), to: (f64, f64), color: RGBColor, alpha: f64) {
        let _ = self.backend.draw_rect(fine(from), fine(to), &pen(color, alpha, 1.0), true);
    }

    pub(super) fn polygon(&mut self, points: &[(f64, f64)], color: RGBColor, alpha: f64) {
        let _ = self.backend.fill_polygon(points.iter().copied().map(fine), &pen(color, alpha, 1.0));
    }

    /// Thin diagonal lines over an area.
    pub(super) fn hatch(&mut self, from: (f64, f64), to: (f64, f64), color: RGBColor) {
        let (width, height) = (to.0 - from.0, to.1 - from.1);
        let mut offset = -height + 9.0;
        while offset < width {
            let (start, end) = (offset.max(0.0), (offset + height).min(width));
            let y = |x: f64| to.1 - (x - offset);
            if end > start {
                self.line((from.0 + start, y(start)), (from.0 + end, y(end)), color, 0.75);
            }
            offset += 9.0;
        }
    }

    pub(super) fn dot(&mut self, at: (f64, f64), radius: f64, color: RGBColor, filled: bool) {
        let radius = (radius * FINE) as u32;
        if !filled {
            let _ = self.backend.draw_circle(fine(at), radius, &pen(WHITE, 1.0, 1.0), true);
        }
        let _ = self.backend.draw_circle(fine(at), radius, &pen(color, 1.0, 1.5), filled);
    }

    /// A mark that is told by its form, whatever its colour.
    pub(super) fn mark(&mut self, at: (f64, f64), shape: Shape, radius: f64, color: RGBColor) {
        let corner = |x: f64, y: f64| (at.0 + x * radius, at.1 + y * radius);
        match shape {
            Shape::Dot => self.dot(at, radius, color, true),
            Shape::Ring => self.dot(at, radius, color, false),
            Shape::Square => self.area(corner(-0.9, -0.9), corner(0.9, 0.9), color, 1.0),
            Shape::Triangle => self.polygon(&[corner(0.0, -1.2), corner(1.1, 0.9), corner(-1.1, 0.9)], color, 1.0),
            Shape::Diamond => {
                self.polygon(&[corner(0.0, -1.3), corner(1.3, 0.0), corner(0.0, 1.3), corner(-1.3, 0.0)], color, 1.0);
            }
            Shape::Cross => {
                self.line(corner(-0.9, -0.9), corner(0.9, 0.9), color, 2.0);
                self.line(corner(-0.9, 0.9), corner(0.9, -0.9), color, 2.0);
            }
        }
    }

    /// Text whose middle is at the height of `at`.
    pub(super) fn text(&mut self, at: (f64, f64), text: &str, size: f64, color: RGBColor, side: HPos) {
        self.write(at, text, FontStyle::Normal, size, color, side, FontTransform::None);
    }

    pub(super) fn bold(&mut self, at: (f64, f64), text: &str, size: f64) {
        self.write(at, text, FontStyle::Bold, size, INK, HPos::Left, FontTransform::None);
    }

    /// The name of the y axis, written upwards.
    pub(super) fn upwards(&mut self, at: (f64, f64), text: &str, size: f64) {
        self.write(at, text, FontStyle::Normal, size, MUTED, HPos::Center, FontTransform::Rotate270);
    }

    #[expect(clippy::too_many_arguments, reason = "the one place that hands text to plotters")]
    fn write(
        &mut self,
        at: (f64, f64),
        text: &str,
        style: FontStyle,
        size: f64,
        color: RGBColor,
        side: HPos,
        transform: FontTransform,
    ) {
        // plotters divides the size by 1.24, and its vertical centring leaves text above the middle in some renderers.
        let font = (FontFamily::Name(FAMILY), size * FINE * 1.24, style).into_font().transform(transform.clone());
        let style = TextStyle::from(font).color(&color).pos(Pos::new(side, VPos::Center));
        let _ = self.backend.draw_text(&clean(text), &style, fine(at));
    }

    /// Marks with their names in rows from the left edge, the first at `y`; how many rows that takes.
    pub(super) fn legend_rows(&mut self, y: f64, (left, right): (f64, f64), entries: &[(Key, &str)]) -> usize {
        for (at, row, (key, name)) in in_rows((left, right), entries) {
            let y = y + LEGEND_ROW * row as f64;
            self.key((at, y), key);
            self.text((at + KEY, y), name, 12.0, INK, HPos::Left);
        }
        rows_of((left, right), entries)
    }

    /// Marks with their names, side by side from the right edge.
    pub(super) fn legend(&mut self, y: f64, right: f64, entries: &[(Key, &str)]) {
        let mut x = right;
        for (key, name) in entries.iter().rev() {
            x -= text_width(name, 12.0);
            self.text((x, y), name, 12.0, INK, HPos::Left);
            x -= KEY;
            self.key((x, y), key);
            x -= 16.0;
        }
    }

    fn key(&mut self, (x, y): (f64, f64), key: &Key) {
        let middle = (x + 12.0, y);
        match key {
            Key::Line(color) => self.line((x, y), (x + 20.0, y), *color, 2.5),
            Key::Dashes(color) => self.dashes(&[(x, y), (x + 20.0, y)], *color, 2.5),
            Key::Dots(color) => self.dashed(&[(x, y), (x + 20.0, y)], &DOTS, *color, 1.5),
            Key::Marked(color, pattern, shape) => {
                self.dashed(&[(x, y), (x + 20.0, y)], pattern, *color, 2.5);
                if let Some(shape) = shape {
                    self.mark((x + 10.0, y), *shape, 4.0, *color);
                }
            }
            Key::Mark(color, shape) => self.mark(middle, *shape, 4.0, *color),
            Key::Box(color, alpha) => self.area((x + 4.0, y - 6.0), (x + 20.0, y + 6.0), *color, *alpha),
            Key::Tick(color) => self.line((x + 14.0, y - 7.0), (x + 14.0, y + 7.0), *color, 2.0),
            Key::Ring(color) => self.dot(middle, 4.0, *color, false),
            Key::Dot(color) => self.dot(middle, 4.0, *color, true),
        }
    }
}

/// The width of a mark of the legend, and the gap between two entries.
const KEY: f64 = 26.0;
const BETWEEN: f64 = 16.0;
/// The height of a row of the legend.
pub(super) const LEGEND_ROW: f64 = 18.0;

/// Where each entry of a legend begins, and in which row.
fn in_rows<'e>((left, right): (f64, f64), entries: &'e [(Key, &'e str)]) -> Vec<(f64, usize, &'e (Key, &'e str))> {
    let (mut x, mut row) = (left, 0);
    let mut placed = Vec::with_capacity(entries.len());
    for entry in entries {
        let width = KEY + text_width(entry.1, 12.0);
        if x > left && x + width > right {
            (x, row) = (left, row + 1);
        }
        placed.push((x, row, entry));
        x += width + BETWEEN;
    }
    placed
}

/// How many rows a legend takes.
pub(super) fn rows_of(edges: (f64, f64), entries: &[(Key, &str)]) -> usize {
    in_rows(edges, entries).last().map_or(0, |(_, row, _)| row + 1)
}

/// Whether a place of a pattern is drawn, and how far its piece goes on.
fn piece(pattern: &[f64], phase: f64) -> (bool, f64) {
    let mut end = 0.0;
    for (index, length) in pattern.iter().enumerate() {
        end += length;
        if phase < end {
            return (index % 2 == 0, end - phase);
        }
    }
    (false, 0.0)
}

#[cfg(test)]
mod tests {
    use super::super::canvas::sheet;
    use super::*;

    #[test]
    fn every_colour_of_a_sheet_is_one_that_the_dark_ground_has_too() {
        let svg = sheet(100.0, 50.0, "a title", |canvas| canvas.line((0.0, 0.0), (9.0, 9.0), BLUE, 1.0));
        assert_eq!(svg.matches("<style>").count(), 1);
        assert!(svg.starts_with("<svg ") && svg.find("<style>") < svg.find("<rect"), "{svg}");
        for drawn in ["fill=\"#FFFFFF\"", "fill=\"#1F2937\"", "stroke=\"#0072B2\""] {
            assert!(svg.contains(drawn) && svg.contains(&format!("[{drawn}]")), "{drawn}: {svg}");
        }
    }
}
