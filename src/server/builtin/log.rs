//! `server.log`: a line per event, from every worker into one file.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use crate::units::show_time;

/// Whether requests are told; a worker is a process, so this is one worker's.
static REQUESTS: AtomicBool = AtomicBool::new(false);

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
    // Where requests are told, somebody reads along.
    let counted = if REQUESTS.load(Ordering::Relaxed) { 0 } else { line.len() };
    let before = WRITTEN.fetch_add(counted, Ordering::Relaxed);
    if before > LONGEST {
        return;
    }
    if before + counted > LONGEST {
        line = written("... the rest is not kept: this worker's part of the log is longer than 16 MiB");
    }
    // A log that cannot be written has nobody to tell.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Says whether each request gets a line when it comes and one when it ends.
pub(in crate::server) fn tell_requests(tell: bool) {
    REQUESTS.store(tell, Ordering::Relaxed);
}

/// One request in the log. Dropped before it is answered, it says that the client left: hyper drops a request whose
/// connection has ended.
pub(super) struct Entry {
    request: String,
    begun: Instant,
}

impl Entry {
    /// Tells that a request has come; `None` where requests are not told.
    pub fn begin<B>(request: &hyper::Request<B>) -> Option<Entry> {
        if !REQUESTS.load(Ordering::Relaxed) {
            return None;
        }
        let request = format!("{} {}", request.method(), request.uri());
        line(&format!("--> {request}"));
        Some(Entry { request, begun: Instant::now() })
    }

    pub fn answered(mut self, status: u16) {
        self.end(&status.to_string());
    }

    fn end(&mut self, how: &str) {
        let request = std::mem::take(&mut self.request);
        line(&format!("<-- {request}: {how} after {}", show_time(self.begun.elapsed().as_secs_f64())));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.request.is_empty() {
            self.end("client left");
        }
    }
}

fn written(text: &str) -> String {
    let text = text.replace('\n', "\n    ");
    format!("{:.3} worker {}: {text}\n", jiff::Timestamp::now(), std::process::id())
}
