//! Where on the bars of a leak the lines of code ran that wrote and read the value.
//!
//! They were seen in another run of the same requests, with a probe: what is known is how far each request had come. So a
//! mark stands as far along its bar, but a write never after its read, nor before what it wrote over.

use plotters::style::text_anchor::HPos;

use super::super::canvas::{Canvas, INK};
use super::super::font::text_width;
use super::super::scale::Scale;
use super::{LEFT, RIGHT, ROW, TOP};
use crate::record::{LeakRecord, LocationRecord, PlaceRecord, Witness};

/// Half the height of a mark, and how far a line of text stands from the middle of its bar.
const HALF: f64 = 6.0;
const SIZE: f64 = 10.5;
/// Between two texts of one bar.
const GAP: f64 = 8.0;

/// Draws a mark with its name for each line that is known.
pub(super) fn touches(canvas: &mut Canvas<'_>, leak: &LeakRecord, located: &LocationRecord, x: Scale) {
    let at = |witness: &Witness, place: &PlaceRecord| {
        let within = place.within.filter(|within| within.is_finite()).unwrap_or(0.5).clamp(0.0, 1.0);
        x.at(witness.sent_ms + (witness.done_ms - witness.sent_ms).max(0.0) * within)
    };
    let mut read = located.read.as_ref().map(|place| at(&leak.victim, place));
    let mut before = located.overwritten.as_ref().map(|place| at(&leak.victim, place));
    let write = leak.source.as_ref().zip(located.write.as_ref()).map(|(source, place)| at(source, place));
    if let Some(write) = write {
        before = before.map(|before| before.min(write));
        read = read.map(|read| read.max(write));
    }
    let victims = [(before, "wrote"), (read, "read")];
    marks(canvas, TOP + ROW * 0.5, victims.into_iter().filter_map(|(at, name)| Some((at?, name))));
    marks(canvas, TOP + ROW * 1.5, write.map(|write| (write, "wrote")).into_iter());
}

fn marks(canvas: &mut Canvas<'_>, y: f64, all: impl Iterator<Item = (f64, &'static str)>) {
    let mut free = LEFT;
    for (at, name) in all {
        let (at, width) = (at.clamp(LEFT, RIGHT), text_width(name, SIZE));
        canvas.polygon(&[(at, y), (at - HALF, y - HALF * 1.6), (at + HALF, y - HALF * 1.6)], INK, 1.0);
        canvas.line((at, y), (at, y + 9.0), INK, 1.5);
        let left = (at - width / 2.0).max(free).min(RIGHT - width);
        canvas.text((left, y - HALF * 1.6 - SIZE / 2.0 + 1.0), name, SIZE, INK, HPos::Left);
        free = left + width + GAP;
    }
}
