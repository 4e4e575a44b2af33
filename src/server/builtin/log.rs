//! `server.log`: a line per event, from every worker into one file.

use std::io::Write as _;

/// Writes one line with time and process, in one piece, so that lines of several workers do not mix.
pub(in crate::server) fn line(text: &str) {
    let text = text.replace('\n', "\n    ");
    let line = format!("{:.3} worker {}: {text}\n", jiff::Timestamp::now(), std::process::id());
    // A log that cannot be written has nobody to tell.
    let _ = std::io::stderr().write_all(line.as_bytes());
}
