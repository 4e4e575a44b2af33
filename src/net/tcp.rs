//! TCP that holds nothing back, and asks nothing of the kernel that a short connection has no use for.

use std::io::{IoSlice, Result};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::socket::send;

/// This many bytes are one segment on any network: the default maximum of RFC 9293, 3.7.1, less the most that options take.
const ONE_SEGMENT: usize = 536 - 40;

/// A connection on which the algorithm of Nagle delays nothing. It delays what does not fill a segment while earlier bytes
/// are on their way. So the first bytes are never delayed if they are few, and a connection for one request is spared the
/// call that turns it off.
#[derive(Debug)]
pub struct Tcp {
    stream: TcpStream,
    written: Written,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Nothing,
    OneSegment,
    /// And nothing is delayed any longer.
    More,
}

impl Tcp {
    pub fn new(stream: TcpStream) -> Self {
        Tcp { stream, written: Written::Nothing }
    }

    pub fn try_send(&mut self, bytes: &[u8]) -> Result<usize> {
        self.before(|| bytes.len())?;
        send(&self.stream, bytes)
    }

    pub fn try_send_vectored(&mut self, pieces: &[IoSlice<'_>]) -> Result<usize> {
        self.before(|| length(pieces))?;
        self.stream.try_write_vectored(pieces)
    }

    /// Before this many bytes are written; it is asked how many only where that matters.
    fn before(&mut self, length: impl FnOnce() -> usize) -> Result<()> {
        if self.written == Written::More {
            return Ok(());
        }
        self.has_more(length())
    }

    #[cold]
    fn has_more(&mut self, length: usize) -> Result<()> {
        if self.written == Written::Nothing && length <= ONE_SEGMENT {
            self.written = Written::OneSegment;
            return Ok(());
        }
        self.written = Written::More;
        SockRef::from(&self.stream).set_tcp_nodelay(true)
    }
}

fn length(pieces: &[IoSlice<'_>]) -> usize {
    pieces.iter().map(|piece| piece.len()).sum()
}

impl AsFd for Tcp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.before(|| bytes.len())?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.before(|| length(pieces))?;
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Tcp, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connected, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        (Tcp::new(connected.unwrap()), accepted.unwrap().0)
    }

    fn delays(tcp: &Tcp) -> bool {
        !SockRef::from(tcp).tcp_nodelay().unwrap()
    }

    #[tokio::test]
    async fn the_second_write_delays_nothing_and_neither_does_a_large_first_one() {
        let (mut tcp, _server) = pair().await;
        tcp.try_send(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(delays(&tcp), "nothing is on its way yet, so that nothing has to be turned off");
        tcp.try_send(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(!delays(&tcp));

        let (mut tcp, _server) = pair().await;
        tcp.try_send(&[0; ONE_SEGMENT + 1]).unwrap();
        assert!(!delays(&tcp), "the end of what takes two segments would wait for the first");
    }

    #[tokio::test]
    async fn whatever_writes_counts() {
        let (mut tcp, _server) = pair().await;
        tcp.write_all(b"one").await.unwrap();
        assert!(delays(&tcp));
        assert_eq!(tcp.write_vectored(&[IoSlice::new(b"an"), IoSlice::new(b"other")]).await.unwrap(), 7);
        assert!(!delays(&tcp));

        let (mut tcp, _server) = pair().await;
        tcp.try_send_vectored(&[IoSlice::new(&[0; ONE_SEGMENT]), IoSlice::new(b"more")]).unwrap();
        assert!(!delays(&tcp));
    }
}
