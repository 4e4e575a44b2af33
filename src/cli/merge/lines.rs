//! The lines of the history that reports from several folders come to in one.

use std::path::PathBuf;

use super::inputs::Inputs;
use crate::history::{self, HistoryEntry, Place};
use crate::record::{Record, Status};
use crate::scenario::Scenario;

/// The record of a scenario.
pub(super) struct Joined {
    pub record: Record,
    /// Which of the inputs it is made of, by index.
    pub parts: Vec<usize>,
    /// What it was judged by anew; `None` where it stays as it is.
    pub judged_by: Option<Scenario>,
}

/// One whose report is in its new place.
pub(super) struct Placed {
    pub of: Joined,
    /// Its name among the reports.
    pub name: String,
}

/// All lines of the histories, with one of a merged record in place of those of its parts.
pub(super) fn lines(inputs: &Inputs, placed: &[Placed]) -> Vec<HistoryEntry> {
    let mut lines: Vec<HistoryEntry> = Vec::new();
    for (folder, entries) in &inputs.histories {
        for entry in entries {
            match placed.iter().find(|placed| placed.of.parts.iter().any(|part| inputs.is_of(*part, folder, entry))) {
                Some(placed) if placed.of.judged_by.is_some() => {}
                Some(placed) => lines.push(HistoryEntry { report: Some(placed.name.clone()), ..entry.clone() }),
                None => lines.push(entry.clone()),
            }
        }
    }
    for placed in placed {
        let is_there = |line: &HistoryEntry| line.report.as_deref() == Some(placed.name.as_str());
        if !lines.iter().any(is_there) {
            lines.extend(new(inputs, placed));
        }
    }
    if inputs.night.is_some() {
        lines.extend(inputs.not_measured.iter().cloned());
    }
    lines
}

/// The lines of a report that no history has.
fn new(inputs: &Inputs, placed: &Placed) -> Vec<HistoryEntry> {
    // What a user ended says nothing of how things are; that rounds are missing does.
    if placed.of.judged_by.is_none() && placed.of.record.status == Status::Interrupted {
        return Vec::new();
    }
    let of_part =
        |entry: &&HistoryEntry, folder: &PathBuf| placed.of.parts.iter().any(|part| inputs.is_of(*part, folder, entry));
    let of_parts = inputs
        .histories
        .iter()
        .flat_map(|(folder, entries)| entries.iter().filter(move |entry| of_part(entry, folder)));
    let (last, scenario) = (of_parts.max_by_key(|entry| entry.night.clone()), placed.of.judged_by.as_ref());
    let place = Place {
        night: last
            .map(|entry| entry.night.clone())
            .or_else(|| inputs.night.clone())
            .unwrap_or_else(|| placed.of.record.started.clone()),
        tags: scenario.map(|scenario| scenario.tags.clone()).unwrap_or_default(),
        regression: scenario.map(|scenario| scenario.regression).unwrap_or_default(),
        report: Some(placed.name.clone()),
    };
    history::entries(&placed.of.record, &place)
}

impl Inputs {
    /// Whether a line of a folder's history is about an input.
    fn is_of(&self, index: usize, folder: &PathBuf, entry: &HistoryEntry) -> bool {
        let found = self.records.get(index).and_then(|input| input.found.as_ref());
        found.is_some_and(|(reports, name)| reports == folder && entry.report.as_ref() == Some(name))
    }
}
