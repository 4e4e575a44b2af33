//! Pages for a browser on this machine: a small HTTP server on loopback, one thread a connection.
//!
//! Nobody else is served: requests must name loopback as their host, so that no page of another site can have a browser ask here
//! (DNS rebinding).

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// So many connections at once; more are told to come again.
const MOST: usize = 128;
/// The longest head of a request, in bytes.
const LONGEST_HEAD: u64 = 64 << 10;
/// A browser that sends nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request of a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: Vec<(String, String)>,
}

impl PageRequest {
    /// The value of a parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Answers a request, on a connection that is closed after it.
pub type AnswerPage = dyn Fn(&PageRequest, &mut TcpStream) -> io::Result<()> + Send + Sync;

/// A server of pages. Dropping it ends it; connections end with their answers.
#[derive(Debug)]
pub struct PageServer {
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl PageServer {
    /// Listens on a port of 127.0.0.1, 0 for a free one.
    pub fn start(port: u16, answer: Arc<AnswerPage>) -> io::Result<PageServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let open = Arc::new(AtomicUsize::new(0));
        std::thread::Builder::new().name("pages".to_owned()).spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(mut stream) = stream else { continue };
                if open.fetch_add(1, Ordering::Relaxed) >= MOST {
                    open.fetch_sub(1, Ordering::Relaxed);
                    let _ = respond(&mut stream, "503 Service Unavailable", "text/plain", b"too many at once");
                    continue;
                }
                let (answer, closed) = (Arc::clone(&answer), Arc::clone(&open));
                let served = std::thread::Builder::new().name("page".to_owned()).spawn(move || {
                    // A browser that leaves is no error.
                    let _ = serve(&mut stream, address, &*answer);
                    closed.fetch_sub(1, Ordering::Relaxed);
                });
                if served.is_err() {
                    open.fetch_sub(1, Ordering::Relaxed);
                }
            }
        })?;
        Ok(PageServer { address, over })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for PageServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for the next connection.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: &mut TcpStream, address: SocketAddr, answer: &AnswerPage) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let Some((request, host)) = read(stream)? else { return Ok(()) };
    let port = address.port();
    if ![format!("127.0.0.1:{port}"), format!("localhost:{port}")].contains(&host) {
        return respond(stream, "403 Forbidden", "text/plain", b"only for this machine");
    }
    answer(&request, stream)
}

/// A request and the host that it names; `None` of what is none.
fn read(stream: &TcpStream) -> io::Result<Option<(PageRequest, String)>> {
    let mut lines = BufReader::new(stream.take(LONGEST_HEAD)).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut host = String::new();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("host")
        {
            host = value.trim().to_owned();
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    Ok(Some((PageRequest { method: method.to_owned(), path: path.to_owned(), query }, host)))
}

/// Sends a whole response, and says that the connection ends with it.
pub fn respond(stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(server: &PageServer, request: &str) -> String {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn only_who_names_this_machine_is_served() {
        let answer: Arc<AnswerPage> = Arc::new(|request, stream| {
            respond(stream, "200 OK", "text/plain", format!("{} {:?}", request.path, request.parameter("b")).as_bytes())
        });
        let server = PageServer::start(0, answer).unwrap();
        let host = server.address();
        assert!(ask(&server, &format!("GET /a?b=%20c HTTP/1.1\r\nHost: {host}\r\n\r\n")).ends_with("/a Some(\" c\")"));
        assert!(ask(&server, "GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\n").starts_with("HTTP/1.1 403"));
        assert_eq!(ask(&server, "\r\n\r\n"), "");
    }
}
