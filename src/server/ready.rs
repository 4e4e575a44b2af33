//! When a launched server counts as ready.

use std::cell::Cell;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, SockAddr, Socket, Type};

use super::Endpoint;
use super::deadline_stream::{DeadlineStream, LOOK};
use super::port_owner::{Doubts, PortOwner};
use crate::net::tls::{self, Tls};
use crate::process_end::ServerEnd;
use crate::scenario::{ReadyCheck, ReadySpec};
use crate::units::show_duration;

/// How often to ask, and how long to wait for one response.
const AGAIN: Duration = Duration::from_millis(10);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// A connection to this machine is made at once, or not at all because the server's queue is full.
const CONNECT_WITHIN: Duration = Duration::from_millis(200);
const LONGEST_HEAD: usize = 300 * 1024;

/// What a check that did not pass missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MissingSign {
    /// A way in.
    Connection(String),
    /// A way in over TLS; why there is none.
    Handshake(String),
    /// A good response; what came instead.
    Answer(String),
    /// Any response.
    Word(String),
    /// One of its log that matches this.
    Line(String),
    /// The address, which another holds.
    Address(String),
}

impl fmt::Display for MissingSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MissingSign::Handshake(why) => write!(f, "the TLS handshake failed: {why}"),
            MissingSign::Connection(what) | MissingSign::Answer(what) | MissingSign::Word(what) => f.write_str(what),
            MissingSign::Line(wanted) => write!(f, "no line of its log matches `{wanted}`"),
            MissingSign::Address(who) => write!(f, "{who} holds its address"),
        }
    }
}

/// Why a server is not ready.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NotReady {
    /// It ended; how.
    Ended(ServerEnd),
    /// It did not pass its check in time; what the last check missed.
    Late { within: Duration, last: MissingSign },
    /// This process of it was stopped by a signal.
    Stopped(u32),
    /// What answers on its address is none of its processes, but this one.
    Taken(String),
    /// Nobody waits for it any more.
    Cancelled,
}

impl NotReady {
    /// As the end of a sentence that begins with the command.
    pub fn after(&self, waited: &str) -> String {
        match self {
            NotReady::Ended(end) => format!("{} before it was ready, after {waited}", end.predicate()),
            NotReady::Stopped(pid) => {
                format!("was not ready: its process {pid} was stopped by a signal (state T), after {waited}")
            }
            NotReady::Taken(who) => {
                format!("was not ready: its address is held by {who}, which it has not started")
            }
            NotReady::Late { within, last } => format!("was not ready within {}: {last}", show_duration(*within)),
            NotReady::Cancelled => format!("was not ready yet, after {waited}"),
        }
    }

    pub fn advice(&self, endpoint: &Endpoint) -> String {
        match self {
            NotReady::Ended(_) => "the last lines it printed, if any, should say why".to_owned(),
            NotReady::Stopped(_) => super::Death::STOPPED.to_owned(),
            NotReady::Taken(_) | NotReady::Late { last: MissingSign::Address(_), .. } => format!(
                "end the program that listens on {endpoint}, or let runner hold the port for the command with {{fd}}; a server \
                 that somebody else starts for the command, as docker and systemd do, needs ready = {{ foreign = true }}"
            ),
            NotReady::Late { last: MissingSign::Connection(_), .. } => format!(
                "it must listen on {endpoint}: pass {} in `command`; see `ready` for other checks and for more time",
                match endpoint {
                    Endpoint::Tcp(_) => "{host} and {port}",
                    Endpoint::Unix(_) => "{socket}",
                }
            ),
            NotReady::Late { last: MissingSign::Handshake(_), .. } => tls::ADVICE.to_owned(),
            NotReady::Late { last: MissingSign::Answer(_) | MissingSign::Word(_), .. } => {
                "`ready.path` must be answered with a status below 400; `ready.within` gives it more time".to_owned()
            }
            NotReady::Late { last: MissingSign::Line(_), .. } => {
                "`ready.log` is looked for in all that it prints; it may hold that back until its buffer is full \
                 (PYTHONUNBUFFERED=1 in `env` for Python); `ready.within` gives it more time"
                    .to_owned()
            }
            NotReady::Cancelled => String::new(),
        }
    }
}

/// What one check came to.
#[derive(Debug)]
enum Miss {
    /// Not ready yet; what it missed.
    Yet(MissingSign),
    /// No further check makes sense.
    Over(NotReady),
}

/// What is known of a server that is to get ready, apart from what it is asked.
pub(super) struct ReadySigns<'a> {
    /// Whether the line that is waited for has come.
    pub said: &'a Cell<bool>,
    /// Who listens where it should.
    pub owner: &'a dyn Fn() -> PortOwner,
    /// Tells if there is no sense in waiting on.
    pub look: &'a mut dyn FnMut() -> Option<NotReady>,
}

/// Waits until the check passes.
pub(super) fn wait(
    plan: &ReadySpec,
    (endpoint, tls): (&Endpoint, Option<&Tls>),
    signs: ReadySigns<'_>,
) -> Result<(), NotReady> {
    let ReadySigns { said, owner, look } = signs;
    let end = Instant::now() + plan.within;
    let mut doubts = Doubts::default();
    let mut before = None;
    loop {
        let came = match &plan.check {
            ReadyCheck::Port => connect(endpoint, end).map(drop),
            ReadyCheck::Path(path) => get((endpoint, tls), path, end, look),
            ReadyCheck::Log(_) if said.get() => Ok(()),
            ReadyCheck::Log(wanted) => Err(Miss::Yet(MissingSign::Line(wanted.clone()))),
        };
        // A port that answers may be another's: what has ended is never ready.
        if let Some(why) = look() {
            return Err(why);
        }
        let came = came.and_then(|()| match doubts.look(owner()) {
            Ok(()) => Ok(()),
            Err((who, true)) => Err(Miss::Over(NotReady::Taken(who))),
            Err((who, false)) => Err(Miss::Yet(MissingSign::Address(who))),
        });
        match came {
            Ok(()) => return Ok(()),
            Err(Miss::Over(why)) => return Err(why),
            Err(Miss::Yet(missing)) => {
                // The last response says more than that the next was cut short.
                let told = before.clone();
                let last = match (missing, before) {
                    (MissingSign::Word(_), Some(said @ (MissingSign::Answer(_) | MissingSign::Handshake(_)))) => said,
                    (missing, _) => missing,
                };
                if Instant::now() >= end {
                    return Err(NotReady::Late { within: plan.within, last });
                }
                if told.as_ref() != Some(&last) {
                    tracing::debug!("not ready yet: {last}");
                }
                before = Some(last);
                std::thread::sleep(AGAIN);
            }
        }
    }
}

/// Never waits beyond `end`, nor long: a Unix socket whose queue is full would block without an end.
fn connect(endpoint: &Endpoint, end: Instant) -> Result<Socket, Miss> {
    let left = end.saturating_duration_since(Instant::now()).clamp(LOOK, CONNECT_WITHIN);
    let connected = match endpoint {
        Endpoint::Tcp(address) => Socket::new(Domain::for_address(*address), Type::STREAM, None).and_then(|socket| {
            socket.connect_timeout(&(*address).into(), left)?;
            Ok(socket)
        }),
        Endpoint::Unix(path) => Socket::new(Domain::UNIX, Type::STREAM, None).and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.connect(&SockAddr::unix(path)?)?;
            socket.set_nonblocking(false)?;
            Ok(socket)
        }),
    };
    connected.map_err(|error| {
        Miss::Yet(MissingSign::Connection(match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => format!("nothing listens on {endpoint}"),
            _ => format!("cannot connect to {endpoint}: {error}"),
        }))
    })
}

/// Bytes to a server and back, with TLS or without.
trait Wire: Read + Write {}

impl<W: Read + Write> Wire for W {}

/// One GET; `Ok` if it gets a response with a status below 400.
fn get(
    (endpoint, tls): (&Endpoint, Option<&Tls>),
    path: &str,
    end: Instant,
    look: &mut dyn FnMut() -> Option<NotReady>,
) -> Result<(), Miss> {
    let yet = |what: String| Err(Miss::Yet(MissingSign::Answer(format!("GET {path} {what}"))));
    let socket = connect(endpoint, end)?;
    let waits = socket.set_read_timeout(Some(LOOK));
    let mut stream: Box<dyn Wire> = match tls {
        None => Box::new(socket),
        Some(tls) => Box::new(shake_hands(tls, socket, end, look)?),
    };
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\naccept: */*\r\nconnection: close\r\n\r\n", endpoint.authority());
    let sent = waits.and_then(|()| stream.write_all(request.as_bytes())).and_then(|()| stream.flush());
    if let Err(error) = sent {
        return yet(format!("could not be sent: {}", tls::why(&error)));
    }
    let end = end.min(Instant::now() + ANSWER_WITHIN);
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return yet("got no response: the connection was closed".to_owned()),
            Ok(read) => head.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return yet(format!("got no response: {}", tls::why(&error))),
        }
        match status(&head) {
            Ok(Some(code)) if code < 400 => return Ok(()),
            Ok(Some(code)) => return yet(format!("was answered with status {code}")),
            Ok(None) if head.len() <= LONGEST_HEAD => {}
            Ok(None) | Err(()) => return yet("was answered with something that is not HTTP".to_owned()),
        }
        if let Some(why) = look() {
            return Err(Miss::Over(why));
        }
        if Instant::now() >= end {
            let some = if head.is_empty() { "got no response" } else { "got a response whose head does not end" };
            return Err(Miss::Yet(MissingSign::Word(format!("GET {path} {some}"))));
        }
    }
}

/// Speaks TLS over a socket whose reads wait no longer than [`LOOK`].
fn shake_hands(
    tls: &Tls,
    mut socket: Socket,
    end: Instant,
    look: &mut dyn FnMut() -> Option<NotReady>,
) -> Result<StreamOwned<ClientConnection, Socket>, Miss> {
    let failed = |error: std::io::Error| Miss::Yet(MissingSign::Handshake(tls::why_no_handshake(&error)));
    let mut session = tls.session().map_err(failed)?;
    let end = end.min(Instant::now() + ANSWER_WITHIN);
    let mut over = None;
    let mut is_over = || {
        over = look();
        over.is_some()
    };
    let mut patient = DeadlineStream { stream: &mut socket, end, is_over: &mut is_over };
    let mut shaken = Ok((0, 0));
    while shaken.is_ok() && session.is_handshaking() {
        shaken = session.complete_io(&mut patient);
    }
    match (over, shaken) {
        (Some(why), _) => Err(Miss::Over(why)),
        (None, Ok(_)) => Ok(StreamOwned::new(session, socket)),
        (None, Err(error)) if error.kind() == ErrorKind::TimedOut => {
            Err(Miss::Yet(MissingSign::Word("the TLS handshake got no response".to_owned())))
        }
        (None, Err(error)) => Err(failed(error)),
    }
}

/// The status of a response whose head is whole, after those of 1xx before it. Its headers are not looked at, and a later
/// minor version of HTTP is as good as 1.1 (RFC 9110, section 2.5).
fn status(mut bytes: &[u8]) -> Result<Option<u16>, ()> {
    const VERSION: &[u8] = b"HTTP/1.";
    loop {
        let begin = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        bytes = &bytes[begin..];
        if !bytes.starts_with(&VERSION[..bytes.len().min(VERSION.len())]) {
            return Err(());
        }
        let Some(line) = memchr::memchr(b'\n', bytes).map(|end| &bytes[..end]) else { return Ok(None) };
        // Behind the minor version and a blank.
        let code = line.get(VERSION.len() + 2..VERSION.len() + 5).filter(|code| code.iter().all(u8::is_ascii_digit));
        let code: u16 = code.and_then(|code| std::str::from_utf8(code).ok()?.parse().ok()).ok_or(())?;
        let is_end = |at: &usize| matches!(&bytes[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]);
        let Some(end) = memchr::memchr_iter(b'\n', bytes).find(is_end) else { return Ok(None) };
        if code >= 200 {
            return Ok(Some(code));
        }
        bytes = &bytes[end..];
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn plan(check: ReadyCheck) -> ReadySpec {
        ReadySpec { check, within: Duration::from_millis(100), foreign: false }
    }

    /// Waits for a server of which there are no signs but these.
    fn wait_for(
        ready: &ReadySpec,
        endpoint: &Endpoint,
        said: bool,
        owner: PortOwner,
        over: Option<NotReady>,
    ) -> Result<(), NotReady> {
        let (said, owner) = (Cell::new(said), || owner.clone());
        wait(ready, (endpoint, None), ReadySigns { said: &said, owner: &owner, look: &mut || over.clone() })
    }

    #[test]
    fn a_line_of_the_log_makes_it_ready_unless_its_address_is_held_by_another() {
        let endpoint = Endpoint::Tcp("127.0.0.1:9".parse().unwrap());
        let ready = plan(ReadyCheck::Log("listening".to_owned()));
        let late = wait_for(&ready, &endpoint, false, PortOwner::Ours, None).unwrap_err();
        assert!(late.after("").contains("no line of its log matches `listening`"), "{late:?}");
        assert_eq!(wait_for(&ready, &endpoint, true, PortOwner::Ours, None), Ok(()));
        let other = PortOwner::Other("process 7 (nc)".to_owned());
        let late = wait_for(&ready, &endpoint, true, other.clone(), None).unwrap_err();
        assert!(late.after("").contains("process 7 (nc) holds its address"), "{late:?}");
        let ready = ReadySpec { within: Duration::from_secs(3600), ..ready };
        assert_eq!(wait_for(&ready, &endpoint, true, other, None), Err(NotReady::Taken("process 7 (nc)".to_owned())));
    }

    #[test]
    fn a_server_that_never_answers_is_given_up_in_time_and_at_once_when_cancelled() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
        let ready = plan(ReadyCheck::Path("/health".to_owned()));
        let late = wait_for(&ready, &endpoint, false, PortOwner::Ours, None).unwrap_err();
        assert!(late.after("").contains("GET /health got no response"), "{late:?}");
        let ready = ReadySpec { within: Duration::from_secs(3600), ..ready };
        let over = wait_for(&ready, &endpoint, false, PortOwner::Ours, Some(NotReady::Cancelled));
        assert_eq!(over, Err(NotReady::Cancelled));
    }
}
