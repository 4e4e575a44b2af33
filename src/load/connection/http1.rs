//! One HTTP/1.1 connection on a raw stream: prebuilt bytes out, a [`Reply`] in.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::answer::{Answer, Broken, SHOWN};
use super::dialer::{Dialer, NoConnection};
use super::reply::{LONGEST_HEAD, Reply, Sink};
use super::stream::Stream;
use crate::load::clock::Clock;

/// A server that has heard of `expect` says 100 at once; one that has not waits for the body. As curl has it.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);
/// Answers that come while requests are still written: so much is read ahead.
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
    ahead: Vec<u8>,
    /// So many bytes of the request are with the kernel already.
    begun: usize,
}

impl Connection {
    pub async fn open(dialer: &Dialer) -> Result<Self, NoConnection> {
        Ok(Connection::over(dialer.dial().await?))
    }

    /// Whether it took up an earlier session of TLS.
    pub fn is_resumed(&self) -> bool {
        self.stream.is_resumed()
    }

    fn over(stream: Stream) -> Self {
        Connection { stream, ahead: Vec::new(), begun: 0 }
    }

    /// Sends a request and reads its response into `sink`.
    pub async fn exchange(
        &mut self,
        request: &[u8],
        head_only: bool,
        clock: Clock,
        sink: &mut impl Sink,
    ) -> Result<Answer, Broken> {
        // A server may refuse a request before it has read all of it, and close: its answer is there to be read.
        let cut_off = self.send(request).await.is_err();
        let mut answer = self.answer(head_only, clock, sink).await?;
        answer.close |= cut_off;
        Ok(answer)
    }

    /// Reads the response to the only request that is on the way.
    pub async fn answer(&mut self, head_only: bool, clock: Clock, sink: &mut impl Sink) -> Result<Answer, Broken> {
        let mut answer = self.receive(head_only, clock, sink).await?;
        // Bytes that nobody asked for: what follows could not be told apart.
        answer.close |= self.has_more();
        Ok(answer)
    }

    /// As [`Connection::exchange`], of a request whose body waits until the server says 100, or has said nothing for a
    /// second (RFC 9110, section 10.1.1). A final answer that comes before is the answer.
    pub async fn exchange_with_leave(
        &mut self,
        request: &[u8],
        clock: Clock,
        sink: &mut impl Sink,
    ) -> Result<Answer, Broken> {
        let head = memchr::memmem::find(request, b"\r\n\r\n").map_or(request.len(), |at| at + 4);
        let mut cut_off = self.send(&request[..head]).await.is_err();
        let given = tokio::time::timeout(LEAVE_WITHIN, self.leave()).await.unwrap_or(true);
        if given {
            cut_off |= self.send(&request[head..]).await.is_err();
        }
        let mut answer = self.receive(false, clock, sink).await?;
        // A server that did not get the body would take the next request for it.
        answer.close |= !given || cut_off || self.has_more();
        Ok(answer)
    }

    /// Whether a 100 comes, and not a final answer, or the end; what comes stays to be received.
    async fn leave(&mut self) -> bool {
        loop {
            let mut rest = self.ahead.as_slice();
            while let Some((status, length)) = next_head(rest) {
                match status {
                    100 => return true,
                    101..=199 => rest = &rest[length..],
                    _ => return false,
                }
            }
            let read = poll_fn(|context| self.poll_ahead(context)).await;
            if read.is_err() || self.ahead.len() > LONGEST_HEAD {
                return false;
            }
        }
    }

    /// Whether the kernel takes all of a request at once; if not, it is to be sent, and what is with the kernel already
    /// is not sent again.
    pub fn send_at_once(&mut self, request: &[u8]) -> bool {
        let begun = self.stream.try_send(request).unwrap_or(0);
        let whole = begun == request.len() && !self.stream.has_unsent();
        self.begun = if whole { 0 } else { begun };
        whole
    }

    /// Writes bytes of a request, all or a part.
    pub async fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match std::mem::take(&mut self.begun) {
            0 => self.stream.send(bytes).await,
            begun => self.stream.send_rest(&bytes[begun..]).await,
        }
    }

    /// As [`Connection::send`], of many requests: the answers to the first may come before the last is written. What comes
    /// meanwhile is kept, so that neither side waits for the other.
    pub async fn send_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut left = bytes;
        poll_fn(|context| {
            while !left.is_empty() {
                match Pin::new(&mut self.stream).poll_write(context, left)? {
                    Poll::Ready(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                    Poll::Ready(written) => left = &left[written..],
                    Poll::Pending if self.ahead.len() < MOST_AHEAD => ready!(self.poll_ahead(context))?,
                    Poll::Pending => return Poll::Pending,
                }
            }
            Pin::new(&mut self.stream).poll_flush(context)
        })
        .await
    }

    /// Reads what comes next, for later; an error at the end of the connection.
    fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let Connection { stream, ahead, .. } = self;
        poll_read(stream, context, |more| {
            ahead.extend_from_slice(more);
            if more.is_empty() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
        })
        .map(|read| read.flatten())
    }

    /// Whether more has come than the responses that were read.
    pub fn has_more(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Reads one response into `sink`; what follows it stays for the next.
    pub async fn receive(&mut self, head_only: bool, clock: Clock, sink: &mut impl Sink) -> Result<Answer, Broken> {
        let Connection { stream, ahead, .. } = self;
        let mut receiving = Receiving { reply: Reply::new(head_only), sink, clock, bytes: 0, first_byte: None };
        if !ahead.is_empty() {
            // Bytes that came together with the response before.
            receiving.bytes = ahead.len() as u64;
            if let Some(answer) = receiving.take(ahead, &[])? {
                return Ok(answer);
            }
        }
        poll_fn(|context| {
            loop {
                let read = ready!(poll_read(stream, context, |more| match more {
                    [] => receiving.end(),
                    more => receiving.take(ahead, more),
                }));
                let taken = read.map_err(|error| Broken::of_read(&error, receiving.bytes == 0))?;
                if let Some(answer) = taken? {
                    return Poll::Ready(Ok(answer));
                }
            }
        })
        .await
    }

    /// Whether anything has come that no request asked for; looks without waiting, and takes what is there. The end of
    /// the connection is no such thing.
    pub fn unasked(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.ahead);
        let mut more = [0; 4096];
        if let Ok(length) = self.stream.try_read(&mut more) {
            bytes.extend_from_slice(&more[..length]);
        }
        bytes
    }

    /// Leaves in the middle: the peer gets a reset, as from a client that crashed, not an orderly end.
    pub fn abort(self) {
        self.stream.abort();
    }
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

/// A response of which a part may have come.
struct Receiving<'a, S> {
    reply: Reply,
    sink: &'a mut S,
    clock: Clock,
    /// That have come, beyond its end too.
    bytes: u64,
    first_byte: Option<Duration>,
}

impl<S: Sink> Receiving<'_, S> {
    /// Takes what is `ahead` already and what has come now; the rest stays ahead. An answer, if it is whole.
    fn take(&mut self, ahead: &mut Vec<u8>, more: &[u8]) -> Result<Option<Answer>, Broken> {
        // One reading serves as the first byte's time and, if the response came in one piece, as the end's.
        let now = self.clock.now();
        self.first_byte.get_or_insert(now);
        self.bytes += more.len() as u64;
        let interim = self.reply.interim;
        if ahead.is_empty() {
            let taken = self.advance(more)?;
            ahead.extend_from_slice(&more[taken..]);
        } else {
            ahead.extend_from_slice(more);
            let taken = self.advance(ahead)?;
            ahead.drain(..taken);
        }
        if self.reply.interim != interim {
            // What came before was not yet the response; it has begun if there is more than that.
            self.first_byte = (!ahead.is_empty() || self.reply.status != 0).then_some(now);
        }
        // What has come beyond is the next response's.
        Ok(self.reply.is_done().then(|| self.answer(now, self.bytes - ahead.len() as u64)))
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let malformed = |why| Broken::Malformed(why, bytes[..bytes.len().min(SHOWN)].into());
        self.reply.advance(bytes, self.sink).map_err(malformed)
    }

    /// The connection has ended; an answer, if that completes it.
    fn end(&mut self) -> Result<Option<Answer>, Broken> {
        self.reply.closed().map_err(|_| Broken::Closed { untouched: self.bytes == 0 })?;
        Ok(Some(self.answer(self.clock.now(), self.bytes)))
    }

    fn answer(&self, done: Duration, bytes: u64) -> Answer {
        let Reply { status, close, .. } = self.reply;
        Answer { status, first_byte: self.first_byte.unwrap_or(done), done, bytes, close }
    }
}

/// Status and length of the head at the start of `bytes`, if it is whole. A status of 0 is no head.
fn next_head(bytes: &[u8]) -> Option<(u16, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => Some((response.code.unwrap_or(0), length)),
        Ok(httparse::Status::Partial) => None,
        Err(_) => Some((0, 0)),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{UnixListener, UnixStream};

    use super::super::reply::Kept;
    use super::*;
    use crate::server::Endpoint;

    /// A connection, and the server's end of it.
    fn pair() -> (Connection, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Connection::over(Stream::Unix(ours)), theirs)
    }

    async fn hear(stream: &mut UnixStream) -> String {
        let mut heard = vec![0; 1024];
        let length = stream.read(&mut heard).await.unwrap();
        String::from_utf8_lossy(&heard[..length]).into_owned()
    }

    #[tokio::test]
    async fn requests_travel_over_a_unix_socket_and_the_connection_is_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            for _ in 0..2 {
                assert_eq!(hear(&mut stream).await, "GET / HTTP/1.1\r\n\r\n");
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            }
        };
        let client = async {
            let mut connection = Connection::open(&Dialer::new(Endpoint::Unix(path.clone()), None)).await.unwrap();
            for _ in 0..2 {
                let mut kept = Kept::default();
                let asked = connection.exchange(b"GET / HTTP/1.1\r\n\r\n", false, Clock::start(), &mut kept);
                let answer = asked.await.unwrap();
                assert_eq!((answer.status, answer.close, kept.body.as_slice()), (200, false, b"ok".as_slice()));
            }
        };
        tokio::join!(server, client);
    }

    #[tokio::test]
    async fn a_refusal_that_comes_before_the_request_is_written_is_an_answer() {
        let (mut connection, mut server) = pair();
        server.write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
        drop(server);
        let answer = connection.exchange(&[b'x'; 100_000], false, Clock::start(), &mut Kept::default()).await.unwrap();
        assert_eq!((answer.status, answer.close), (413, true));
    }

    #[tokio::test]
    async fn a_request_that_cannot_be_written_and_is_not_answered_is_untouched() {
        let (mut connection, server) = pair();
        drop(server);
        let broken = connection.exchange(b"GET /", false, Clock::start(), &mut Kept::default()).await.unwrap_err();
        assert!(matches!(broken, Broken::Closed { untouched: true }), "{broken:?}");
    }

    /// When the first byte and the end of a response come whose pieces are sent with a pause before each.
    async fn first_byte_of(pieces: &[&str]) -> (Duration, Duration) {
        let (mut connection, mut server) = pair();
        let clock = Clock::start();
        let server = async {
            hear(&mut server).await;
            for piece in pieces {
                tokio::time::sleep(Duration::from_millis(30)).await;
                server.write_all(piece.as_bytes()).await.unwrap();
            }
        };
        let mut kept = Kept::default();
        let ((), answer) = tokio::join!(server, connection.exchange(b"GET /", false, clock, &mut kept));
        let answer = answer.unwrap();
        (answer.first_byte, answer.done)
    }

    #[tokio::test]
    async fn the_first_byte_is_that_of_the_final_response() {
        let (interim, last) = ("HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        let (early, done) = first_byte_of(&[interim, last]).await;
        assert_eq!(early, done);
        let (early, done) = first_byte_of(&[&interim[..9], &format!("{}{last}", &interim[9..])]).await;
        assert_eq!(early, done);
        let (early, done) =
            first_byte_of(&[&interim[..9], &format!("{}{}", &interim[9..], &last[..5]), &last[5..]]).await;
        assert!(early >= Duration::from_millis(60) && early < done, "{early:?} {done:?}");
        let (early, done) = first_byte_of(&[&last[..5], &last[5..]]).await;
        assert!(early < done, "{early:?} {done:?}");
    }

    const LEAVE: &[u8] = b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\nbody";

    #[tokio::test]
    async fn a_body_waits_for_leave_and_other_interim_answers_give_none() {
        let (mut connection, mut server) = pair();
        let server = async {
            assert!(hear(&mut server).await.ends_with("\r\n\r\n"));
            server.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Con").await.unwrap();
            server.write_all(b"tinue\r\n\r\n").await.unwrap();
            assert_eq!(hear(&mut server).await, "body");
            server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        };
        let mut kept = Kept::default();
        let ((), answer) = tokio::join!(server, connection.exchange_with_leave(LEAVE, Clock::start(), &mut kept));
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.close, kept.body.as_slice()), (200, false, b"ok".as_slice()));
    }

    #[tokio::test]
    async fn a_body_that_is_not_wanted_is_not_sent_and_its_connection_is_not_used_again() {
        let (mut connection, mut server) = pair();
        let server = async {
            hear(&mut server).await;
            server.write_all(b"HTTP/1.1 417 No\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            let mut more = [0; 1];
            assert!(server.try_read(&mut more).is_err(), "nothing is sent");
        };
        let mut kept = Kept::default();
        let ((), answer) = tokio::join!(server, connection.exchange_with_leave(LEAVE, Clock::start(), &mut kept));
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.close), (417, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_for_a_second_gets_the_body() {
        let (mut connection, mut server) = pair();
        let server = async {
            assert!(hear(&mut server).await.ends_with("\r\n\r\n"));
            assert_eq!(hear(&mut server).await, "body");
            server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        };
        let mut kept = Kept::default();
        let ((), answer) = tokio::join!(server, connection.exchange_with_leave(LEAVE, Clock::start(), &mut kept));
        assert_eq!(answer.unwrap().status, 200);
    }
}
