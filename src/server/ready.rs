//! When a launched server counts as ready.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

use super::Endpoint;
use super::port_owner::{Doubts, PortOwner};
use crate::net::tls::{self, Tls};
use crate::process_end::ServerEnd;
use crate::scenario::{ReadyCheck, ReadySpec};
use crate::units::show_duration;

mod attempt;

/// How often to ask.
const AGAIN: Duration = Duration::from_millis(10);

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
            ReadyCheck::Port => attempt::connect(endpoint, end, look),
            ReadyCheck::Path(path) => attempt::get((endpoint, tls), path, end, look),
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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
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
    /// What a check came to, of a server that says so much and keeps the connection; it is cancelled after so many looks.
    fn told_by(response: &'static [u8], most_looks: usize) -> Result<(), NotReady> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
        let ready = ReadySpec { within: Duration::from_secs(60), ..plan(ReadyCheck::Path("/health".to_owned())) };
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]);
                stream.write_all(response).unwrap();
                let _ = is_done.recv();
            });
            let mut looks = 0;
            let mut look = || {
                looks += 1;
                (looks > most_looks).then_some(NotReady::Cancelled)
            };
            let (said, owner) = (Cell::new(false), || PortOwner::Ours);
            let came = wait(&ready, (&endpoint, None), ReadySigns { said: &said, owner: &owner, look: &mut look });
            drop(done);
            came
        })
    }

    #[test]
    fn a_status_counts_as_soon_as_its_head_is_whole() {
        let whole = |response| told_by(response, usize::MAX);
        assert_eq!(whole(b"HTTP/1.1 204 No Content\r\n\r\n"), Ok(()));
        assert_eq!(whole(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 302 Found\r\n\r\n"), Ok(()));
        assert_eq!(whole(b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\nthe rest never comes"), Ok(()));
        for other in ["HTTP/1.1 200 OK\r\nits head never ends: ", "HTTP/1.1 503 Service Unavailable\r\n\r\n"] {
            assert_eq!(told_by(other.as_bytes(), 2), Err(NotReady::Cancelled));
        }
    }
}
