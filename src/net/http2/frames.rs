//! What a server sends in HTTP/2, frame by frame, without a flaw of the reader behind it.
//!
//! `h2` takes frames of DATA that hold nothing for an attack: it ends a connection that has brought more than 100 of them
//! in its whole life. They are allowed, and servers that stream send them. Here they become frames of a type that nobody
//! knows, which are ignored (RFC 9113, section 4.1), as they say nothing but that the stream goes on.

use std::io::Result;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::trailers::{DATA, END_STREAM, FrameHead, MalformedTrailers, PADDED, TrailerFilter};

/// Of a frame's head, in bytes: its length, its type, its flags and its stream (RFC 9113, section 4.1).
const HEAD: usize = 9;
const TYPE: usize = 3;
const FLAGS: usize = 4;

const UNKNOWN: u8 = 0xff;

/// A stream whose frames are looked at as they are read.
#[derive(Debug)]
pub(super) struct FrameFilter<S> {
    stream: S,
    place: Place,
    /// A type, [`DATA`], is held back until the flags behind it are known.
    held: bool,
}

/// Where in a frame the next byte is.
#[derive(Debug, Default)]
struct Place {
    head: [u8; HEAD],
    /// So many bytes of the head have come.
    known: usize,
    /// So many bytes of the payload are missing.
    payload: usize,
    trailers: TrailerFilter,
}

impl<S> FrameFilter<S> {
    pub fn of(stream: S) -> Self {
        FrameFilter { stream, place: Place::default(), held: false }
    }

    /// Streams whose trailers hold what HTTP/2 does not allow there.
    pub fn malformed_trailers(&self) -> MalformedTrailers {
        self.place.trailers.malformed()
    }
}

impl Place {
    /// Goes on over bytes; an empty frame of DATA among them becomes one of an unknown type. A type before the first of
    /// these bytes was let through.
    fn pass(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        while at < bytes.len() {
            if self.payload > 0 {
                let here = self.payload.min(bytes.len() - at);
                self.trailers.payload(&bytes[at..at + here]);
                self.payload -= here;
                at += here;
                continue;
            }
            self.head[self.known] = bytes[at];
            let is_empty = self.head[..=TYPE] == [0, 0, 0, DATA];
            if self.known == FLAGS && is_empty && bytes[at] & (END_STREAM | PADDED) == 0 && at > 0 {
                bytes[at - 1] = UNKNOWN;
            }
            self.known += 1;
            at += 1;
            if self.known == HEAD {
                let [a, b, c, kind, flags, on @ ..] = self.head;
                (self.known, self.payload) = (0, u32::from_be_bytes([0, a, b, c]) as usize);
                let stream = u32::from_be_bytes(on) & 0x7fff_ffff;
                self.trailers.frame(FrameHead { kind, flags, stream, length: self.payload });
            }
        }
    }

    /// Whether the last byte was the type of what may be such a frame. It is to come again, with the flags behind it.
    fn take_back(&mut self) -> bool {
        let is_open = self.known == FLAGS && self.head[..=TYPE] == [0, 0, 0, DATA];
        self.known -= usize::from(is_open);
        is_open
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameFilter<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let FrameFilter { stream, place, held } = self.get_mut();
        let start = buffer.filled().len();
        loop {
            if *held {
                buffer.put_slice(&[DATA]);
            }
            let known = buffer.filled().len();
            // Without room for the flags the type is let through.
            let has_room = buffer.remaining() > 0;
            if has_room {
                let read = Pin::new(&mut *stream).poll_read(context, buffer);
                if !matches!(read, Poll::Ready(Ok(()))) {
                    buffer.set_filled(start);
                }
                ready!(read)?;
            }
            let has_ended = buffer.filled().len() == known;
            place.pass(&mut buffer.filled_mut()[start..]);
            *held = !has_ended && place.take_back();
            buffer.set_filled(buffer.filled().len() - usize::from(*held));
            // With nothing in it the stream would have ended.
            if has_ended || buffer.filled().len() > start {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameFilter<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream], payload].concat()
    }

    /// What is read of bytes that come in pieces of one length, with so much room at a time.
    async fn read(bytes: &[u8], piece: usize, room: usize) -> Vec<u8> {
        let pieces = bytes.chunks(piece).map(|piece| Ok::<_, std::io::Error>(piece.to_vec().into()));
        let pieces: Vec<Result<bytes::Bytes>> = pieces.collect();
        let mut frames = FrameFilter::of(tokio_util::io::StreamReader::new(futures::stream::iter(pieces)));
        let (mut all, mut some) = (Vec::new(), vec![0; room]);
        loop {
            match frames.read(&mut some).await.unwrap() {
                0 => return all,
                length => all.extend_from_slice(&some[..length]),
            }
        }
    }

    // fault: http: hundreds of empty DATA frames on one connection -> it goes on
    #[tokio::test]
    async fn only_empty_data_that_goes_on_changes_and_wherever_it_is_cut() {
        let of = |empty: u8| {
            let frames = [
                frame(empty, 0, 1, b""),
                frame(DATA, 0, 1, b"\0\0\0\0\0\0\0\0\0"),
                frame(1, 4, 3, b"\x88"),
                frame(empty, 2, 3, b""),
                frame(empty, 0, 3, b""),
                frame(DATA, END_STREAM, 1, b""),
                frame(DATA, PADDED, 1, b""),
                frame(DATA, PADDED, 1, b"\0"),
                frame(4, 0, 0, b""),
                frame(empty, 0, 3, b""),
            ];
            frames.concat()
        };
        for piece in 1..=of(DATA).len() {
            for room in [2, 3, 9, 10, 100] {
                assert_eq!(read(&of(DATA), piece, room).await, of(UNKNOWN), "{piece} {room}");
            }
        }
        // Where there is no room for more than a byte, it is let through rather than lost.
        assert_eq!(read(&of(DATA), 1, 1).await.len(), of(DATA).len());
    }

    #[tokio::test]
    async fn what_ends_in_the_middle_of_a_frame_is_passed_on() {
        let bytes = frame(DATA, 0, 1, b"");
        for length in 0..bytes.len() {
            let read = read(&bytes[..length], 1, 100).await;
            assert_eq!(read.len(), length, "{length}");
        }
    }
}
