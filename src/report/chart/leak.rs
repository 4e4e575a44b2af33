//! One round of a dirty check as a picture of bars: whose request ran when, and whose data went where.

use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::record::{LeakRecord, Witness};
use crate::report::escape::clip;
use crate::report::format::{millis, short_millis};
use crate::report::sentence::overlap_ms;
use crate::units::counted;

use touches::touches;

use super::canvas::{BLUE, Canvas, GREY, GRID, INK, Key, MUTED, VERMILLION, sheet};
use super::font::text_width;
use super::scale::{Scale, number, ticks};

const WIDTH: f64 = 800.0;
const LEFT: f64 = 170.0;
const RIGHT: f64 = 790.0;
const TOP: f64 = 84.0;
const ROW: f64 = 30.0;
/// Between a bar and its times.
const BESIDE: f64 = 10.0;

mod timeline;
mod touches;

pub(crate) use timeline::timeline;

/// The bars of the two, by their index.
const VICTIM: usize = 0;
const SOURCE: usize = 1;

/// The most bystanders that are drawn.
const BYSTANDERS: usize = 8;

/// Draws a leak's witnesses: the victim on top, the source below it, then who else was there.
pub(crate) fn leak(leak: &LeakRecord, title: &str) -> String {
    let (rows, left_out) = rows(leak);
    let bottom = TOP + ROW * rows.len() as f64 + 6.0;
    let (start, end) = span(&rows);
    // Room for the times of the last bar.
    let room = rows.iter().map(|row| text_width(&times(row.witness), 11.5)).fold(0.0, f64::max);
    let x = Scale::linear((start, end), (LEFT, RIGHT - BESIDE - room));
    sheet(WIDTH, bottom + if left_out > 0 { 74.0 } else { 52.0 }, title, |canvas| {
        axis(canvas, x, end, bottom);
        overlap(canvas, leak, x, bottom);
        for (index, row) in rows.iter().enumerate() {
            bar(canvas, row, x, TOP + ROW * (index as f64 + 0.5));
        }
        touches(canvas, leak, x);
        if left_out > 0 {
            let text = format!("and {} of this round, not drawn", counted(left_out, "more request"));
            canvas.text((16.0, bottom + 60.0), &text, 12.0, MUTED, HPos::Left);
        }
        legend(canvas, leak.source.is_some());
    })
}

struct Row<'a> {
    witness: &'a Witness,
    part: &'static str,
    color: RGBColor,
    alpha: f64,
}

impl Row<'_> {
    /// Whose bar it is, in so many characters of its role.
    fn label(&self, longest: usize) -> String {
        let role = clip(&self.witness.role, longest);
        match self.part {
            "" => format!("#{} {role}", self.witness.request),
            part => format!("#{} {role} ({part})", self.witness.request),
        }
    }
}

/// The bars: the victim's, the source's, then those of who else was there; and how many are left out.
fn rows(leak: &LeakRecord) -> (Vec<Row<'_>>, u64) {
    let (others, left_out) = bystanders(leak);
    let mut rows = vec![Row { witness: &leak.victim, part: "victim", color: BLUE, alpha: 0.85 }];
    rows.extend(leak.source.as_ref().map(|witness| Row { witness, part: "source", color: VERMILLION, alpha: 0.9 }));
    rows.extend(others.into_iter().map(|witness| Row { witness, part: "", color: GREY, alpha: 0.55 }));
    (rows, left_out)
}

/// From when to when they were in flight, in milliseconds.
fn span(rows: &[Row<'_>]) -> (f64, f64) {
    let end = rows.iter().map(|row| row.witness.done_ms).filter(|ms| ms.is_finite()).fold(1.0, f64::max);
    let start = rows.iter().map(|row| row.witness.sent_ms).filter(|ms| ms.is_finite()).fold(0.0, f64::min);
    (start, end)
}

/// Those nearest in time to the source, to the victim where that is of an earlier round; in the order in which they were
/// sent, and how many are left out.
fn bystanders(leak: &LeakRecord) -> (Vec<&Witness>, u64) {
    let source = leak.source.as_ref().filter(|source| of_this_round(leak, source));
    let center = source.unwrap_or(&leak.victim).sent_ms;
    let mut all: Vec<&Witness> = leak.bystanders.iter().collect();
    all.sort_by(|a, b| (a.sent_ms - center).abs().total_cmp(&(b.sent_ms - center).abs()));
    let witnesses = 1 + u64::from(source.is_some());
    // Records of before `round_requests` know only those that were kept.
    let others = leak.round_requests.saturating_sub(witnesses).max(all.len() as u64);
    all.truncate(BYSTANDERS);
    let left_out = others - all.len() as u64;
    all.sort_by(|a, b| a.sent_ms.total_cmp(&b.sent_ms));
    (all, left_out)
}

/// Requests are counted over the whole check: one of an earlier round has a lower number than all of this round.
fn of_this_round(leak: &LeakRecord, source: &Witness) -> bool {
    let lowest = leak.bystanders.iter().chain([&leak.victim]).map(|witness| witness.request).min();
    leak.overlapped || lowest.is_some_and(|lowest| source.request >= lowest)
}

fn axis(canvas: &mut Canvas<'_>, x: Scale, end: f64, bottom: f64) {
    for tick in ticks(end, 8.0).into_iter().filter(|tick| *tick <= end) {
        canvas.line((x.at(tick), TOP), (x.at(tick), bottom), GRID, 1.0);
        canvas.text((x.at(tick), bottom + 14.0), &number(tick), 12.0, MUTED, HPos::Center);
    }
    canvas.line((LEFT, bottom), (RIGHT, bottom), GREY, 1.0);
    canvas.text(
        ((LEFT + RIGHT) / 2.0, bottom + 34.0),
        "milliseconds from the start of the round",
        12.0,
        MUTED,
        HPos::Center,
    );
}

/// Shades the time in which victim and source were both handled.
fn overlap(canvas: &mut Canvas<'_>, leak: &LeakRecord, x: Scale, bottom: f64) {
    let Some((from, to)) = leak.source.as_ref().and_then(|source| overlap_ms(&leak.victim, source)) else { return };
    let (left, right) = (x.at(from), x.at(to).max(x.at(from) + 2.0));
    canvas.area((left, TOP - 4.0), (right, bottom), VERMILLION, 0.13);
    let text = format!("both in flight for {}", millis(to - from));
    let half = text_width(&text, 12.0) / 2.0;
    let middle = ((left + right) / 2.0).clamp(LEFT + half, RIGHT - half);
    canvas.text((middle, TOP - 13.0), &text, 12.0, VERMILLION, HPos::Center);
}

fn bar(canvas: &mut Canvas<'_>, row: &Row<'_>, x: Scale, y: f64) {
    let witness = row.witness;
    let (left, right) = (x.at(witness.sent_ms), x.at(witness.done_ms).max(x.at(witness.sent_ms) + 3.0));
    let ink = if row.part.is_empty() { MUTED } else { INK };
    let label = row.label(if row.part.is_empty() { 14 } else { 10 });
    canvas.text((LEFT - 12.0, y), &label, 12.5, ink, HPos::Right);
    canvas.area((left, y - 9.0), (right, y + 9.0), row.color, row.alpha);
    canvas.line((left, y - 12.0), (left, y + 12.0), ink, 2.0);
    if let Some(first_byte) = witness.first_byte_ms {
        canvas.dot((x.at(first_byte), y), 4.0, ink, false);
    }
    canvas.dot((right, y), 3.5, ink, true);
    canvas.text((right + BESIDE, y), &times(witness), 11.5, ink, HPos::Left);
}

fn times(witness: &Witness) -> String {
    format!("+{} to +{} ms", short_millis(witness.sent_ms), short_millis(witness.done_ms))
}

fn legend(canvas: &mut Canvas<'_>, with_source: bool) {
    let mut keys = vec![(Key::Box(BLUE, 0.85), "victim: its response leaked")];
    if with_source {
        keys.push((Key::Box(VERMILLION, 0.9), "source: its canary turned up"));
    }
    keys.push((Key::Tick(INK), "sent"));
    keys.push((Key::Ring(INK), "first byte"));
    keys.push((Key::Dot(INK), "done"));
    canvas.legend(46.0, RIGHT, &keys);
}
