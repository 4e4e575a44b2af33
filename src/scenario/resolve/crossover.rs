//! `[crossover]`: which key is searched along, and the variants for the values between those of the matrix.

use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::super::file::RawCrossover;
use super::super::file::values::Located;
use super::super::matrix::{Choice, Matrix, MatrixAxis};
use super::super::problem::Problem;
use super::super::source::Span;
use super::super::suggest;
use super::super::toml_tree;
use super::super::{CrossoverSpec, Variant};
use super::Loading;
use crate::rule::{Unit, number_of};
use crate::units::show_duration;

const TIME: Duration = Duration::from_secs(30);
const DURATION: Duration = Duration::from_millis(800);
/// So many values lie between two of the matrix.
const BETWEEN: u32 = 47;
/// Between zero and the next value it is this part of that value with which a logarithmic scale begins.
const ABOVE_ZERO: f64 = 1.0 / 1024.0;

impl Loading<'_> {
    /// The search that a scenario asks for; `None` after a problem.
    pub(super) fn crossover(
        &mut self,
        written: &Located<RawCrossover>,
        tree: &DeTable<'_>,
        matrix: &Matrix<'_>,
    ) -> Option<CrossoverSpec> {
        let before = self.problems.count();
        let time = self.some_time("time", &written.value.time, TIME);
        let duration = self.some_time("duration", &written.value.duration, DURATION);
        let (index, unit) = self.crossover_axis(written, matrix)?;
        let axis = &matrix.axes[index];
        let values = between(&numbers(axis)?, unit);
        let texts: Vec<String> = values.iter().map(|value| format!("value = {}", as_toml(*value, unit))).collect();
        let refined: Option<Vec<_>> = texts
            .iter()
            .map(|text| {
                let (_, value) = DeTable::parse(text).ok()?.into_inner().into_iter().next()?;
                Some(toml::Spanned::new(axis.span.clone(), value.into_inner()))
            })
            .collect();
        let mut refined_matrix: Matrix<'_> = matrix.clone();
        refined_matrix.axes[index].values = refined?;
        let others: Vec<Choice> = matrix.choices().filter(|choice| choice[index] == 0).collect();
        let is_same =
            |one: &Choice, other: &Choice| (0..one.len()).all(|axis| axis == index || one[axis] == other[axis]);
        let place = |choice: Choice| others.iter().position(|other| is_same(other, &choice)).unwrap_or_default();
        let of_variant = matrix.choices().map(place).collect();
        let mut alternatives = Vec::new();
        for other in &others {
            let mut variants = Vec::new();
            for value in 0..values.len() {
                let mut choice = other.clone();
                choice[index] = value;
                let variant = self.variant(tree, &refined_matrix, &choice, "")?;
                variants.push(Variant { rules: Vec::new(), abort_when: Vec::new(), verdicts: None, ..variant });
            }
            alternatives.push(variants);
        }
        let spec = CrossoverSpec { key: axis.key.clone(), unit, time, duration, values, alternatives, of_variant };
        (self.problems.count() == before).then_some(spec)
    }

    /// A capacity takes too long to be searched for at each value of the key.
    pub(super) fn no_capacity(&mut self, written: &Located<RawCrossover>, capacity: Option<&Span>) {
        let Some(capacity) = capacity else { return };
        let problem = Problem::new("both [crossover] and [capacity]").at(&written.span, "this compares throughput");
        let problem = problem.also(capacity, "and this the highest rate");
        self.problems.add(problem.help("make two scenarios of it, one for each question"));
    }

    /// The axis of the matrix that is searched along, and the unit of its values.
    fn crossover_axis(&mut self, written: &Located<RawCrossover>, matrix: &Matrix<'_>) -> Option<(usize, Unit)> {
        // Pinned for one run, as by `--set load.sleep=5ms`: there is nothing between one value, and nobody asked for it.
        if matrix.axes.iter().any(|axis| axis.values.len() == 1) && !self.has_two_axes(written, matrix) {
            return None;
        }
        let numeric: Vec<usize> =
            (0..matrix.axes.len()).filter(|index| unit_of(&matrix.axes[*index]).is_some()).collect();
        let of_load = |index: &&usize| matrix.axes[**index].key.starts_with("load.");
        let example = "as in \"load.sleep\" = [\"0ms\", \"1ms\", \"100ms\"]";
        let index = match &written.value.key {
            Some(key) => match matrix.axes.iter().position(|axis| axis.key == key.value) {
                Some(index) => index,
                None => {
                    let known: Vec<&str> = numeric.iter().map(|index| matrix.axes[*index].key.as_str()).collect();
                    let problem = Problem::new(format!("the matrix does not vary `{}`", key.value));
                    let help = match known.as_slice() {
                        [] => format!("give the matrix two or more values of it, {example}"),
                        known => suggest::help(&key.value, "keys of the matrix with numbers", known),
                    };
                    self.problems
                        .add(problem.at(&key.span, "a crossover lies between values of the matrix").help(help));
                    return None;
                }
            },
            None => match numeric.iter().filter(of_load).collect::<Vec<_>>().as_slice() {
                [only] => **only,
                [] => {
                    let problem = Problem::new("no key to search along").at(&written.span, "between which values?");
                    let help = format!(
                        "let the matrix vary a number of [load], {example}, or name another key of it: key = \"...\""
                    );
                    self.missing(&["matrix"], problem.help(help));
                    return None;
                }
                several => {
                    let keys: Vec<String> =
                        several.iter().map(|index| format!("`{}`", matrix.axes[**index].key)).collect();
                    let problem = Problem::new("several keys to search along").at(&written.span, keys.join(" or "));
                    self.problems.add(problem.help(format!("name one: key = \"{}\"", matrix.axes[*several[0]].key)));
                    return None;
                }
            },
        };
        let axis = &matrix.axes[index];
        let Some(unit) = unit_of(axis) else {
            let problem = Problem::new(format!("`{}` has nothing to search between", axis.key));
            let problem = problem.at(&axis.span, "a crossover lies between two numbers of one unit");
            self.problems.add(problem.help(format!("give it two or more, {example}")));
            return None;
        };
        if let Some(other) = matrix
            .axes
            .iter()
            .find(|other| other.key.starts_with("load.") && other.key != axis.key && other.values.len() > 1)
        {
            let problem = Problem::new("a search along one key, and the matrix varies another of [load]");
            let problem = problem.at(&other.span, "this one").also(&axis.span, "searched along this one");
            self.problems.add(problem.help(format!("give `{}` one value, or make several scenarios of it", other.key)));
            return None;
        }
        if matrix.axes.iter().all(|other| other.key == axis.key || other.values.len() < 2) {
            let problem = Problem::new("a crossover of what?").at(&written.span, "the matrix has one alternative");
            let help = "let it vary the server too, as in \"server.mode\" = [\"threaded\", \"async\"]";
            self.missing(&["matrix"], problem.help(help));
            return None;
        }
        Some((index, unit))
    }

    /// Whether there is both something to search along and something to compare, each with two values or more.
    fn has_two_axes(&self, written: &Located<RawCrossover>, matrix: &Matrix<'_>) -> bool {
        let is_key = |axis: &&MatrixAxis<'_>| match &written.value.key {
            Some(key) => axis.key == key.value,
            None => axis.key.starts_with("load."),
        };
        let several = |axis: &&MatrixAxis<'_>| axis.values.len() > 1;
        let axes = || matrix.axes.iter().filter(several);
        axes().any(|axis| is_key(&axis)) && axes().any(|axis| !is_key(&axis))
    }
}

/// The values of an axis in the base unit of the first, ascending; `None` where one is no number of that unit.
fn numbers(axis: &MatrixAxis<'_>) -> Option<Vec<f64>> {
    let unit = unit_of(axis)?;
    let all = axis.values.iter().map(|value| number_of(&toml_tree::to_json(value)));
    let mut numbers =
        all.map(|value| value.filter(|(_, of)| *of == unit).map(|(value, _)| value)).collect::<Option<Vec<_>>>()?;
    numbers.sort_by(f64::total_cmp);
    Some(numbers)
}

/// The unit of two or more numbers that are not negative.
fn unit_of(axis: &MatrixAxis<'_>) -> Option<Unit> {
    let mut all = axis.values.iter().map(|value| number_of(&toml_tree::to_json(value)));
    let (first, unit) = all.next()??;
    let is_float = |value: &DeValue<'_>| matches!(value, DeValue::Float(_));
    let fit = axis.values.iter().all(|value| !is_float(value.get_ref())) && first >= 0.0;
    (fit && axis.values.len() > 1 && all.all(|other| other.is_some_and(|(n, of)| of == unit && n >= 0.0)))
        .then_some(unit)
}

/// These values and many between each two, on a logarithmic scale.
fn between(given: &[f64], unit: Unit) -> Vec<f64> {
    let mut values = given.to_vec();
    for pair in given.windows(2) {
        let (low, steps) =
            if pair[0] > 0.0 { (pair[0], BETWEEN + 1) } else { (pair[1] * ABOVE_ZERO, 2 * (BETWEEN + 1)) };
        let from = u32::from(pair[0] > 0.0);
        let factor = pair[1] / low;
        values.extend((from..steps).map(|step| low * factor.powf(f64::from(step) / f64::from(steps))));
    }
    let grain = match unit {
        Unit::Duration => 1e-9,
        Unit::Rate => 1e-3,
        _ => 1.0,
    };
    let mut values: Vec<f64> = values.into_iter().map(|value| (value / grain).round() * grain).collect();
    values.sort_by(f64::total_cmp);
    values.dedup_by(|a, b| (*a - *b).abs() < grain / 2.0);
    values
}

/// As a scenario would write it.
fn as_toml(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Duration => format!("\"{}\"", show_duration(Duration::from_secs_f64(value))),
        Unit::Rate => format!("\"{value:.3}/s\""),
        Unit::Size => format!("\"{value:.0}B\""),
        Unit::Percentage | Unit::Count | Unit::Number => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_between_are_even_on_a_logarithmic_scale_and_begin_above_zero() {
        let values = between(&[0.0, 1e-3, 0.1], Unit::Duration);
        assert_eq!((values[0], values[values.len() - 1]), (0.0, 0.1));
        assert!(values[1] > 9e-7 && values.contains(&1e-3), "{values:?}");
        for pair in values[1..].windows(2) {
            assert!(pair[1] > pair[0] && pair[1] / pair[0] < 1.11, "{pair:?}");
        }
        assert_eq!(between(&[1.0, 4.0], Unit::Number), [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn a_value_is_written_so_that_it_is_read_back() {
        for (value, unit) in
            [(3.75e-4, Unit::Duration), (2e3, Unit::Rate), (65_536.0, Unit::Size), (12.0, Unit::Number)]
        {
            let table: toml::Table = toml::from_str(&format!("v = {}", as_toml(value, unit))).unwrap();
            let back = number_of(&serde_json::to_value(&table["v"]).unwrap());
            assert_eq!(back, Some((value, unit)));
        }
    }
}
