//! The colours of all charts, and what becomes of them on a dark ground: an SVG says itself how it looks where its reader prefers
//! one.

use plotters::style::RGBColor;

/// Colours that people with any colour vision tell apart (Okabe and Ito, 2008), and greys.
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(super) const VERMILLION: RGBColor = RGBColor(213, 94, 0);
pub(super) const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub(super) const INK: RGBColor = RGBColor(31, 41, 55);
pub(super) const MUTED: RGBColor = RGBColor(90, 99, 112);
pub(super) const GREY: RGBColor = RGBColor(156, 163, 175);
pub(super) const GRID: RGBColor = RGBColor(229, 231, 235);
/// Diagonal lines over an area.
pub(super) const HATCH: RGBColor = RGBColor(203, 207, 213);
pub(super) const GREEN: RGBColor = RGBColor(0, 158, 115);
pub(super) const PURPLE: RGBColor = RGBColor(204, 121, 167);
pub(super) const SKY: RGBColor = RGBColor(86, 180, 233);
pub(super) const WHITE: RGBColor = RGBColor(255, 255, 255);

/// What each colour becomes; others are seen well on both grounds.
const DARK: [(RGBColor, &str); 11] = [
    (WHITE, "#0D1117"),
    (INK, "#E6EDF3"),
    (MUTED, "#A3ADB9"),
    (GREY, "#7D8590"),
    (GRID, "#262C36"),
    (HATCH, "#3D444D"),
    (BLUE, "#58A6E8"),
    (VERMILLION, "#FF8A4C"),
    (GREEN, "#2FC79B"),
    (PURPLE, "#E08CBB"),
    (SKY, "#9BD3F5"),
];

/// The same picture, with its colours for a dark ground in it.
pub(super) fn with_dark(svg: &str) -> String {
    let rule = |(RGBColor(r, g, b), dark): &(RGBColor, &str)| {
        format!("[fill=\"#{r:02X}{g:02X}{b:02X}\"]{{fill:{dark}}}[stroke=\"#{r:02X}{g:02X}{b:02X}\"]{{stroke:{dark}}}")
    };
    let rules: String = DARK.iter().map(rule).collect();
    let style = format!("<style>@media (prefers-color-scheme:dark){{{rules}}}</style>");
    match svg.find(">\n") {
        Some(end) => format!("{}>\n{style}\n{}", &svg[..end], &svg[end + 2..]),
        None => svg.to_owned(),
    }
}
