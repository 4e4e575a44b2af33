//! Connections to the server under test.

pub mod http1;
pub mod reply;
