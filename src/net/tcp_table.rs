//! The kernel's tables of TCP sockets (`/proc/net/tcp`, `tcp6`; proc_pid_net(5)), read as text: there may be tens of thousands of
//! rows, most of them in TIME_WAIT, and few of them matter.

use std::net::SocketAddr;

/// The state of a socket, as the tables write it (`include/net/tcp_states.h` of the kernel).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketState {
    Established,
    TimeWait,
}

impl SocketState {
    const fn text(self) -> &'static str {
        match self {
            SocketState::Established => "01",
            SocketState::TimeWait => "06",
        }
    }
}

/// A socket: its ends as [`written`] tells them, and its inode, 0 where no process has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketRow<'a> {
    pub local: &'a str,
    pub remote: &'a str,
    pub inode: u64,
}

/// The table for addresses of IPv4, or that of IPv6; `None` where the system shows none.
pub fn read(v6: bool) -> Option<String> {
    std::fs::read_to_string(if v6 { "/proc/net/tcp6" } else { "/proc/net/tcp" }).ok()
}

/// The sockets of a table in a state.
pub fn sockets(table: &str, state: SocketState) -> impl Iterator<Item = SocketRow<'_>> {
    table.lines().filter_map(move |line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, remote) = (fields.next()?, fields.next()?);
        if fields.next()? != state.text() {
            return None;
        }
        Some(SocketRow { local, remote, inode: fields.nth(5)?.parse().ok()? })
    })
}

/// An end of a socket as the tables write it: the address in words of 32 bits of this machine's byte order, and the port.
pub fn written(end: SocketAddr) -> String {
    let address: String = match end.ip() {
        std::net::IpAddr::V4(ip) => format!("{:08X}", u32::from_ne_bytes(ip.octets())),
        std::net::IpAddr::V6(ip) => {
            ip.octets().as_chunks::<4>().0.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word))).collect()
        }
    };
    format!("{address}{}", written_port(end.port()))
}

/// The port of an end, with the colon before it.
pub fn written_port(port: u16) -> String {
    format!(":{port:04X}")
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_stands_in_the_table_with_both_ends() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            // A machine may have no IPv6.
            let Ok(listener) = TcpListener::bind(host) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (local, remote) = (written(client.local_addr().unwrap()), written(client.peer_addr().unwrap()));
            let table = read(host.starts_with('[')).unwrap();
            let found = |one: &str, other: &str| {
                sockets(&table, SocketState::Established).any(|row| (row.local, row.remote) == (one, other))
            };
            assert!(found(&local, &remote) && found(&remote, &local), "{local} {remote}\n{table}");
            assert!(remote.ends_with(&written_port(listener.local_addr().unwrap().port())));
            let accepted = listener.accept().unwrap();
            drop(client);
            drop(accepted);
            let table = read(host.starts_with('[')).unwrap();
            let waits =
                sockets(&table, SocketState::TimeWait).any(|row| (row.local, row.remote) == (&*local, &*remote));
            assert!(waits, "{table}");
        }
    }

    #[test]
    fn rows_that_are_cut_or_of_another_state_are_passed_over() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n   \
                     1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1\n   \
                     2: 0100007F:1F90 0100007F:C351 01 000";
        let rows: Vec<SocketRow> = sockets(table, SocketState::Established).collect();
        assert_eq!(rows, [SocketRow { local: "0100007F:1F90", remote: "0100007F:C350", inode: 4712 }]);
    }
}
