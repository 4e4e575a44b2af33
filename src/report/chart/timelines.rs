//! All variants over time, a panel each.

use crate::analysis::median_trial::median_trial;
use crate::record::{LoadRecord, ServerSample, VariantRecord};

use super::canvas::{BLUE, Key, VERMILLION};
use super::grid::{SharedAxes, grid, panel_names};
use super::scale::{ChartAxis, Measure};
use super::server::cores;
use super::throughput::{grouped, rates, steps};

/// What failed is told from what was answered by its dashes, too.
const FAILED: [f64; 2] = [4.0, 3.0];

/// What came back in each second, a panel for each variant; `None` if none has a load.
pub(crate) fn throughputs(variants: &[VariantRecord]) -> Option<String> {
    let load = |variant: &VariantRecord| -> Option<LoadRecord> {
        let load = median_trial(variant)?.1.load.clone()?;
        Some(LoadRecord { timeline: grouped(&load.timeline), ..load }).filter(|load| !load.timeline.is_empty())
    };
    let (names, keys_of_names) = panel_names(variants);
    let panels: Vec<(String, LoadRecord)> =
        names.into_iter().zip(variants).filter_map(|(name, of)| Some((name, load(of)?))).collect();
    let all = || panels.iter().flat_map(|(_, load)| &load.timeline);
    let answered: Vec<f64> = all().map(|row| row.completed as f64 / row.length_s.max(1e-3)).collect();
    let end = all().map(|row| row.t_s + row.length_s).fold(0.0, f64::max);
    if end <= 0.0 || !end.is_finite() {
        return None;
    }
    let x = ChartAxis::from_zero_to(end);
    let y = ChartAxis::over(&answered, (1.0, 0.0), Measure::Number);
    let axes = SharedAxes {
        x: &x,
        y: &y,
        x_name: "seconds from the start of the load",
        y_name: if y.from_zero { "per second" } else { "per second (logarithmic)" },
    };
    let failed = |row: &crate::record::Second| row.failed + row.error_status;
    let mut keys = vec![(Key::Line(BLUE), "responses of any status")];
    if all().any(|row| failed(row) > 0) {
        keys.push((Key::Marked(VERMILLION, &FAILED, None), "no response, or a status of 400 or above"));
    }
    let names: Vec<String> = panels.iter().map(|(name, _)| name.clone()).collect();
    let title = format!("Throughput over time{keys_of_names}");
    Some(grid(&title, &names, &axes, &keys, |canvas, index, cell| {
        let rows = &panels[index].1.timeline;
        let corners = |rates: &[f64]| steps(rows, rates, (cell.x, cell.y));
        let answered = corners(&rates(rows, |row| row.completed));
        if let (true, Some(first), Some(last)) = (y.from_zero, answered.first(), answered.last()) {
            let foot = [(last.0, cell.bottom), (first.0, cell.bottom)];
            let closed: Vec<_> = answered.iter().copied().chain(foot).collect();
            canvas.polygon(&closed, BLUE, 0.12);
        }
        canvas.path(&answered, BLUE, 2.0);
        if rows.iter().any(|row| failed(row) > 0) {
            canvas.dashed(&corners(&rates(rows, failed)), &FAILED, VERMILLION, 2.0);
        }
    }))
}

/// The cores that each variant's server had in use, a panel each; `None` if none was looked at.
pub(crate) fn servers(variants: &[VariantRecord]) -> Option<String> {
    // Servers take unlike times to get ready: each is drawn from there.
    let samples = |variant: &VariantRecord| {
        let samples = cores(median_trial(variant)?.1.servers.first()?)?;
        let ready = samples.first()?.t_s;
        Some(samples.into_iter().map(|sample| ServerSample { t_s: sample.t_s - ready, ..sample }).collect())
    };
    let (names, keys_of_names) = panel_names(variants);
    let panels: Vec<(String, Vec<ServerSample>)> =
        names.into_iter().zip(variants).filter_map(|(name, of)| Some((name, samples(of)?))).collect();
    let all = || panels.iter().flat_map(|(_, samples)| samples);
    let end = all().map(|sample| sample.t_s).fold(0.0, f64::max);
    let most = all().map(|sample| sample.cpu).fold(0.0, f64::max);
    if panels.is_empty() || end <= 0.0 {
        return None;
    }
    let (x, y) = (ChartAxis::from_zero_to(end), ChartAxis::from_zero_to(most));
    let axes = SharedAxes { x: &x, y: &y, x_name: "seconds since the server was ready", y_name: "cores in use" };
    let names: Vec<String> = panels.iter().map(|(name, _)| name.clone()).collect();
    let keys = [(Key::Line(BLUE), "CPU, cores in use, mean over half a second")];
    let title = format!("What the servers used over time{keys_of_names}");
    Some(grid(&title, &names, &axes, &keys, |canvas, index, cell| {
        let points: Vec<_> =
            panels[index].1.iter().map(|sample| (cell.x.at(sample.t_s), cell.y.at(sample.cpu))).collect();
        canvas.path(&points, BLUE, 2.0);
    }))
}
