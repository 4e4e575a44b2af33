//! Lines and columns of plain text.

use crate::report::format::NONE;
use crate::report::table::{Align, pad};

/// Breaks a text at spaces into lines of at most `width` characters; further lines begin with `indent`. A word that is
/// longer stays whole. Ends in a line break.
pub(super) fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            out += indent;
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out += word;
        column += length;
    }
    out.push('\n');
    out
}

/// Rows as lines of aligned columns; columns that say nothing below their head are left out.
pub(super) fn columns(rows: &[Vec<String>], aligns: &[Align]) -> Vec<String> {
    let says = |text: &String| !text.is_empty() && text != NONE;
    let kept: Vec<usize> =
        (0..aligns.len()).filter(|column| rows.iter().skip(1).any(|row| says(&row[*column]))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = kept.iter().map(|column| width(*column)).collect();
    let line = |row: &Vec<String>| {
        let cells = kept.iter().zip(&widths).map(|(column, width)| pad(&row[*column], *width, aligns[*column]));
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("one two three", 7, "  "), "one two\n  three\n");
        assert_eq!(wrap("averylongword x", 5, ""), "averylongword\nx\n");
    }
}
