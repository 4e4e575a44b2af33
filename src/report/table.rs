//! Tables in markdown that are aligned in a terminal as well.

/// Rows of cells that are already escaped.
pub(crate) struct Table {
    heads: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

impl Table {
    pub(crate) fn new<'a>(heads: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        Table { heads: heads.into_iter().map(|(head, align)| (head.to_owned(), align)).collect(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty, further ones are left out.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.heads.len(), String::new());
        self.rows.push(cells);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Leaves out columns in which no row says anything.
    pub(crate) fn without_empty_columns(mut self) -> Self {
        let says_nothing = |text: &String| text.is_empty() || text == super::format::NONE;
        let kept: Vec<bool> =
            (0..self.heads.len()).map(|column| !self.rows.iter().all(|row| says_nothing(&row[column]))).collect();
        let keep = |column: &mut std::slice::Iter<'_, bool>| column.next().copied().unwrap_or(true);
        let mut columns = kept.iter();
        self.heads.retain(|_| keep(&mut columns));
        for row in &mut self.rows {
            let mut columns = kept.iter();
            row.retain(|_| keep(&mut columns));
        }
        self
    }

    /// The table as markdown, with an empty line after it; nothing without rows.
    pub(crate) fn markdown(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let widths: Vec<usize> = (0..self.heads.len()).map(|column| self.width(column)).collect();
        let mut out = line(self.heads.iter().zip(&widths).map(|((head, align), width)| pad(head, *width, *align)));
        out += &line(self.heads.iter().zip(&widths).map(|((_, align), width)| match align {
            Align::Left => "-".repeat(*width),
            Align::Right => "-".repeat(width - 1) + ":",
        }));
        for row in &self.rows {
            let cells = row.iter().zip(&self.heads).zip(&widths);
            out += &line(cells.map(|((cell, (_, align)), width)| pad(cell, *width, *align)));
        }
        out + "\n"
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].chars().count());
        cells.chain([self.heads[column].0.chars().count(), 3]).max().unwrap_or(3)
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// Fills up with spaces; counts characters, which is right for all but wide ones.
pub(crate) fn pad(text: &str, width: usize, align: Align) -> String {
    match align {
        Align::Left => format!("{text:<width$}"),
        Align::Right => format!("{text:>width$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new([("name", Align::Left), ("n", Align::Right), ("empty", Align::Left)]);
        table.row(["long name".to_owned(), "1".to_owned()]);
        table.row(["x".to_owned(), "1,000".to_owned()]);
        let expected = "| name      |     n |\n| --------- | ----: |\n| long name |     1 |\n| x         | 1,000 |\n\n";
        assert_eq!(table.without_empty_columns().markdown(), expected);
    }
}
