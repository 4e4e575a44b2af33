//! One HTTP/1.1 connection on a raw stream: prebuilt bytes out, a [`ResponseParser`] in.

mod read_ahead;
mod expect_continue;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use self::read_ahead::ReadAhead;
use super::dialer::{DialError, Dialer};
use super::framing::Malformed;
use super::response::{ExchangeError, ResponseInfo, SHOWN};
use super::response_parser::ResponseParser;
use super::sink::ResponseSink;
use super::stream::Stream;
use crate::net::clock::Clock;

/// Responses that come while requests are still written: so much is read ahead.
const MOST_AHEAD: usize = 16 << 20;
/// So much is read at once at most.
const ROOM: usize = 64 * 1024;

thread_local! {
    /// What is read, on its way to who takes it: one for all connections of a thread. Ten thousand of them, idle, need none.
    static ROOM_TO_READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; ROOM].into());
}

/// An open connection that carries one request at a time.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// What has come and is not taken yet: the beginning of something, or the next response.
    ahead: ReadAhead,
    /// So many bytes of the request are with the kernel already.
    begun: usize,
}

/// What is seen of a connection on which nothing is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleState {
    /// Nothing: the next request may go over it.
    Quiet,
    /// The server has closed it, or says so: some do with a 408 (RFC 9110, section 15.5.9).
    Over,
    /// Something that no request asked for. It is not to be used again, as that would be taken for the next response.
    Unsolicited,
}

impl Connection {
    /// Opens a connection on which nothing has been asked for yet.
    pub async fn open(dialer: &Dialer) -> Result<Self, DialError> {
        Ok(Connection::over(dialer.dial().await?))
    }

    /// Whether it took up an earlier session of TLS.
    pub fn is_resumed(&self) -> bool {
        self.stream.is_resumed()
    }

    fn over(stream: Stream) -> Self {
        Connection { stream, ahead: ReadAhead::default(), begun: 0 }
    }

    /// Sends a request and reads its response into `sink`.
    pub async fn exchange(
        &mut self,
        request: &[u8],
        head_only: bool,
        clock: Clock,
        sink: &mut impl ResponseSink,
    ) -> Result<ResponseInfo, ExchangeError> {
        if self.begun == 0 && self.send_at_once(request) {
            self.answer(head_only, clock, sink).await
        } else {
            self.exchange_meanwhile(request, head_only, clock, sink).await
        }
    }

    /// As [`Connection::exchange`], of a request that the kernel has not taken at once. What comes is read while the rest
    /// is written: a server may answer what it has read so far, and reads no more until that is taken. It may also refuse
    /// a request before it has read all of it, and close, or read no more: a whole response ends the sending (RFC 9112,
    /// section 9.5).
    ///
    /// The sink is of no type of its own: what is rare would keep the common way from being inlined.
    async fn exchange_meanwhile(
        &mut self,
        request: &[u8],
        head_only: bool,
        clock: Clock,
        mut sink: &mut dyn ResponseSink,
    ) -> Result<ResponseInfo, ExchangeError> {
        let mut left = &request[std::mem::take(&mut self.begun)..];
        let (mut sending, mut whole) = (true, false);
        let Connection { stream, ahead, .. } = self;
        let mut receiving = Receiving::new(head_only, clock, &mut sink);
        let came = match receiving.take_ahead(ahead)? {
            Some(answer) => answer,
            None => {
                poll_fn(|context| {
                    if sending && let Poll::Ready(sent) = poll_send(stream, &mut left, context) {
                        (sending, whole) = (false, sent.is_ok());
                    }
                    receiving.poll(stream, ahead, context)
                })
                .await?
            }
        };
        // A server that did not get all of it would take the next request for the rest.
        let came = self.ended_by(came);
        Ok(ResponseInfo { close: came.close || !whole, ..came })
    }

    /// Reads the response to the only request that is on the way.
    pub async fn answer(
        &mut self,
        head_only: bool,
        clock: Clock,
        sink: &mut impl ResponseSink,
    ) -> Result<ResponseInfo, ExchangeError> {
        let answer = self.receive(head_only, clock, sink).await?;
        Ok(self.ended_by(answer))
    }

    /// The response to the only request that was on the way. If bytes have come that nobody asked for, what follows could not be
    /// told apart: it is the last.
    #[inline]
    pub fn ended_by(&mut self, answer: ResponseInfo) -> ResponseInfo {
        ResponseInfo { close: answer.close | self.has_more(), ..answer }
    }

    /// Whether the kernel takes all of a request at once; if not, it is to be sent, and what is with the kernel already
    /// is not sent again.
    pub fn send_at_once(&mut self, request: &[u8]) -> bool {
        let begun = self.stream.try_send(request).unwrap_or(0);
        let whole = begun == request.len() && !self.stream.has_unsent();
        self.begun = if whole { 0 } else { begun };
        whole
    }

    /// Writes bytes of requests. The responses to the first may come before the last is written: what comes meanwhile is
    /// kept, with the time at which it came, so that neither side waits for the other.
    pub async fn send(&mut self, bytes: &[u8], clock: Clock) -> std::io::Result<()> {
        if self.begun == 0 && self.send_at_once(bytes) {
            return Ok(());
        }
        let mut left = &bytes[std::mem::take(&mut self.begun)..];
        poll_fn(|context| {
            loop {
                match poll_send(&mut self.stream, &mut left, context)? {
                    Poll::Ready(()) => return Poll::Ready(Ok(())),
                    Poll::Pending if self.ahead.len() < MOST_AHEAD => ready!(self.poll_ahead(clock, context))?,
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Keeps what comes, with the time at which it came, to the end of the connection.
    pub async fn keep_reading(&mut self, clock: Clock) -> std::io::Result<()> {
        poll_fn(|context| {
            while self.ahead.len() < MOST_AHEAD {
                ready!(self.poll_ahead(clock, context))?;
            }
            Poll::Pending
        })
        .await
    }

    /// Reads what comes next, for later; an error at the end of the connection.
    fn poll_ahead(&mut self, clock: Clock, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let Connection { stream, ahead, .. } = self;
        poll_read(stream, context, |more| {
            ahead.extend(more, clock.now());
            if more.is_empty() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
        })
        .map(|read| read.flatten())
    }

    /// Whether more has come than the responses that were read. Empty lines are nothing (RFC 9112, section 2.2).
    #[inline]
    pub fn has_more(&mut self) -> bool {
        !self.ahead.is_empty() && self.ahead.skip_empty_lines()
    }

    /// Reads one response into `sink`; what follows it stays for the next.
    pub async fn receive(
        &mut self,
        head_only: bool,
        clock: Clock,
        sink: &mut impl ResponseSink,
    ) -> Result<ResponseInfo, ExchangeError> {
        let Connection { stream, ahead, .. } = self;
        let mut receiving = Receiving::new(head_only, clock, sink);
        if let Some(answer) = receiving.take_ahead(ahead)? {
            return Ok(answer);
        }
        poll_fn(|context| receiving.poll(stream, ahead, context)).await
    }

    /// Looks at a connection on which nothing is asked for, without waiting. The kernel is asked itself: the event loop may
    /// not have heard yet of what has come.
    pub fn look(&mut self) -> IdleState {
        const TIMED_OUT: &[u8] = b"408";
        let Connection { stream, ahead, .. } = self;
        let open = ROOM_TO_READ.with_borrow_mut(|room| {
            while !ahead.skip_empty_lines() {
                match stream.read_at_once(room) {
                    Ok(0) => return false,
                    Ok(length) => ahead.extend(&room[..length], Duration::ZERO),
                    Err(error) => return error.kind() == ErrorKind::WouldBlock,
                }
            }
            true
        });
        match ahead.rest() {
            [] if open => IdleState::Quiet,
            [] => IdleState::Over,
            rest if rest.get(b"HTTP/1.1 ".len()..).is_some_and(|status| status.starts_with(TIMED_OUT)) => {
                IdleState::Over
            }
            _ => IdleState::Unsolicited,
        }
    }

    /// What [`Connection::look`] saw that no request asked for.
    pub fn unasked(&mut self) -> Vec<u8> {
        self.ahead.take_all()
    }

    /// Leaves in the middle: the peer gets a reset, as from a client that crashed, not an orderly end.
    pub fn abort(self) {
        self.stream.abort();
    }
}

/// Writes what is left of bytes, and hands it to the kernel.
fn poll_send(stream: &mut Stream, left: &mut &[u8], context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
    while !left.is_empty() {
        match ready!(Pin::new(&mut *stream).poll_write(context, left))? {
            0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
            written => *left = &left[written..],
        }
    }
    Pin::new(stream).poll_flush(context)
}

/// Reads what comes next, and has `take` take it: nothing, at the end of the connection.
fn poll_read<T>(
    stream: &mut Stream,
    context: &mut Context<'_>,
    take: impl FnOnce(&[u8]) -> T,
) -> Poll<std::io::Result<T>> {
    ROOM_TO_READ.with_borrow_mut(|room| {
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(stream).poll_read(context, &mut room))?;
        Poll::Ready(Ok(take(room.filled())))
    })
}

#[cold]
fn malformed(why: Malformed, bytes: &[u8]) -> ExchangeError {
    ExchangeError::Malformed(why, bytes[..bytes.len().min(SHOWN)].into())
}

/// A response of which a part may have come.
struct Receiving<'a, S> {
    reply: ResponseParser,
    sink: &'a mut S,
    clock: Clock,
    /// That have come, beyond its end too.
    bytes: u64,
    first_byte: Option<Duration>,
}

impl<'a, S: ResponseSink> Receiving<'a, S> {
    #[inline]
    fn new(head_only: bool, clock: Clock, sink: &'a mut S) -> Self {
        Receiving { reply: ResponseParser::new(head_only), sink, clock, bytes: 0, first_byte: None }
    }

    /// Takes what came before it was asked for: with the response before, or while requests were written.
    #[inline]
    fn take_ahead(&mut self, ahead: &mut ReadAhead) -> Result<Option<ResponseInfo>, ExchangeError> {
        if ahead.is_empty() { Ok(None) } else { self.take_again(ahead) }
    }

    /// Takes what is ahead as it came: read by read, each at its time.
    fn take_again(&mut self, ahead: &mut ReadAhead) -> Result<Option<ResponseInfo>, ExchangeError> {
        let mut known = 0;
        while let Some((end, at)) = ahead.read_beyond(known) {
            let taken = self.advance(&ahead.rest()[..end], at)?;
            ahead.take(taken);
            self.bytes += (end - known) as u64;
            known = end - taken;
            if self.reply.is_done() {
                return Ok(Some(self.answer(at, self.bytes - known as u64)));
            }
        }
        Ok(None)
    }

    /// Reads what comes until the response is whole. Its large result would be moved for every request, were it not inlined.
    #[inline(always)]
    fn poll(
        &mut self,
        stream: &mut Stream,
        ahead: &mut ReadAhead,
        context: &mut Context<'_>,
    ) -> Poll<Result<ResponseInfo, ExchangeError>> {
        loop {
            let mut taken = Ok(None);
            let read = ready!(poll_read(stream, context, |more| {
                taken = if more.is_empty() { self.end(ahead) } else { self.take(ahead, more) };
            }));
            read.map_err(|error| self.not_read(&error, ahead))?;
            if let Some(answer) = taken? {
                return Poll::Ready(Ok(answer));
            }
        }
    }

    /// Takes what is `ahead` already and what has come now; the rest stays ahead. A response, if it is whole.
    fn take(&mut self, ahead: &mut ReadAhead, more: &[u8]) -> Result<Option<ResponseInfo>, ExchangeError> {
        // One reading serves as the first byte's time and, if the response came in one piece, as the end's.
        let now = self.clock.now();
        self.bytes += more.len() as u64;
        if ahead.is_empty() {
            let taken = self.advance(more, now)?;
            ahead.extend(&more[taken..], now);
        } else {
            ahead.extend(more, now);
            let taken = self.advance(ahead.rest(), now)?;
            ahead.take(taken);
        }
        // What has come beyond is the next response's.
        Ok(self.reply.is_done().then(|| self.answer(now, self.bytes - ahead.len() as u64)))
    }

    /// Has the response take what it can of bytes of which the last were read at `now`; says how much that was.
    #[inline]
    fn advance(&mut self, bytes: &[u8], now: Duration) -> Result<usize, ExchangeError> {
        self.first_byte.get_or_insert(now);
        let interim = self.reply.interim;
        let taken = self.reply.advance(bytes, self.sink).map_err(|why| malformed(why, bytes))?;
        if self.reply.interim != interim {
            // What came before was not yet the response; it has begun if there is more than that.
            self.first_byte = (taken < bytes.len() || self.reply.status != 0).then_some(now);
        }
        Ok(taken)
    }

    /// Why nothing was read.
    #[cold]
    fn not_read(&self, error: &std::io::Error, ahead: &ReadAhead) -> ExchangeError {
        ExchangeError::of_read(error, self.reply.is_untouched(ahead.rest()))
    }

    /// The connection has ended; a response, if that completes it.
    #[cold]
    fn end(&mut self, ahead: &ReadAhead) -> Result<Option<ResponseInfo>, ExchangeError> {
        if self.reply.closed().is_err() {
            let rest = ahead.rest();
            self.reply.end_early(rest).map_err(|why| malformed(why, rest))?;
            return Err(ExchangeError::Closed { untouched: self.reply.is_untouched(rest) });
        }
        Ok(Some(self.answer(self.clock.now(), self.bytes)))
    }

    fn answer(&self, done: Duration, bytes: u64) -> ResponseInfo {
        let ResponseParser { status, close, .. } = self.reply;
        ResponseInfo { status, first_byte: self.first_byte.unwrap_or(done), done, bytes, close }
    }
}
