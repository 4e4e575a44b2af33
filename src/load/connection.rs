//! Connections to the server under test.

mod framing;
pub mod http1;
pub mod reply;
mod stream;
