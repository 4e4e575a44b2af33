//! What the server used: cores, memory and counts in panels that share the time axis, and what happened to its processes.

use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::record::{ServerEvent, ServerRecord, ServerSample};
use crate::report::escape::clip;
use crate::report::format;

use super::canvas::{BLUE, Canvas, DASHES, GREY, GRID, INK, Key, MUTED, ORANGE, VERMILLION, sheet};
use super::font::text_width;
use super::scale::{Scale, log_range, log_ticks, number, ticks};

const WIDTH: f64 = 800.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 776.0;
/// Of the first panel; the labels of events stand above it.
const TOP: f64 = 74.0;
const PANEL: f64 = 96.0;
const GAP: f64 = 38.0;
/// Between two rows of labels.
const LANE: f64 = 14.0;

/// Fewer samples make no curve.
const FEWEST: usize = 3;
/// Cores are a mean over this many seconds.
const STRETCH: f64 = 0.5;
/// The most points of a curve; more samples are drawn in groups.
const POINTS: usize = 350;
/// Counts that are further apart than this share a logarithmic axis.
const FAR_APART: f64 = 20.0;
/// The most events that are drawn.
const EVENTS: usize = 20;

struct Curve {
    name: &'static str,
    color: RGBColor,
    dashes: &'static [f64],
    of: fn(&ServerSample) -> f64,
}

const CPU: [Curve; 1] =
    [Curve { name: "CPU, cores in use, mean over half a second", color: BLUE, dashes: &[], of: |sample| sample.cpu }];
const MEMORY: [Curve; 1] =
    [Curve { name: "memory, MB", color: BLUE, dashes: &[], of: |sample| sample.rss_bytes as f64 / 1_000_000.0 }];
const COUNTS: [Curve; 3] = [
    Curve { name: "descriptors", color: ORANGE, dashes: &[10.0, 3.0], of: |sample| sample.descriptors as f64 },
    Curve { name: "threads", color: BLUE, dashes: &[], of: |sample| sample.threads as f64 },
    Curve { name: "processes", color: INK, dashes: &DASHES, of: |sample| sample.processes as f64 },
];

/// Draws the samples; `None` if there are too few to draw.
pub(crate) fn server(server: &ServerRecord, title: &str) -> Option<String> {
    let Samples { rows, first, last } = samples(server)?;
    let marks = marks(&server.events, (first, last));
    let end = marks.iter().map(|(_, event)| event.t_s).fold(last, f64::max);
    let x = Scale::linear((first, end), (LEFT, RIGHT));
    let height = TOP + 3.0 * PANEL + 2.0 * GAP + 52.0;
    Some(sheet(WIDTH, height, title, |canvas| {
        let bottom = height - 52.0;
        time_axis(canvas, x, (first, end), bottom);
        for (index, curves) in [&CPU[..], &MEMORY, &COUNTS].into_iter().enumerate() {
            let top = TOP + index as f64 * (PANEL + GAP);
            panel(canvas, curves, &rows, x, (top, top + PANEL));
        }
        events(canvas, &marks, x, bottom);
    }))
}

/// What is drawn of a server, and from when to when, in seconds from its start.
struct Samples {
    rows: Vec<ServerSample>,
    first: f64,
    last: f64,
}

fn samples(server: &ServerRecord) -> Option<Samples> {
    let finite = |sample: &&ServerSample| sample.t_s.is_finite() && sample.cpu.is_finite();
    let all: Vec<ServerSample> = server.samples.iter().filter(finite).cloned().collect();
    let (first, last) = (all.first()?.t_s, all.last()?.t_s);
    let enough = all.len() >= FEWEST && last > first;
    enough.then(|| Samples { rows: grouped(&steadied(&all)), first, last })
}

/// The samples with steady figures of the cores in use; `None` if there are too few to draw.
pub(super) fn cores(server: &ServerRecord) -> Option<Vec<ServerSample>> {
    samples(server).map(|samples| samples.rows)
}

/// The events of the time that is drawn, a little beyond its end included, with their numbers from 1.
fn marks(events: &[ServerEvent], (first, last): (f64, f64)) -> Vec<(usize, &ServerEvent)> {
    let drawn = first..=last + (last - first) * 0.1;
    let numbered = events.iter().enumerate().map(|(index, event)| (index + 1, event));
    numbered.filter(|(_, event)| drawn.contains(&event.t_s)).take(EVENTS).collect()
}

fn time_axis(canvas: &mut Canvas<'_>, x: Scale, (first, end): (f64, f64), bottom: f64) {
    let all = ticks(end - first, 10.0);
    let step = all.get(1).copied().unwrap_or(1.0);
    let start = (first / step).ceil() * step;
    for tick in (0..all.len()).map(|n| start + n as f64 * step).filter(|tick| *tick <= end) {
        canvas.line((x.at(tick), TOP), (x.at(tick), bottom + 4.0), GRID, 1.0);
        canvas.text((x.at(tick), bottom + 15.0), &number(tick), 12.0, MUTED, HPos::Center);
    }
    let middle = (LEFT + RIGHT) / 2.0;
    canvas.text((middle, bottom + 36.0), "seconds from the start of the server", 12.0, MUTED, HPos::Center);
}

/// The y axis of a panel, its ticks, and whether it is logarithmic.
fn axis(curves: &[Curve], rows: &[ServerSample], (top, bottom): (f64, f64)) -> (Scale, Vec<f64>, bool) {
    let values = || curves.iter().flat_map(|curve| rows.iter().map(curve.of));
    let highest = values().fold(0.0, f64::max);
    let lowest = values().fold(f64::INFINITY, f64::min).max(1.0);
    let far_apart = curves.len() > 1 && highest > lowest * FAR_APART;
    if far_apart {
        let (_, above) = log_range(lowest, highest);
        let range = (10f64.powf(lowest.log10().floor()), above);
        let thinned = log_ticks(range).into_iter().filter(|tick| tick.log10().fract().abs() < 1e-9).collect();
        (Scale::logarithmic(range, (bottom, top)), thinned, true)
    } else {
        let all: Vec<f64> = ticks(highest * 1.05, 3.0);
        (Scale::linear((0.0, all.last().copied().unwrap_or(1.0)), (bottom, top)), all, false)
    }
}

/// One panel: its name above it on the left, the names of its curves on the right if there are several.
fn panel(canvas: &mut Canvas<'_>, curves: &[Curve], rows: &[ServerSample], x: Scale, (top, bottom): (f64, f64)) {
    let (y, y_ticks, logarithmic) = axis(curves, rows, (top, bottom));
    for tick in &y_ticks {
        canvas.line((LEFT, y.at(*tick)), (RIGHT, y.at(*tick)), GRID, 1.0);
        canvas.text((LEFT - 8.0, y.at(*tick)), &number(*tick), 12.0, MUTED, HPos::Right);
    }
    for curve in curves {
        let points: Vec<_> = rows.iter().map(|row| (x.at(row.t_s), y.at((curve.of)(row)))).collect();
        if let ([only], Some(first), Some(last)) = (curves, points.first(), points.last()) {
            let closed: Vec<_> =
                [(first.0, bottom)].into_iter().chain(points.clone()).chain([(last.0, bottom)]).collect();
            canvas.polygon(&closed, only.color, 0.12);
        }
        // Threads and processes are often the same number.
        canvas.dashed(&points, curve.dashes, curve.color, 2.0);
    }
    canvas.line((LEFT, bottom), (RIGHT, bottom), GREY, 1.0);
    let name = match curves {
        [only] => only.name,
        _ if logarithmic => "how many (logarithmic)",
        _ => "how many",
    };
    canvas.text((LEFT, top - 12.0), name, 12.0, INK, HPos::Left);
    if curves.len() > 1 {
        let keys: Vec<_> =
            curves.iter().map(|curve| (Key::Marked(curve.color, curve.dashes, None), curve.name)).collect();
        canvas.legend(top - 12.0, RIGHT, &keys);
    }
}

/// A line through all panels for each event; its label stands in whichever row above has room, or is left out.
fn events(canvas: &mut Canvas<'_>, marks: &[(usize, &ServerEvent)], x: Scale, bottom: f64) {
    let lanes = [TOP - 30.0, TOP - 30.0 + LANE];
    let mut taken: Vec<(f64, f64, f64)> = vec![(lanes[1], LEFT, LEFT + text_width(CPU[0].name, 12.0) + 8.0)];
    for (number, event) in marks {
        let at = x.at(event.t_s);
        canvas.dashes(&[(at, TOP), (at, bottom)], VERMILLION, 1.25);
        let short = number.to_string();
        let long = format!("{number} {}", clip(&format::happening(&event.what), 38));
        let tries = [long, short].into_iter().flat_map(|label| lanes.map(|y| (label.clone(), y)));
        for (label, y) in tries {
            let width = text_width(&label, 11.5);
            let from = (at - 3.0).min(RIGHT - width);
            let free =
                |(other, start, end): &(f64, f64, f64)| *other != y || from > end + 8.0 || from + width < start - 8.0;
            if taken.iter().all(free) {
                canvas.text((from, y), &label, 11.5, VERMILLION, HPos::Left);
                taken.push((y, from, from + width));
                break;
            }
        }
    }
}

/// Each sample's cores as the mean over [`STRETCH`] up to it: the system counts CPU time in steps of 10 ms, which is a lot of
/// the time between two samples. The first has none before it, and is left out.
fn steadied(all: &[ServerSample]) -> Vec<ServerSample> {
    let mut before = all;
    let mut rows = Vec::with_capacity(all.len());
    for (index, sample) in all.iter().enumerate().skip(1) {
        while before.get(1).is_some_and(|next| sample.t_s - next.t_s >= STRETCH) {
            before = &before[1..];
        }
        let from = all.len() - before.len();
        let used: f64 = all[from..=index].windows(2).map(|pair| pair[1].cpu * (pair[1].t_s - pair[0].t_s)).sum();
        let span = sample.t_s - all[from].t_s;
        rows.push(ServerSample { cpu: if span > 0.0 { used / span } else { 0.0 }, ..sample.clone() });
    }
    rows
}

/// Joins neighbours until there are few enough to draw: mean cores, and the most of all else.
fn grouped(samples: &[ServerSample]) -> Vec<ServerSample> {
    let size = samples.len().div_ceil(POINTS).max(1);
    let most = |rows: &[ServerSample], of: fn(&ServerSample) -> u64| rows.iter().map(of).max().unwrap_or(0);
    let join = |rows: &[ServerSample]| ServerSample {
        t_s: rows.iter().map(|row| row.t_s).sum::<f64>() / rows.len() as f64,
        cpu: rows.iter().map(|row| row.cpu).sum::<f64>() / rows.len() as f64,
        processes: most(rows, |row| row.processes),
        rss_bytes: most(rows, |row| row.rss_bytes),
        threads: most(rows, |row| row.threads),
        descriptors: most(rows, |row| row.descriptors),
        ..ServerSample::default()
    };
    // `chunks` yields no empty slice.
    samples.chunks(size).map(join).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_clock_makes_no_spike() {
        let sample = |t_s, cpu| ServerSample { t_s, cpu, ..ServerSample::default() };
        // The last two are 5 ms apart, between which the clock moved on by 10 ms.
        let all = [sample(0.0, 0.0), sample(0.5, 0.4), sample(1.0, 0.4), sample(1.005, 2.0)];
        let cores: Vec<f64> = steadied(&all).iter().map(|row| (row.cpu * 100.0).round() / 100.0).collect();
        assert_eq!(cores, [0.4, 0.4, 0.42]);
    }
}
