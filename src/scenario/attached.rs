//! A server that is already up, where connections to it go, and how TLS is spoken with a server.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;

/// A server that is already up.
#[derive(Debug, Clone)]
pub struct AttachedSpec {
    /// A name or an address; one of IPv6 may name its zone: `fe80::1%eth0`.
    pub host: String,
    pub port: u16,
    /// How TLS is spoken with it, if it is.
    pub tls: Option<TlsSpec>,
    /// Where connections go, if not to host and port.
    pub connect_to: Option<Address>,
    /// Its first process, where that is known: what it and its children use is read.
    pub process: Option<Pid>,
}

impl AttachedSpec {
    /// The host without its zone, which is this machine's affair alone (RFC 6874, section 1).
    pub fn name(&self) -> &str {
        without_zone(&self.host)
    }

    /// What the `host` header of requests to it says: without the port if it is the scheme's own (RFC 9110, section 4.2.3).
    pub fn authority(&self) -> String {
        let usual = if self.tls.is_some() { 443 } else { 80 };
        let whole = authority(self.name(), self.port);
        whole.strip_suffix(&format!(":{usual}")).unwrap_or(&whole).to_owned()
    }
}

/// A host without its zone, if it is an address of IPv6 that has one.
pub fn without_zone(host: &str) -> &str {
    host.split('%').next().unwrap_or(host)
}

/// Host and port as addresses have them: a host that holds colons stands in brackets.
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Where connections to a server go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Host(String, u16),
    /// A path; one that begins with a NUL is a name of Linux' own namespace for sockets, which has no files (unix(7)).
    Unix(PathBuf),
}

/// How TLS is spoken with a server.
#[derive(Debug, Clone, Default)]
pub struct TlsSpec {
    /// Its certificate is not looked at.
    pub insecure: bool,
    /// Whom to trust; the authorities that this machine trusts if not given.
    pub ca: Option<Arc<RootCertStore>>,
    /// The client's own certificate and its key.
    pub identity: Option<Arc<CertifiedKey>>,
    /// Whom the certificate must be for, if not for the host that is spoken with.
    pub name: Option<ServerName<'static>>,
    /// Where these were read from.
    pub files: TlsFiles,
}

/// The files that say how TLS is spoken, for whoever is told to use them too.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    pub ca: Option<PathBuf>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

/// How the process of a server that is already up is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pid {
    Number(u32),
    /// A file that holds the number.
    File(PathBuf),
}
