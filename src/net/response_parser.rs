//! HTTP/1.1 responses, parsed as their bytes come: a pure state machine over a buffer that somebody else fills.

use super::framing::{BodyFraming, Malformed, parse_chunk_size};
use super::header_cache::{self, LONGEST_HEAD, ResponseHead};
use super::sink::ResponseSink;

/// A line of a chunked body that is longer than this is malformed: a chunk's size with its extensions, or a trailer.
const LONGEST_LINE: usize = 64 * 1024;
/// A head that has come so far is parsed again only when its end is there. Until then it is parsed as often as more comes,
/// so that what is no HTTP is known at once.
const LONG: usize = 4 * 1024;

/// How far a response has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// A long head, of which this many bytes have come without its end.
    LongHead(usize),
    /// This many body bytes are missing.
    Length(u64),
    /// The line with a chunk's size comes next.
    ChunkSize,
    /// This many bytes of the chunk are missing.
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
pub struct ResponseParser {
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

impl ResponseParser {
    /// Waits for a response; `head_only` where it answers a HEAD, and so has no body whatever its head says.
    pub fn new(head_only: bool) -> Self {
        ResponseParser { state: State::Head, head_only, status: 0, interim: 0, close: false }
    }

    /// Whether the last byte has been taken.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes what it can from `bytes` and says how much that was; the rest must come again, with more behind it.
    pub fn advance(&mut self, bytes: &[u8], sink: &mut impl ResponseSink) -> Result<usize, Malformed> {
        let mut taken = 0;
        loop {
            let rest = &bytes[taken..];
            let step = match self.state {
                State::Done => return Ok(taken),
                State::Head => self.head(rest, sink)?,
                State::LongHead(seen) => self.long_head(rest, seen, sink)?,
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

    /// Whether nothing of a response has come, if `rest` is what was not taken: empty lines are no part of one.
    pub(super) fn is_untouched(&self, rest: &[u8]) -> bool {
        let is_waiting = self.state == State::Head && self.interim == 0;
        is_waiting && rest.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    /// Looks at what has come of a head that ends too early, where that was put off.
    pub(super) fn end_early(&self, rest: &[u8]) -> Result<(), Malformed> {
        let is_unread = matches!(self.state, State::LongHead(_));
        if is_unread { header_cache::parse(rest).map(drop) } else { Ok(()) }
    }

    /// Inlined, though a long head comes here too: every response goes through it.
    #[inline(always)]
    fn head(&mut self, bytes: &[u8], sink: &mut impl ResponseSink) -> Result<usize, Malformed> {
        let Some(ResponseHead { length, status, framing }) = header_cache::head(bytes, header_cache::parse)? else {
            if bytes.len() > LONG {
                self.state = State::LongHead(bytes.len());
            }
            return Ok(0);
        };
        sink.head(&bytes[..length]);
        if status < 200 {
            self.interim += 1;
            self.state = State::Head;
            return Ok(length);
        }
        self.status = status;
        sink.status(status);
        self.close = framing.close;
        self.state = match framing.body {
            _ if self.head_only || status == 204 || status == 304 => State::Done,
            BodyFraming::Chunked => State::ChunkSize,
            BodyFraming::Length(0) => State::Done,
            BodyFraming::Length(length) => State::Length(length),
            BodyFraming::UntilClose => State::UntilClose,
        };
        Ok(length)
    }

    /// Parses a long head once its end has come, or can be no part of it any longer: the time it takes does not depend on how
    /// it is cut.
    #[cold]
    fn long_head(&mut self, bytes: &[u8], seen: usize, sink: &mut impl ResponseSink) -> Result<usize, Malformed> {
        if header_cache::ends_beyond(seen, bytes) || bytes.len() >= LONGEST_HEAD {
            return self.head(bytes, sink);
        }
        self.state = State::LongHead(bytes.len());
        Ok(0)
    }

    fn data(
        &mut self,
        bytes: &[u8],
        missing: u64,
        then: State,
        sink: &mut impl ResponseSink,
        more: fn(u64) -> State,
    ) -> usize {
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

    fn trailer(&mut self, bytes: &[u8], sink: &mut impl ResponseSink) -> Result<usize, Malformed> {
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
        // With the CR behind it.
        Some(at) if at > LONGEST_LINE + 1 => Err(TOO_LONG),
        None if bytes.len() > LONGEST_LINE + 1 => Err(TOO_LONG),
        Some(at) if at > 0 && bytes[at - 1] == b'\r' => Ok(Some(&bytes[..at - 1])),
        Some(_) => Err(Malformed("a line of a chunked body does not end in CR LF")),
        None => Ok(None),
    }
}

const TOO_LONG: Malformed = Malformed("a line of a chunked body is longer than 64 KiB");

#[cfg(test)]
mod tests;
