//! Reports: each a pure function of a [`Record`]; no file, no clock, no environment.

mod response_samples;
mod capacity;
mod cause;
mod ceiling;
mod chart;
pub mod compare;
mod decision;
mod escape;
mod footnote;
mod inspection;
mod location;
mod html;
mod markdown;
mod merged;
mod remedy;
mod reproduction;
mod sentence;
mod table;
pub mod terminal;
mod format;

use std::path::Path;

pub(crate) use escape::{
    cell as markdown_cell, clip, code_cell as markdown_code, html as html_text, link as markdown_link,
};
pub(crate) use format::{capital, height, short_micros, status as status_in_words};
pub(crate) use table::{Align, Table};

use crate::record::Record;

/// A form in which a record is told, as files. A new one is a file of its own and a line in [`FORMATS`].
#[derive(Debug, Clone, Copy)]
pub struct ReportFormat {
    pub name: &'static str,
    /// The file that a person opens first.
    pub main: &'static str,
    /// Makes its files; it is given those of the forms before it.
    render: fn(&Record, ReportLocation<'_>, &[ReportFile]) -> Vec<ReportFile>,
}

/// The forms that a run leaves, the one that is named to the user first.
pub const FORMATS: [ReportFormat; 2] = [markdown::FORMAT, html::FORMAT];

/// A file of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile {
    /// Of ASCII letters, digits, `-` and `.` alone.
    pub name: String,
    pub content: String,
}

/// Where a record is, for those who read its report.
#[derive(Debug, Clone, Copy)]
pub struct ReportLocation<'a> {
    /// Its folder, as a command names it that is given where the run's was.
    pub folder: &'a Path,
    /// The report stands in it too.
    pub beside: bool,
}

/// The files of a report, in all formats.
pub fn render(record: &Record, home: ReportLocation<'_>) -> Vec<ReportFile> {
    FORMATS.iter().fold(Vec::new(), |mut files, format| {
        let more = (format.render)(record, home, &files);
        files.extend(more);
        files
    })
}

/// A line from outside, without anything that a terminal would act upon.
pub fn one_line(text: &str) -> String {
    escape::clean(text)
}

/// What a recipe sends: `2 requests, one after the other, on one connection`.
pub fn recipe_in_words(recipe: &crate::dirty::recipe::Recipe) -> String {
    reproduction::recipe(recipe)
}

/// Where in the server's code a leak happens, a name and what it is a line; without control characters.
pub fn location_in_words(located: &crate::record::LocationRecord) -> Vec<(&'static str, String)> {
    location::entries(located).into_iter().map(|(name, text)| (name, escape::clean(&text))).collect()
}

/// The verdict and why, with the decisive numbers: one line of plain text, without control characters.
pub fn answer(record: &Record) -> String {
    sentence::answer(record)
}
