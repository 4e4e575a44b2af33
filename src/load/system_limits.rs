//! What this machine grants a load: descriptors, ports, a clock.

use std::io::Error;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use rustix::process::{Resource, getrlimit};
use rustix::time::ClockId;

use crate::net::local_ports;
use crate::net::tcp_table::{self, SocketState};
use crate::scenario::LoadSpec;

/// Descriptors that a process needs beside its connections, and those of each load thread for its event loop and timers.
const BESIDE: u64 = 64;
const OF_A_THREAD: u64 = 8;

/// Descriptors that a load on this many threads may need at once. A server of HTTP/2 may take only one request at a time on
/// each connection.
pub fn descriptors_needed(load: &LoadSpec, threads: u32) -> u64 {
    u64::from(load.users()) + u64::from(threads) * OF_A_THREAD + BESIDE
}

/// How many descriptors this process may have open; `None` for any number.
pub fn descriptors_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// TCP sockets of this side that are in TIME_WAIT after a connection to a server; `None` where the system does not say.
pub(super) fn time_wait(server: SocketAddr) -> Option<u64> {
    let (table, server) = (tcp_table::read(server.is_ipv6())?, tcp_table::written(server));
    Some(tcp_table::sockets(&table, SocketState::TimeWait).filter(|row| row.remote == server).count() as u64)
}

/// How many ports connections to one address are made from; `None` where the system does not say.
pub fn ports() -> Option<u64> {
    Some(local_ports::ephemeral()?.len() as u64)
}

/// The first of these addresses that connections cannot come from, and why.
pub fn foreign(sources: &[IpAddr]) -> Option<(IpAddr, Error)> {
    let refused = |source: &IpAddr| Some((*source, UdpSocket::bind((*source, 0)).err()?));
    sources.iter().find_map(refused)
}

/// The grain of the clock that times requests, in nanoseconds.
pub fn clock_grain() -> Option<u64> {
    let grain = rustix::time::clock_getres(ClockId::Monotonic);
    u64::try_from(grain.tv_sec * 1_000_000_000 + grain.tv_nsec).ok()
}
