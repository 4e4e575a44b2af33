//! Who listens on an address: something that accepts there need not be the server that was started.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use procfs::FromBufReadSI as _;
use procfs::net::{TcpNetEntries, TcpNetEntry, TcpState};
use procfs::process::{FDTarget, Process, all_processes};

use super::proc;
use crate::net::tcp_table::{self, SocketState};

/// For so long another may hold the address: what is read while processes come and go may be half the truth.
const BELIEVED_AFTER: Duration = Duration::from_secs(1);

/// The state of a socket that listens, as the tables write it.
const LISTEN: &str = "0A";

/// Who listens on an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PortOwner {
    /// The processes that were asked about, or nobody that can be told.
    Ours,
    /// Somebody else; who, where that can be seen.
    Other(String),
}

/// The doubts whether an address is the server's, as they are looked at again and again.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    since: Option<Instant>,
}

impl Doubts {
    /// Whether the server may be taken as ready: `Err` says who holds its address, and whether that is certain.
    pub fn look(&mut self, owner: PortOwner) -> Result<(), (String, bool)> {
        match owner {
            PortOwner::Ours => {
                self.since = None;
                Ok(())
            }
            PortOwner::Other(who) => {
                let since = *self.since.get_or_insert_with(Instant::now);
                Err((who, since.elapsed() >= BELIEVED_AFTER))
            }
        }
    }
}

/// Whether connections to `address` come to one of these processes.
pub(super) fn of(address: SocketAddr, pids: &[u32]) -> PortOwner {
    if proc::unusable().is_some() {
        return PortOwner::Ours;
    }
    let listeners: Vec<u64> = listening(address).iter().map(|entry| entry.inode).collect();
    let mut held = Vec::new();
    for pid in pids {
        match sockets(*pid) {
            Some(sockets) => held.extend(sockets),
            // What cannot be looked into may hold it.
            None if is_there(*pid) => return PortOwner::Ours,
            None => {}
        }
    }
    match listeners.iter().find(|inode| !held.contains(inode)) {
        Some(inode) => PortOwner::Other(holder(*inode)),
        None => PortOwner::Ours,
    }
}

/// The listening sockets that connections to an address come to: those of the address itself before those of any.
pub(super) fn listening(address: SocketAddr) -> Vec<TcpNetEntry> {
    best(address, ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().flat_map(listeners))
}

/// The sockets of a table that listen. They stand before all others (`tcp_get_idx` of the kernel), of which there may be tens
/// of thousands.
fn listeners(table: &str) -> Vec<TcpNetEntry> {
    let Ok(file) = File::open(table) else { return Vec::new() };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let first =
        lines.enumerate().take_while(|(index, line)| *index == 0 || line.split_whitespace().nth(3) == Some(LISTEN));
    let text: String = first.map(|(_, line)| line + "\n").collect();
    let read = TcpNetEntries::from_buf_read(text.as_bytes(), procfs::current_system_info());
    read.map_or_else(|_| Vec::new(), |entries| entries.0)
}

/// The inodes of the connections to a port of this machine that are established, from the side of whoever listened.
pub(super) fn established(port: u16) -> BTreeSet<u64> {
    let port = tcp_table::written_port(port);
    let of_table = |table: &String| -> Vec<u64> {
        let rows = tcp_table::sockets(table, SocketState::Established).filter(|row| row.local.ends_with(&port));
        rows.map(|row| row.inode).collect()
    };
    [false, true].into_iter().filter_map(tcp_table::read).flat_map(|table| of_table(&table)).collect()
}

fn best(address: SocketAddr, entries: impl Iterator<Item = TcpNetEntry>) -> Vec<TcpNetEntry> {
    let at = |entry: &TcpNetEntry| {
        (entry.state == TcpState::Listen && entry.local_address.port() == address.port())
            .then(|| closeness(entry.local_address.ip().to_canonical(), address.ip()))?
    };
    let found: Vec<(u8, TcpNetEntry)> = entries.filter_map(|entry| Some((at(&entry)?, entry))).collect();
    let closest = found.iter().map(|(closeness, _)| *closeness).max();
    found.into_iter().filter(|(closeness, _)| Some(*closeness) == closest).map(|(_, entry)| entry).collect()
}

fn closeness(listens: IpAddr, asked: IpAddr) -> Option<u8> {
    match listens {
        same if same == asked => Some(2),
        IpAddr::V4(any) if any.is_unspecified() && asked.is_ipv4() => Some(1),
        IpAddr::V6(any) if any.is_unspecified() => Some(0),
        _ => None,
    }
}

/// The sockets that a process has open; none if it cannot be told.
pub(super) fn sockets(pid: u32) -> Option<Vec<u64>> {
    let open = Process::new(i32::try_from(pid).ok()?).ok()?.fd().ok()?;
    let inode = |target| if let FDTarget::Socket(inode) = target { Some(inode) } else { None };
    Some(open.filter_map(|fd| inode(fd.ok()?.target)).collect())
}

fn is_there(pid: u32) -> bool {
    let stat = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()?.stat().ok());
    stat.is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// Who has a socket open: `process 4711 (python3)`.
fn holder(inode: u64) -> String {
    let holds = |process: &Process| {
        let pid = u32::try_from(process.pid).unwrap_or(0);
        sockets(pid).is_some_and(|sockets| sockets.contains(&inode))
    };
    let found = all_processes().ok().and_then(|mut all| all.find_map(|process| process.ok().filter(holds)));
    match found.map(|process| (process.pid, process.stat().map(|stat| stat.comm).unwrap_or_default())) {
        Some((pid, name)) => format!("process {pid} ({name})"),
        None => "a process of somebody else".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_socket_belongs_to_whoever_has_it_open() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let myself = std::process::id();
        assert_eq!(of(address, &[myself]), PortOwner::Ours);
        let PortOwner::Other(who) = of(address, &[]) else { panic!("it belongs to somebody else") };
        assert!(who.starts_with(&format!("process {myself} (")), "{who}");
        drop(listener);
        assert_eq!(of(address, &[]), PortOwner::Ours, "nobody listens");
    }

    #[test]
    fn a_socket_of_the_address_goes_before_one_of_any_address() {
        let any = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = any.local_addr().unwrap().port();
        assert!(matches!(of(([127, 0, 0, 1], port).into(), &[]), PortOwner::Other(_)));
        assert_eq!(closeness([127, 0, 0, 2].into(), [127, 0, 0, 1].into()), None);
        let closeness = |listens: &str| closeness(listens.parse().unwrap(), [127, 0, 0, 1].into());
        assert!(closeness("127.0.0.1") > closeness("0.0.0.0") && closeness("0.0.0.0") > closeness("::"));
    }

    #[test]
    fn another_is_believed_in_after_a_while_only() {
        let mut doubts = Doubts::default();
        let other = || PortOwner::Other("process 7 (nc)".to_owned());
        assert_eq!(doubts.look(other()), Err(("process 7 (nc)".to_owned(), false)));
        doubts.since = doubts.since.and_then(|since| since.checked_sub(BELIEVED_AFTER));
        assert_eq!(doubts.look(other()), Err(("process 7 (nc)".to_owned(), true)));
        assert_eq!(doubts.look(PortOwner::Ours), Ok(()));
        assert_eq!(doubts.look(other()), Err(("process 7 (nc)".to_owned(), false)));
    }
}
