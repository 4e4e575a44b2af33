//! The bytes of a connection, whatever they travel over.

use std::io::{ErrorKind, IoSlice, Read, Result, Write};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{ClientConnection, HandshakeKind};

use super::socket::{receive, send};
use super::tcp::Tcp;

/// A byte stream to the server under test: TCP or a Unix socket, with TLS or without.
#[derive(Debug)]
pub enum Stream {
    Tcp(Tcp),
    Unix(UnixStream),
    TcpTls(Box<TlsStream<Tcp>>),
    UnixTls(Box<TlsStream<UnixStream>>),
}

impl Stream {
    /// The TLS that it speaks, if it does.
    fn session(&self) -> Option<&ClientConnection> {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => None,
            Stream::TcpTls(stream) => Some(stream.get_ref().1),
            Stream::UnixTls(stream) => Some(stream.get_ref().1),
        }
    }

    /// Whether its handshake took up an earlier session.
    pub fn is_resumed(&self) -> bool {
        self.session().is_some_and(|session| session.handshake_kind() == Some(HandshakeKind::Resumed))
    }

    /// Whether TLS holds something that the kernel has not taken yet.
    pub fn has_unsent(&self) -> bool {
        self.session().is_some_and(|session| session.wants_write())
    }

    /// Hands the kernel what it takes of `bytes` at once: this many. Over TLS it may have taken less; see `has_unsent`.
    pub fn try_send(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.try_send(bytes),
            Stream::Unix(stream) => send(stream, bytes),
            Stream::TcpTls(stream) => {
                let (stream, session) = stream.get_mut();
                write_record(session, &mut AtOnce(stream), bytes)
            }
            Stream::UnixTls(_) => Ok(0),
        }
    }

    /// Reads what the kernel has at once; an error of kind `WouldBlock` if it has nothing.
    pub fn read_at_once(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Stream::Tcp(stream) => receive(stream, buffer),
            Stream::Unix(stream) => receive(stream, buffer),
            Stream::TcpTls(stream) => read_records(stream.get_mut(), buffer),
            Stream::UnixTls(stream) => read_records(stream.get_mut(), buffer),
        }
    }

    /// Closes with a reset where the protocol has one.
    pub fn abort(self) {
        let stream = match &self {
            Stream::Tcp(stream) => stream,
            Stream::TcpTls(stream) => stream.get_ref().0,
            Stream::Unix(_) | Stream::UnixTls(_) => return,
        };
        // No linger: what follows is a reset. A stream that refuses that is closed in the orderly way.
        let _ = socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
    }
}

/// A request that fits is one record of TLS.
pub(super) const RECORD: usize = 16 * 1024;

/// Writes bytes as one record, at once; says how many were taken: none if they are too many, or others are still to be
/// sent. What the stream has no room for stays with the session.
fn write_record(session: &mut ClientConnection, stream: &mut AtOnce<'_>, bytes: &[u8]) -> Result<usize> {
    if bytes.len() > RECORD || session.wants_write() {
        return Ok(0);
    }
    session.writer().write_all(bytes)?;
    match session.write_tls(stream) {
        Ok(_) => Ok(bytes.len()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(bytes.len()),
        Err(error) => Err(error),
    }
}

/// Reads what is in the records that the kernel has at once.
fn read_records((stream, session): (&mut impl AsFd, &mut ClientConnection), buffer: &mut [u8]) -> Result<usize> {
    loop {
        match session.reader().read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            read => return read,
        }
        // At the end of the stream the reader says so.
        session.read_tls(&mut HadAtOnce(&*stream))?;
        session.process_new_packets().map_err(std::io::Error::other)?;
    }
}

struct HadAtOnce<'a, S>(&'a S);

impl<S: AsFd> Read for HadAtOnce<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        receive(self.0, buffer)
    }
}

/// Takes what the kernel has room for. One piece, as nearly always, costs less than a list of one.
struct AtOnce<'a>(&'a mut Tcp);

impl Write for AtOnce<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.try_send(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> Result<usize> {
        match pieces {
            [only] => self.0.try_send(only),
            several => self.0.try_send_vectored(several),
        }
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::TcpTls(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::UnixTls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::TcpTls(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::UnixTls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(context),
            Stream::TcpTls(stream) => Pin::new(stream).poll_flush(context),
            Stream::UnixTls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::TcpTls(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::UnixTls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
