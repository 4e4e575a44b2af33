//! One HTTP/1.1 connection on a raw stream: prebuilt bytes out, a [`Reply`] in.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::reply::{Malformed, Reply, Sink};
use crate::exchange::Failure;
use crate::load::clock::Clock;

/// Room for most responses; grows up to the longest head.
const BUFFER: usize = 8 * 1024;

/// An open connection that carries one request at a time.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// What is known of a whole response. Times count from the clock's origin.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    pub status: u16,
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
    Refused,
    /// Closed or reset; `untouched` if not one byte of a response had come, so that a reused connection may have been
    /// closed by the server before it saw the request.
    Closed {
        untouched: bool,
    },
    Malformed(Malformed),
}

impl Broken {
    pub fn failure(&self) -> Failure {
        match self {
            Broken::Refused => Failure::Connect,
            Broken::Closed { .. } => Failure::Closed,
            Broken::Malformed(_) => Failure::Protocol,
        }
    }
}

impl Connection {
    pub async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: vec![0; BUFFER], filled: 0 })
    }

    /// Sends a request and reads its response into `sink`.
    pub async fn exchange(
        &mut self,
        request: &[u8],
        head_only: bool,
        clock: Clock,
        sink: &mut impl Sink,
    ) -> Result<Answer, Broken> {
        self.stream.write_all(request).await.map_err(|_| Broken::Closed { untouched: true })?;
        let mut reply = Reply::new(head_only);
        let mut bytes = 0;
        let mut first_byte = None;
        loop {
            let read = self.read().await.map_err(|_| Broken::Closed { untouched: bytes == 0 })?;
            // One reading serves as the first byte's time and, if the response came in one piece, as the end's.
            let now = clock.now();
            let first_byte = *first_byte.get_or_insert(now);
            bytes += read as u64;
            if read == 0 {
                let untouched = bytes == 0;
                reply.closed().map_err(|_| Broken::Closed { untouched })?;
            } else {
                self.filled += read;
                let taken = reply.advance(&self.buffer[..self.filled], sink).map_err(Broken::Malformed)?;
                self.buffer.copy_within(taken..self.filled, 0);
                self.filled -= taken;
            }
            if reply.is_done() {
                // Bytes that nobody asked for: what follows could not be told apart.
                let close = reply.close || self.filled > 0;
                return Ok(Answer { status: reply.status, first_byte, done: now, bytes, close });
            }
        }
    }

    async fn read(&mut self) -> std::io::Result<usize> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        self.stream.read(&mut self.buffer[self.filled..]).await
    }
}
