//! The generators that drove a load together.

use super::{Left, Right, Table, cell};
use crate::record::LoadRecord;
use crate::units::{show_count, show_percentage, show_time};

/// A row a generator; nothing where one process drove the load.
pub(super) fn table(trial: usize, load: &LoadRecord, trials: usize) -> String {
    if load.generators.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        ("trial", Right),
        ("generator", Left),
        ("threads", Right),
        ("started", Right),
        ("answered", Right),
        ("failed", Right),
        ("unanswered", Right),
        ("busiest thread", Right),
        ("clock known to", Right),
        ("lost after", Right),
    ]);
    for generator in &load.generators {
        table.row([
            if trials > 1 { trial.to_string() } else { String::new() },
            cell(&generator.name),
            format!("{} to {}", generator.first_thread, generator.first_thread + generator.threads.saturating_sub(1)),
            show_count(generator.started),
            show_count(generator.completed),
            show_count(generator.failed),
            show_count(generator.unanswered),
            format!("{} of a core", show_percentage(generator.cpu_max)),
            show_time(generator.clock_error_us / 1e6),
            generator.lost.as_ref().map(|lost| show_time(lost.heard_s)).unwrap_or_default(),
        ]);
    }
    table.without_empty_columns().markdown()
}
