//! What a worker tells its scripts about time and memory.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::script::Gauges;

/// Of the process that this runs in.
pub const OF_THIS_PROCESS: Gauges = Gauges { clock: since_the_start, resident };

/// What `now()` tells a script.
pub(super) fn seconds_since_1970() -> f64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0.0, |since| since.as_secs_f64())
}

fn since_the_start() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// Bytes; 0 where the kernel does not tell.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages: Option<usize> = pages.and_then(|text| text.split(' ').nth(1)?.parse().ok());
    pages.unwrap_or(0) * rustix::param::page_size()
}
