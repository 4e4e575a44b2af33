//! Which hosts may be sent traffic: this machine, and those that the command line names.

use std::net::SocketAddr;

use super::StartError;
use crate::scenario;

/// Refuses a host that is not this machine and not in `allowed`, so that a scenario file alone can never aim load at
/// somebody else's server. A name counts by what it resolves to: `localhost` that resolves elsewhere is refused.
pub fn check(host: &str, port: u16, found: &[SocketAddr], allowed: &[String]) -> Result<(), StartError> {
    let outside = found.iter().find(|address| !address.ip().to_canonical().is_loopback());
    match outside {
        Some(outside) if !allowed.iter().any(|known| known == host || known == scenario::without_zone(host)) => {
            Err(StartError::new(
                match outside.ip() {
                    ip if ip.to_string() == host => {
                        format!("{} is no loopback address", scenario::authority(host, port))
                    }
                    ip => format!("{} is {ip}, which is no loopback address", scenario::authority(host, port)),
                },
                match outside.ip().is_unspecified() {
                    true => "that is where a server listens: it answers on 127.0.0.1, too".to_owned(),
                    false => format!("if it is yours to load, say so on the command line: --allow-host {host}"),
                },
            ))
        }
        _ => Ok(()),
    }
}
