//! What a matrix varies, taken apart: the alternatives that a team decides between, and the conditions that they are put under.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::record::{KeyRecord, VariantRecord};
use crate::rule::{Unit, number_of};

/// The variants of a matrix by alternative and condition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grid {
    /// In the order of the variants.
    pub alternatives: Vec<GridPart>,
    /// Along `key` where there is one, else in the order of the variants; at least one where there is a variant.
    pub conditions: Vec<GridPart>,
    /// The index of the variant of each alternative, by condition.
    pub variants: Vec<Vec<Option<usize>>>,
    /// The key of the conditions, where one varies and its values are numbers.
    pub key: Option<KeyRecord>,
}

/// What some keys of a matrix are set to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GridPart {
    /// `threaded`, `gunicorn workers=4`, `sleep=100ms`; empty where no key varies.
    pub name: String,
    pub settings: Vec<(String, Value)>,
    /// Of the grid's key, in its base unit.
    pub value: Option<f64>,
}

/// Whether a key says what is asked of the server, rather than what the server is.
fn is_condition(key: &str) -> bool {
    ["load.", "dirty.", "capacity.", "inspect."].iter().any(|section| key.starts_with(section)) || key == "server.sleep"
}

impl Grid {
    /// Takes the settings of these variants apart. Where all keys are conditions, it is between these that one decides.
    pub fn of(variants: &[VariantRecord]) -> Grid {
        let keys: Vec<&String> = variants.first().map(|variant| variant.settings.keys().collect()).unwrap_or_default();
        let varies =
            |key: &str| variants.iter().any(|variant| variant.settings.get(key) != variants[0].settings.get(key));
        let (conditions, choices): (Vec<&String>, Vec<&String>) =
            keys.into_iter().filter(|key| varies(key)).partition(|key| is_condition(key));
        let (conditions, choices) = if choices.is_empty() { (choices, conditions) } else { (conditions, choices) };
        let mut grid = Grid { key: numeric_key(&conditions, variants), ..Grid::default() };
        let mut places = Vec::new();
        for variant in variants {
            let alternative = place(&mut grid.alternatives, part(&choices, &variant.settings, None));
            let condition = place(&mut grid.conditions, part(&conditions, &variant.settings, grid.key.as_ref()));
            places.push((condition, alternative));
        }
        let mut order: Vec<usize> = (0..grid.conditions.len()).collect();
        if grid.key.is_some() {
            let value = |index: &usize| grid.conditions[*index].value.unwrap_or(0.0);
            order.sort_by(|one, other| value(one).total_cmp(&value(other)));
        }
        grid.variants = vec![vec![None; grid.alternatives.len()]; grid.conditions.len()];
        for (variant, (condition, alternative)) in places.into_iter().enumerate() {
            let row = order.iter().position(|index| *index == condition).unwrap_or(condition);
            grid.variants[row][alternative].get_or_insert(variant);
        }
        grid.conditions = order.into_iter().map(|index| grid.conditions[index].clone()).collect();
        grid
    }
}

/// The index of a part among those that are there, to which it is added if it is new.
fn place(parts: &mut Vec<GridPart>, part: GridPart) -> usize {
    parts.iter().position(|there| there.settings == part.settings).unwrap_or_else(|| {
        parts.push(part);
        parts.len() - 1
    })
}

/// The one condition that varies, if all its values are numbers in one unit.
fn numeric_key(conditions: &[&String], variants: &[VariantRecord]) -> Option<KeyRecord> {
    let [path] = conditions else { return None };
    let mut units =
        variants.iter().map(|variant| variant.settings.get(*path).and_then(number_of).map(|(_, unit)| unit));
    let unit: Unit = units.next()??;
    units.all(|other| other == Some(unit)).then(|| KeyRecord { path: (*path).clone(), unit })
}

fn part(keys: &[&String], settings: &BTreeMap<String, Value>, key: Option<&KeyRecord>) -> GridPart {
    let value = key.and_then(|key| settings.get(&key.path)).and_then(number_of).map(|(value, _)| value);
    let settings: Vec<(String, Value)> =
        keys.iter().filter_map(|key| Some(((*key).clone(), settings.get(*key)?.clone()))).collect();
    let short = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
    let ambiguous = |key: &str| keys.iter().filter(|other| short(other) == short(key)).count() > 1;
    let shown = settings.iter().map(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match key.as_str() {
            "server" | "server.mode" => value,
            key if ambiguous(key) => format!("{key}={value}"),
            key => format!("{}={value}", short(key)),
        }
    });
    GridPart { name: shown.collect::<Vec<_>>().join(" "), settings, value }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::{LoadRecord, Trial};

    /// A variant with these settings, whose trials had this throughput.
    pub(in crate::analysis::comparison) fn variant(settings: Value, throughputs: &[f64]) -> VariantRecord {
        let trial = |throughput: &f64| {
            let load = LoadRecord {
                model: "closed".to_owned(),
                throughput: *throughput,
                started: 100,
                ..LoadRecord::default()
            };
            Trial { load: Some(load), ..Trial::default() }
        };
        VariantRecord {
            name: settings.to_string(),
            settings: serde_json::from_value(settings).unwrap(),
            server: String::new(),
            planned_trials: throughputs.len() as u32,
            trials: throughputs.iter().map(trial).collect(),
            verdicts: Vec::new(),
            ..VariantRecord::default()
        }
    }

    #[test]
    fn servers_are_alternatives_and_loads_are_conditions_in_the_order_of_their_values() {
        let all = ["sync", "async"].iter().flat_map(|mode| {
            ["100ms", "0ms", "1s"].map(|sleep| variant(json!({ "server.mode": mode, "load.sleep": sleep }), &[1.0]))
        });
        let grid = Grid::of(&all.collect::<Vec<_>>());
        let names = |parts: &[GridPart]| parts.iter().map(|part| part.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&grid.alternatives), ["sync", "async"]);
        assert_eq!(names(&grid.conditions), ["sleep=0ms", "sleep=100ms", "sleep=1s"]);
        assert_eq!(grid.conditions.iter().map(|part| part.value.unwrap()).collect::<Vec<_>>(), [0.0, 0.1, 1.0]);
        assert_eq!(grid.key, Some(KeyRecord { path: "load.sleep".to_owned(), unit: Unit::Duration }));
        assert_eq!(grid.variants, [[Some(1), Some(4)], [Some(0), Some(3)], [Some(2), Some(5)]]);
    }

    #[test]
    fn what_does_not_vary_names_nothing_and_loads_alone_are_decided_between() {
        let one = variant(json!({ "server": "gunicorn", "server.workers": 4, "load.concurrency": 8 }), &[1.0]);
        let other = variant(json!({ "server": "gunicorn", "server.workers": 2, "load.concurrency": 8 }), &[1.0]);
        let grid = Grid::of(&[one, other]);
        assert_eq!((grid.alternatives[0].name.as_str(), grid.conditions[0].name.as_str()), ("workers=4", ""));
        let loads = [1, 16].map(|pipeline| variant(json!({ "load.pipeline": pipeline }), &[1.0]));
        let grid = Grid::of(&loads);
        assert_eq!((grid.alternatives[1].name.as_str(), grid.conditions.len()), ("pipeline=16", 1));
        assert_eq!(Grid::of(&[]), Grid::default());
    }

    #[test]
    fn values_that_are_no_numbers_have_no_order() {
        let all = ["uniform", "poisson"].iter().flat_map(|spacing| {
            ["sync", "async"].map(|mode| variant(json!({ "server.mode": mode, "load.spacing": spacing }), &[1.0]))
        });
        let grid = Grid::of(&all.collect::<Vec<_>>());
        assert_eq!((grid.key, grid.conditions[0].name.as_str()), (None, "spacing=uniform"));
    }
}
