//! Responses that a worker makes itself, and the header that each response carries.

use crate::script::HandlerResponse;

/// Names the process that responds, so that a leak can be traced to it.
pub(super) const WORKER_HEADER: &str = "x-worker";

/// A short text.
pub(super) fn plain(status: u16, text: &str) -> HandlerResponse {
    let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
    HandlerResponse { status, headers, body: format!("{text}\n").into_bytes() }
}

/// The response in place of that of a handler that failed.
pub(super) fn broken(why: &str) -> HandlerResponse {
    plain(500, why)
}
