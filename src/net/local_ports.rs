//! The ports of this machine: those that the kernel gives to connections that are made, and those that it leaves alone.

use std::io::Result;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;

use rand::seq::IndexedRandom as _;

/// Below are those of known services.
const LOWEST: u16 = 10_000;
/// So many are tried before the kernel chooses.
const TRIES: usize = 32;

/// The ports that outgoing connections are made from (`net.ipv4.ip_local_port_range`); `None` where the system does not say.
pub fn ephemeral() -> Option<RangeInclusive<u16>> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = text.split_whitespace().map(|end| end.parse::<u16>().ok());
    let (low, high) = (ends.next()??, ends.next()??);
    (low <= high).then_some(low..=high)
}

/// A port on which nobody listens, for somebody else who will listen on it soon. Meanwhile no outgoing connection takes it, as it would
/// one that the kernel chose: it lies outside of [`ephemeral`], if any there is free. `Err` if no port is.
pub fn unused(host: IpAddr) -> Result<SocketAddr> {
    let is_free = |port: u16| TcpListener::bind((host, port)).and_then(|listener| listener.local_addr());
    let quiet = quiet(ephemeral());
    let mut random = rand::rng();
    let tried = (0..TRIES).filter_map(|_| quiet.choose(&mut random)).find_map(|port| is_free(*port).ok());
    tried.map_or_else(|| is_free(0), Ok)
}

/// The ports that no outgoing connection is made from.
fn quiet(ephemeral: Option<RangeInclusive<u16>>) -> Vec<u16> {
    // Without knowledge of the range none is known to be outside of it.
    let Some(ephemeral) = ephemeral else { return Vec::new() };
    (LOWEST..=u16::MAX).filter(|port| !ephemeral.contains(port)).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_port_is_free_and_outside_of_those_of_connections() {
        let host = IpAddr::from(Ipv4Addr::LOCALHOST);
        for _ in 0..20 {
            let port = unused(host).unwrap().port();
            let outside = ephemeral().is_none_or(|range| !range.contains(&port));
            assert!(outside && port >= LOWEST, "{port}");
            TcpListener::bind((host, port)).unwrap();
        }
    }

    #[test]
    fn a_system_that_uses_all_ports_for_connections_leaves_none_aside() {
        assert!(quiet(Some(1024..=u16::MAX)).is_empty() && quiet(None).is_empty());
        assert_eq!(quiet(Some(10_002..=u16::MAX)), [10_000, 10_001]);
        assert_eq!(quiet(Some(1024..=65_533)), [65_534, 65_535]);
    }
}
