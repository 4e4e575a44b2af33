//! One line that says how far something is, whose end nobody knows.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use super::print;
use super::progress::Style;
use crate::report::clip;

/// How often a plain line comes, at most.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// Where a terminal does not know how wide it is.
const USUAL_COLUMNS: usize = 100;

/// Redraws a line on a terminal; elsewhere it comes again when it says something else, every few seconds at most.
pub(super) struct StatusLine {
    style: Style,
    last: Cell<Option<Instant>>,
    said: RefCell<String>,
}

impl StatusLine {
    pub fn new(style: Style) -> Self {
        StatusLine { style, last: Cell::default(), said: RefCell::default() }
    }

    pub fn show(&self, text: &str) {
        match &self.style {
            Style::Silent => {}
            Style::Live(bar) => bar.set_prefix(clip(text, print::columns().unwrap_or(USUAL_COLUMNS))),
            Style::Plain => {
                let is_new = *self.said.borrow() != text;
                if is_new && self.last.get().is_none_or(|last| last.elapsed() >= PLAIN_EVERY) {
                    self.last.set(Some(Instant::now()));
                    text.clone_into(&mut self.said.borrow_mut());
                    print::note(text);
                }
            }
        }
    }

    /// Clears the line.
    pub fn close(&self) {
        if let Style::Live(bar) = &self.style {
            bar.finish_and_clear();
        }
    }
}
