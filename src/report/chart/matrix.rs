//! Which operations showed the data of which: a square for each pair, the source on the left, the victim at the top.

use std::collections::BTreeMap;

use plotters::style::text_anchor::HPos;

use crate::record::SweepRecord;
use crate::units::counted;

use super::canvas::{Canvas, GREY, GRID, INK, MUTED, VERMILLION, sheet};
use super::font::{fitted, text_width};

/// Operations on a side; others are left out, and said to be.
const MOST: usize = 30;
const CELL: f64 = 22.0;
const TEXT: f64 = 12.0;
/// Names are cut off where they are wider.
const WIDEST: f64 = 260.0;
const MARGIN: f64 = 16.0;
const TOP: f64 = 58.0;
const UNKNOWN: &str = "not known";

/// Draws the pairs of all findings; `None` where there are none.
pub(crate) fn matrix(sweep: &SweepRecord, title: &str) -> Option<String> {
    let mut counts: BTreeMap<(Option<usize>, usize), u64> = BTreeMap::new();
    for pair in sweep.findings.iter().flat_map(|finding| &finding.pairs) {
        *counts.entry((pair.source, pair.victim)).or_default() += pair.responses;
    }
    let name = |page: usize| sweep.operations.get(page).map_or("", |operation| operation.name.as_str());
    let (sources, more_sources) = busiest(counts.iter().map(|((source, _), count)| (*source, *count)));
    let (victims, more_victims) = busiest(counts.iter().map(|((_, victim), count)| (*victim, *count)));
    if sources.is_empty() {
        return None;
    }
    let rows: Vec<String> = sources.iter().map(|source| fitted(source.map_or(UNKNOWN, name), WIDEST, TEXT)).collect();
    let columns: Vec<String> = victims.iter().map(|victim| fitted(name(*victim), WIDEST, TEXT)).collect();
    let widest = |texts: &[String]| texts.iter().map(|text| text_width(text, TEXT)).fold(0.0, f64::max);
    let left = MARGIN + widest(&rows).max(text_width("data of", TEXT)) + 10.0;
    let right = left + CELL * columns.len() as f64;
    // The names of the columns stand below each other, each with a line down to its column.
    let head = TOP + 18.0 * columns.len() as f64;
    let bottom = head + 8.0 + CELL * rows.len() as f64;
    let note = note(more_sources, more_victims);
    let width = (right + 14.0 + widest(&columns) + MARGIN)
        .max(MARGIN * 2.0 + text_width(title, 15.0) * 1.1)
        .max(MARGIN * 2.0 + text_width(&note, TEXT));
    let height = bottom + if note.is_empty() { MARGIN } else { MARGIN + 22.0 };
    let most = counts.values().copied().max().unwrap_or(1).max(1) as f64;
    Some(sheet(width, height, title, |canvas| {
        canvas.text((left - 8.0, TOP - 14.0), "data of", TEXT, MUTED, HPos::Right);
        canvas.text((left, TOP - 14.0), "was shown by", TEXT, MUTED, HPos::Left);
        for (index, text) in columns.iter().enumerate() {
            let x = left + CELL * (index as f64 + 0.5);
            let y = TOP + 18.0 * (columns.len() - 1 - index) as f64 + 6.0;
            canvas.line((x, y), (x, bottom), GRID, 1.0);
            canvas.line((x, y), (right + 8.0, y), GRID, 1.0);
            canvas.text((right + 12.0, y), text, TEXT, INK, HPos::Left);
        }
        for (index, text) in rows.iter().enumerate() {
            let y = head + 8.0 + CELL * (index as f64 + 0.5);
            canvas.line((left, y), (right, y), GRID, 1.0);
            canvas.text((left - 8.0, y), text, TEXT, INK, HPos::Right);
        }
        for ((source, victim), count) in &counts {
            let row = sources.iter().position(|known| known == source);
            let column = victims.iter().position(|known| known == victim);
            let (Some(row), Some(column)) = (row, column) else { continue };
            let at = (left + CELL * column as f64, head + 8.0 + CELL * row as f64);
            square(canvas, at, *count, most);
        }
        canvas.line((left, head + 8.0), (left, bottom), GREY, 1.0);
        if !note.is_empty() {
            canvas.text((MARGIN, bottom + 18.0), &note, TEXT, MUTED, HPos::Left);
        }
    }))
}

/// A square that is the larger and the darker the more responses leaked.
fn square(canvas: &mut Canvas<'_>, (x, y): (f64, f64), count: u64, most: f64) {
    let share = ((count as f64).ln_1p() / most.ln_1p()).clamp(0.0, 1.0);
    let inset = 2.0 + (1.0 - share) * 5.0;
    let (from, to) = ((x + inset, y + inset), (x + CELL - inset, y + CELL - inset));
    canvas.area(from, to, VERMILLION, 0.45 + 0.55 * share);
}

/// The busiest few, in the order of the operations, and how many more there are.
fn busiest<T: Ord + Copy>(all: impl Iterator<Item = (T, u64)>) -> (Vec<T>, usize) {
    let mut sums: BTreeMap<T, u64> = BTreeMap::new();
    all.for_each(|(one, count)| *sums.entry(one).or_default() += count);
    let mut order: Vec<(T, u64)> = sums.into_iter().collect();
    order.sort_by_key(|(one, count)| (std::cmp::Reverse(*count), *one));
    let more = order.len().saturating_sub(MOST);
    order.truncate(MOST);
    let mut kept: Vec<T> = order.into_iter().map(|(one, _)| one).collect();
    kept.sort();
    (kept, more)
}

fn note(sources: usize, victims: usize) -> String {
    let mut left_out = Vec::new();
    if sources > 0 {
        left_out.push(counted(sources as u64, "more source"));
    }
    if victims > 0 {
        left_out.push(counted(victims as u64, "more victim"));
    }
    if left_out.is_empty() { String::new() } else { format!("not drawn: {}", left_out.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{FindingRecord, SweptOperation, SweptPair};

    #[test]
    fn each_pair_has_a_square_and_many_are_cut_off() {
        let operation = |index: usize| SweptOperation { name: format!("GET /{index}"), ..SweptOperation::default() };
        let pair = |source, victim| SweptPair { source: Some(source), victim, responses: 3, likely: false };
        let sweep = |pairs: Vec<SweptPair>| SweepRecord {
            operations: (0..60).map(operation).collect(),
            findings: vec![FindingRecord { pairs, ..FindingRecord::default() }],
            ..SweepRecord::default()
        };
        let svg = matrix(&sweep(vec![pair(1, 2), pair(2, 2)]), "Pairs").unwrap();
        assert!(svg.contains("GET /1") && svg.contains("GET /2") && !svg.contains("not drawn"));
        let many = matrix(&sweep((0..60).map(|index| pair(index, index)).collect()), "Pairs").unwrap();
        assert!(many.contains("not drawn: 30 more sources, 30 more victims"));
        assert_eq!(matrix(&sweep(Vec::new()), "Pairs"), None);
    }
}
