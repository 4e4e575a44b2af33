//! What this machine grants a load: descriptors, ports, a clock.

use rustix::process::{Resource, getrlimit};
use rustix::time::ClockId;

use crate::scenario::Load;

/// Descriptors that a process needs beside its connections, and those of each load thread for its event loop and timers.
const BESIDE: u64 = 64;
const OF_A_THREAD: u64 = 8;

/// Descriptors that a load on so many threads may need at once. A server of HTTP/2 may take only one request at a time on
/// each connection.
pub fn descriptors_needed(load: &Load, threads: u32) -> u64 {
    u64::from(load.users()) + u64::from(threads) * OF_A_THREAD + BESIDE
}

/// How many descriptors this process may have open; `None` for any number.
pub fn descriptors_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// TCP sockets in TIME_WAIT; `None` where the system does not say.
pub fn time_wait() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/net/sockstat").ok()?;
    let mut words = text.lines().find(|line| line.starts_with("TCP:"))?.split_whitespace();
    words.find(|word| *word == "tw")?;
    words.next()?.parse().ok()
}

/// How many ports connections to one address are made from; `None` where the system does not say.
pub fn ports() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = text.split_whitespace().map(|end| end.parse::<u64>().ok());
    let (low, high) = (ends.next()??, ends.next()??);
    Some(high.checked_sub(low)? + 1)
}

/// The grain of the clock that times requests, in nanoseconds.
pub fn clock_grain() -> Option<u64> {
    let grain = rustix::time::clock_getres(ClockId::Monotonic);
    u64::try_from(grain.tv_sec * 1_000_000_000 + grain.tv_nsec).ok()
}
