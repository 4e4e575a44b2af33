//! One attempt to reach a server: a connection, or a GET over a connection of its own.

use std::cell::Cell;
use std::io::ErrorKind;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use super::{Miss, MissingSign, NotReady};
use crate::exchange::Failure;
use crate::net::clock::Clock;
use crate::net::dialer::{DialError, Dialer};
use crate::net::endpoint::Endpoint;
use crate::net::http1::Connection;
use crate::net::response::ExchangeError;
use crate::net::sink::ResponseSink;
use crate::net::tls::Tls;

/// How long to wait for one response, and for one TLS handshake.
const RESPONSE_WITHIN: Duration = Duration::from_secs(2);
/// A connection to this machine is made at once, or not at all because the server's queue is full.
const CONNECT_WITHIN: Duration = Duration::from_millis(200);
/// How often to look whether there is sense in waiting on.
const LOOK: Duration = Duration::from_millis(50);

/// Tells if there is no sense in waiting on.
type Look<'a> = &'a mut dyn FnMut() -> Option<NotReady>;

/// Connects, and says nothing. `end` is when no further attempt is made.
pub(super) fn connect(endpoint: &Endpoint, end: Instant, look: Look<'_>) -> Result<(), Miss> {
    let attempt = Attempt::new(endpoint, None, end)?;
    attempt.connect(look).map(drop)
}

/// One GET; `Ok` if it gets a response with a status below 400. Its body is not waited for.
pub(super) fn get(
    (endpoint, tls): (&Endpoint, Option<&Tls>),
    path: &str,
    end: Instant,
    look: Look<'_>,
) -> Result<(), Miss> {
    let attempt = Attempt::new(endpoint, tls, end)?;
    let mut connection = attempt.connect(look)?;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\naccept: */*\r\nconnection: close\r\n\r\n", endpoint.authority());
    let status = attempt.within(RESPONSE_WITHIN, status_of(&mut connection, request.as_bytes()), look)?;
    let answer = |what: String| Miss::Yet(MissingSign::Answer(format!("GET {path} {what}")));
    match status {
        Some(Ok(..400)) => Ok(()),
        Some(Ok(status)) => Err(answer(format!("was answered with status {status}"))),
        Some(Err(error @ ExchangeError::Malformed(..))) => {
            Err(answer(format!("was answered with something that is not HTTP: {error}")))
        }
        Some(Err(error)) => Err(answer(format!("got no response: {error}"))),
        None => Err(Miss::Yet(MissingSign::Word(format!("GET {path} got no response")))),
    }
}

/// The status of the response to a request, as soon as its head has come.
async fn status_of(connection: &mut Connection, request: &[u8]) -> Result<u16, ExchangeError> {
    let clock = Clock::start();
    // A server may answer before it has read all, and close: its response is there to be read.
    let _ = connection.send(request, clock).await;
    let status = Cell::new(None);
    let mut sink = StatusSink(&status);
    let mut coming = pin!(connection.receive(false, clock, &mut sink));
    std::future::poll_fn(|context| {
        let polled = coming.as_mut().poll(context);
        match (status.get(), polled) {
            (Some(status), _) => Poll::Ready(Ok(status)),
            (None, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            (None, Poll::Ready(Ok(whole))) => Poll::Ready(Ok(whole.status)),
            (None, Poll::Pending) => Poll::Pending,
        }
    })
    .await
}

/// Keeps the status and nothing else.
struct StatusSink<'a>(&'a Cell<Option<u16>>);

impl ResponseSink for StatusSink<'_> {
    fn looks(&self) -> bool {
        false
    }

    fn status(&mut self, status: u16) {
        self.0.set(Some(status));
    }

    fn head(&mut self, _bytes: &[u8]) {}
    fn body(&mut self, _bytes: &[u8]) {}
    fn trailer(&mut self, _bytes: &[u8]) {}
}

/// Where to connect to, and until when.
struct Attempt<'a> {
    endpoint: &'a Endpoint,
    dialer: Dialer,
    end: Instant,
    runtime: Runtime,
}

impl<'a> Attempt<'a> {
    fn new(endpoint: &'a Endpoint, tls: Option<&Tls>, end: Instant) -> Result<Self, Miss> {
        let refused = |error| Miss::Yet(MissingSign::Connection(format!("cannot connect to {endpoint}: {error}")));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(refused)?;
        Ok(Attempt { endpoint, dialer: Dialer::new(endpoint.clone(), tls.cloned()), end, runtime })
    }

    fn connect(&self, look: Look<'_>) -> Result<Connection, Miss> {
        let endpoint = self.endpoint;
        let within = if self.dialer.speaks_tls() { RESPONSE_WITHIN } else { CONNECT_WITHIN };
        let missing = match self.within(within, Connection::open(&self.dialer), look)? {
            Some(Ok(connection)) => return Ok(connection),
            Some(Err(DialError { failure: Failure::Tls, why, .. })) => MissingSign::Handshake(why),
            Some(Err(DialError { kind: ErrorKind::ConnectionRefused | ErrorKind::NotFound, .. })) => {
                MissingSign::Connection(format!("nothing listens on {endpoint}"))
            }
            Some(Err(error)) => MissingSign::Connection(format!("cannot connect to {endpoint}: {}", error.why)),
            None if self.dialer.speaks_tls() => MissingSign::Word("the TLS handshake got no response".to_owned()),
            None => MissingSign::Connection(format!("cannot connect to {endpoint}: its queue of connections is full")),
        };
        Err(Miss::Yet(missing))
    }

    /// What comes of a piece of work; `None` if nothing has so far.
    fn within<T>(&self, most: Duration, work: impl Future<Output = T>, look: Look<'_>) -> Result<Option<T>, Miss> {
        let end = self.end.min(Instant::now() + most);
        self.runtime.block_on(async {
            let mut work = pin!(work);
            loop {
                if let Ok(came) = tokio::time::timeout(LOOK, work.as_mut()).await {
                    return Ok(Some(came));
                }
                if let Some(why) = look() {
                    return Err(Miss::Over(why));
                }
                if Instant::now() >= end {
                    return Ok(None);
                }
            }
        })
    }
}
