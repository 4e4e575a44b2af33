//! When a launched server counts as ready.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::scenario::{Ready, ReadyCheck};
use crate::units::show_duration;

/// How often to ask, and how long to wait for one answer.
const AGAIN: Duration = Duration::from_millis(10);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const LONGEST_HEAD: usize = 64 * 1024;

/// Why a server is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotReady {
    /// It ended; how.
    Ended(String),
    /// It did not pass its check in time; what the last check saw.
    Late { within: Duration, last: String },
}

impl NotReady {
    /// As the end of a sentence that begins with the command.
    pub fn after(&self, waited: &str) -> String {
        match self {
            NotReady::Ended(how) => format!("{how} before it was ready, after {waited}"),
            NotReady::Late { within, last } => format!("was not ready within {}: {last}", show_duration(*within)),
        }
    }

    pub fn advice(&self, address: SocketAddr) -> String {
        match self {
            NotReady::Ended(_) => "its log, below, should say why".to_owned(),
            NotReady::Late { .. } => format!(
                "it must listen on {address}: pass {{host}} and {{port}} in `command`; see `ready` for other checks and \
                 for more time"
            ),
        }
    }
}

/// Waits until the check passes. `ended` tells how the server ended, if it has.
pub(super) fn wait(
    plan: &Ready,
    address: SocketAddr,
    log: &Path,
    ended: &mut dyn FnMut(Duration) -> Option<String>,
) -> Result<(), NotReady> {
    let began = Instant::now();
    loop {
        let last = match &plan.check {
            ReadyCheck::Port => connect(address, plan.within).map(drop),
            ReadyCheck::Path(path) => get(address, path),
            ReadyCheck::Log(wanted) => find_line(log, wanted),
        };
        if let Some(how) = ended(began.elapsed()) {
            return Err(NotReady::Ended(how));
        }
        match last {
            Ok(()) => return Ok(()),
            Err(last) if began.elapsed() >= plan.within => return Err(NotReady::Late { within: plan.within, last }),
            Err(_) => std::thread::sleep(AGAIN),
        }
    }
}

fn connect(address: SocketAddr, within: Duration) -> Result<TcpStream, String> {
    TcpStream::connect_timeout(&address, within.min(ANSWER_WITHIN)).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => format!("nothing listens on {address}"),
        _ => format!("cannot connect to {address}: {error}"),
    })
}

/// One GET; `Ok` if it is answered with a status below 400.
fn get(address: SocketAddr, path: &str) -> Result<(), String> {
    let mut stream = connect(address, ANSWER_WITHIN)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: */*\r\nconnection: close\r\n\r\n");
    let sent = stream.set_read_timeout(Some(ANSWER_WITHIN)).and_then(|()| stream.write_all(request.as_bytes()));
    sent.map_err(|error| format!("GET {path} could not be sent: {error}"))?;
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Err(format!("GET {path} got no answer: the connection was closed")),
            Ok(read) => head.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(format!("GET {path} got no answer"));
            }
            Err(error) => return Err(format!("GET {path} got no answer: {error}")),
        }
        match status(&head) {
            Ok(None) if head.len() <= LONGEST_HEAD => {}
            Ok(Some(code)) if code < 400 => return Ok(()),
            Ok(Some(code)) => return Err(format!("GET {path} was answered with status {code}")),
            Ok(None) | Err(()) => return Err(format!("GET {path} was answered with something that is not HTTP")),
        }
    }
}

/// The status of a response whose head is whole.
fn status(head: &[u8]) -> Result<Option<u16>, ()> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(head) {
        Ok(httparse::Status::Complete(_)) => Ok(response.code),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(()),
    }
}

/// A line of the log that holds the text, or matches it as a regular expression.
fn find_line(log: &Path, wanted: &str) -> Result<(), String> {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let pattern = regex::Regex::new(wanted).ok();
    let found = text.lines().any(|line| line.contains(wanted) || pattern.as_ref().is_some_and(|p| p.is_match(line)));
    if found { Ok(()) } else { Err(format!("no line of its log matches `{wanted}`")) }
}
