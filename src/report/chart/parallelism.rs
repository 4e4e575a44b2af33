//! Throughput over the number of users: it rises as long as another user is worked on at once, and no further.

use plotters::style::text_anchor::HPos;

use crate::record::InspectionRecord;

use super::canvas::{BLUE, Canvas, GREY, GRID, Key, MUTED, ORANGE, sheet};
use super::scale::{Scale, log_range, log_ticks, number};

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 776.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 268.0;

const MEASURED: &str = "responses per second";
const LIMITLESS: &str = "if all were worked on at once";

/// Draws the steps of an inspection; `None` with fewer than two that came to anything.
pub(crate) fn parallelism(inspection: &InspectionRecord, title: &str) -> Option<String> {
    let steps = inspection.steps.iter().filter(|step| step.throughput > 0.0);
    let mut steps: Vec<(f64, f64)> = steps.map(|step| (f64::from(step.concurrency), step.throughput)).collect();
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (first, last) = (*steps.first()?, *steps.last().filter(|_| steps.len() > 1)?);
    let each = 1e6 / inspection.alone_us.filter(|us| *us > 0.0)?;
    let highest = steps.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    let lowest = steps.iter().map(|(_, rate)| *rate).fold(f64::INFINITY, f64::min);
    let (users, rates) = (log_range(first.0, last.0), log_range(lowest, highest));
    let x = Scale::logarithmic(users, (LEFT, RIGHT));
    let y = Scale::logarithmic(rates, (BOTTOM, TOP));
    Some(sheet(WIDTH, HEIGHT, title, |canvas| {
        axes(canvas, (x, users), (y, rates));
        // As far as it lies on the sheet.
        let end = last.0.min(rates.1 / each).max(first.0);
        let limitless = [first.0, end].map(|users| (x.at(users), y.at(users * each)));
        canvas.dashes(&limitless, GREY, 1.5);
        let points: Vec<(f64, f64)> = steps.iter().map(|(users, rate)| (x.at(*users), y.at(*rate))).collect();
        canvas.path(&points, BLUE, 2.5);
        points.iter().for_each(|point| canvas.dot(*point, 3.5, BLUE, true));
        let mut keys = vec![(Key::Line(BLUE), MEASURED), (Key::Dashes(GREY), LIMITLESS)];
        let limit = inspection.parallelism.filter(|found| found.high.is_some()).map(|found| found.value);
        if let Some(limit) = limit.filter(|limit| (users.0..=users.1).contains(limit)) {
            canvas.dashes(&[(x.at(limit), BOTTOM), (x.at(limit), TOP)], ORANGE, 1.5);
            keys.push((Key::Dashes(ORANGE), "worked on at once"));
        }
        canvas.legend(44.0, RIGHT, &keys);
    }))
}

fn axes(canvas: &mut Canvas<'_>, (x, users): (Scale, (f64, f64)), (y, rates): (Scale, (f64, f64))) {
    for tick in log_ticks(rates) {
        canvas.line((LEFT, y.at(tick)), (RIGHT, y.at(tick)), GRID, 1.0);
        canvas.text((LEFT - 8.0, y.at(tick)), &number(tick), 12.0, MUTED, HPos::Right);
    }
    for tick in log_ticks(users) {
        canvas.line((x.at(tick), BOTTOM), (x.at(tick), BOTTOM + 4.0), GREY, 1.0);
        canvas.text((x.at(tick), BOTTOM + 15.0), &number(tick), 12.0, MUTED, HPos::Center);
    }
    canvas.line((LEFT, BOTTOM), (RIGHT, BOTTOM), GREY, 1.0);
    canvas.text(((LEFT + RIGHT) / 2.0, BOTTOM + 36.0), "users", 12.0, MUTED, HPos::Center);
    canvas.upwards((16.0, (TOP + BOTTOM) / 2.0), MEASURED, 12.0);
}
