//! Which hosts may be sent traffic: this machine, and those that the command line names.

use std::net::SocketAddr;

use super::StartError;
use crate::scenario;

/// Refuses a host that is not this machine and not in `allowed`, so that a scenario file alone can never aim load at
/// somebody else's server. A name counts by what it resolves to: `localhost` that resolves elsewhere is refused.
pub(super) fn check(host: &str, port: u16, found: &[SocketAddr], allowed: &[String]) -> Result<(), StartError> {
    let outside = found.iter().find(|address| !address.ip().to_canonical().is_loopback());
    match outside {
        Some(outside) if !allowed.iter().any(|known| known == host) => Err(StartError::new(
            format!("{} is {}, which is not this machine", scenario::authority(host, port), outside.ip()),
            format!("if it is yours to load, say so on the command line: --allow-host {host}"),
        )),
        _ => Ok(()),
    }
}
