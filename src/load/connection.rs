//! Connections to the server under test.

use std::net::SocketAddr;
use std::path::PathBuf;

mod framing;
pub mod http1;
pub mod reply;
mod stream;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    Tcp(SocketAddr),
    Unix(PathBuf),
}
