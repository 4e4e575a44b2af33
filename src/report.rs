//! Reports: each a pure function of a [`Record`]; no file, no clock, no environment.

mod response_samples;
mod cause;
mod chart;
mod escape;
mod footnote;
mod markdown;
mod reproduction;
mod sentence;
mod table;
pub mod terminal;
mod format;

use std::path::Path;

use crate::record::Record;

/// `report.md` and the pictures that it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPage {
    pub markdown: String,
    /// File name (safe, ends in `.svg`) and content, to be written beside `report.md`.
    pub files: Vec<(String, String)>,
}

/// Where a record is, for those who read its report.
#[derive(Debug, Clone, Copy)]
pub struct ReportLocation<'a> {
    /// Its folder, as a command names it that is given where the run's was.
    pub folder: &'a Path,
    /// The report stands in it too.
    pub beside: bool,
}

/// The report as markdown, with its charts.
pub fn render(record: &Record, home: ReportLocation<'_>) -> ReportPage {
    markdown::page(record, home)
}

/// A line from outside, without anything that a terminal would act upon.
pub fn one_line(text: &str) -> String {
    escape::clean(text)
}

/// What a recipe sends: `2 requests, one after the other, on one connection`.
pub fn recipe_in_words(recipe: &crate::dirty::recipe::Recipe) -> String {
    reproduction::recipe(recipe)
}

/// The verdict and why, with the decisive numbers: one line of plain text, without control characters.
pub fn answer(record: &Record) -> String {
    sentence::answer(record)
}
