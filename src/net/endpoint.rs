//! Where a server listens.

use std::fmt;
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixStream};
use std::path::{Path, PathBuf};

/// A port or a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Endpoint {
    /// What the `host` header of a request to it says, unless it has a better name.
    pub fn authority(&self) -> String {
        match self {
            Endpoint::Tcp(address) => address.to_string(),
            Endpoint::Unix(_) => "localhost".to_owned(),
        }
    }
}

/// Connects to a Unix socket, of a path or of a name without a file.
pub fn connect_unix(path: &Path) -> std::io::Result<UnixStream> {
    match path.as_os_str().as_bytes() {
        [0, name @ ..] => UnixStream::connect_addr(&UnixAddress::from_abstract_name(name)?),
        _ => UnixStream::connect(path),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp(address) => address.fmt(f),
            // A name without a file begins with a NUL.
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display().to_string().replacen('\0', "@", 1)),
        }
    }
}
