//! HTTP/2: connections that carry several requests at once, shared by the users of a load thread.

mod frames;
pub mod request;
pub mod connection;
mod strict;
mod trailers;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Reason, RecvStream};
use tokio::sync::OnceCell;

use self::frames::FrameFilter;
use self::strict::StreamError;
use self::trailers::MalformedTrailers;
use super::dialer::{DialError, Dialer};
use super::response::{ExchangeError, ResponseInfo};
use super::sink::ResponseSink;
use super::stream::Stream;
use crate::exchange::Failure;
use crate::net::clock::Clock;
use crate::net::http2::request::Http2Request;

/// What a server may send before it waits for leave to send on: no load is to be held up by that.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 1 << 30;

/// What was given up is remembered for this long, and this many of a connection: what still comes for it is dropped without a
/// word. They take a few hundred bytes each. What comes for one that is forgotten is answered with another reset.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);
const MOST_REMEMBERED: usize = 10_000;

/// What stands for the number of requests that a server takes at once, before it has said so.
const UNKNOWN: usize = 0;

/// The connections of a load thread.
#[derive(Debug)]
pub struct Http2Pool {
    /// How many requests each may carry at once, if the server takes that many.
    streams: usize,
    /// Those that could take another when they were last looked at, the last used last.
    free: RefCell<Vec<Rc<PooledConnection>>>,
    /// Requests that were answered.
    answered: Cell<u64>,
}

/// A connection that is made.
#[derive(Debug)]
struct Opened {
    send: SendRequest<Bytes>,
    malformed: MalformedTrailers,
}

/// One connection of the pool.
#[derive(Debug, Default)]
struct PooledConnection {
    /// Made by the first request that needs it.
    open: OnceCell<Opened>,
    /// Requests that are on it, or wait for it to be made.
    busy: Cell<usize>,
    /// It is among the free ones.
    listed: Cell<bool>,
    /// It takes no more requests.
    over: Cell<bool>,
}

impl PooledConnection {
    /// How many requests it carries at once: as many as the server takes, once that is known.
    fn room(&self, streams: usize) -> usize {
        match self.open.get() {
            _ if self.over.get() => 0,
            Some(open) => streams.min(open.send.current_max_send_streams()),
            None => streams,
        }
    }
}

/// A place for one request on a connection, until it is dropped.
struct StreamSlot<'a> {
    pool: &'a Http2Pool,
    pooled: Rc<PooledConnection>,
}

impl Drop for StreamSlot<'_> {
    fn drop(&mut self) {
        let pooled = &self.pooled;
        pooled.busy.set(pooled.busy.get() - 1);
        if !pooled.listed.get() && pooled.busy.get() < pooled.room(self.pool.streams) {
            pooled.listed.set(true);
            self.pool.free.borrow_mut().push(Rc::clone(pooled));
        }
    }
}

/// A request that was not answered.
#[derive(Debug)]
pub struct FailedExchange {
    pub why: ExchangeError,
    pub again: Retry,
}

/// Whether a request may be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The server may have looked at it.
    Never,
    /// As it may with HTTP/1.1: its connection, made for an earlier one, ended before anything of a response came.
    IfMayBeUnseen,
    /// The server has not looked at it, and takes no more on this connection (RFC 9113, section 6.8).
    OnAnother,
    /// The server has not looked at it, and has refused this one request (RFC 9113, section 8.7).
    Later,
}

/// Whom a request tells of its way.
pub trait ExchangeObserver {
    /// A connection was made for it.
    fn opened(&self, resumed: bool);
    /// It was handed to its connection; whether it had to wait for that.
    fn sent(&self, waited: bool);
}

impl Http2Pool {
    /// No connection yet; each is to carry `streams` requests at once, or what its server takes if that is less.
    pub fn new(streams: u32) -> Self {
        Http2Pool { streams: streams as usize, free: RefCell::default(), answered: Cell::new(0) }
    }

    /// How many requests were answered: where that goes up, the server is at work.
    pub fn answered(&self) -> u64 {
        self.answered.get()
    }

    fn slot(&self) -> StreamSlot<'_> {
        let mut free = self.free.borrow_mut();
        while let Some(full) = free.pop_if(|last| last.busy.get() >= last.room(self.streams)) {
            full.listed.set(false);
        }
        let pooled = match free.last() {
            Some(pooled) => Rc::clone(pooled),
            None => {
                let pooled = Rc::new(PooledConnection { listed: Cell::new(true), ..PooledConnection::default() });
                free.push(Rc::clone(&pooled));
                pooled
            }
        };
        pooled.busy.set(pooled.busy.get() + 1);
        StreamSlot { pool: self, pooled }
    }

    /// Sends a request on a connection that has room for it, or on a new one, and reads its response into `sink`.
    pub async fn exchange(
        &self,
        dialer: &Dialer,
        request: &Http2Request,
        clock: Clock,
        watcher: &impl ExchangeObserver,
        sink: &mut impl ResponseSink,
    ) -> Result<ResponseInfo, FailedExchange> {
        let mut waited = false;
        let (slot, mut send) = loop {
            let slot = self.slot();
            waited |= !slot.pooled.open.initialized();
            // Apart: users whose connection is there need not carry the room for making one.
            let open = || Box::pin(open(&slot.pooled, dialer, watcher));
            let made = slot.pooled.open.get_or_try_init(open).await;
            let send = made
                .map_err(|no| FailedExchange { why: ExchangeError::Refused(no), again: Retry::Never })?
                .send
                .clone();
            // More may have waited for a connection than the server then takes.
            if slot.pooled.busy.get() <= slot.pooled.room(self.streams).max(1) {
                break (slot, send);
            }
        };
        let pooled = &slot.pooled;
        let lost = |error, stage| pooled.lost(&error, stage);
        let ready = |context: &mut Context<'_>| {
            let ready = send.poll_ready(context);
            waited |= ready.is_pending();
            ready
        };
        poll_fn(ready).await.map_err(|error| lost(error, Stage::Unsent))?;
        let body = request.body();
        let sent = send.send_request(request.head(), body.is_none());
        let (response, mut stream) = sent.map_err(|error| lost(error, Stage::Unsent))?;
        watcher.sent(waited);
        let stage = if waited { Stage::First } else { Stage::Sent };
        if let Some(body) = body {
            stream.send_data(body, true).map_err(|error| lost(error, stage))?;
        }
        let mut unread = |fault, stage| match fault {
            StreamError::Failed(error) => lost(error, stage),
            StreamError::Malformed(why) => {
                FailedExchange { why: strict::refuse(&mut stream, why), again: Retry::Never }
            }
        };
        let response = strict::head(response, sink).await.map_err(|fault| unread(fault, stage))?;
        let first_byte = clock.now();
        let status = response.status().as_u16();
        sink.status(status);
        let body = response.into_body();
        let is_malformed = |stream| pooled.open.get().is_some_and(|open| open.malformed.take(stream));
        let (bytes, done) = match body.is_end_stream() {
            true => (0, first_byte),
            false => (drain(body, sink, is_malformed).await.map_err(|fault| unread(fault, Stage::Begun))?, clock.now()),
        };
        self.answered.set(self.answered.get() + 1);
        Ok(ResponseInfo { status, first_byte, done, bytes, close: false })
    }
}

/// Makes a connection, and has it driven for as long as anybody can use it.
async fn open(
    pooled: &Rc<PooledConnection>,
    dialer: &Dialer,
    watcher: &impl ExchangeObserver,
) -> Result<Opened, DialError> {
    let stream = dialer.dial().await?;
    let resumed = stream.is_resumed();
    let (opened, connection) = handshake(stream).await?;
    watcher.opened(resumed);
    let pooled = Rc::downgrade(pooled);
    tokio::task::spawn_local(async move {
        // What went wrong shows in the requests that were on it.
        let _ = connection.await;
        if let Some(pooled) = pooled.upgrade() {
            pooled.over.set(true);
        }
    });
    Ok(opened)
}

/// Begins to speak HTTP/2.
async fn handshake(stream: Stream) -> Result<(Opened, Connection<FrameFilter<Stream>, Bytes>), DialError> {
    let frames = FrameFilter::of(stream);
    let malformed = frames.malformed_trailers();
    let opened = Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(UNKNOWN)
        .reset_stream_duration(REMEMBERED_FOR)
        .max_concurrent_reset_streams(MOST_REMEMBERED)
        // However many of its responses are late, and however small their pieces, a server is no attacker.
        .max_local_error_reset_streams(None)
        .data_frame_budget(usize::MAX)
        .handshake(frames)
        .await;
    let (send, mut connection) = opened.map_err(|error| silent(&broken(&error, true)))?;
    poll_fn(|context| settled(&mut connection, context)).await.map_err(|why| silent(&why))?;
    Ok((Opened { send, malformed }, connection))
}

/// No connection, as the server did not begin one of HTTP/2.
fn silent(why: &ExchangeError) -> DialError {
    let seen = match why {
        ExchangeError::Told(Failure::Protocol, why) => format!("what the server said first is not HTTP/2 ({why})"),
        ExchangeError::Closed { .. } => "the server closed the connection before it said anything in HTTP/2".to_owned(),
        why => return DialError::told(why.failure(), why.to_string()),
    };
    DialError::told(why.failure(), format!("{seen}; perhaps it speaks HTTP/1.1 only"))
}

/// Drives a connection until the server has said how many requests it takes. That comes first of all (RFC 9113, section
/// 3.4), and what was sent before would be said to have been sent while it waits here.
fn settled(
    connection: &mut Connection<FrameFilter<Stream>, Bytes>,
    context: &mut Context<'_>,
) -> Poll<Result<(), ExchangeError>> {
    let ended = Pin::new(&mut *connection).poll(context).map_err(|error| broken(&error, true))?;
    match connection.max_concurrent_send_streams() {
        UNKNOWN if ended.is_pending() => Poll::Pending,
        UNKNOWN => Poll::Ready(Err(ExchangeError::Closed { untouched: true })),
        _ => Poll::Ready(Ok(())),
    }
}

/// Reads a body to its end; returns its length. `is_malformed` says of a stream whether its trailers were.
async fn drain(
    mut body: RecvStream,
    sink: &mut impl ResponseSink,
    is_malformed: impl Fn(u32) -> bool,
) -> Result<u64, StreamError> {
    let mut bytes = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        bytes += data.len() as u64;
        sink.body(&data);
        if body.is_end_stream() {
            return Ok(bytes);
        }
        body.flow_control().release_capacity(data.len())?;
    }
    if let Some(trailers) = body.trailers().await? {
        if is_malformed(body.stream_id().as_u32()) {
            return Err(StreamError::Malformed("a pseudo-header among its trailers, which HTTP/2 does not allow"));
        }
        strict::look_over(&trailers)?;
        if sink.looks() {
            strict::each_line(&trailers, |line| sink.trailer(line));
        }
    }
    Ok(bytes)
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The connection did not take it.
    Unsent,
    /// Sent, and no response has begun.
    Sent,
    /// As [`Stage::Sent`], and the connection was made for it.
    First,
    /// A response has begun.
    Begun,
}

impl PooledConnection {
    /// What becomes of a request after an error.
    fn lost(&self, error: &h2::Error, stage: Stage) -> FailedExchange {
        let ended = error.is_go_away() || error.is_io();
        // What it does not take for another reason, it will not take later either.
        if ended || stage == Stage::Unsent {
            self.over.set(true);
        }
        let again = match stage {
            Stage::Unsent if ended => Retry::OnAnother,
            Stage::Unsent | Stage::Begun => Retry::Never,
            Stage::Sent | Stage::First if is_unseen(error) => {
                if error.is_reset() {
                    Retry::Later
                } else {
                    Retry::OnAnother
                }
            }
            Stage::Sent if error.is_io() => Retry::IfMayBeUnseen,
            _ => Retry::Never,
        };
        FailedExchange { why: broken(error, stage != Stage::Begun), again }
    }
}

/// Whether the server has said that it has not looked at a request: it refused it, or goes away and has not taken it up,
/// whatever its reason (RFC 9113, sections 6.8 and 8.7).
fn is_unseen(error: &h2::Error) -> bool {
    let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    error.is_remote() && (is_refused || error.is_go_away())
}

fn broken(error: &h2::Error, untouched: bool) -> ExchangeError {
    match error.get_io() {
        Some(error) => ExchangeError::of_read(error, untouched),
        None if error.is_remote() => ExchangeError::Told(Failure::Closed, error.to_string()),
        None => ExchangeError::Told(Failure::Protocol, error.to_string()),
    }
}
