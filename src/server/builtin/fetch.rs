//! What a handler's `fetch()` does: one HTTP/1.1 exchange over a connection of its own. Redirects are not followed.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use hyper::{Method, Uri};
use tokio::net::lookup_host;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::super::allowed_hosts;
use crate::exchange::Failure;
use crate::net::clock::Clock;
use crate::net::dialer::{DialError, Dialer};
use crate::net::endpoint::Endpoint;
use crate::net::http1::Connection;
use crate::net::sink::ResponseSink;
use crate::script::{FetchRequest, HandlerResponse};
use crate::units;

/// A response, or why there is none.
pub(super) type Fetched = Result<HandlerResponse, String>;

type Errand = (FetchRequest, SyncSender<Fetched>);

/// Fetches for the handlers of a worker.
#[derive(Debug)]
pub(super) struct Fetcher {
    /// Hosts that may be asked although they are not this machine.
    allowed: Arc<[String]>,
    /// A thread that fetches for handlers that block: theirs may be the one on which the event loop stands still. It is
    /// started for the first of them, and ends with this.
    thread: OnceLock<UnboundedSender<Errand>>,
}

impl Fetcher {
    pub fn new(allowed: Vec<String>) -> Fetcher {
        Fetcher { allowed: allowed.into(), thread: OnceLock::new() }
    }

    pub async fn fetch(&self, outgoing: FetchRequest) -> Fetched {
        fetch(outgoing, &self.allowed).await
    }

    /// As [`Fetcher::fetch`], blocking this thread.
    pub fn fetch_blocking(&self, outgoing: FetchRequest) -> Fetched {
        let (reply, answer) = sync_channel(1);
        let thread = self.thread.get_or_init(|| start(Arc::clone(&self.allowed)));
        let ended = || "the thread that fetches could not be started".to_owned();
        thread.send((outgoing, reply)).map_err(|_| ended())?;
        answer.recv().map_err(|_| ended())?
    }
}

fn start(allowed: Arc<[String]>) -> UnboundedSender<Errand> {
    let (sender, errands) = unbounded_channel();
    // One that does not start drops `errands`: those who send then learn of it.
    let _ = std::thread::Builder::new().name("fetch".to_owned()).spawn(move || work(errands, &allowed));
    sender
}

fn work(mut errands: UnboundedReceiver<Errand>, allowed: &Arc<[String]>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        while let Some((outgoing, reply)) = errands.recv().await {
            let allowed = Arc::clone(allowed);
            tokio::spawn(async move {
                // Whoever asked waits for as long as this takes.
                let _ = reply.send(fetch(outgoing, &allowed).await);
            });
        }
    });
}

async fn fetch(outgoing: FetchRequest, allowed: &[String]) -> Fetched {
    let timeout = outgoing.timeout;
    let within = tokio::time::timeout(timeout, exchange(outgoing, allowed)).await;
    within.unwrap_or_else(|_| Err(format!("no response within {}", units::show_duration(timeout))))
}

async fn exchange(outgoing: FetchRequest, allowed: &[String]) -> Fetched {
    let longest = outgoing.longest_body;
    let uri = target(&outgoing.url)?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(80);
    let found: Vec<_> = lookup_host((host, port)).await.map_err(|error| format!("no such host: {error}"))?.collect();
    allowed_hosts::check(host, port, &found, allowed).map_err(|refused| format!("{refused}; {}", refused.advice))?;
    let request = request(&outgoing, &uri)?;
    let mut connection = connect(&found).await.map_err(|error| format!("cannot connect: {}", error.why))?;
    let clock = Clock::start();
    // A server may answer before it has read all, and close: its response is there to be read.
    let _ = connection.send(&request, clock).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut fetched = FetchedResponse { longest, over: Arc::clone(&over), ..FetchedResponse::default() };
    let came = {
        let mut coming = pin!(connection.receive(outgoing.method == "HEAD", clock, &mut fetched));
        // What is too long need not come to its end.
        let until_over = poll_fn(|context| match coming.as_mut().poll(context) {
            Poll::Pending if over.load(Ordering::Relaxed) => Poll::Ready(None),
            polled => polled.map(Some),
        });
        until_over.await
    };
    match came {
        _ if over.load(Ordering::Relaxed) => {
            Err(format!("the response's body is longer than {}", units::show_size(longest as u64)))
        }
        Some(Err(error)) if fetched.status > 0 => Err(format!("the response's body ended early: {error}")),
        Some(Err(error)) => Err(format!("no response: {error}")),
        Some(Ok(_)) | None => {
            Ok(HandlerResponse { status: fetched.status, headers: headers(&fetched.head), body: fetched.body })
        }
    }
}

/// Connects to the first address that takes it.
async fn connect(addresses: &[SocketAddr]) -> Result<Connection, DialError> {
    let mut refused = DialError::told(Failure::Connect, "the host has no address");
    for address in addresses {
        match Connection::open(&Dialer::new(Endpoint::Tcp(*address), None)).await {
            Ok(connection) => return Ok(connection),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// A response as far as a script can take it.
#[derive(Debug, Default)]
struct FetchedResponse {
    /// Zero until the head has come.
    status: u16,
    head: Vec<u8>,
    body: Vec<u8>,
    longest: usize,
    /// The body is longer than that; the rest is dropped.
    over: Arc<AtomicBool>,
}

impl ResponseSink for FetchedResponse {
    fn looks(&self) -> bool {
        true
    }

    fn status(&mut self, status: u16) {
        self.status = status;
    }

    /// The last head counts: those before it are of interim responses.
    fn head(&mut self, bytes: &[u8]) {
        self.head = bytes.to_vec();
    }

    fn body(&mut self, bytes: &[u8]) {
        let here = bytes.len().min(self.longest.saturating_sub(self.body.len()));
        self.body.extend_from_slice(&bytes[..here]);
        if here < bytes.len() {
            self.over.store(true, Ordering::Relaxed);
        }
    }

    fn trailer(&mut self, _bytes: &[u8]) {}
}

/// The headers of a head, with names in lower case.
fn headers(head: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        match (memchr::memchr(b':', line), headers.last_mut()) {
            // A folded line goes on the one before (RFC 9112, section 5.2).
            (_, Some((_, value))) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                value.push(' ');
                value.push_str(&text(line));
            }
            (Some(colon), _) => headers.push((text(&line[..colon]).to_ascii_lowercase(), text(&line[colon + 1..]))),
            (None, _) => {}
        }
    }
    headers
}

fn target(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|_| "it is not an address such as http://127.0.0.1:8000/path".to_owned())?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err("https is not supported: use an http:// address".to_owned()),
        _ => return Err("an address begins with http://".to_owned()),
    }
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err("an address holds no user: send it as a header, `authorization`".to_owned())
        }
        _ => Ok(uri),
    }
}

/// The bytes of a request. Names and values of headers were looked at when the script gave them.
fn request(outgoing: &FetchRequest, uri: &Uri) -> Result<Vec<u8>, String> {
    let FetchRequest { method, headers, body, .. } = outgoing;
    if Method::from_bytes(method.as_bytes()).is_err() {
        return Err(format!("`{}` is no method", method.escape_default()));
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    let mut header = |name: &str, value: &str| head.extend([name, ": ", value, "\r\n"]);
    if !headers.iter().any(|(name, _)| name == "host") {
        header("host", uri.authority().map_or("", |authority| authority.as_str()));
    }
    headers.iter().for_each(|(name, value)| header(name, value));
    // Some servers refuse these methods where nothing is said of the body's length.
    if !body.is_empty() || matches!(method.as_str(), "POST" | "PUT" | "PATCH") {
        header("content-length", &body.len().to_string());
    }
    Ok([head.as_bytes(), b"\r\n", body].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_addresses_are_asked() {
        assert!(target("http://127.0.0.1:8000/a?b=c").is_ok());
        for (url, why) in [
            ("https://127.0.0.1/", "https"),
            ("ftp://127.0.0.1/", "http://"),
            ("/path", "http://"),
            ("", "not an address"),
            ("http://ann:secret@127.0.0.1/", "user"),
            ("http://a b/", "not an address"),
        ] {
            let error = target(url).unwrap_err();
            assert!(error.contains(why), "{url}: {error}");
        }
    }

    #[test]
    fn headers_are_read_as_they_came_folded_ones_on_one_line() {
        let head = b"HTTP/1.1 200 OK\r\nX-A: b:c \r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nx-long: one\r\n two\r\nx-\xff: \xff\r\n\r\n";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [
            pair("x-a", "b:c"),
            pair("set-cookie", "a=1"),
            pair("set-cookie", "b=2"),
            pair("x-long", "one two"),
            pair("x-\u{fffd}", "\u{fffd}"),
        ];
        assert_eq!(headers(head), expected);
    }

    #[test]
    fn a_request_says_how_long_its_body_is_and_takes_no_method_that_is_none() {
        let outgoing = |method: &str, body: &str| FetchRequest {
            method: method.to_owned(),
            url: String::new(),
            headers: vec![("x-a".to_owned(), "b".to_owned())],
            body: body.as_bytes().to_vec(),
            timeout: std::time::Duration::from_secs(1),
            longest_body: 10,
        };
        let uri = target("http://127.0.0.1:8000/a?b=c").unwrap();
        let sent = |method, body| request(&outgoing(method, body), &uri).map(|bytes| String::from_utf8(bytes).unwrap());
        let rest = "host: 127.0.0.1:8000\r\nx-a: b\r\n";
        assert_eq!(sent("GET", "").unwrap(), format!("GET /a?b=c HTTP/1.1\r\n{rest}\r\n"));
        assert!(sent("POST", "").unwrap().contains("content-length: 0\r\n"));
        assert!(sent("PUT", "hello").unwrap().ends_with("content-length: 5\r\n\r\nhello"));
        assert!(sent("GET / HTTP/1.1\r\nx", "").is_err());
    }
}
