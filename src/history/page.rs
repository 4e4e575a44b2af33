//! The page of the morning, as Markdown and as HTML: what broke, since when, and whether it is real.

mod html;
mod markdown;
mod words;

pub use html::html;
pub use markdown::markdown;

/// The regressions of a row, a sentence each.
pub fn regressions_in_words(row: &super::IndexRow) -> Vec<String> {
    row.regressions.iter().map(words::regression).collect()
}

/// How the last night came out, in a sentence.
pub fn answer(index: &super::Index) -> String {
    words::answer(index)
}
