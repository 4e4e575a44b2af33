//! When a launched server counts as ready.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Endpoint;
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

    pub fn advice(&self, endpoint: &Endpoint) -> String {
        match self {
            NotReady::Ended(_) => "its log, below, should say why".to_owned(),
            NotReady::Late { .. } => format!(
                "it must listen on {endpoint}: pass {} in `command`; see `ready` for other checks and for more time",
                match endpoint {
                    Endpoint::Tcp(_) => "{host} and {port}",
                    Endpoint::Unix(_) => "{socket}",
                }
            ),
        }
    }
}

/// Waits until the check passes. `ended` tells how the server ended, if it has.
pub(super) fn wait(
    plan: &Ready,
    endpoint: &Endpoint,
    log: &Path,
    ended: &mut dyn FnMut(Duration) -> Option<String>,
) -> Result<(), NotReady> {
    let began = Instant::now();
    loop {
        let last = match &plan.check {
            ReadyCheck::Port => connect(endpoint, plan.within).map(drop),
            ReadyCheck::Path(path) => get(endpoint, path),
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

/// A stream of either kind.
trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Connects; reads on it wait for a while only.
fn connect(endpoint: &Endpoint, within: Duration) -> Result<Box<dyn Stream>, String> {
    let connected = match endpoint {
        Endpoint::Tcp(address) => TcpStream::connect_timeout(address, within.min(ANSWER_WITHIN)).and_then(|stream| {
            stream.set_read_timeout(Some(ANSWER_WITHIN))?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        }),
        Endpoint::Unix(path) => UnixStream::connect(path).and_then(|stream| {
            stream.set_read_timeout(Some(ANSWER_WITHIN))?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        }),
    };
    connected.map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => format!("nothing listens on {endpoint}"),
        _ => format!("cannot connect to {endpoint}: {error}"),
    })
}

/// One GET; `Ok` if it is answered with a status below 400.
fn get(endpoint: &Endpoint, path: &str) -> Result<(), String> {
    let mut stream = connect(endpoint, ANSWER_WITHIN)?;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\naccept: */*\r\nconnection: close\r\n\r\n", endpoint.authority());
    let sent = stream.write_all(request.as_bytes());
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
