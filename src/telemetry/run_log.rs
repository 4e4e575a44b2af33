//! `run.log`: the events of one run, a line of JSON each.

use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// Where the events of the run at hand go. Between runs they go nowhere. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct RunLog(Arc<Mutex<Option<File>>>);

/// Events go to a file until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct RunLogGuard<'l>(&'l RunLog);

impl Drop for RunLogGuard<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl RunLog {
    /// Events go to this file from now on.
    pub fn begin(&self, file: File) -> RunLogGuard<'_> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(file);
        RunLogGuard(self)
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// A disk that takes nothing is no reason to end a run: the line is left out.
    pub(super) fn write(&self, line: &str) {
        if let Some(file) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }
}
