//! What the system shows of whoever listens on an address: connections that nobody has accepted yet, and the processes behind.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use procfs::process::{Process, all_processes};

use super::{Endpoint, port_owner, proc, process_tree};

/// A socket that listens on this machine, seen from outside.
#[derive(Debug, Clone)]
pub struct ListenerView {
    address: SocketAddr,
    /// The processes that had it open at first.
    holders: Vec<u32>,
    /// Those of them that accept connections: they had handed it to no child.
    accepting: Vec<u32>,
}

/// What the processes behind a socket have used so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListenerUse {
    /// User and system time, also of threads that have ended.
    pub cpu: Duration,
    /// For how long each thread that is there now ran or waited for a core, by its number; none where the kernel does not count
    /// it.
    busy: BTreeMap<i32, Duration>,
    pub threads: u32,
}

impl ListenerView {
    /// `None` where nothing is shown: of another machine, of a Unix socket, and where `/proc` is that of others.
    pub fn of(endpoint: &Endpoint) -> Option<ListenerView> {
        match endpoint {
            Endpoint::Tcp(address) if address.ip().is_loopback() && proc::unusable().is_none() => {
                let holders = holders(*address);
                let view = ListenerView { address: *address, accepting: accepting(&holders), holders };
                view.accept_queue().map(|_| view)
            }
            _ => None,
        }
    }

    /// Connections that the kernel has completed and nobody has accepted; `None` if nothing listens.
    ///
    /// For a listening socket the kernel shows their number as its receive queue (`rx_queue` of `/proc/net/tcp`, Recv-Q of
    /// `ss -lt`).
    pub fn accept_queue(&self) -> Option<u32> {
        let sockets = port_owner::listening(self.address);
        (!sockets.is_empty()).then(|| sockets.iter().map(|socket| socket.rx_queue).sum())
    }

    /// How many processes accept connections; `None` if nobody can be seen.
    pub fn workers(&self) -> Option<u32> {
        let count = self.accepting.len() as u32;
        (count > 0).then_some(count)
    }

    /// The connections that each process that accepts has open; empty if nobody can be seen.
    pub fn connections(&self) -> Vec<u32> {
        let established = port_owner::established(self.address.port());
        let open =
            |pid: u32| Some(port_owner::sockets(pid)?.iter().filter(|inode| established.contains(inode)).count());
        let counts = self.accepting.iter().map(|pid| open(*pid).map(|count| count as u32));
        counts.collect::<Option<_>>().unwrap_or_default()
    }

    /// The processes that have the socket open, and all below them.
    pub fn processes(&self) -> Vec<u32> {
        let mut pids = self.holders.clone();
        pids.extend(self.holders.iter().flat_map(|pid| process_tree::descendants(*pid)));
        pids.sort_unstable();
        pids.dedup();
        pids
    }
}

/// The processes that have a listening socket open, as far as they can be looked into, but for this one.
fn holders(address: SocketAddr) -> Vec<u32> {
    let inodes: Vec<u64> = port_owner::listening(address).iter().map(|socket| socket.inode).collect();
    let pids = all_processes().into_iter().flatten().filter_map(|process| u32::try_from(process.ok()?.pid).ok());
    let holds = |pid: &u32| {
        let open = port_owner::sockets(*pid);
        open.is_some_and(|open| open.iter().any(|inode| inodes.contains(inode)))
    };
    pids.filter(|pid| *pid != std::process::id()).filter(holds).collect()
}

/// Of those that have a socket open, the processes that have handed it to no child.
fn accepting(holders: &[u32]) -> Vec<u32> {
    let handed_on = |pid: &u32| process_tree::descendants(*pid).iter().any(|child| holders.contains(child));
    holders.iter().copied().filter(|pid| !handed_on(pid)).collect()
}

impl ListenerUse {
    /// Of these processes; those that are gone count for nothing.
    pub fn of(pids: &[u32]) -> ListenerUse {
        let mut sum = ListenerUse::default();
        for one in pids.iter().filter_map(|pid| one(*pid)) {
            sum.cpu += one.cpu;
            sum.threads += one.threads;
            sum.busy.extend(one.busy);
        }
        sum
    }

    /// For how long the thread that was busiest since `before` ran or waited for a core.
    pub fn busiest_since(&self, before: &ListenerUse) -> Duration {
        let since =
            |(tid, busy): (&i32, &Duration)| busy.saturating_sub(before.busy.get(tid).copied().unwrap_or_default());
        self.busy.iter().map(since).max().unwrap_or_default()
    }
}

fn one(pid: u32) -> Option<ListenerUse> {
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    let stat = process.stat().ok()?;
    let ticks = (stat.utime + stat.stime) as f64;
    let busy = process.tasks().into_iter().flatten().filter_map(|task| {
        let tid = task.ok()?.tid;
        // On the CPU, waiting for it, and how often; nanoseconds (Documentation/scheduler/sched-stats.rst).
        let text = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat")).ok()?;
        let nanos: Option<u64> = text.split_whitespace().take(2).map(|word| word.parse::<u64>().ok()).sum();
        Some((tid, Duration::from_nanos(nanos?)))
    });
    Some(ListenerUse {
        cpu: Duration::from_secs_f64(ticks / procfs::ticks_per_second() as f64),
        busy: busy.collect(),
        threads: u32::try_from(stat.num_threads).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn connections_that_nobody_accepted_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let view = ListenerView::of(&Endpoint::Tcp(address)).unwrap();
        let clients: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert_eq!(view.accept_queue(), Some(3));
        drop(listener.accept().unwrap());
        assert_eq!(view.accept_queue(), Some(2));
        // This process is not looked at.
        assert_eq!((view.workers(), view.processes(), view.connections()), (None, Vec::new(), Vec::new()));
        let own = port_owner::sockets(std::process::id()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let established = port_owner::established(address.port());
        assert_eq!(established.iter().filter(|inode| own.contains(inode)).count(), 0, "accepted since");
        let own = port_owner::sockets(std::process::id()).unwrap();
        assert_eq!(established.iter().filter(|inode| own.contains(inode)).count(), 1);
        drop(accepted);
        drop((listener, clients));
        assert_eq!(view.accept_queue(), None);
        assert!(ListenerView::of(&Endpoint::Tcp(([192, 0, 2, 1], 80).into())).is_none(), "of another machine");
    }

    #[test]
    fn what_threads_wait_for_a_core_is_read_beside_what_they_use() {
        // The kernel counts CPU time in steps of 10 ms.
        let used = std::iter::repeat_with(|| ListenerUse::of(&[std::process::id()])).find(|used| !used.cpu.is_zero());
        let used = used.unwrap();
        assert!(used.threads > 0, "{used:?}");
        assert!(used.busiest_since(&ListenerUse::default()) > Duration::ZERO, "{used:?}");
        assert_eq!(used.busiest_since(&used), Duration::ZERO);
        assert_eq!(ListenerUse::of(&[]), ListenerUse::default());
    }
}
