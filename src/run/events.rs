//! What a run says as it goes, for logs and traces.

use std::sync::atomic::Ordering;

use tracing::{debug, info, warn};

use crate::dirty::DirtyProgress;
use crate::load::LoadProgress;
use crate::process_end::Happening;
use crate::server::{Life, Server};

pub(super) fn server_ready(start: u32, server: &Server, description: &str) {
    let after_ms = server.ready_after().as_secs_f64() * 1e3;
    info!(start, "server ready after {after_ms:.1} ms: {description}");
}

/// What happened to its processes, and how it ended.
pub(super) fn server_ended(start: u32, life: &Life) {
    for event in &life.events {
        let after_s = event.t_s;
        match &event.what {
            Happening::ProcessEnded(end) => info!(start, after_s, pid = end.pid, by = ?end.by, "{end}"),
            Happening::LogNotKept { why } => warn!(start, after_s, "the rest of the server's log is not kept: {why}"),
            Happening::More | Happening::Told { .. } => info!(start, after_s, "more processes ended than are told"),
        }
    }
    match &life.death {
        Some(death) => warn!(start, "server died: {}", death.end),
        None => debug!(start, "server ended: {}", life.end),
    }
}

/// Nothing new is started any more; what the script made is still to be cleared away.
pub(super) fn load_ended(progress: LoadProgress) {
    let LoadProgress { started, completed, failed, error_status, .. } = progress;
    info!(started, completed, failed, error_status, "load ended");
}

pub(super) fn dirty_ended(progress: &DirtyProgress) {
    let (exposures, leaks) = (progress.exposures.load(Ordering::Relaxed), progress.leaks.load(Ordering::Relaxed));
    info!(exposures, leaks, "dirty check ended");
}
