//! Where values lie on an axis, and which of them get a label. Pure numbers.

/// Maps a range of values onto a range of pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
    logarithmic: bool,
}

impl Scale {
    pub(super) fn linear(values: (f64, f64), pixels: (f64, f64)) -> Self {
        Scale { from: values.0, to: values.1, start: pixels.0, end: pixels.1, logarithmic: false }
    }

    /// Both values must be above zero.
    pub(super) fn logarithmic(values: (f64, f64), pixels: (f64, f64)) -> Self {
        Scale { from: values.0.ln(), to: values.1.ln(), start: pixels.0, end: pixels.1, logarithmic: true }
    }

    /// The same values over other pixels.
    pub(super) fn onto(self, pixels: (f64, f64)) -> Self {
        Scale { start: pixels.0, end: pixels.1, ..self }
    }

    /// The pixel of a value; values outside of the range lie on its edge.
    pub(super) fn at(&self, value: f64) -> f64 {
        let (least, most) = (self.start.min(self.end), self.start.max(self.end));
        self.beyond(value).clamp(least, most)
    }

    /// The pixel of a value, also where it lies outside of the range.
    pub(super) fn beyond(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.max(f64::MIN_POSITIVE).ln() } else { value };
        let along = if self.to > self.from { (value - self.from) / (self.to - self.from) } else { 0.0 };
        self.start + along * (self.end - self.start)
    }
}

/// The neighbours in 1, 2, 5, 10, 20, 50, ...: the largest step up to `value`.
fn step_below(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|step| step * decade).find(|step| *step <= value * (1.0 + 1e-9)).unwrap_or(decade)
}

fn step_above(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * decade)
        .find(|step| *step >= value * (1.0 - 1e-9))
        .unwrap_or(decade * 10.0)
}

/// A range on steps that holds both values with some room, and is wide enough for flat lines to look flat.
pub(super) fn log_range(low: f64, high: f64) -> (f64, f64) {
    let low = if low.is_finite() && low > 0.0 { low } else { 1e-6 };
    let high = if high.is_finite() { high.max(low) } else { low };
    let (mut from, mut to) = (step_below(low / 1.05), step_above(high * 1.1));
    if to / from < 3.9 {
        from = step_below(from / 1.1);
        to = step_above(to * 1.1);
    }
    (from, to)
}

/// Labelled values of a logarithmic axis: 1, 2, 5 over few decades, 1 over many.
pub(super) fn log_ticks((from, to): (f64, f64)) -> Vec<f64> {
    let decades = (to / from).log10();
    let steps: &[f64] = if decades > 3.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let skip = if decades > 9.0 { 2 } else { 1 };
    let first = from.log10().floor() as i32;
    let last = to.log10().ceil() as i32;
    (first..=last)
        .step_by(skip)
        .flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)))
        .filter(|tick| (from * (1.0 - 1e-9)..=to * (1.0 + 1e-9)).contains(tick))
        .collect()
}

/// Labelled values of an axis from 0: about `about` of them, the last at or above `to`.
pub(super) fn ticks(to: f64, about: f64) -> Vec<f64> {
    let to = if to.is_finite() && to > 0.0 { to } else { 1.0 };
    let step = step_above(to / about);
    let count = (to / step - 1e-9).ceil().clamp(1.0, 100.0) as usize;
    (0..=count).map(|n| n as f64 * step).collect()
}

/// A tick's number as short as it can be: `0.5`, `20`, `1,000`.
pub(super) fn number(value: f64) -> String {
    if value >= 1000.0 {
        return crate::units::show_count(value.round() as u64);
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A tick of a time axis in seconds: `500 us`, `20 ms`, `1 s`.
pub(super) fn time(seconds: f64) -> String {
    let (of_a_second, name) = unit(seconds);
    format!("{} {name}", number((seconds * of_a_second).round()))
}

/// What a time in seconds is best told in, and how many of it make a second.
fn unit(seconds: f64) -> (f64, &'static str) {
    match seconds {
        s if s < 0.9999e-6 => (1e9, "ns"),
        s if s < 0.9999e-3 => (1e6, "µs"),
        s if s < 0.9999 => (1e3, "ms"),
        _ => (1.0, "s"),
    }
}

/// What an axis measures.
#[derive(Debug, Clone, Copy)]
pub(super) enum Measure {
    Number,
    /// In seconds.
    Time,
}

/// A scale with its labels. Values within a decade are told apart best by their distance from zero, and others by their
/// ratio.
#[derive(Debug)]
pub(super) struct ChartAxis {
    pub(super) scale: Scale,
    pub(super) ticks: Vec<(f64, String)>,
    /// So that the distance from its start is as long as a value is large.
    pub(super) from_zero: bool,
}

impl ChartAxis {
    /// From zero to a number, or a little more.
    pub(super) fn from_zero_to(end: f64) -> Self {
        let ticks = ticks(end * 1.02, 4.0);
        let last = ticks.last().copied().unwrap_or(1.0);
        let labelled = ticks.into_iter().map(|tick| (tick, number(tick))).collect();
        ChartAxis { scale: Scale::linear((0.0, last), (0.0, 1.0)), ticks: labelled, from_zero: true }
    }

    /// Not from zero, but around the values, unless they are far apart.
    pub(super) fn around(values: &[f64], pixels: (f64, f64)) -> Self {
        let usable = || values.iter().copied().filter(|value| *value > 0.0 && value.is_finite());
        let (low, high) = (usable().fold(f64::INFINITY, f64::min), usable().fold(0.0, f64::max));
        if !low.is_finite() || high > low * 10.0 {
            return ChartAxis::over(values, pixels, Measure::Number);
        }
        let room = (high - low).max(high * 0.1) * 0.2;
        let step = step_above((high - low + 2.0 * room) / 5.0);
        let (first, last) = (((low - room) / step).floor().max(0.0), ((high + room) / step).ceil());
        let ticks: Vec<f64> = (0..=(last - first) as usize).map(|n| (first + n as f64) * step).collect();
        let labelled = ticks.into_iter().map(|tick| (tick, number(tick))).collect();
        ChartAxis {
            scale: Scale::linear((first * step, last * step), pixels),
            ticks: labelled,
            from_zero: first == 0.0,
        }
    }

    pub(super) fn over(values: &[f64], pixels: (f64, f64), measure: Measure) -> Self {
        let usable = || values.iter().copied().filter(|value| *value > 0.0 && value.is_finite());
        let (low, high) = (usable().fold(f64::INFINITY, f64::min), usable().fold(0.0, f64::max));
        if high > low * 10.0 {
            let range = log_range(low, high);
            let show = |tick: f64| match measure {
                Measure::Number => number(tick),
                Measure::Time => time(tick),
            };
            let ticks = log_ticks(range).into_iter().map(|tick| (tick, show(tick))).collect();
            return ChartAxis { scale: Scale::logarithmic(range, pixels), ticks, from_zero: false };
        }
        let ticks = ticks(high * 1.02, 4.0);
        let last = ticks.last().copied().unwrap_or(1.0);
        // One unit for all of them: 0.5 s, 1 s, 1.5 s.
        let (of_a_second, name) = unit(last);
        let show = |tick: f64| match measure {
            Measure::Time if tick > 0.0 => format!("{} {name}", number(tick * of_a_second)),
            Measure::Number | Measure::Time => number(tick),
        };
        let ticks = ticks.into_iter().map(|tick| (tick, show(tick))).collect();
        ChartAxis { scale: Scale::linear((0.0, last), pixels), ticks, from_zero: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_that_cover_the_values() {
        assert_eq!(ticks(4_950.0, 5.0), [0.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0]);
        assert_eq!(ticks(0.0, 5.0).last(), Some(&1.0));
        let labels = |range| log_ticks(range).into_iter().map(time).collect::<Vec<_>>();
        assert_eq!(labels(log_range(0.1, 0.11)), ["50 ms", "100 ms", "200 ms"]);
        assert_eq!(labels(log_range(0.002, 10.0)), ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
    }

    #[test]
    fn an_axis_begins_at_zero_unless_its_values_are_far_apart() {
        let axis = |values: &[f64], measure| {
            let ChartAxis { scale, ticks, from_zero } = ChartAxis::over(values, (0.0, 100.0), measure);
            let labels: Vec<String> = ticks.into_iter().map(|(_, label)| label).collect();
            (from_zero, labels.join(" "), scale.at(values[0]))
        };
        let (from_zero, labels, half) = axis(&[50_000.0, 98_000.0], Measure::Number);
        assert_eq!((from_zero, labels.as_str()), (true, "0 50,000 100,000"));
        assert!((half - 50.0).abs() < 1e-9, "half as much is half as long: {half}");
        assert_eq!(axis(&[0.6, 1.4], Measure::Time).1, "0 0.5 s 1 s 1.5 s");
        assert_eq!(axis(&[0.02, 0.0, 0.07], Measure::Time).1, "0 20 ms 40 ms 60 ms 80 ms");
        let (from_zero, labels, _) = axis(&[0.002, 10.0], Measure::Time);
        assert_eq!((from_zero, labels.as_str()), (false, "1 ms 10 ms 100 ms 1 s 10 s"));
        assert_eq!(axis(&[0.0, f64::NAN], Measure::Number).1, "0 0.5 1");
    }

    #[test]
    fn an_axis_around_close_values_holds_them_with_some_room() {
        let axis = ChartAxis::around(&[48.3, 49.1], (0.0, 100.0));
        let labels: Vec<&str> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["47", "48", "49", "50", "51"]);
        assert!((axis.scale.at(49.0) - 50.0).abs() < 1e-9);
        assert!(ChartAxis::around(&[1.0, 500.0], (0.0, 1.0)).ticks.len() > 3);
        assert!(!ChartAxis::around(&[], (0.0, 1.0)).ticks.is_empty());
    }

    #[test]
    fn nonsense_has_a_range_too() {
        for (low, high) in [(f64::NAN, 1.0), (0.0, 0.0), (-1.0, f64::INFINITY)] {
            let (from, to) = log_range(low, high);
            assert!(from > 0.0 && to > from && to.is_finite(), "{from} {to}");
        }
    }
}
