//! What the alternatives of a comparison come to along its key: a line each, and where they cross.

use plotters::style::text_anchor::HPos;
use serde_json::Value;

use crate::record::{ComparisonRecord, ConditionRecord, CrossoverRecord, KeyRecord, VariantRecord};
use crate::report::decision;
use crate::report::format::capital;
use crate::rule::{Metric, Unit, quantity};
use crate::stats::interval::{Interval, median};

use super::canvas::{Canvas, DOTS, GREY, GRID, INK, Key, LEGEND_ROW, MUTED, rows_of, sheet};
use super::font::text_width;
use super::scale::{ChartAxis, Measure, Scale};
use super::styles::{MOST, style};

const WIDTH: f64 = 800.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 776.0;
const LEGEND: f64 = 48.0;
const HEIGHT: f64 = 250.0;
/// Between the edges of the plot and the first and the last value.
const MARGIN: f64 = 30.0;
/// How far the place of zero is from that of the least other value, on a logarithmic axis.
const FROM_ZERO: f64 = 80.0;
/// The height of a row of labels of crossovers.
const LANE: f64 = 16.0;
/// Half the width of the end of an interval.
const CAP: f64 = 4.0;
/// Values that are further apart than this have a logarithmic axis.
const DECADE: f64 = 10.0;

/// Draws the comparison's metric over its key; `None` where there are not two values of a key, or not two alternatives.
pub(crate) fn by_key(comparison: &ComparisonRecord, variants: &[VariantRecord]) -> Option<String> {
    let key = comparison.key.as_ref()?;
    let metric = Metric::parse(&comparison.metric)?;
    let conditions: Vec<(f64, &ConditionRecord)> =
        comparison.conditions.iter().filter_map(|condition| Some((condition.value?, condition))).collect();
    let drawn = chosen(comparison);
    let lines: Vec<Vec<(f64, Interval)>> = drawn
        .iter()
        .map(|alternative| {
            let of = |(value, condition): &(f64, &ConditionRecord)| {
                Some((*value, comparison.figure(condition, *alternative)?.interval))
            };
            conditions.iter().filter_map(of).collect()
        })
        .collect();
    if conditions.len() < 2 || lines.iter().filter(|line| !line.is_empty()).count() < 2 {
        return None;
    }
    let figures: Vec<f64> = lines.iter().flatten().flat_map(|(_, at)| all_of(*at)).collect();
    let measure = if metric.unit() == Unit::Duration { Measure::Time } else { Measure::Number };
    let names: Vec<&str> = drawn.iter().map(|alternative| comparison.alternatives[*alternative].as_str()).collect();
    let mut keys: Vec<(Key, &str)> =
        names.iter().enumerate().map(|(index, name)| (style(index).key(true), *name)).collect();
    let ceilings: Vec<Vec<(f64, f64)>> = drawn
        .iter()
        .map(|alternative| {
            let of = |(value, condition): &(f64, &ConditionRecord)| {
                let variant = variants.get((*condition.variants.get(*alternative)?)?)?;
                Some((*value, ceiling(variant, &comparison.metric)?))
            };
            conditions.iter().filter_map(of).collect()
        })
        .collect();
    if ceilings.iter().any(|line| !line.is_empty()) {
        keys.push((Key::Dots(MUTED), "the most that its model allows"));
    }
    let crossed: Vec<Crossed> = comparison.crossovers.iter().filter_map(|at| Crossed::of(comparison, at)).collect();
    let x = KeyAxis::over(&conditions.iter().map(|(value, _)| *value).collect::<Vec<_>>(), &crossed);
    let lanes = lanes(&crossed, &x);
    let rows = lanes.iter().map(|lane| lane + 1).max().unwrap_or(0);
    let top = LEGEND + LEGEND_ROW * rows_of((LEFT, RIGHT), &keys) as f64 + LANE * rows as f64 + 2.0;
    let bottom = top + HEIGHT;
    let y = ChartAxis::over(&figures, (bottom, top), measure);
    let title = format!("{} by {}{}", capital(metric_name(&comparison.metric)), key.path, left_out(comparison));
    Some(sheet(WIDTH, bottom + 56.0, &title, |canvas| {
        canvas.legend_rows(LEGEND, (LEFT, RIGHT), &keys);
        for (tick, label) in &y.ticks {
            canvas.line((LEFT, y.scale.at(*tick)), (RIGHT, y.scale.at(*tick)), GRID, 1.0);
            canvas.text((LEFT - 8.0, y.scale.at(*tick)), label, 12.0, MUTED, HPos::Right);
        }
        let labels: Vec<(f64, String)> =
            conditions.iter().map(|(value, condition)| (*value, as_written(condition, *value, key))).collect();
        x.draw(canvas, &labels, (top, bottom));
        for (at, lane) in crossed.iter().zip(&lanes) {
            at.draw(canvas, &x, *lane, (top, bottom));
        }
        for (index, line) in ceilings.iter().enumerate() {
            let points: Vec<(f64, f64)> =
                line.iter().map(|(value, most)| (x.at(*value), y.scale.beyond(*most))).collect();
            below(&points, top).iter().for_each(|part| canvas.dashed(part, &DOTS, style(index).color, 1.5));
        }
        for (index, line) in lines.iter().enumerate() {
            alternative(canvas, line, index, &x, &y);
        }
        canvas.line((LEFT, bottom), (RIGHT, bottom), GREY, 1.0);
        canvas.text(((LEFT + RIGHT) / 2.0, bottom + 38.0), &key.path, 12.0, MUTED, HPos::Center);
        canvas.upwards((16.0, (top + bottom) / 2.0), axis_name(&comparison.metric), 12.0);
    }))
}

/// The alternatives that are drawn, by index: those that are best or cross somewhere before the others, in their own order.
pub(super) fn chosen(comparison: &ComparisonRecord) -> Vec<usize> {
    let best = comparison.bands.iter().flat_map(|band| band.alternatives.iter().copied());
    let crossing = comparison.crossovers.iter().flat_map(|place| [place.below, place.above]);
    let mut chosen: Vec<usize> = Vec::new();
    for index in best.chain(crossing).chain(0..comparison.alternatives.len()) {
        if index < comparison.alternatives.len() && !chosen.contains(&index) && chosen.len() < MOST {
            chosen.push(index);
        }
    }
    chosen.sort_unstable();
    chosen
}

/// That alternatives are left out, for the title.
pub(super) fn left_out(comparison: &ComparisonRecord) -> String {
    let (all, drawn) = (comparison.alternatives.len(), chosen(comparison).len());
    if all > drawn { format!(" ({drawn} of {all} alternatives)") } else { String::new() }
}

/// A value of the key as the scenario wrote it.
fn as_written(condition: &ConditionRecord, value: f64, key: &KeyRecord) -> String {
    let written = condition.settings.iter().find(|(path, _)| *path == key.path).map(|(_, value)| value);
    match written {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => quantity(value, key.unit).exact().text(),
    }
}

fn all_of(at: Interval) -> impl Iterator<Item = f64> {
    [Some(at.value), at.low, at.high].into_iter().flatten()
}

fn metric_name(metric: &str) -> &str {
    match metric {
        "capacity.rate" => "capacity",
        other => other,
    }
}

fn axis_name(metric: &str) -> &str {
    match metric {
        "throughput" => "responses per second",
        "capacity.rate" => "requests per second that keep the rules",
        other => other,
    }
}

/// The most that the model of a variant allows, in the median over its trials.
fn ceiling(variant: &VariantRecord, metric: &str) -> Option<f64> {
    let all: Vec<f64> = variant.trials.iter().filter_map(|trial| Some(trial.ceiling?.throughput)).collect();
    median(&all).filter(|most| *most > 0.0 && metric == "throughput")
}

/// The parts of a line that lie below the top of the plot.
fn below(points: &[(f64, f64)], top: f64) -> Vec<[(f64, f64); 2]> {
    let part = |pair: &[(f64, f64)]| {
        let (a, b) = (pair[0], pair[1]);
        let cross = || (a.0 + (b.0 - a.0) * (top - a.1) / (b.1 - a.1), top);
        match (a.1 >= top, b.1 >= top) {
            (true, true) => Some([a, b]),
            (true, false) => Some([a, cross()]),
            (false, true) => Some([cross(), b]),
            (false, false) => None,
        }
    };
    points.windows(2).filter_map(part).collect()
}

/// A line through the medians, with a mark and the interval of each.
fn alternative(canvas: &mut Canvas<'_>, line: &[(f64, Interval)], index: usize, x: &KeyAxis, y: &ChartAxis) {
    let style = style(index);
    let points: Vec<(f64, f64)> = line.iter().map(|(value, at)| (x.at(*value), y.scale.at(at.value))).collect();
    canvas.dashed(&points, style.dashes, style.color, 2.5);
    for ((at, y_at), (_, interval)) in points.iter().zip(line) {
        if let Some((low, high)) = interval.ends() {
            let (low, high) = (y.scale.at(low), y.scale.at(high));
            canvas.line((*at, low), (*at, high), style.color, 1.5);
            for end in [low, high] {
                canvas.line((at - CAP, end), (at + CAP, end), style.color, 1.5);
            }
        }
        canvas.mark((*at, *y_at), style.shape, 4.5, style.color);
    }
}

/// The key's axis. Where its values are far apart, it is logarithmic, and zero has a place of its own at the left.
struct KeyAxis {
    scale: Scale,
    zero: Option<f64>,
}

impl KeyAxis {
    fn over(values: &[f64], crossed: &[Crossed]) -> KeyAxis {
        let all: Vec<f64> = values.iter().copied().chain(crossed.iter().flat_map(|at| all_of(at.at))).collect();
        let high = all.iter().copied().fold(0.0, f64::max);
        let low = all.iter().copied().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        let edges = (LEFT + MARGIN, RIGHT - MARGIN);
        if low.is_finite() && high > low * DECADE {
            let zero = values.iter().any(|value| *value <= 0.0).then_some(edges.0);
            let from = zero.map_or(edges.0, |zero| zero + FROM_ZERO);
            return KeyAxis { scale: Scale::logarithmic((low, high), (from, edges.1)), zero };
        }
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        KeyAxis { scale: Scale::linear((least, high), edges), zero: None }
    }

    fn at(&self, value: f64) -> f64 {
        self.zero.filter(|_| value <= 0.0).unwrap_or_else(|| self.scale.at(value))
    }

    /// The values that were measured, where there is room, and the break behind zero.
    fn draw(&self, canvas: &mut Canvas<'_>, values: &[(f64, String)], (top, bottom): (f64, f64)) {
        let mut free_from = 0.0;
        for (value, label) in values {
            let (x, half) = (self.at(*value), text_width(label, 12.0) / 2.0);
            canvas.line((x, top), (x, bottom), GRID, 1.0);
            if x - half >= free_from {
                canvas.text((x, bottom + 16.0), label, 12.0, MUTED, HPos::Center);
                free_from = x + half + 8.0;
            }
        }
        if let Some(zero) = self.zero {
            let middle = zero + FROM_ZERO / 2.0;
            for x in [middle - 3.0, middle + 3.0] {
                canvas.line((x - 3.0, bottom + 6.0), (x + 3.0, bottom - 6.0), GREY, 1.5);
            }
        }
    }
}

/// Where two alternatives are equal.
struct Crossed {
    at: Interval,
    label: String,
}

impl Crossed {
    fn of(comparison: &ComparisonRecord, place: &CrossoverRecord) -> Option<Crossed> {
        let (at, key) = (place.at?, comparison.key.as_ref()?);
        let name = |index: usize| comparison.alternatives.get(index).map(String::as_str).unwrap_or_default();
        let shown = decision::interval(at, key.unit);
        let label = match comparison.alternatives.len() {
            2 => format!("equal at {shown}"),
            _ => format!("{} and {} equal at {shown}", name(place.below), name(place.above)),
        };
        Some(Crossed { at, label })
    }

    /// From where to where its label goes.
    fn span(&self, x: &KeyAxis) -> (f64, f64) {
        let half = text_width(&self.label, 12.0) / 2.0;
        let middle = x.at(self.at.value).min(RIGHT - half).max(LEFT + half);
        (middle - half, middle + half)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, x: &KeyAxis, lane: usize, (top, bottom): (f64, f64)) {
        let at = x.at(self.at.value);
        let y = top - 10.0 - LANE * lane as f64;
        if let Some((low, high)) = self.at.ends() {
            canvas.area((x.at(low), top), (x.at(high), bottom), GREY, 0.25);
        }
        canvas.dashed(&[(at, y + 7.0), (at, bottom)], &DOTS, INK, 1.5);
        let (from, to) = self.span(x);
        canvas.text(((from + to) / 2.0, y), &self.label, 12.0, INK, HPos::Center);
    }
}

/// The row of each label, so that none lies over another.
fn lanes(crossed: &[Crossed], x: &KeyAxis) -> Vec<usize> {
    let mut taken: Vec<(usize, f64, f64)> = Vec::new();
    for at in crossed {
        let (from, to) = at.span(x);
        let free = |lane: &usize| {
            taken.iter().all(|(other, start, end)| other != lane || from > end + 12.0 || to < start - 12.0)
        };
        let lane = (0..=crossed.len()).find(free).unwrap_or_default();
        taken.push((lane, from, to));
    }
    taken.into_iter().map(|(lane, ..)| lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BandRecord, FigureRecord};

    /// Alternatives `a0`, `a1`, ... under conditions with these values of `load.sleep`; the first falls tenfold from each to the next.
    fn comparison(alternatives: usize, values: &[f64]) -> ComparisonRecord {
        let interval = |value: f64| Interval { value, low: Some(value * 0.9), high: Some(value * 1.1) };
        let figure = |alternative: usize, condition: usize| match alternative {
            0 => 10_000.0 / 10f64.powi(condition as i32),
            n => 500.0 * n as f64,
        };
        let count = values.len();
        let places =
            (0..alternatives).flat_map(|alternative| (0..count).map(move |condition| (alternative, condition)));
        let figures = places.map(|(alternative, condition)| {
            let interval = interval(figure(alternative, condition));
            vec![FigureRecord { metric: "throughput".to_owned(), trials: 3, interval }]
        });
        let condition = |(index, value): (usize, &f64)| ConditionRecord {
            name: format!("sleep={value}"),
            settings: vec![("load.sleep".to_owned(), Value::from(format!("{}ms", value * 1e3)))],
            value: Some(*value),
            variants: (0..alternatives).map(|alternative| Some(alternative * count + index)).collect(),
            best: Some(0),
            versus: Vec::new(),
        };
        ComparisonRecord {
            figures: figures.collect(),
            alternatives: (0..alternatives).map(|index| format!("a{index}")).collect(),
            metric: "throughput".to_owned(),
            key: Some(KeyRecord { path: "load.sleep".to_owned(), unit: Unit::Duration }),
            conditions: values.iter().enumerate().map(condition).collect(),
            ..ComparisonRecord::default()
        }
    }

    fn crossed(value: f64) -> CrossoverRecord {
        let at = Some(Interval { value, low: Some(value * 0.9), high: Some(value * 1.1) });
        CrossoverRecord { below: 0, above: 1, between: (0, 1), at, points: Vec::new() }
    }

    /// The x of the text that begins with this.
    fn place(svg: &str, content: &str) -> f64 {
        let text = svg.split("<text").find(|text| text.contains(&format!(">\n{content}"))).expect(content);
        let x = text.split_once(" x=\"").unwrap().1;
        x.split_once('"').unwrap().0.parse::<f64>().unwrap() / 4.0
    }

    #[test]
    fn zero_has_a_place_of_its_own_and_decades_are_as_far_from_each_other() {
        let mut of = comparison(2, &[0.0, 1e-3, 1e-2, 1e-1]);
        of.crossovers = vec![crossed(3e-3)];
        let svg = by_key(&of, &[]).unwrap();
        let [zero, one, ten, hundred] = ["0ms", "1ms", "10ms", "100ms"].map(|label| place(&svg, label));
        assert!(((hundred - ten) - (ten - one)).abs() < 1.0, "{one} {ten} {hundred}");
        assert!((one - zero - FROM_ZERO).abs() < 1.0, "{zero} {one}");
        let at = place(&svg, "equal at ");
        assert!(at > one && at < ten, "{at}");
        // The mark of each alternative by condition, and in the legend.
        assert_eq!(svg.matches("<circle").count(), 5, "the dots of the first");
        assert!(by_key(&comparison(2, &[0.0, 1e-3]), &[]).is_some() && by_key(&comparison(2, &[1e-3]), &[]).is_none());
        assert!(by_key(&comparison(1, &[0.0, 1e-3]), &[]).is_none());
        assert!(by_key(&ComparisonRecord { key: None, ..of }, &[]).is_none());
    }

    #[test]
    fn a_crossover_below_the_least_value_is_not_drawn_at_it() {
        let mut of = comparison(2, &[0.0, 1e-3, 1e-1]);
        of.crossovers = vec![crossed(1e-4)];
        let svg = by_key(&of, &[]).unwrap();
        let [zero, one] = ["0ms", "1ms"].map(|label| place(&svg, label));
        let x = KeyAxis::over(&[0.0, 1e-3, 1e-1], &[Crossed::of(&of, &of.crossovers[0]).unwrap()]);
        assert!(zero + 40.0 < x.at(1e-4) && x.at(1e-4) + 40.0 < one, "{zero} {} {one}", x.at(1e-4));
    }

    #[test]
    fn a_ceiling_is_cut_off_at_the_top_of_the_plot() {
        let line = [(0.0, -100.0), (100.0, 100.0), (200.0, 200.0), (300.0, -50.0), (400.0, -60.0)];
        let parts = below(&line, 0.0);
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[0], [(50.0, 0.0), (100.0, 100.0)]);
        assert_eq!(parts[2][1], (280.0, 0.0));
    }

    #[test]
    fn the_best_are_drawn_where_there_are_many_and_that_some_are_not_is_said() {
        let mut of = comparison(12, &[1e-3, 1e-1]);
        of.bands = vec![BandRecord { first: 0, last: 1, alternatives: vec![11] }];
        assert_eq!(chosen(&of), [0, 1, 2, 3, 4, 5, 6, 11]);
        assert!(by_key(&of, &[]).unwrap().contains("Throughput by load.sleep (8 of 12 alternatives)"));
    }

    #[test]
    fn labels_of_crossovers_that_are_near_stand_in_rows() {
        let mut of = comparison(2, &[1e-3, 1e-2, 1e-1]);
        of.crossovers = vec![crossed(3e-3), crossed(3.5e-3), crossed(9e-2)];
        let all: Vec<Crossed> = of.crossovers.iter().filter_map(|at| Crossed::of(&of, at)).collect();
        assert_eq!(lanes(&all, &KeyAxis::over(&[1e-3, 1e-2, 1e-1], &all)), [0, 1, 0]);
    }
}
