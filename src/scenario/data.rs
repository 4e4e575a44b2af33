//! Data files: a row a user, from CSV or from JSON lines.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// A data file, read. Has at least one column and one row, and a value for every column in each row.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    columns: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    /// In the file, from 1.
    line: usize,
    values: Vec<Cell>,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
struct Cell {
    /// As it stands in a request: texts without quotes, `null` as nothing, the rest as the file has it.
    text: String,
    value: Value,
}

impl Cell {
    fn of_text(text: &str) -> Cell {
        Cell { text: text.to_owned(), value: text.into() }
    }

    /// A number keeps every digit where it is sent (`1.10`, `1E5`). A script gets a text in place of one that is too large
    /// for its numbers.
    fn of_json(raw: &RawValue) -> Cell {
        let written = raw.get();
        match serde_json::from_str(written) {
            Ok(Value::String(text)) => Cell::of_text(&text),
            Ok(Value::Null) => Cell { text: String::new(), value: Value::Null },
            Ok(Value::Number(number)) if number.as_i64().is_none() && is_whole(written) => Cell::of_text(written),
            Ok(value) => Cell { text: written.to_owned(), value },
            Err(_) => Cell::of_text(written),
        }
    }
}

fn is_whole(number: &str) -> bool {
    number.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit())
}

/// Why a text is no data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DataError {
    /// In the file, from 1.
    pub line: usize,
    pub title: String,
    pub label: String,
    pub help: &'static str,
}

impl Data {
    /// The names of the columns, in the order of the file.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The row of a user: its number modulo the rows, column by column.
    pub fn row(&self, user: u32) -> impl Iterator<Item = (&str, &Value)> {
        let row = &self.rows[user as usize % self.rows.len()];
        self.columns.iter().map(String::as_str).zip(row.values.iter().map(|cell| &cell.value))
    }

    /// Appends what a user's row has in a column. It is not yet encoded for where it goes.
    pub fn write(&self, user: u32, column: &str, out: &mut Vec<u8>) {
        let row = &self.rows[user as usize % self.rows.len()];
        if let Some((_, cell)) = self.columns.iter().zip(&row.values).find(|(name, _)| *name == column) {
            out.extend_from_slice(cell.text.as_bytes());
        }
    }

    /// The line of the first row whose value in a column holds such a character.
    pub(super) fn line_with(&self, column: &str, bad: impl Fn(char) -> bool) -> Option<usize> {
        let index = self.columns.iter().position(|name| name == column)?;
        self.rows.iter().find(|row| row.values[index].text.contains(&bad)).map(|row| row.line)
    }
}

/// Reads CSV whose first row names the columns.
pub(super) fn csv(source: &str) -> Result<Data, DataError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source.as_bytes());
    let columns: Vec<String> = match reader.headers() {
        Ok(columns) => columns.iter().map(|name| name.trim().to_owned()).collect(),
        Err(error) => return Err(broken(&error)),
    };
    check_columns(&columns)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| broken(&error))?;
        let line = record.position().map_or(0, |position| position.line() as usize);
        if record.len() != columns.len() {
            return Err(DataError {
                line,
                title: format!("a row of {}, under a header of {}", values(record.len()), columns.len()),
                label: "the columns do not line up".to_owned(),
                help: "give each row a value for every column; a value with a comma in it stands in quotes",
            });
        }
        rows.push(Row { line, values: record.iter().map(Cell::of_text).collect() });
    }
    some_rows(Data { columns, rows }, "write the names of the columns in the first line, and a row a user below it")
}

fn broken(error: &csv::Error) -> DataError {
    let line = error.position().map_or(1, |position| position.line() as usize);
    DataError {
        line,
        title: format!("not valid CSV: {error}"),
        label: "here".to_owned(),
        help: "write one row a line, in UTF-8, with commas between the values",
    }
}

fn values(count: usize) -> String {
    if count == 1 { "1 value".to_owned() } else { format!("{count} values") }
}

fn check_columns(columns: &[String]) -> Result<(), DataError> {
    let twice = columns.iter().enumerate().find(|(index, name)| columns[..*index].contains(name));
    let title = match twice {
        Some((_, name)) if !name.is_empty() => format!("the column `{name}` stands twice"),
        _ if columns.iter().any(String::is_empty) && columns.len() > 1 => "a column without a name".to_owned(),
        _ => return Ok(()),
    };
    Err(DataError {
        line: 1,
        title,
        label: "the first row names the columns".to_owned(),
        help: "give every column a name of its own",
    })
}

/// Reads an object a line; the first line's keys are the columns. Blank lines are skipped.
pub(super) fn json_lines(source: &str) -> Result<Data, DataError> {
    let mut columns: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for (index, text) in source.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let line = index + 1;
        let wrong = |title: String, label: &str| DataError {
            line,
            title,
            label: label.to_owned(),
            help: "write one object a line, each with the same keys, as in {\"email\": \"ana@example.com\"}",
        };
        let whole: &RawValue = serde_json::from_str(text).map_err(|error| wrong(not_json(&error), "this line"))?;
        if !whole.get().starts_with('{') {
            return Err(wrong("a line that is not an object".to_owned(), "this is something else"));
        }
        let object: Result<BTreeMap<String, &RawValue>, _> = serde_json::from_str(text);
        let mut object = object.map_err(|error| wrong(not_json(&error), "this line"))?;
        if rows.is_empty() {
            columns = object.keys().cloned().collect();
        }
        let mut values = Vec::with_capacity(columns.len());
        for column in &columns {
            let missing = || wrong(format!("a row without `{column}`"), "the first row has it");
            values.push(Cell::of_json(object.remove(column).ok_or_else(missing)?));
        }
        if let Some(extra) = object.keys().next() {
            return Err(wrong(format!("a row with `{extra}`"), "the first row has it not"));
        }
        rows.push(Row { line, values });
    }
    some_rows(Data { columns, rows }, "write one object a line, as in {\"email\": \"ana@example.com\"}")
}

/// serde_json's words without its place, which is that of a line taken for a whole text.
fn not_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    format!("not valid JSON: {}", text.split(" at line ").next().unwrap_or_default())
}

fn some_rows(data: Data, help: &'static str) -> Result<Data, DataError> {
    if !data.rows.is_empty() && !data.columns.is_empty() {
        return Ok(data);
    }
    let (title, label) = match data.columns.is_empty() {
        true => ("the data file is empty", "nothing here"),
        false => ("the data file has no row", "only the names of the columns"),
    };
    Err(DataError { line: 1, title: title.to_owned(), label: label.to_owned(), help })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(data: &Data, user: u32) -> String {
        let mut out = Vec::new();
        data.write(user, &data.columns[0], &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_user_gets_the_row_of_its_number_and_the_rows_come_round() {
        let data = csv("email,plan\na@x,free\n\"b,c\",pro\n").unwrap();
        assert_eq!(data.columns(), ["email", "plan"]);
        let emails: Vec<String> = (0..4).map(|user| first(&data, user)).collect();
        assert_eq!(emails, ["a@x", "b,c", "a@x", "b,c"]);
        let same = json_lines("{\"email\":\"a@x\",\"plan\":\"free\"}\n\n{\"plan\":\"pro\",\"email\":\"b,c\"}").unwrap();
        assert_eq!(same.row(1).collect::<Vec<_>>(), data.row(1).collect::<Vec<_>>());
    }

    #[test]
    fn a_row_that_a_header_cannot_hold_is_found() {
        let data = csv("a\nx\n\"x\r\nHost: evil\"\n").unwrap();
        assert_eq!(data.line_with("a", char::is_control), Some(3));
        assert_eq!(data.line_with("a", |c| c == ';'), None);
    }

    #[test]
    fn values_of_json_lines_keep_their_types_and_are_written_as_they_read() {
        let data = json_lines("{\"a\":7}\n{\"a\":null}\n{\"a\":[\"x\"]}\n{\"a\":true}").unwrap();
        let texts: Vec<String> = (0..4).map(|user| first(&data, user)).collect();
        assert_eq!(texts, ["7", "", "[\"x\"]", "true"]);
        assert_eq!(data.row(0).next(), Some(("a", &Value::from(7))));
    }

    #[test]
    fn numbers_are_sent_as_they_stand() {
        for written in
            ["1E5", "1.10", "-0.0", "12345678901234567890123", "9007199254740993", "1e400", "0.1000000000000000055"]
        {
            let data = json_lines(&format!("{{\"a\": {written} }}")).unwrap();
            assert_eq!(first(&data, 0), written);
        }
        let nested = json_lines("{\"a\":[1.10, {\"b\" : 1E5}]}").unwrap();
        assert_eq!(first(&nested, 0), "[1.10, {\"b\" : 1E5}]");
        let for_scripts =
            |written: &str| json_lines(&format!("{{\"a\":{written}}}")).unwrap().row(0).next().unwrap().1.clone();
        assert_eq!(for_scripts("1E5"), Value::from(1e5));
        assert_eq!(for_scripts("1.10"), Value::from(1.1));
        assert_eq!(for_scripts("12345678901234567890"), Value::from("12345678901234567890"), "no number of a script");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let line = |error: Result<Data, DataError>| error.map(|_| 0).unwrap_or_else(|error| error.line);
        assert_eq!(line(csv("a,b\n1,2\n3\n")), 3);
        assert_eq!(line(csv("a,a\n1,2\n")), 1);
        assert_eq!(line(csv("")), 1);
        assert_eq!(line(csv("a,b\n")), 1);
        assert_eq!(line(json_lines("{\"a\":1}\n\n{\"a\":\n")), 3);
        assert_eq!(line(json_lines("{\"a\":1}\n{\"b\":1}\n")), 2);
        assert_eq!(line(json_lines("{\"a\":1}\n[1]\n")), 2);
        assert_eq!(line(json_lines("\n")), 1);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text in "[a-c,\"\\n\\r{}:\\[\\] 1]{0,40}") {
            for data in [csv(&text), json_lines(&text)] {
                match data {
                    Ok(data) => prop_assert!(data.row(7).count() == data.columns().len()),
                    Err(error) => prop_assert!(error.line >= 1 && error.line <= text.lines().count().max(1) + 1),
                }
            }
        }
    }
}
