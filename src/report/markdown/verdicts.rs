//! What was asserted, and reasons to trust a number less.

use crate::record::VariantRecord;
use crate::report::escape::{cell, code_cell, inline};
use crate::report::format::{capital, observed, status};
use crate::report::table::{Align::Left, Table};

use super::{Place, mark};

pub(super) fn verdicts(variant: &VariantRecord, place: &Place) -> String {
    let mut table =
        Table::new([("verdict", Left), ("rule", Left), ("expected", Left), ("observed", Left), ("evidence", Left)]);
    for verdict in &variant.verdicts {
        let evidence = verdict.evidence.as_deref().map(cell).unwrap_or_default();
        table.row([
            mark(status(verdict.status)),
            code_cell(&verdict.title()),
            cell(&verdict.expected),
            cell(&observed(verdict)),
            evidence,
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    place.heading("Verdicts") + table.without_empty_columns().markdown().as_str()
}

pub(super) fn caveats(variant: &VariantRecord, place: &Place) -> String {
    if variant.caveats.is_empty() {
        return String::new();
    }
    let mut out = place.heading("Caveats");
    out += "Reasons to trust a number less, and what to do about them:\n\n";
    for caveat in &variant.caveats {
        let sentence = |text: &str| inline(&capital(text.trim().trim_end_matches('.')));
        out += &format!("- **Caveat:** {}. {}.\n", sentence(&caveat.message), sentence(&caveat.advice));
    }
    out + "\n"
}
