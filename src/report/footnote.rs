//! Marks in the table of variants, and what they mean.

use std::collections::BTreeSet;

use crate::analysis::coverage::{NotExercised, uncovered};
use crate::record::VariantRecord;

use super::format::capital;

/// What the marks of [`mark`] mean, a line a reason.
pub(crate) fn notes(variants: &[VariantRecord]) -> Vec<String> {
    let notes = reservations(variants).into_iter().zip(MARKS);
    notes.map(|(note, mark)| format!("{mark} {}.", capital(&note.to_string()))).collect()
}

/// ` ¹` behind a variant's leaks, where a trigger of its check was not exercised; else nothing.
pub(crate) fn mark(variant: &VariantRecord, among: &[VariantRecord]) -> String {
    let note = uncovered(variant);
    let marks = reservations(among).into_iter().zip(MARKS);
    marks
        .into_iter()
        .find(|(other, _)| Some(other) == note.as_ref())
        .map(|(_, mark)| format!(" {mark}"))
        .unwrap_or_default()
}

const MARKS: [&str; 5] = ["¹", "²", "³", "⁴", "⁵"];

fn reservations(variants: &[VariantRecord]) -> BTreeSet<NotExercised> {
    variants.iter().filter_map(uncovered).collect()
}
