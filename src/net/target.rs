//! The server that requests go to.

use std::time::Duration;

use super::dialer::Dialer;
use super::endpoint::Endpoint;
use super::request::show_sleep;
use super::tls::{self, Tls};
use crate::scenario::template::Placeholder;
use crate::scenario::{self, Protocol};

/// Where requests go.
#[derive(Debug, Clone)]
pub struct Target {
    pub dialer: Dialer,
    /// For the `host` header.
    pub authority: String,
    /// What fills `{host}` and `{port}`.
    pub host: String,
    pub port: String,
    /// What fills `{workers}`, where it is known.
    pub workers: Option<u32>,
}

impl Target {
    /// `authority` is what the `host` header says.
    pub fn new(endpoint: Endpoint, tls: Option<Tls>, authority: &str, workers: Option<u32>) -> Self {
        let (host, port) = match &endpoint {
            Endpoint::Tcp(address) => (address.ip().to_string(), address.port().to_string()),
            Endpoint::Unix(_) => (authority.to_owned(), String::new()),
        };
        Target { dialer: Dialer::new(endpoint, tls), authority: authority.to_owned(), host, port, workers }
    }

    /// A server that listens on a port and has no better name.
    #[cfg(test)]
    pub(crate) fn tcp(address: std::net::SocketAddr, workers: Option<u32>) -> Self {
        let endpoint = Endpoint::Tcp(address);
        let authority = endpoint.authority();
        Target::new(endpoint, None, &authority, workers)
    }

    /// For a load thread: connections with TLS sessions of its own, from the load's sources, each made for a request.
    pub fn for_load_thread(&self, load: &scenario::LoadSpec) -> Self {
        let protocol = match load.protocol {
            Protocol::Http1 { .. } => tls::HTTP_1,
            Protocol::Http2 { .. } => tls::HTTP_2,
        };
        let dialer = self.dialer.clone().from_sources(&load.source_addresses).for_protocol(protocol).sends_at_once();
        Target { dialer, ..self.clone() }
    }

    /// What fills a placeholder in every request alike; `None` for one that varies. `sleep` is given where it does not.
    pub fn fixed(&self, placeholder: &Placeholder, sleep: Option<Duration>) -> Option<String> {
        match placeholder {
            Placeholder::Sleep => sleep.map(show_sleep),
            Placeholder::Host => Some(self.host.clone()),
            Placeholder::Port => Some(self.port.clone()),
            Placeholder::Workers => self.workers.map(|workers| workers.to_string()),
            Placeholder::Canary
            | Placeholder::CanaryAs(_)
            | Placeholder::IdentityCanary
            | Placeholder::User
            | Placeholder::Seq
            | Placeholder::Socket
            | Placeholder::Fd
            | Placeholder::Random(..)
            | Placeholder::Data(_)
            | Placeholder::Identity(_)
            | Placeholder::Token
            | Placeholder::Capture(_)
            | Placeholder::Traceparent => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_in_every_request_is_filled_in_once() {
        let target = Target::tcp("[::1]:8000".parse().unwrap(), Some(4));
        let fixed = |placeholder| target.fixed(&placeholder, Some(Duration::from_millis(100)));
        assert_eq!(fixed(Placeholder::Workers).as_deref(), Some("4"));
        assert_eq!(
            (fixed(Placeholder::Host).as_deref(), fixed(Placeholder::Port).as_deref()),
            (Some("::1"), Some("8000"))
        );
        assert_eq!(fixed(Placeholder::Sleep).as_deref(), Some("0.1"));
        assert_eq!((fixed(Placeholder::Canary), fixed(Placeholder::Seq)), (None, None));
    }
}
