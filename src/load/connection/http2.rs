//! HTTP/2: connections that carry several requests at once, shared by the users of a load thread.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Context;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Response};
use tokio::sync::OnceCell;

use super::answer::{Answer, Broken};
use super::dialer::{Dialer, NoConnection};
use super::reply::Sink;
use super::translated::Translated;
use crate::exchange::Failure;
use crate::load::clock::Clock;

/// What a server may send before it waits for leave to send on: no load is to be held up by that.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 1 << 30;

/// Requests that are sent before the server has said how many it takes: as many as every server should take (RFC 9113,
/// section 6.5.2).
const BEFORE_SETTINGS: usize = 100;

/// The connections of a load thread.
#[derive(Debug)]
pub struct Sessions {
    /// How many requests each may carry at once.
    streams: u32,
    /// Those that can take another, the last used last.
    free: RefCell<Vec<Rc<Session>>>,
}

/// One connection.
#[derive(Debug, Default)]
struct Session {
    /// Made by the first request that needs it.
    send: OnceCell<SendRequest<Bytes>>,
    /// Requests that are on it, or wait for it to be made.
    busy: Cell<u32>,
    /// It takes no more requests.
    over: Cell<bool>,
}

/// A place for one request on a connection, until it is dropped.
struct Seat<'a> {
    sessions: &'a Sessions,
    session: Rc<Session>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let busy = self.session.busy.get();
        self.session.busy.set(busy - 1);
        if busy == self.sessions.streams && !self.session.over.get() {
            self.sessions.free.borrow_mut().push(Rc::clone(&self.session));
        }
    }
}

/// Why a request was not answered.
#[derive(Debug)]
pub enum Lost {
    /// The server has not looked at it, and has said so: it may be sent again.
    Refused(Broken),
    /// The server may have looked at it.
    Broken(Broken),
}

/// Whom a request tells of its way.
pub trait Watcher {
    /// A connection was made for it.
    fn opened(&self, resumed: bool);
    /// It was handed to its connection; whether it had to wait for that.
    fn sent(&self, waited: bool);
}

impl Sessions {
    pub fn new(streams: u32) -> Self {
        Sessions { streams, free: RefCell::default() }
    }

    fn seat(&self) -> Seat<'_> {
        let mut free = self.free.borrow_mut();
        while free.pop_if(|last| last.over.get()).is_some() {}
        let session = match free.last() {
            Some(session) => Rc::clone(session),
            None => {
                let session = Rc::new(Session::default());
                free.push(Rc::clone(&session));
                session
            }
        };
        session.busy.set(session.busy.get() + 1);
        if session.busy.get() == self.streams {
            free.pop();
        }
        Seat { sessions: self, session }
    }

    /// Sends a request on a connection that has room for it, or on a new one, and reads its response into `sink`.
    pub async fn exchange(
        &self,
        dialer: &Dialer,
        request: &Translated,
        clock: Clock,
        watcher: &impl Watcher,
        sink: &mut impl Sink,
    ) -> Result<Answer, Lost> {
        let seat = self.seat();
        let session = &seat.session;
        let mut waited = !session.send.initialized();
        // Apart: users whose connection is there need not carry the room for making one.
        let made = session.send.get_or_try_init(|| Box::pin(open(session, dialer, self.streams, watcher))).await;
        let mut send = made.map_err(|no| Lost::Broken(Broken::Refused(no)))?.clone();
        let unsent = |error| {
            session.over.set(true);
            Lost::Refused(broken(&error))
        };
        let ready = |context: &mut Context<'_>| {
            let ready = send.poll_ready(context);
            waited |= ready.is_pending();
            ready
        };
        poll_fn(ready).await.map_err(unsent)?;
        let body = request.body();
        let (response, mut stream) = send.send_request(request.head(), body.is_none()).map_err(unsent)?;
        watcher.sent(waited);
        if let Some(body) = body {
            stream.send_data(body, true).map_err(|error| lost(&error, session))?;
        }
        let response = response.await.map_err(|error| lost(&error, session))?;
        let first_byte = clock.now();
        let status = response.status().as_u16();
        if sink.looks() {
            sink.head(&head(&response));
        }
        let body = response.into_body();
        let (bytes, done) = match body.is_end_stream() {
            true => (0, first_byte),
            false => (drain(body, sink).await.map_err(|error| lost(&error, session))?, clock.now()),
        };
        Ok(Answer { status, first_byte, done, bytes, close: false })
    }
}

/// Makes a connection, and has it driven for as long as anybody can use it.
async fn open(
    session: &Rc<Session>,
    dialer: &Dialer,
    streams: u32,
    watcher: &impl Watcher,
) -> Result<SendRequest<Bytes>, NoConnection> {
    let stream = dialer.dial().await?;
    let resumed = stream.is_resumed();
    let opened = Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams((streams as usize).min(BEFORE_SETTINGS))
        .handshake(stream)
        .await;
    let (send, connection) = opened
        .map_err(|error: h2::Error| NoConnection { failure: broken(&error).failure(), why: error.to_string() })?;
    watcher.opened(resumed);
    let session = Rc::downgrade(session);
    tokio::task::spawn_local(async move {
        // What went wrong shows in the requests that were on it.
        let _ = connection.await;
        if let Some(session) = session.upgrade() {
            session.over.set(true);
        }
    });
    Ok(send)
}

/// Reads a body to its end; returns its length.
async fn drain(mut body: RecvStream, sink: &mut impl Sink) -> Result<u64, h2::Error> {
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
    if sink.looks()
        && let Some(trailers) = body.trailers().await?
    {
        each_line(&trailers, |line| sink.trailer(line));
    }
    Ok(bytes)
}

/// The head as the text that HTTP/1.1 would have it in.
fn head(response: &Response<RecvStream>) -> Vec<u8> {
    let mut head = format!("HTTP/2 {}\r\n", response.status().as_u16()).into_bytes();
    each_line(response.headers(), |line| head.extend_from_slice(line));
    head.extend_from_slice(b"\r\n");
    head
}

fn each_line(headers: &HeaderMap, mut take: impl FnMut(&[u8])) {
    for (name, value) in headers {
        take(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
}

/// A request that was sent. The server has not looked at it if it refuses the stream, or if it goes away in good order:
/// it answers what it has taken up (RFC 9113, sections 6.8 and 8.7).
fn lost(error: &h2::Error, session: &Session) -> Lost {
    let refused = match error.reason() {
        Some(Reason::REFUSED_STREAM) => error.is_reset() && error.is_remote(),
        Some(Reason::NO_ERROR) => error.is_go_away() && error.is_remote(),
        _ => false,
    };
    if error.is_go_away() || error.is_io() {
        session.over.set(true);
    }
    if refused { Lost::Refused(broken(error)) } else { Lost::Broken(broken(error)) }
}

fn broken(error: &h2::Error) -> Broken {
    match error.get_io() {
        Some(error) => Broken::of_read(error, true),
        None if error.is_remote() => Broken::Told(Failure::Closed, error.to_string()),
        None => Broken::Told(Failure::Protocol, error.to_string()),
    }
}
