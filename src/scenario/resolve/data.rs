//! Data files: read while the scenario loads, so that what is wrong in one is said before anything starts.

use std::path::Path;
use std::sync::Arc;

use super::super::data::{self, Data};
use super::super::file::values::Located;
use super::super::problem::{Problem, why};
use super::super::source::Span;
use super::super::suggest;
use super::Loading;

/// A data file that is named, and what it holds; `None` after a problem.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub span: Span,
    pub data: Option<Arc<Data>>,
    /// Where its text lies among the sources.
    start: usize,
}

impl Loading<'_> {
    /// Reads a data file, once however many variants name it.
    pub(super) fn data(&mut self, given: &Located<String>) -> Given {
        let path = self.folder.join(&given.value);
        if let Some(known) = self.data_files.get(&path) {
            return known.clone();
        }
        let found = self.read_data(given, &path);
        self.data_files.insert(path, found.clone());
        found
    }

    fn read_data(&mut self, given: &Located<String>, path: &Path) -> Given {
        let mut found = Given { span: given.span.clone(), data: None, start: 0 };
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let read = match ending.as_deref() {
            Some("csv") => data::csv,
            Some("jsonl" | "ndjson") => data::json_lines,
            _ => {
                let problem = Problem::new(format!("`{}` is no data file", given.value));
                let help = "name a .csv file, or a .jsonl or .ndjson file with an object a line";
                self.problems.add(problem.at(&given.span, "told by its ending").help(help));
                return found;
            }
        };
        let source = match self.system.text(path) {
            Ok(source) => source,
            Err(error) => {
                let problem = Problem::new(format!("cannot read the data file `{}`", given.value));
                let problem = problem.at(&given.span, format!("{}: {}", path.display(), why(&error)));
                self.problems.add(problem.help("paths in a scenario count from the scenario's own folder"));
                return found;
            }
        };
        found.start = self.problems.sources.add(path.to_string_lossy(), source.as_str());
        match read(&source) {
            Ok(data) => found.data = Some(Arc::new(data)),
            Err(error) => {
                let place = line(&source, found.start, error.line);
                let problem = Problem::new(error.title).at(&place, error.label).also(&given.span, "named here");
                self.problems.add(problem.help(error.help));
            }
        }
        found
    }

    /// Checks a hole that a data file fills: its column is there, and no value of it would end
    /// the `header` that it stands in. Everywhere else values are encoded.
    pub(super) fn column(&mut self, column: &str, place: &Span, data: Option<&Given>, header: Option<&str>) {
        let Some(given) = data else {
            let problem = Problem::new(format!("`{{data.{column}}}` without a data file"));
            let help = "add data = \"users.csv\" to [load]: a row a user, the names of the columns in the first line";
            self.missing(&["load", "data"], problem.at(place, "nothing fills this").help(help));
            return;
        };
        let Some(data) = &given.data else { return };
        if !data.columns().iter().any(|name| name == column) {
            let known: Vec<&str> = data.columns().iter().map(String::as_str).collect();
            let problem = Problem::new(format!("the data file has no column `{column}`"));
            let problem = problem.at(place, "nothing fills this").also(&given.span, "its columns");
            self.problems.add(problem.help(suggest::help(column, "its columns", &known)));
            return;
        }
        let Some(header) = header else { return };
        let Some(number) = data.line_with(column, |c| c.is_control() && c != '\t') else { return };
        let source = self.problems.sources.text_from(given.start);
        let row = line(source, given.start, number);
        let problem = Problem::new(format!("a value of `{column}` would end the header `{header}`"));
        let problem = problem.at(&row, "a line break or control character").also(place, "stands here");
        self.problems.add(problem.help("take it out of the data, or send the value in a body or a query"));
    }
}

/// The place of a line, counted from 1.
fn line(source: &str, start: usize, number: usize) -> Span {
    let mut at = 0;
    for (index, text) in source.split_inclusive('\n').enumerate() {
        if index + 1 == number {
            return start + at..start + at + text.trim_end().len();
        }
        at += text.len();
    }
    start..start
}
