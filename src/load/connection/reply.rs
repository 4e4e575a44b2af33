//! HTTP/1.1 responses, parsed as their bytes come: a pure state machine over a buffer that somebody else fills.

use super::decoding::Undecoded;
use super::framing::{Body, parse_chunk_size};
use super::known::{self, Head};

/// A head or a chunk's line longer than this is malformed.
pub(crate) const LONGEST_HEAD: usize = 64 * 1024;
/// What [`Kept`] keeps of the heads, and of the body, of one response.
pub(super) const MOST_KEPT: usize = 4 << 20;

/// Not HTTP, or not HTTP that can be told apart from the next response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// Where a response's bytes go. [`Discard`] costs nothing.
pub trait Sink {
    /// Whether anything is made of what comes.
    fn looks(&self) -> bool;
    /// The status of the response, before its body.
    #[inline]
    fn status(&mut self, _status: u16) {}
    /// The status line and all headers, with the empty line; again for each response in the range 1xx before the last.
    fn head(&mut self, bytes: &[u8]);
    /// Body bytes, without the framing of chunks.
    fn body(&mut self, bytes: &[u8]);
    /// One header that comes after a chunked body, with its line break.
    fn trailer(&mut self, bytes: &[u8]);
}

impl Sink for &mut dyn Sink {
    fn looks(&self) -> bool {
        (**self).looks()
    }

    fn status(&mut self, status: u16) {
        (**self).status(status);
    }

    fn head(&mut self, bytes: &[u8]) {
        (**self).head(bytes);
    }

    fn body(&mut self, bytes: &[u8]) {
        (**self).body(bytes);
    }

    fn trailer(&mut self, bytes: &[u8]) {
        (**self).trailer(bytes);
    }
}

/// Looks at nothing.
pub struct Discard;

impl Sink for Discard {
    fn looks(&self) -> bool {
        false
    }

    fn head(&mut self, _bytes: &[u8]) {}
    fn body(&mut self, _bytes: &[u8]) {}
    fn trailer(&mut self, _bytes: &[u8]) {}
}

/// Keeps a whole response, or as much of a huge one as memory should be given to.
#[derive(Debug, Default, Clone)]
pub struct Kept {
    /// Trailers included: a header is a header, wherever it stands.
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    /// Something was read and dropped, so that what is not found here may have been there all the same.
    pub cut: bool,
    /// Why the body is not what the server had encoded, or not all of it; to be asked after [`Kept::decode`].
    pub undecoded: Option<Undecoded>,
}

impl Kept {
    fn keep(kept: &mut Vec<u8>, bytes: &[u8], cut: &mut bool) {
        let here = bytes.len().min(MOST_KEPT.saturating_sub(kept.len()));
        kept.extend_from_slice(&bytes[..here]);
        *cut |= here < bytes.len();
    }
}

impl Sink for Kept {
    fn looks(&self) -> bool {
        true
    }

    fn head(&mut self, bytes: &[u8]) {
        Self::keep(&mut self.head, bytes, &mut self.cut);
    }

    fn body(&mut self, bytes: &[u8]) {
        Self::keep(&mut self.body, bytes, &mut self.cut);
    }

    fn trailer(&mut self, bytes: &[u8]) {
        Self::keep(&mut self.head, bytes, &mut self.cut);
    }
}

/// How far a response has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// So many body bytes are missing.
    Length(u64),
    /// The line with a chunk's size comes next.
    ChunkSize,
    /// So many bytes of the chunk are missing.
    Chunk(u64),
    /// The line break after a chunk's data comes next.
    ChunkEnd,
    /// A trailer, or the empty line after the last.
    Trailer,
    /// The body ends where the connection does.
    UntilClose,
    Done,
}

/// Parses one response. Start a new one for each request.
#[derive(Debug)]
pub struct Reply {
    state: State,
    /// The request was a HEAD: no body follows, whatever the headers say.
    head_only: bool,
    /// Zero until the last head has come.
    pub status: u16,
    /// Responses in the range 1xx that came before.
    pub interim: u32,
    /// The connection cannot carry another request.
    pub close: bool,
}

impl Reply {
    /// Waits for a response; `head_only` where it answers a HEAD, and so has no body whatever its head says.
    pub fn new(head_only: bool) -> Self {
        Reply { state: State::Head, head_only, status: 0, interim: 0, close: false }
    }

    /// Whether the last byte has been taken.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes what it can from `bytes` and says how much that was; the rest must come again, with more behind it.
    pub fn advance(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<usize, Malformed> {
        let mut taken = 0;
        loop {
            let rest = &bytes[taken..];
            let step = match self.state {
                State::Done => return Ok(taken),
                State::Head => self.head(rest, sink)?,
                State::Length(missing) => self.data(rest, missing, State::Done, sink, State::Length),
                State::ChunkSize => self.chunk_size(rest)?,
                State::Chunk(missing) => self.data(rest, missing, State::ChunkEnd, sink, State::Chunk),
                State::ChunkEnd => self.chunk_end(rest)?,
                State::Trailer => self.trailer(rest, sink)?,
                State::UntilClose => {
                    sink.body(rest);
                    rest.len()
                }
            };
            if step == 0 && !self.is_done() {
                return Ok(taken);
            }
            taken += step;
        }
    }

    /// The peer has closed; `Ok` if that completes the response.
    pub fn closed(&mut self) -> Result<(), Malformed> {
        match self.state {
            State::UntilClose | State::Done => {
                self.state = State::Done;
                self.close = true;
                Ok(())
            }
            _ => Err(Malformed("the connection closed in the middle of a response")),
        }
    }

    fn head(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<usize, Malformed> {
        let Some(Head { length, status, framing }) = known::head(bytes, known::parse)? else {
            return if bytes.len() > LONGEST_HEAD { Err(Malformed("the response's head does not end")) } else { Ok(0) };
        };
        sink.head(&bytes[..length]);
        if status < 200 {
            self.interim += 1;
            return Ok(length);
        }
        self.status = status;
        sink.status(status);
        self.close = framing.close;
        self.state = match framing.body {
            _ if self.head_only || status == 204 || status == 304 => State::Done,
            Body::Chunked => State::ChunkSize,
            Body::Length(0) => State::Done,
            Body::Length(length) => State::Length(length),
            Body::UntilClose => State::UntilClose,
        };
        Ok(length)
    }

    fn data(&mut self, bytes: &[u8], missing: u64, then: State, sink: &mut impl Sink, more: fn(u64) -> State) -> usize {
        let here = usize::try_from(missing).unwrap_or(usize::MAX).min(bytes.len());
        sink.body(&bytes[..here]);
        let left = missing - here as u64;
        self.state = if left == 0 { then } else { more(left) };
        here
    }

    fn chunk_size(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let Some(line) = line(bytes)? else { return Ok(0) };
        let size = parse_chunk_size(line)?;
        self.state = if size == 0 { State::Trailer } else { State::Chunk(size) };
        Ok(line.len() + 2)
    }

    fn chunk_end(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        match bytes {
            [b'\r', b'\n', ..] => {
                self.state = State::ChunkSize;
                Ok(2)
            }
            [] | [b'\r'] => Ok(0),
            _ => Err(Malformed("a chunk is longer than its size")),
        }
    }

    fn trailer(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<usize, Malformed> {
        let Some(line) = line(bytes)? else { return Ok(0) };
        if line.is_empty() {
            self.state = State::Done;
        } else {
            sink.trailer(&bytes[..line.len() + 2]);
        }
        Ok(line.len() + 2)
    }
}

/// The bytes before the next CR LF, or `None` if it has not come yet.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    match memchr::memchr(b'\n', bytes) {
        Some(at) if at > 0 && bytes[at - 1] == b'\r' => Ok(Some(&bytes[..at - 1])),
        Some(_) => Err(Malformed("a line of a chunked body does not end in CR LF")),
        None if bytes.len() > LONGEST_HEAD => Err(Malformed("a line of a chunked body does not end")),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `bytes` in pieces cut at `cuts`, as a socket would, then closes. Returns status, body and what was left.
    fn feed(bytes: &[u8], cuts: &[usize], head_only: bool) -> Result<(u16, Vec<u8>, usize), Malformed> {
        let mut reply = Reply::new(head_only);
        let mut kept = Kept::default();
        let (mut start, mut end) = (0, 0);
        for cut in cuts.iter().copied().chain([bytes.len()]) {
            end = cut.clamp(end, bytes.len());
            start += reply.advance(&bytes[start..end], &mut kept)?;
        }
        if !reply.is_done() {
            reply.closed()?;
        }
        Ok((reply.status, kept.body, bytes.len() - start))
    }

    const CASES: &[(&str, &str)] = &[
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\ntrailer: t\r\n\r\n",
            "hello",
        ),
        ("HTTP/1.0 200 OK\r\n\r\nhello", "hello"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nx-a: b\r\n c\r\ncontent-length: 5, 5\r\n\r\nhello", "hello"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0005\r\nhello\r\n0\r\n\r\n",
            "hello",
        ),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
        ("HTTP/1.1 204 No Content\r\ncontent-length: 7\r\n\r\n", ""),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n", ""),
    ];

    #[test]
    fn bodies_come_out_whole() {
        for (text, body) in CASES {
            let (_, kept, left) = feed(text.as_bytes(), &[], false).unwrap();
            assert_eq!((kept.as_slice(), left), (body.as_bytes(), 0), "{text}");
        }
    }

    #[test]
    fn a_reply_to_head_has_no_body() {
        let (status, body, left) = feed(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", &[], true).unwrap();
        assert_eq!((status, body.len(), left), (200, 0, 0));
    }

    #[test]
    fn what_follows_a_reply_is_left_alone() {
        let (_, body, left) = feed(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1", &[], false).unwrap();
        assert_eq!((body.as_slice(), left), (b"ok".as_slice(), 8));
    }

    #[test]
    fn trailers_are_kept_with_the_headers() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut kept = Kept::default();
        let text = format!("{head}2\r\nok\r\n0\r\nx-user: eve\r\nx-b: c\r\n\r\n");
        Reply::new(false).advance(text.as_bytes(), &mut kept).unwrap();
        assert_eq!(String::from_utf8(kept.head).unwrap(), format!("{head}x-user: eve\r\nx-b: c\r\n"));
        assert_eq!((kept.body.as_slice(), kept.cut), (b"ok".as_slice(), false));
    }

    #[test]
    fn a_huge_response_is_read_to_its_end_but_not_kept_whole() {
        let mut kept = Kept::default();
        let mut reply = Reply::new(false);
        reply.advance(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 6 << 20).as_bytes(), &mut kept).unwrap();
        for _ in 0..6 {
            assert!(!reply.is_done());
            reply.advance(&vec![b'x'; 1 << 20], &mut kept).unwrap();
        }
        assert_eq!((reply.is_done(), kept.body.len(), kept.cut), (true, 4 << 20, true));
    }

    #[test]
    fn connections_that_will_close_are_known() {
        for (text, close) in [
            ("HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", true),
            ("HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 0\r\n\r\n", false),
        ] {
            let mut reply = Reply::new(false);
            reply.advance(text.as_bytes(), &mut Discard).unwrap();
            assert_eq!((reply.is_done(), reply.close), (true, close), "{text}");
        }
    }

    #[test]
    fn garbage_is_malformed() {
        for text in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhello\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2 9\r\nhello\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.1 999 What\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
        ] {
            assert!(feed(text.as_bytes(), &[], false).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(case in 0..CASES.len(), mut cuts in proptest::collection::vec(0usize..200, 0..20)) {
            cuts.sort_unstable();
            let (text, _) = CASES[case];
            prop_assert_eq!(feed(text.as_bytes(), &cuts, false), feed(text.as_bytes(), &[], false));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), chunked in any::<bool>()) {
            let head: &[u8] = if chunked { b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" } else { b"" };
            let _ = feed(&[head, &bytes].concat(), &[], false);
        }
    }
}
