//! The system calls of a socket that does not block.

use std::io::Result;
use std::os::fd::AsFd;

use rustix::net::{RecvFlags, SendFlags};

/// Hands the kernel what it takes at once. It is asked itself, and not the event loop, which may not have heard of a new
/// connection yet that it can take something.
pub(super) fn send(stream: impl AsFd, bytes: &[u8]) -> Result<usize> {
    Ok(rustix::net::send(stream, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?)
}

/// Reads what the kernel has at once. It is asked itself, as in [`send`].
pub(super) fn receive(stream: impl AsFd, buffer: &mut [u8]) -> Result<usize> {
    Ok(rustix::net::recv(stream, buffer, RecvFlags::DONTWAIT)?.0)
}
