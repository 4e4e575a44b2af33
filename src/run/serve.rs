//! Only the server of a scenario, for a person to look at: no load, no check, no report.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use rustix::fs::{FallocateFlags, fallocate};
use tokio_util::sync::CancellationToken;

pub use super::examples::Example;
use super::private::Private;
use super::{examples, facts};
use crate::net::endpoint::Endpoint;
use crate::scenario::{self, ListenSpec, Variant};
use crate::server::{Death, Log, Server, StartError};

/// Where a server listens if nothing says otherwise and nobody else does: a page that is open stays right.
pub const USUAL_PORT: u16 = 8000;
/// How often the server is looked after, and its log read.
const LOOK: Duration = Duration::from_millis(50);

/// What happens, for whoever shows it.
#[derive(Debug)]
pub enum ServeEvent<'a> {
    Ready {
        /// `built-in async, 1 worker`.
        server: &'a str,
        endpoint: &'a Endpoint,
        authority: &'a str,
        examples: &'a [Example],
    },
    /// A line of the server's log.
    Line(&'a str),
}

/// Why it ended, other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("interrupted before the server was ready")]
    Interrupted,
    #[error("{0}")]
    NotStarted(#[from] StartError),
    #[error("{}", .0.end.sentence())]
    Died(Death),
}

/// Starts the server of `variant` and keeps it up until `cancel`. `port`, if given, goes before that of the scenario.
/// Scripts may fetch from `allowed_hosts` although they are not this machine.
pub fn serve(
    variant: &Variant,
    port: Option<u16>,
    allowed_hosts: &[String],
    show: &dyn Fn(ServeEvent<'_>),
    cancel: &CancellationToken,
) -> Result<(), ServeError> {
    let mut plan = variant.server.clone();
    choose_port(&mut plan, port)?;
    let (log, tail) = Tail::new().map_err(|error| StartError {
        message: format!("cannot make a file for the server's log: {error}"),
        advice: "check TMPDIR and its free space".to_owned(),
    })?;
    let tail = RefCell::new(tail);
    let log = Log { requests: true, ..Log::from_here(log.path()) };
    // Asked again and again while the server starts: so a long set-up is shown as it goes on.
    let cancelled = |_| {
        tail.borrow_mut().show_new(show);
        cancel.is_cancelled()
    };
    let started = Server::start(&plan, log, allowed_hosts, &cancelled);
    tail.borrow_mut().show_new(show);
    let mut server = match started {
        Err(_) if cancel.is_cancelled() => return Err(ServeError::Interrupted),
        started => started?,
    };
    show(ServeEvent::Ready {
        server: &facts::describe_server(&plan),
        endpoint: server.endpoint(),
        authority: server.authority(),
        examples: &examples::of(variant),
    });
    let death = loop {
        let death = server.watch();
        tail.borrow_mut().show_new(show);
        tail.borrow_mut().forget_shown();
        if death.is_some() || cancel.is_cancelled() {
            break death;
        }
        std::thread::sleep(LOOK);
    };
    server.stop();
    tail.borrow_mut().show_new(show);
    tail.borrow_mut().show_rest(show);
    death.map_or(Ok(()), |death| Err(ServeError::Died(death)))
}

/// The port that was asked for, else the scenario's, else the usual one if it is free, else one from the kernel.
fn choose_port(plan: &mut scenario::ServerSpec, asked: Option<u16>) -> Result<(), StartError> {
    let port = match plan {
        scenario::ServerSpec::Builtin(plan) => &mut plan.port,
        scenario::ServerSpec::Command(scenario::CommandSpec { listen: ListenSpec::Tcp { port, .. }, .. }) => port,
        _ => return Ok(()),
    };
    match asked.or(*port) {
        Some(wanted) if wanted != 0 && in_use(wanted) => Err(StartError {
            message: format!("port {wanted} on {} is in use", Ipv4Addr::LOCALHOST),
            advice: "end the program that holds it (`ss -ltnp` names it), or take a free one with `--port 0`"
                .to_owned(),
        }),
        Some(wanted) => {
            *port = Some(wanted);
            Ok(())
        }
        None => {
            *port = Some(USUAL_PORT).filter(|port| !in_use(*port));
            Ok(())
        }
    }
}

fn in_use(port: u16) -> bool {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

/// A line is cut here, in bytes: what never ends one fills no memory.
const LONGEST_LINE: usize = 64 << 10;

/// A log that is read while it is written.
struct Tail {
    file: File,
    /// What has been read, in bytes.
    read: u64,
    /// As much of it as takes no disk space any more.
    forgotten: u64,
    /// A line whose end is still to come.
    open: Vec<u8>,
}

impl Tail {
    fn new() -> std::io::Result<(Private, Tail)> {
        let log = Private::new()?;
        let reader = File::options().read(true).write(true).open(log.path())?;
        Ok((log, Tail { file: reader, read: 0, forgotten: 0, open: Vec::new() }))
    }

    fn show_new(&mut self, show: &dyn Fn(ServeEvent<'_>)) {
        loop {
            // What cannot be read now is read at the next look.
            let before = self.open.len();
            let _ = (&self.file).take(LONGEST_LINE as u64).read_to_end(&mut self.open);
            let new = self.open.len() - before;
            self.read += new as u64;
            if let Some(end) = self.open.iter().rposition(|byte| *byte == b'\n') {
                show_lines(self.open.drain(..=end).as_slice(), show);
            }
            if self.open.len() >= LONGEST_LINE {
                self.show_rest(show);
            }
            if new == 0 {
                return;
            }
        }
    }

    /// A last line that nothing ended.
    fn show_rest(&mut self, show: &dyn Fn(ServeEvent<'_>)) {
        show_lines(&std::mem::take(&mut self.open), show);
    }

    /// Gives back the disk space of what was shown, so that a server that is up for days fills none. A file system that
    /// cannot keeps it until the end.
    fn forget_shown(&mut self) {
        if self.read > self.forgotten {
            let _ = fallocate(&self.file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, self.read);
            self.forgotten = self.read;
        }
    }
}

fn show_lines(bytes: &[u8], show: &dyn Fn(ServeEvent<'_>)) {
    String::from_utf8_lossy(bytes).lines().for_each(|line| show(ServeEvent::Line(line)));
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_log_is_shown_to_its_last_line_and_no_line_without_end_is_kept() {
        let (log, mut tail) = Tail::new().unwrap();
        let mut file = File::options().append(true).open(log.path()).unwrap();
        let shown = RefCell::new(Vec::new());
        let show = |event: ServeEvent<'_>| match event {
            ServeEvent::Line(line) => shown.borrow_mut().push(line.to_owned()),
            ServeEvent::Ready { .. } => panic!("no server is here"),
        };
        file.write_all(b"one\ntwo").unwrap();
        tail.show_new(&show);
        assert_eq!(*shown.borrow(), ["one"]);
        file.write_all(b"\n").unwrap();
        file.write_all(&vec![b'x'; 10 * LONGEST_LINE]).unwrap();
        file.write_all(b"the end").unwrap();
        tail.show_new(&show);
        assert!(tail.open.len() < LONGEST_LINE, "{}", tail.open.len());
        tail.show_rest(&show);
        assert_eq!(shown.borrow()[1], "two");
        assert!(shown.borrow().last().unwrap().ends_with("the end"));
    }
}
