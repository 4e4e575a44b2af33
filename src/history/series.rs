//! The nights of each variant, and the figures among them that may be compared.

use std::collections::BTreeMap;

use super::conditions::NewSeries;
use super::entry::HistoryEntry;

/// All nights of one variant of a scenario.
#[derive(Debug)]
pub struct VariantHistory<'h> {
    pub scenario: &'h str,
    /// Empty where the scenario never ran.
    pub variant: &'h str,
    /// In their order; at least one. Of several runs in one night each.
    pub nights: Vec<&'h HistoryEntry>,
    /// Where the present series begins: nights before were under other conditions.
    pub comparable_from: usize,
    /// In what they differed; empty where there are none before.
    pub new_series: Vec<NewSeries>,
}

/// A metric over the comparable nights of a variant.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSeries {
    /// The night of each figure, by index among the nights of the variant.
    pub nights: Vec<usize>,
    /// In the metric's base unit.
    pub figures: Vec<f64>,
}

/// The variants of a history, in the order of scenario and variant. Nights in which a scenario could not run at all count for
/// each of its variants.
pub fn variants(entries: &[HistoryEntry]) -> Vec<VariantHistory<'_>> {
    let mut scenarios: BTreeMap<&str, Vec<&HistoryEntry>> = BTreeMap::new();
    for entry in entries {
        scenarios.entry(&entry.scenario).or_default().push(entry);
    }
    scenarios.into_iter().flat_map(|(scenario, entries)| of_scenario(scenario, &entries)).collect()
}

fn of_scenario<'h>(scenario: &'h str, entries: &[&'h HistoryEntry]) -> Vec<VariantHistory<'h>> {
    let mut nights: BTreeMap<&str, Vec<&'h HistoryEntry>> = BTreeMap::new();
    // The variants of the last run are those that the scenario has.
    let last = entries.iter().rfind(|entry| !entry.variant.is_empty()).map(|entry| entry.started.as_str());
    let names: Vec<&str> = entries
        .iter()
        .filter(|entry| Some(entry.started.as_str()) == last)
        .map(|entry| entry.variant.as_str())
        .collect();
    let names = if names.is_empty() { vec![""] } else { names };
    for entry in entries {
        for name in &names {
            if entry.variant.is_empty() || entry.variant == **name {
                nights.entry(name).or_default().push(entry);
            }
        }
    }
    let one = |(variant, nights): (&'h str, Vec<&'h HistoryEntry>)| {
        let (comparable_from, new_series) = comparable(&nights);
        VariantHistory { scenario, variant, nights, comparable_from, new_series }
    };
    nights.into_iter().map(one).collect()
}

/// From which night on conditions are those of the last, and in what they differed before. Nights without a measurement have
/// no conditions that matter.
fn comparable(nights: &[&HistoryEntry]) -> (usize, Vec<NewSeries>) {
    let measured = || nights.iter().enumerate().rev().filter(|(_, night)| !night.metrics.is_empty());
    let Some((_, last)) = measured().next() else { return (0, Vec::new()) };
    let differs = |(_, night): &(usize, &&HistoryEntry)| night.conditions != last.conditions;
    match measured().find(differs) {
        Some((index, other)) => (index + 1, last.conditions.since(&other.conditions)),
        None => (0, Vec::new()),
    }
}

impl<'h> VariantHistory<'h> {
    /// The last night.
    pub fn last(&self) -> &'h HistoryEntry {
        self.nights[self.nights.len() - 1]
    }

    /// A metric over the comparable nights that have it.
    pub fn series(&self, metric: &str) -> MetricSeries {
        let nights = self.nights.iter().enumerate().skip(self.comparable_from);
        let measured = nights.filter_map(|(index, night)| Some((index, *night.metrics.get(metric)?)));
        let (nights, figures) = measured.unzip();
        MetricSeries { nights, figures }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::history::Conditions;
    use crate::record::Status;

    /// A night of a scenario with one variant of its name: a number of the year, and its throughput.
    pub fn entry(scenario: &str, night: usize, throughput: f64) -> HistoryEntry {
        let night = format!("2026-{:04}T02:00:00Z", night);
        HistoryEntry {
            started: night.clone(),
            night,
            scenario: scenario.to_owned(),
            variant: scenario.to_owned(),
            status: Status::Passed,
            took_s: 1.0,
            metrics: [("throughput".to_owned(), throughput)].into(),
            headline: Some("throughput".to_owned()),
            dirty: None,
            problems: Vec::new(),
            report: None,
            conditions: Conditions::default(),
            regression: Default::default(),
            tags: Vec::new(),
        }
    }

    #[test]
    fn other_conditions_begin_a_series_and_say_what_differs() {
        let mut entries: Vec<HistoryEntry> = (0..6).map(|night| entry("a", night, night as f64)).collect();
        entries[..2].iter_mut().for_each(|entry| entry.conditions.kernel = "Linux 5".to_owned());
        let all = variants(&entries);
        assert_eq!((all.len(), all[0].comparable_from), (1, 2));
        assert_eq!(
            all[0].series("throughput"),
            MetricSeries { nights: vec![2, 3, 4, 5], figures: vec![2.0, 3.0, 4.0, 5.0] }
        );
        assert_eq!(all[0].new_series[0].of, "kernel");
    }

    #[test]
    fn a_night_that_could_not_run_belongs_to_every_variant_and_breaks_no_series() {
        let of = |variant: &str, night| HistoryEntry { variant: variant.to_owned(), ..entry("a", night, 1.0) };
        let failed = HistoryEntry { metrics: BTreeMap::new(), status: Status::CouldNotRun, ..of("", 2) };
        let gone = of("gone", 0);
        let entries = [gone, of("x", 1), of("y", 1), failed, of("x", 3), of("y", 3)];
        let all = variants(&entries);
        let shown: Vec<_> =
            all.iter().map(|of| (of.variant, of.nights.len(), of.series("throughput").nights)).collect();
        assert_eq!(shown, [("x", 3, vec![0, 2]), ("y", 3, vec![0, 2])], "a variant that is no more has no row");
    }
}
