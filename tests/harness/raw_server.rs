//! One builder for the raw servers of tests: bytes in, bytes out, a thread for each connection.
//!
//! `RawServer::start(|request| Response::ok(request.path()).after(Duration::from_millis(20)).closing())`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A server on loopback. Its threads end with their connections, and with the process.
pub struct RawServer {
    /// Where it listens.
    pub address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    open: AtomicUsize,
    most_open: AtomicUsize,
    requests: AtomicUsize,
}

/// A request as it came.
pub struct Request<'a> {
    /// Request line and headers, without the empty line.
    pub head: &'a str,
    /// As long as `content-length` says.
    pub body: &'a [u8],
    /// The number of the request on its connection, from 1.
    pub number: usize,
}

impl<'a> Request<'a> {
    /// The target of the request line.
    pub fn path(&self) -> &'a str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

/// What the server sends for a request, and when.
pub struct Response {
    bytes: Vec<u8>,
    after: Duration,
    closes: bool,
}

impl Response {
    /// These bytes, as they stand.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Response { bytes: bytes.into(), after: Duration::ZERO, closes: false }
    }

    /// Status 200 with this body.
    pub fn ok(body: &str) -> Self {
        Response::raw(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    }

    /// Not a byte: the connection is closed.
    pub fn none() -> Self {
        Response::raw("").closing()
    }

    /// Waits for so long first.
    pub fn after(mut self, wait: Duration) -> Self {
        self.after = wait;
        self
    }

    /// Closes the connection afterwards.
    pub fn closing(mut self) -> Self {
        self.closes = true;
        self
    }
}

impl RawServer {
    /// A server that sends what the handler makes of each request.
    pub fn start(handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        RawServer::start_at(0, handler)
    }

    /// The same on a given port.
    pub fn start_at(port: u16, handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let server = RawServer { address: listener.local_addr().unwrap(), counts: Arc::default() };
        let (counts, handler) = (Arc::clone(&server.counts), Arc::new(handler));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, counts, handler) = (stream.unwrap(), Arc::clone(&counts), Arc::clone(&handler));
                std::thread::spawn(move || {
                    let open = counts.open.fetch_add(1, Ordering::SeqCst) + 1;
                    counts.most_open.fetch_max(open, Ordering::SeqCst);
                    serve(stream, &counts.requests, &*handler);
                    counts.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// As in `http://127.0.0.1:40321`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The most connections that were open at once.
    pub fn most_open(&self) -> usize {
        self.counts.most_open.load(Ordering::SeqCst)
    }

    /// The requests that came.
    pub fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }
}

/// Answers the requests of one connection, one after another, also those that come in one packet.
fn serve(mut stream: TcpStream, requests: &AtomicUsize, handler: &dyn Fn(&Request) -> Response) {
    let (mut heard, mut some, mut number) = (Vec::new(), [0; 4096], 0);
    while let Ok(length @ 1..) = stream.read(&mut some) {
        heard.extend_from_slice(&some[..length]);
        while let Some((head, begins, end)) = whole(&heard) {
            number += 1;
            requests.fetch_add(1, Ordering::SeqCst);
            let response = handler(&Request { head: &head, body: &heard[begins..end], number });
            heard.drain(..end);
            if !response.after.is_zero() {
                std::thread::sleep(response.after);
            }
            if stream.write_all(&response.bytes).is_err() || response.closes {
                return;
            }
        }
    }
}

/// The head of the first request, and where its body begins and ends, once all of it is there.
fn whole(heard: &[u8]) -> Option<(String, usize, usize)> {
    let at = heard.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&heard[..at]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap_or(0))
    });
    let (begins, end) = (at + 4, at + 4 + length.unwrap_or(0));
    (heard.len() >= end).then_some((head, begins, end))
}
