//! A stream that is waited for to a moment, however its bytes trickle in, and no longer than somebody wants it.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::time::{Duration, Instant};

/// How long a read of the stream below may block at once.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// Reads and writes up to a moment. The stream's own reads and writes must give up after [`LOOK`].
pub(super) struct DeadlineStream<'a, S> {
    pub stream: S,
    pub end: Instant,
    /// Whether nobody wants it any more.
    pub is_over: &'a mut dyn FnMut() -> bool,
}

impl<S> DeadlineStream<'_, S> {
    fn try_on<T>(&mut self, mut once: impl FnMut(&mut S) -> Result<T>) -> Result<T> {
        loop {
            if (self.is_over)() || Instant::now() >= self.end {
                return Err(Error::from(ErrorKind::TimedOut));
            }
            match once(&mut self.stream) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                came => return came,
            }
        }
    }
}

impl<S: Read> Read for DeadlineStream<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.try_on(|stream| stream.read(buffer))
    }
}

impl<S: Write> Write for DeadlineStream<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.try_on(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has one byte more whenever it is asked, and no end.
    struct Trickle;

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            buffer[..1].fill(b'x');
            Ok(1)
        }
    }

    // fault: endless: a TLS handshake of a byte a second -> given up in time, and at once when cancelled
    #[test]
    fn what_trickles_in_is_read_to_a_moment_or_until_nobody_wants_it() {
        let mut reads = 0;
        let mut is_over = || {
            reads += 1;
            reads > 9
        };
        let far = Instant::now() + Duration::from_secs(3600);
        let mut patient = DeadlineStream { stream: Trickle, end: far, is_over: &mut is_over };
        let error = patient.read_exact(&mut [0; 100]).unwrap_err();
        assert_eq!((error.kind(), reads), (ErrorKind::TimedOut, 10));
        let mut late = DeadlineStream { stream: Trickle, end: Instant::now(), is_over: &mut || false };
        assert_eq!(late.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::TimedOut);
    }
}
