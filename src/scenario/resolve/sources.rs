//! The addresses that connections come from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use super::super::ServerSpec;
use super::super::file::values::{Located, Node};
use super::super::problem::Problem;
use super::super::{Address, CommandSpec, ListenSpec, LoadSpec, without_zone};
use super::Loading;

/// As many ports as there are for each: more connections than any machine has memory for.
const MOST: usize = 10_000;

impl Loading<'_> {
    /// `None` after a problem.
    pub(super) fn source_addresses(&mut self, given: &Located<Node>) -> Option<Vec<IpAddr>> {
        let items = match &given.value {
            Node::List(items) => items.iter().collect(),
            _ => vec![given],
        };
        let mut addresses = Vec::new();
        for item in items {
            let range = match &item.value {
                Node::Text(text) => parse(text),
                _ => None,
            };
            let Some(range) = range else {
                let problem = Problem::new("`source_addresses` holds something that is no address");
                let help =
                    "write addresses of this machine, as in [\"127.0.0.2\", \"127.0.0.3\"], or \"127.0.0.2-127.0.0.9\"";
                self.problems.add(problem.at(&item.span, "not an IP address, nor two with `-` between").help(help));
                return None;
            };
            addresses.extend(range.take(MOST + 1));
            if addresses.len() > MOST {
                let problem = Problem::new("too many `source_addresses`").at(&item.span, format!("more than {MOST}"));
                self.problems.add(problem.help("each has some 28,000 ports: a few are enough"));
                return None;
            }
        }
        if addresses.is_empty() {
            let problem = Problem::new("no `source_addresses`").at(&given.span, "none in it");
            self.problems.add(problem.help("name one or more, or remove `source_addresses`"));
            return None;
        }
        if addresses.iter().any(|address| address.is_ipv4() != addresses[0].is_ipv4()) {
            let problem = Problem::new("`source_addresses` of two kinds").at(&given.span, "IPv4 and IPv6");
            self.problems.add(problem.help("keep those of the kind that the server's address has"));
            return None;
        }
        Some(addresses)
    }

    /// A Unix socket is connected to from nowhere, and an address from those of its own kind only.
    pub(super) fn check_sources(&mut self, given: Option<&Located<Node>>, server: &ServerSpec, load: &LoadSpec) {
        let (Some(given), Some(source)) = (given, load.source_addresses.first()) else { return };
        match Goal::of(server) {
            Goal::Unix => {
                let problem =
                    Problem::new("`source_addresses` with a Unix socket").at(&given.span, "has no effect here");
                self.problems.add(problem.help("remove it: Unix sockets have no addresses to come from"));
            }
            Goal::Ip(goal) if goal.is_ipv4() != source.is_ipv4() => {
                let problem = Problem::new("`source_addresses` of another kind than the server's address");
                let here = format!("{}, and the server's address, {goal}, is {}", kind(*source), kind(goal));
                let some = if goal.is_ipv4() { "127.0.0.2-127.0.0.9" } else { "::1" };
                let help = format!("write addresses of this machine of the server's kind, as in \"{some}\"");
                self.problems.add(problem.at(&given.span, here).help(help));
            }
            Goal::Ip(_) | Goal::Unknown => {}
        }
    }
}

/// Where connections go, as far as it is known before a host is looked up.
enum Goal {
    Unix,
    Ip(IpAddr),
    Unknown,
}

impl Goal {
    fn of(server: &ServerSpec) -> Goal {
        match server {
            ServerSpec::Command(CommandSpec { listen: ListenSpec::Unix, .. }) => Goal::Unix,
            // What runner starts listens there.
            ServerSpec::Builtin(_) | ServerSpec::Command(_) => Goal::Ip(Ipv4Addr::LOCALHOST.into()),
            ServerSpec::Attached(attached) => match &attached.connect_to {
                Some(Address::Unix(_)) => Goal::Unix,
                Some(Address::Host(host, _)) => Goal::of_host(without_zone(host)),
                None => Goal::of_host(attached.name()),
            },
        }
    }

    fn of_host(host: &str) -> Goal {
        host.parse().map_or(Goal::Unknown, Goal::Ip)
    }
}

fn kind(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// An address, or all from one to another.
fn parse(text: &str) -> Option<Box<dyn Iterator<Item = IpAddr>>> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    match (from.trim().parse().ok()?, to.trim().parse().ok()?) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            some(from.to_bits()..=to.to_bits(), |bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            some(from.to_bits()..=to.to_bits(), |bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
        }
        _ => None,
    }
}

fn some<N: PartialOrd + 'static>(
    range: RangeInclusive<N>,
    address: fn(N) -> IpAddr,
) -> Option<Box<dyn Iterator<Item = IpAddr>>>
where
    RangeInclusive<N>: Iterator<Item = N>,
{
    (!range.is_empty()).then(|| Box::new(range.map(address)) as Box<dyn Iterator<Item = IpAddr>>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stand_alone_or_as_a_range() {
        let parsed = |text| parse(text).map(|all| all.map(|address| address.to_string()).collect::<Vec<_>>());
        assert_eq!(parsed("127.0.0.2"), Some(vec!["127.0.0.2".to_owned()]));
        assert_eq!(parsed("127.0.0.255 - 127.0.1.0"), Some(vec!["127.0.0.255".to_owned(), "127.0.1.0".to_owned()]));
        assert_eq!(parsed("::1-::2").map(|all| all.len()), Some(2));
        for text in ["", "127.0.0.3-127.0.0.2", "127.0.0.2-::1", "127.0.0.2-", "localhost", "127.0.0.2-9"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
