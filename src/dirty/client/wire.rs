//! One connection of a dirty check: requests on it, one by one or together, and what comes back, asked for or not.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, trace};

use super::{Ask, CheckClient, Watched};
use crate::dirty::recipe::Anomaly;
use crate::dirty::request_forms;
use crate::exchange::{Exchange, Failure, Outcome};
use crate::net::dialer::DialError;
use crate::net::http1::{Connection, IdleState};
use crate::net::http2::connection::Http2Connection;
use crate::net::response::{ExchangeError, ResponseInfo};
use crate::net::response_parser::ResponseParser;
use crate::net::sink::BufferedResponse;
use crate::scenario::Version;

/// A connection with its number in the check.
#[derive(Debug, Default)]
pub(in crate::dirty) struct Wire {
    pub(super) open: Option<OpenConnection>,
    number: u64,
    /// The last request that was answered on it.
    last: u64,
    /// A request on it was made to be taken for two: then more answers than requests are no wonder.
    baited: bool,
}

/// An open connection of either version.
#[derive(Debug)]
pub(super) enum OpenConnection {
    One(Connection),
    Two(Http2Connection),
}

impl Wire {
    /// Another request's share in the connection, if it is one that can be shared.
    pub fn sharing(&self) -> Wire {
        let open = match &self.open {
            Some(OpenConnection::Two(connection)) => Some(OpenConnection::Two(connection.clone())),
            Some(OpenConnection::One(_)) | None => None,
        };
        Wire { open, number: self.number, last: self.last, baited: self.baited }
    }
}

/// Bytes that came on a connection although nothing was asked.
#[derive(Debug, Clone)]
pub(in crate::dirty) struct Stray {
    /// The last request on that connection before them.
    pub after: u64,
    pub bytes: Vec<u8>,
}

/// How far a request has come.
#[derive(Debug, Default)]
pub(in crate::dirty) struct Way {
    pub sent: Option<Duration>,
    pub kept: BufferedResponse,
    /// When a response that has not ended, and need not, is whole enough.
    last: Option<Instant>,
}

/// So long before its time-out a response of unknown length counts as one that does not end.
const BEFORE_TIMEOUT: Duration = Duration::from_millis(20);

impl Way {
    pub fn within(timeout: Duration) -> Way {
        Way { last: Some(Instant::now() + timeout.saturating_sub(BEFORE_TIMEOUT)), ..Way::default() }
    }
}

/// What became of an attempt.
pub(in crate::dirty) enum Received {
    Response(ResponseInfo),
    /// The client left.
    Left,
}

impl CheckClient {
    /// Sends one request on `wire`, which is opened if need be, and waits for its response. What is observed is kept here,
    /// so that a check that is cut short loses nothing. Returns whether it was answered.
    pub async fn send(&self, wire: &mut Wire, ask: &Ask<'_>) -> bool {
        let (request, bytes) = self.write(ask);
        let (intended, way, came) = self.insist(wire, &bytes, ask).await;
        let exchange = self.exchange(intended, way.sent, came);
        let (exchange, trace) = self.follow(wire, ask, &bytes, exchange, way.kept).await;
        wire.last = request;
        self.keep(request, ask, bytes, wire.number, exchange, trace);
        matches!(exchange.outcome, Outcome::Answered(_))
    }

    /// One request and its response, in time: again while the server is still starting, or refuses a lone request as one
    /// too many. With the time at which the last of these was due.
    pub(in crate::dirty) async fn insist(
        &self,
        wire: &mut Wire,
        bytes: &[u8],
        ask: &Ask<'_>,
    ) -> (Duration, Way, Result<Received, Failure>) {
        let mut tries = 0;
        loop {
            if ask.gate.is_none() {
                self.keep_to_limit(1).await;
            }
            let intended = self.clock.now();
            self.throttle.borrow_mut().sent(intended);
            let mut way = Way::within(self.timeout_of(ask));
            let work = self.converse(wire, bytes, ask, &mut way);
            let came = tokio::time::timeout(self.timeout_of(ask), work).await.unwrap_or(Err(Failure::Timeout));
            if self.is_still_starting(ask, &came, intended).await {
                continue;
            }
            tries += 1;
            if !self.is_refused(ask, &came, &way.kept.head, tries) {
                return (intended, way, came);
            }
        }
    }

    /// Sends requests on one connection without waiting for answers, then reads as many answers. Those that wait for nothing
    /// go out with the one before them, in one piece.
    pub async fn send_together(&self, wire: &mut Wire, asks: &[Ask<'_>]) {
        if self.version == Version::Two {
            return self.send_as_streams(wire, asks).await;
        }
        self.keep_to_limit(asks.len() as u64).await;
        let written: Vec<(u64, Vec<u8>)> = asks.iter().map(|ask| self.write(ask)).collect();
        self.look_for_strays(wire);
        let intended = self.clock.now();
        let mut sent = vec![intended; asks.len()];
        let opened = tokio::time::timeout(self.timeout, self.connect(wire)).await;
        wire.baited |= asks.iter().any(|ask| matches!(ask.shot.twist, Anomaly::Smuggling(_)));
        let mut connection = match opened {
            Ok(Ok(OpenConnection::One(connection))) => Some(connection),
            _ => None,
        };
        if let Some(open) = &mut connection {
            // One that refuses some of it may still answer the first.
            let work = self.send_pieces(open, asks, &written, &mut sent);
            let _ = tokio::time::timeout(self.timeout, work).await;
        }
        let mut came_of = Vec::new();
        for ((ask, (request, bytes)), sent) in asks.iter().zip(&written).zip(sent) {
            let mut way = Way::within(self.timeout);
            let came = match &mut connection {
                None => Err(Failure::Closed),
                Some(open) => {
                    let (head_only, clock) = (request_forms::is_head(bytes), self.clock.clock());
                    let answer = self.receive(&mut way, async |sink| open.receive(head_only, clock, sink).await);
                    let came = tokio::time::timeout(self.timeout, answer).await;
                    came.map_or(Err(Failure::Timeout), |came| {
                        came.map(Received::Response).map_err(|broken| broken.failure())
                    })
                }
            };
            if !matches!(came, Ok(Received::Response(ResponseInfo { close: false, .. }))) {
                connection = None;
            }
            self.throttle.borrow_mut().sent(sent);
            self.is_refused(ask, &came, &way.kept.head, 1);
            wire.last = *request;
            came_of.push((self.exchange(intended, Some(sent), came), way.kept));
        }
        wire.open = connection.map(OpenConnection::One);
        self.look_for_strays(wire);
        for ((ask, (request, bytes)), (exchange, kept)) in asks.iter().zip(written).zip(came_of) {
            let (exchange, trace) = self.follow(&mut Wire::default(), ask, &bytes, exchange, kept).await;
            self.keep(request, ask, bytes, wire.number, exchange, trace);
        }
    }

    /// Sends requests that are written, and notes when. What comes meanwhile is kept.
    async fn send_pieces(
        &self,
        connection: &mut Connection,
        asks: &[Ask<'_>],
        written: &[(u64, Vec<u8>)],
        sent: &mut [Duration],
    ) -> std::io::Result<()> {
        let mut piece = Vec::new();
        for (index, (ask, (_, bytes))) in asks.iter().zip(written).enumerate() {
            if ask.shot.pause_ms > 0.0 {
                connection.send(&std::mem::take(&mut piece), self.clock.clock()).await?;
                // To the end of the pause, or of the connection.
                let _ =
                    tokio::time::timeout(millis(ask.shot.pause_ms), connection.keep_reading(self.clock.clock())).await;
            }
            sent[index] = self.clock.now();
            piece.extend_from_slice(bytes);
        }
        connection.send(&piece, self.clock.clock()).await
    }

    /// Looks at an idle connection, and keeps what has come on it. It is not used again if anything has: that would be taken
    /// for the response to the next request.
    pub fn look_for_strays(&self, wire: &mut Wire) {
        let Some(OpenConnection::One(connection)) = &mut wire.open else { return };
        let is_unsolicited = connection.look() == IdleState::Unsolicited;
        let bytes = connection.unasked();
        if !bytes.is_empty() {
            wire.open = None;
            debug!(
                connection = wire.number,
                after = wire.last,
                bytes = bytes.len(),
                "bytes came that nobody asked for"
            );
            self.unsolicited.set(self.unsolicited.get() + u64::from(is_unsolicited && !wire.baited));
            self.strays.borrow_mut().push(Stray { after: wire.last, bytes: readable(bytes) });
        }
    }

    pub(super) fn exchange(
        &self,
        intended: Duration,
        sent: Option<Duration>,
        came: Result<Received, Failure>,
    ) -> Exchange {
        let (outcome, first_byte, done) = match came {
            Ok(Received::Response(answer)) => (Outcome::Answered(answer.status), Some(answer.first_byte), answer.done),
            Ok(Received::Left) => (Outcome::Unanswered, None, self.clock.now()),
            Err(failure) => (Outcome::Failed(failure), None, self.clock.now()),
        };
        Exchange { intended, sent, first_byte, done, outcome }
    }

    /// One request and its response. If the connection at hand turns out to be closed before a byte of a response has
    /// come, as it may be after a pause, the request is sent once more on a new one.
    pub(super) async fn converse(
        &self,
        wire: &mut Wire,
        bytes: &[u8],
        ask: &Ask<'_>,
        way: &mut Way,
    ) -> Result<Received, Failure> {
        self.look_for_strays(wire);
        let again = wire.open.is_some() && ask.gate.is_none();
        match self.run_experiment(wire, bytes, ask, way).await {
            Err(ExchangeError::Closed { untouched: true }) if again => {
                debug!(connection = wire.number, "closed before a byte of a response: the request is sent once more");
                let again = self.run_experiment(wire, bytes, ask, way).await;
                again.map_err(|broken| match broken {
                    // The request had been sent, on a connection that was closed.
                    ExchangeError::Refused(_) => Failure::Closed,
                    broken => broken.failure(),
                })
            }
            first => first.map_err(|broken| broken.failure()),
        }
    }

    async fn run_experiment(
        &self,
        wire: &mut Wire,
        bytes: &[u8],
        ask: &Ask<'_>,
        way: &mut Way,
    ) -> Result<Received, ExchangeError> {
        let opened = self.connect(wire).await;
        if let (Err(_), Some(gate)) = (&opened, ask.gate) {
            // The others must not wait for this one.
            gate.wait().await;
        }
        let mut connection = match opened.map_err(ExchangeError::Refused)? {
            OpenConnection::One(connection) => connection,
            OpenConnection::Two(connection) => return self.stream(wire, connection, bytes, ask, way).await,
        };
        wire.baited |= matches!(ask.shot.twist, Anomaly::Smuggling(_));
        way.sent = Some(self.clock.now());
        // A server may refuse a request before it has read all of it, and close: its response is there to be read.
        let cut_off = self.deliver(&mut connection, bytes, ask, way).await.is_err();
        let (head_only, clock) = (request_forms::is_head(bytes), self.clock.clock());
        let answer = self.receive(way, async |sink| connection.receive(head_only, clock, sink).await);
        let Anomaly::Abort(after) = ask.shot.twist else {
            let answer = answer.await?;
            wire.open = (!answer.close && !cut_off).then_some(OpenConnection::One(connection));
            return Ok(Received::Response(answer));
        };
        match tokio::time::timeout(millis(after), answer).await {
            Ok(answer) => answer.map(Received::Response),
            Err(_) => {
                connection.abort();
                Ok(Received::Left)
            }
        }
    }

    /// Reads a response; of one that does not end, what comes in the time that it is given.
    pub(super) async fn receive(
        &self,
        way: &mut Way,
        answer: impl AsyncFnOnce(&mut Watched<'_, BufferedResponse>) -> Result<ResponseInfo, ExchangeError>,
    ) -> Result<ResponseInfo, ExchangeError> {
        let (begun, streams, last) = (Cell::new(None), self.streams(), way.last);
        let mut sink = Watched { sink: &mut way.kept, begun: &begun, streams };
        tokio::select! {
            biased;
            answer = answer(&mut sink) => answer,
            answer = streams.up(&begun, last) => {
                self.endless.set(self.endless.get() + 1);
                Ok(answer)
            }
        }
    }

    /// The connection at hand, or a new one.
    pub(super) async fn connect(&self, wire: &mut Wire) -> Result<OpenConnection, DialError> {
        if let Some(connection) = wire.open.take() {
            return Ok(connection);
        }
        wire.baited = false;
        self.connections.set(self.connections.get() + 1);
        wire.number = self.connections.get();
        let opened = match self.version {
            Version::One => Connection::open(&self.target.dialer).await.map(OpenConnection::One),
            Version::Two => Http2Connection::open(&self.target.dialer).await.map(OpenConnection::Two),
        };
        match &opened {
            Ok(_) => trace!(connection = wire.number, "connection opened"),
            // A server that is starting, or gone, refuses many a second: the round tells of them.
            Err(refused) => trace!(connection = wire.number, why = refused.why, "connection refused"),
        }
        opened
    }

    /// Sends the bytes of a request: at once, in halves, or but for the last byte, which waits at the gate. A server may
    /// answer while it reads: what comes meanwhile is kept, so that neither side waits for the other.
    async fn deliver(
        &self,
        connection: &mut Connection,
        bytes: &[u8],
        ask: &Ask<'_>,
        way: &mut Way,
    ) -> std::io::Result<()> {
        let (first, pause, rest) = match (ask.gate, ask.shot.twist) {
            (Some(_), _) => (bytes.len().saturating_sub(1), 0.0, 1),
            (None, Anomaly::Halting(pause)) => (bytes.len() / 2, pause, 1),
            (None, _) => (bytes.len(), 0.0, 0),
        };
        let early = connection.send(&bytes[..first], self.clock.clock()).await;
        if rest == 0 {
            return early;
        }
        match ask.gate {
            Some(gate) => {
                gate.wait().await;
            }
            None => tokio::time::sleep(millis(pause)).await,
        }
        // Before its last byte no request is handled.
        way.sent = Some(self.clock.now());
        early?;
        connection.send(&bytes[first..], self.clock.clock()).await
    }
}

/// What came unasked, with its body decoded if it is a response that says how it is encoded.
fn readable(bytes: Vec<u8>) -> Vec<u8> {
    let mut kept = BufferedResponse::default();
    // Not whole, or no response: as far as it goes.
    let _ = ResponseParser::new(false).advance(&bytes, &mut kept);
    let encoded = kept.body.clone();
    kept.decode();
    if kept.body == encoded { bytes } else { [kept.head, kept.body].concat() }
}

pub(super) fn millis(millis: f64) -> Duration {
    Duration::from_secs_f64(millis.max(0.0) / 1e3)
}
