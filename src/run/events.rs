//! What a run says as it goes, for logs and traces.

use std::sync::atomic::Ordering;

use tracing::{info, warn};

use crate::dirty::DirtyProgress;
use crate::load::LoadProgress;
use crate::server::{Death, Server};

pub(super) fn server_ready(start: u32, server: &Server, description: &str) {
    let after_ms = server.ready_after().as_secs_f64() * 1e3;
    info!(start, "server ready after {after_ms:.1} ms: {description}");
}

pub(super) fn server_died(start: u32, death: &Death) {
    warn!(start, after = ?death.after, "server died: {}", death.message);
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
