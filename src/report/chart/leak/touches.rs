//! Where on the bars of a leak the lines of code ran that wrote and read the value.
//!
//! They were seen in another run of the same requests, with a probe: what is known is how far each request had come. So a
//! mark stands as far along its bar, but a write never after its read, nor before what it wrote over.

use plotters::style::text_anchor::HPos;

use super::super::canvas::{Canvas, INK};
use super::super::font::text_width;
use super::super::scale::Scale;
use super::{LEFT, RIGHT, ROW, SOURCE, TOP, VICTIM};
use crate::record::{LeakRecord, PlaceRecord, Witness};

/// Half the height of a mark, and how far a line of text stands from the middle of its bar.
const HALF: f64 = 6.0;
const SIZE: f64 = 10.5;
/// Between two texts of one bar.
const GAP: f64 = 8.0;

/// What a line of code did with the value between the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touch {
    /// The victim's request wrote its own, before.
    WroteOwn,
    /// The source's request wrote.
    Wrote,
    /// The victim's request read.
    Read,
}

impl Touch {
    const fn name(self) -> &'static str {
        match self {
            Touch::WroteOwn | Touch::Wrote => "wrote",
            Touch::Read => "read",
        }
    }
}

/// A line of code on the bar of its request.
pub(super) struct CodeMark<'a> {
    pub touch: Touch,
    /// The index of the bar.
    pub row: usize,
    pub at_ms: f64,
    pub place: &'a PlaceRecord,
}

/// All that are known, bar by bar and in the order of time.
pub(super) fn code_marks(leak: &LeakRecord) -> Vec<CodeMark<'_>> {
    let Some(located) = &leak.located else { return Vec::new() };
    let at = |witness: &Witness, place: &PlaceRecord| {
        let within = place.within.filter(|within| within.is_finite()).unwrap_or(0.5).clamp(0.0, 1.0);
        witness.sent_ms + (witness.done_ms - witness.sent_ms).max(0.0) * within
    };
    let of_victim = |place| (at(&leak.victim, place), place);
    let mut read = located.read.as_ref().map(of_victim);
    let mut before = located.overwritten.as_ref().map(of_victim);
    let write = leak.source.as_ref().zip(located.write.as_ref()).map(|(source, place)| (at(source, place), place));
    if let Some((write, _)) = write {
        before = before.map(|(before, place)| (before.min(write), place));
        read = read.map(|(read, place)| (read.max(write), place));
    }
    let all = [(Touch::WroteOwn, VICTIM, before), (Touch::Read, VICTIM, read), (Touch::Wrote, SOURCE, write)];
    let known =
        all.into_iter().filter_map(|(touch, row, known)| known.map(|(at_ms, place)| (touch, row, at_ms, place)));
    known.map(|(touch, row, at_ms, place)| CodeMark { touch, row, at_ms, place }).collect()
}

/// Draws a mark with its name for each line that is known.
pub(super) fn touches(canvas: &mut Canvas<'_>, leak: &LeakRecord, x: Scale) {
    let all = code_marks(leak);
    for row in [VICTIM, SOURCE] {
        let of_row = all.iter().filter(|mark| mark.row == row);
        marks(canvas, TOP + ROW * (row as f64 + 0.5), of_row.map(|mark| (x.at(mark.at_ms), mark.touch.name())));
    }
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
