//! Nightly runs side by side: what each came to, kept a line each, and whether something changed for good.

mod conditions;
mod entry;
mod index;
mod log;
mod outcome;
mod page;
mod regression;
mod series;
mod unfinished;

pub use conditions::{Conditions, NewSeries};
pub use entry::{DirtyEntry, HistoryEntry};
pub use index::{Headline, Index, IndexRow, MetricRegression, Since, TonightCounts, index};
pub use log::{HistoryError, RunHistory, append, append_new, read};
pub use outcome::{NotMeasured, Place, entries, entry_without_record};
pub use page::{answer, html, markdown, regressions_in_words};
pub use regression::{FEWEST_NIGHTS, RECENT_NIGHTS, Regression, WATCHED, regression};
pub use series::{MetricSeries, VariantHistory, variants};
pub use unfinished::UnfinishedNight;
