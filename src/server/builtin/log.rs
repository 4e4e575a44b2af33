//! `server.log`: a line per event, from every worker into one file.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::units::show_time;

/// Whether requests are told; a worker is a process, so this is one worker's.
static REQUESTS: AtomicBool = AtomicBool::new(false);

/// Writes one line with time and process, in one piece, so that lines of several workers do not mix.
pub(in crate::server) fn line(text: &str) {
    let text = text.replace('\n', "\n    ");
    let line = format!("{:.3} worker {}: {text}\n", jiff::Timestamp::now(), std::process::id());
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
