//! `server.log`: a line per event, from every worker into one file.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that a worker writes, as many as are kept of what a command says.
const LONGEST: usize = 16 * 1024 * 1024;

/// Bytes that this worker has written, and what it would have.
static WRITTEN: AtomicUsize = AtomicUsize::new(0);

/// Writes one line with time and process, in one piece, so that lines of several workers do not mix. A worker that has
/// written too much says so once, and no more.
pub(in crate::server) fn line(text: &str) {
    if WRITTEN.load(Ordering::Relaxed) > LONGEST {
        return;
    }
    let mut line = written(text);
    let before = WRITTEN.fetch_add(line.len(), Ordering::Relaxed);
    if before > LONGEST {
        return;
    }
    if before + line.len() > LONGEST {
        line = written("... the rest is not kept: this worker's part of the log is longer than 16 MiB");
    }
    // A log that cannot be written has nobody to tell.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn written(text: &str) -> String {
    let text = text.replace('\n', "\n    ");
    format!("{:.3} worker {}: {text}\n", jiff::Timestamp::now(), std::process::id())
}
