//! Latency against the arrival rate, and the highest rate that kept the rules.

use plotters::style::text_anchor::HPos;

use crate::measured_value::MeasuredValue;
use crate::record::{CapacityRecord, ProbeRecord};
use crate::units::show_rate;

use super::canvas::{BLUE, INK, Key, Shape, VERMILLION};
use super::font::text_width;
use super::grid::{SharedAxes, grid};
use super::scale::{ChartAxis, Measure};

/// Of the line at the capacity.
const CAPACITY: [f64; 2] = [5.0, 3.0];

/// Draws the rates that were tried, a panel for each search with its name; `None` if none has two rates with a latency.
pub(crate) fn capacity(searches: &[(String, &CapacityRecord)]) -> Option<String> {
    let drawn: Vec<&(String, &CapacityRecord)> = searches.iter().filter(|(_, of)| probes(of).len() >= 2).collect();
    let all = || drawn.iter().flat_map(|(_, of)| probes(of));
    if drawn.is_empty() {
        return None;
    }
    let rates: Vec<f64> = all().map(|(probe, _)| probe.rate).collect();
    let times: Vec<f64> = all().map(|(_, p99)| p99.likely() / 1e6).collect();
    let x = ChartAxis::around(&rates, (0.0, 1.0));
    let y = ChartAxis::over(&times, (1.0, 0.0), Measure::Time);
    let axes = SharedAxes { x: &x, y: &y, x_name: "arrivals per second", y_name: "p99 latency" };
    let keys = [
        (Key::Marked(BLUE, &[], Some(Shape::Dot)), "keeps the rules"),
        (Key::Mark(VERMILLION, Shape::Cross), "breaks one, or its queue grows"),
        (Key::Marked(INK, &CAPACITY, None), "capacity"),
    ];
    let names: Vec<String> = drawn.iter().map(|(name, _)| name.clone()).collect();
    Some(grid("Latency by arrival rate", &names, &axes, &keys, |canvas, index, cell| {
        let (_, search) = drawn[index];
        let mut probes = probes(search);
        probes.sort_by(|a, b| a.0.rate.total_cmp(&b.0.rate));
        let place =
            |(probe, p99): &(&ProbeRecord, MeasuredValue)| (cell.x.at(probe.rate), cell.y.at(p99.likely() / 1e6));
        if let Some(rate) = search.rate {
            let (at, label) = (cell.x.at(rate), show_rate(rate));
            canvas.dashed(&[(at, cell.top), (at, cell.bottom)], &CAPACITY, INK, 1.5);
            let fits = at - text_width(&label, 12.0) - 6.0 > cell.left;
            let side = if fits { (at - 6.0, HPos::Right) } else { (at + 6.0, HPos::Left) };
            canvas.text((side.0, cell.top + 8.0), &label, 12.0, INK, side.1);
        }
        let kept: Vec<(f64, f64)> = probes.iter().filter(|(probe, _)| probe.kept()).map(place).collect();
        canvas.path(&kept, BLUE, 2.0);
        for probe in &probes {
            match probe.0.kept() {
                true => canvas.mark(place(probe), Shape::Dot, 3.5, BLUE),
                false => canvas.mark(place(probe), Shape::Cross, 4.0, VERMILLION),
            }
        }
    }))
}

/// The rates that were tried of which a latency is known, and that tell something of the server.
fn probes(search: &CapacityRecord) -> Vec<(&ProbeRecord, MeasuredValue)> {
    use crate::record::BrokenBy::{Disturbed, Generator};
    let tells = |probe: &&ProbeRecord| !matches!(probe.broken, Some(Generator | Disturbed));
    search.probes.iter().filter(tells).filter_map(|probe| Some((probe, probe.p99_us?))).collect()
}
