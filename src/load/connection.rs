//! Connections to the server under test.

pub mod dialer;
mod framing;
pub mod http1;
mod known;
pub mod reply;
pub mod stream;
