//! The page as Markdown.

use super::words::{answer, day, figure, leaks, name, new_series, regression, signed, since, state};
use crate::history::index::{Index, IndexRow};
use crate::report::{Align, Table, capital, height, markdown_cell, markdown_code, markdown_link};
use crate::units::counted;

/// The page of an index. Links lead from the folder of reports.
pub fn markdown(index: &Index) -> String {
    let mut out = format!("# {}\n\n", capital(&answer(index)));
    if !index.night.is_empty() {
        out += &format!("Last run: {} UTC.", day(&index.night));
        out += &unread(index).map(|text| format!(" {text}")).unwrap_or_default();
        out += "\n\n";
    }
    let urgent: Vec<&IndexRow> = index.rows.iter().filter(|row| !row.stale && row.needs_a_look()).collect();
    if !urgent.is_empty() {
        out += "## Needs a look\n\n";
        out += &urgent.iter().map(|row| problem(row)).collect::<String>();
        out.push('\n');
    }
    let (stale, tonight): (Vec<&IndexRow>, Vec<&IndexRow>) = index.rows.iter().partition(|row| row.stale);
    if !tonight.is_empty() {
        out += "## All scenarios\n\n";
        out += &table(&tonight);
    }
    if !stale.is_empty() {
        out += "## Not run in the last night\n\n";
        out += &table(&stale);
    }
    out
}

/// What is to be said of lines that could not be read.
pub(super) fn unread(index: &Index) -> Option<String> {
    (index.unread > 0).then(|| format!("{} of history.jsonl could not be read.", counted(index.unread as u64, "line")))
}

fn problem(row: &IndexRow) -> String {
    let mut lines = vec![format!("- **{}** {}{}", markdown_cell(&name(row)), state(row), link(row, ": "))];
    lines.extend(since(row).map(|since| format!("  - {since}")));
    lines.extend(row.problems.iter().map(|problem| format!("  - {}", markdown_cell(problem))));
    lines.extend(row.regressions.iter().map(|of| format!("  - {}", regression(of))));
    lines.join("\n") + "\n"
}

fn table(rows: &[&IndexRow]) -> String {
    let mut table = Table::new([
        ("scenario", Align::Left),
        ("", Align::Left),
        ("headline", Align::Left),
        ("", Align::Right),
        ("change", Align::Right),
        ("nights", Align::Left),
        ("leaks", Align::Left),
        ("report", Align::Left),
    ]);
    for row in rows {
        let headline = row.headline.as_ref();
        table.row([
            markdown_cell(&name(row)),
            state(row).to_owned(),
            headline.map(|of| markdown_code(&of.metric)).unwrap_or_default(),
            headline.map(|of| figure(&of.metric, of.value)).unwrap_or_default(),
            headline.and_then(|of| of.change).map(signed).unwrap_or_default(),
            headline.map(|of| sparkline(&of.nights)).unwrap_or_default(),
            leaks(row).unwrap_or_default(),
            link(row, ""),
        ]);
    }
    let mut out = table.without_empty_columns().markdown();
    let notes: Vec<String> = rows
        .iter()
        .filter_map(|row| Some(format!("- {}: {}\n", markdown_cell(&name(row)), markdown_cell(&new_series(row)?))))
        .collect();
    if !notes.is_empty() {
        out += &format!("{}\n", notes.concat());
    }
    out
}

fn link(row: &IndexRow, before: &str) -> String {
    let to = |report: &String| format!("{before}{}", markdown_link("report", &format!("{report}/report.md")));
    row.report.as_ref().map(to).unwrap_or_default()
}

/// Figures as eight heights, from the lowest to the highest; a gap for a night without one.
fn sparkline(figures: &[Option<f64>]) -> String {
    let known = || figures.iter().flatten();
    let (low, high) =
        known().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), figure| (low.min(*figure), high.max(*figure)));
    // What differs by a hundredth is drawn as one height.
    let span = (high - low).max(high.abs() * 0.01);
    let share = |figure: f64| if span > 0.0 { (figure - low) / span } else { 0.0 };
    figures
        .iter()
        .map(|figure| figure.map_or(' ', |figure| height(share(figure))))
        .collect::<String>()
        .trim_end()
        .replace(' ', "·")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_figures_is_as_high_as_they_are() {
        assert_eq!(sparkline(&[Some(1.0), Some(8.0), None, Some(4.5)]), "▁█·▅");
        assert_eq!(sparkline(&[Some(5.0), Some(5.0)]), "▁▁");
        assert_eq!(sparkline(&[]), "");
    }
}
