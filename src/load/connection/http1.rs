//! One HTTP/1.1 connection on a raw stream: prebuilt bytes out, a [`Reply`] in.

use std::fmt;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, ReadBuf};

use super::dialer::{Dialer, NoConnection};
use super::reply::{LONGEST_HEAD, Malformed, Reply, Sink};
use super::stream::Stream;
use crate::exchange::Failure;
use crate::load::clock::Clock;
use crate::server::tls;

/// Room for a short response: there may be ten thousand connections.
const BUFFER: usize = 2 * 1024;
/// A server that has heard of `expect` says 100 at once; one that has not waits for the body. As curl has it.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);
/// Answers that come while requests are still written: so much is read ahead.
const MOST_AHEAD: usize = 16 << 20;
/// What a buffer grows to where responses fill it. A head may be longer, and makes it grow on.
const LARGE: usize = 64 * 1024;

/// An open connection that carries one request at a time.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    buffer: Vec<u8>,
    filled: usize,
}

/// What is known of a whole response. Times count from the clock's origin.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    pub status: u16,
    /// Of the response itself, not of one in the range 1xx before it.
    pub first_byte: Duration,
    pub done: Duration,
    /// Bytes read for it.
    pub bytes: u64,
    /// The connection cannot carry another request.
    pub close: bool,
}

/// Why no whole response came.
#[derive(Debug)]
pub enum Broken {
    /// No connection could be made.
    Refused(NoConnection),
    /// Closed or reset; `untouched` if not one byte of a response had come, so that a reused connection may have been
    /// closed by the server before it saw the request.
    Closed { untouched: bool },
    /// What came in place of a response: the beginning of what could not be read.
    Malformed(Malformed, Box<[u8]>),
    /// Something else, in words.
    Told(Failure, String),
}

impl fmt::Display for Broken {
    /// Why; what came from outside is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Refused(no) => f.write_str(&no.why),
            Broken::Closed { untouched: true } => f.write_str("the server closed the connection before it answered"),
            Broken::Closed { untouched: false } => {
                f.write_str("the server closed the connection in the middle of its answer")
            }
            Broken::Malformed(Malformed(why), came) => write!(f, "{why}: \"{}\"", came.escape_ascii()),
            Broken::Told(_, why) => f.write_str(why),
        }
    }
}

/// Bytes of a malformed response that are kept to be shown.
const SHOWN: usize = 200;

impl Broken {
    pub fn failure(&self) -> Failure {
        match self {
            Broken::Refused(no) => no.failure,
            Broken::Closed { .. } => Failure::Closed,
            Broken::Malformed(..) => Failure::Protocol,
            Broken::Told(failure, _) => *failure,
        }
    }

    /// As what could not be read from a connection.
    pub(super) fn of_read(error: &std::io::Error, untouched: bool) -> Self {
        match tls::of_tls(error) {
            // Most often an alert of the server, which refuses the client.
            Some(_) => Broken::Told(Failure::Tls, tls::why(error)),
            None => Broken::Closed { untouched },
        }
    }
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
        Connection { stream, buffer: vec![0; BUFFER], filled: 0 }
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
        let mut answer = self.receive(head_only, clock, sink).await?;
        // Bytes that nobody asked for: what follows could not be told apart.
        answer.close |= cut_off || self.filled > 0;
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
        answer.close |= !given || cut_off || self.filled > 0;
        Ok(answer)
    }

    /// Whether a 100 comes, and not a final answer, or the end; what comes stays to be received.
    async fn leave(&mut self) -> bool {
        loop {
            let mut rest = &self.buffer[..self.filled];
            while let Some((status, length)) = next_head(rest) {
                match status {
                    100 => return true,
                    101..=199 => rest = &rest[length..],
                    _ => return false,
                }
            }
            match self.read().await {
                Ok(read @ 1..) => self.filled += read,
                Ok(0) | Err(_) => return false,
            }
            if self.filled > LONGEST_HEAD {
                return false;
            }
        }
    }

    /// Writes bytes of a request, all or a part.
    pub async fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.send(bytes).await
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
                    Poll::Pending if self.filled < MOST_AHEAD => ready!(self.poll_ahead(context))?,
                    Poll::Pending => return Poll::Pending,
                }
            }
            Pin::new(&mut self.stream).poll_flush(context)
        })
        .await
    }

    /// Reads what is there already.
    fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let mut room = ReadBuf::new(&mut self.buffer[self.filled..]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut room))?;
        match room.filled().len() {
            0 => Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
            read => {
                self.filled += read;
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Whether more has come than the responses that were read.
    pub fn has_more(&self) -> bool {
        self.filled > 0
    }

    /// Reads one response into `sink`; what follows it stays for the next.
    pub async fn receive(&mut self, head_only: bool, clock: Clock, sink: &mut impl Sink) -> Result<Answer, Broken> {
        let mut reply = Reply::new(head_only);
        let mut bytes = 0;
        let mut first_byte = None;
        // Bytes that came together with the response before.
        let mut read = std::mem::take(&mut self.filled);
        loop {
            if read == 0 {
                read = self.read().await.map_err(|error| Broken::of_read(&error, bytes == 0))?;
            }
            // One reading serves as the first byte's time and, if the response came in one piece, as the end's.
            let now = clock.now();
            first_byte.get_or_insert(now);
            bytes += read as u64;
            if read == 0 {
                let untouched = bytes == 0;
                reply.closed().map_err(|_| Broken::Closed { untouched })?;
            } else {
                self.filled += std::mem::take(&mut read);
                let interim = reply.interim;
                let came = &self.buffer[..self.filled];
                let malformed = |why| Broken::Malformed(why, came[..came.len().min(SHOWN)].into());
                let taken = reply.advance(came, sink).map_err(malformed)?;
                self.buffer.copy_within(taken..self.filled, 0);
                self.filled -= taken;
                if reply.interim != interim {
                    // What came before was not yet the response; it has begun if there is more than that.
                    first_byte = (self.filled > 0 || reply.status != 0).then_some(now);
                }
            }
            if reply.is_done() {
                let (status, close) = (reply.status, reply.close);
                // What has come beyond is the next response's.
                let bytes = bytes - self.filled as u64;
                return Ok(Answer { status, first_byte: first_byte.unwrap_or(now), done: now, bytes, close });
            }
        }
    }

    /// Whether anything has come that no request asked for; looks without waiting, and takes what is there. The end of
    /// the connection is no such thing.
    pub fn unasked(&mut self) -> Vec<u8> {
        let mut bytes = self.buffer[..std::mem::take(&mut self.filled)].to_vec();
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

    async fn read(&mut self) -> std::io::Result<usize> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
        if self.filled + read == self.buffer.len() && self.buffer.len() < LARGE {
            // More is likely to come: fewer and larger reads are cheaper.
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        Ok(read)
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
    use tokio::io::AsyncWriteExt as _;
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
