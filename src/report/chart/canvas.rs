//! A white sheet with a plot area, a title, axes and a legend: what all charts share.

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontFamily, FontStyle, FontTransform, IntoFont, RGBColor, ShapeStyle, TextStyle};

use crate::report::escape::clean;

/// Colours that people with any colour vision tell apart (Okabe and Ito, 2008), and greys.
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(super) const VERMILLION: RGBColor = RGBColor(213, 94, 0);
pub(super) const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub(super) const INK: RGBColor = RGBColor(31, 41, 55);
pub(super) const MUTED: RGBColor = RGBColor(90, 99, 112);
pub(super) const GREY: RGBColor = RGBColor(156, 163, 175);
pub(super) const GRID: RGBColor = RGBColor(229, 231, 235);
const WHITE: RGBColor = RGBColor(255, 255, 255);

const FONT: &str = "-apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Helvetica, Arial, sans-serif";

/// plotters counts whole pixels: drawn this much larger and shown this much smaller, lines are smooth.
const FINE: f64 = 4.0;

/// The lengths of a dash and of the gap after it.
const DASH: f64 = 6.0;
const GAP: f64 = 5.0;

/// A mark in the legend.
pub(super) enum Key {
    Line(RGBColor),
    Dashes(RGBColor),
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
    svg.replacen(&large, &format!("width=\"{width}\" height=\"{height}\" role=\"img\""), 1)
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
        let mut walked = 0.0;
        for pair in points.windows(2) {
            let [from, to] = [pair[0], pair[1]];
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            let along = |at: f64| (from.0 + (to.0 - from.0) * at / length, from.1 + (to.1 - from.1) * at / length);
            let mut at = 0.0;
            while at < length {
                let phase = (walked + at) % (DASH + GAP);
                let (drawn, left) = if phase < DASH { (true, DASH - phase) } else { (false, DASH + GAP - phase) };
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
        let font = (FontFamily::Name(FONT), size * FINE * 1.24, style).into_font().transform(transform.clone());
        let style = TextStyle::from(font).color(&color).pos(Pos::new(side, VPos::Center));
        let _ = self.backend.draw_text(&clean(text), &style, fine(at));
    }

    /// Marks with their names, side by side from the right edge.
    pub(super) fn legend(&mut self, y: f64, right: f64, entries: &[(Key, &str)]) {
        let mut x = right;
        for (key, name) in entries.iter().rev() {
            x -= text_width(name, 12.0);
            self.text((x, y), name, 12.0, INK, HPos::Left);
            x -= 26.0;
            self.key((x, y), key);
            x -= 16.0;
        }
    }

    fn key(&mut self, (x, y): (f64, f64), key: &Key) {
        let middle = (x + 12.0, y);
        match key {
            Key::Line(color) => self.line((x, y), (x + 20.0, y), *color, 2.5),
            Key::Dashes(color) => self.dashes(&[(x, y), (x + 20.0, y)], *color, 2.5),
            Key::Box(color, alpha) => self.area((x + 4.0, y - 6.0), (x + 20.0, y + 6.0), *color, *alpha),
            Key::Tick(color) => self.line((x + 14.0, y - 7.0), (x + 14.0, y + 7.0), *color, 2.0),
            Key::Ring(color) => self.dot(middle, 4.0, *color, false),
            Key::Dot(color) => self.dot(middle, 4.0, *color, true),
        }
    }
}

/// About how wide a text is; the font is known only where the picture is shown.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | '.' | ',' | ':' | ' ' | '(' | ')' | '\'' | '|' => 0.32,
        'm' | 'w' | 'M' | 'W' | '%' => 0.88,
        c if c.is_ascii_uppercase() => 0.7,
        c if c.is_ascii() => 0.56,
        _ => 1.0,
    };
    text.chars().map(em).sum::<f64>() * size
}
