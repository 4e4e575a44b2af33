//! Connections to the server under test.

mod framing;
pub mod http1;
mod known;
pub mod reply;
mod stream;
