//! A single request, blocking, on a connection of its own: for what is sent now and then and whose status says it all.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// So much of a response is read: its status says it all.
const MOST: u64 = 64 * 1024;
const HEADERS: usize = 64;

/// Sends a request with an absolute URL, and says the status of its response. Nothing takes longer than `within`.
pub fn send_single(request: &Request<Bytes>, within: Duration) -> io::Result<u16> {
    exchange(request, Instant::now() + within)
}

/// Host, without brackets, and port of an absolute URL, and the addresses that it has.
pub fn addresses(uri: &http::Uri) -> io::Result<(String, u16, Vec<SocketAddr>)> {
    let host = uri.host().ok_or_else(|| invalid("no host in it"))?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let addresses = (bare.as_str(), port).to_socket_addrs()?.collect();
    Ok((bare, port, addresses))
}

/// The status of the response.
fn exchange(request: &Request<Bytes>, until: Instant) -> io::Result<u16> {
    let (host, _, addresses) = addresses(request.uri())?;
    let stream = connect(&addresses, until)?;
    stream.set_write_timeout(Some(left(until)?))?;
    stream.set_read_timeout(Some(left(until)?))?;
    let response = if request.uri().scheme_str() == Some("https") {
        send(&mut StreamOwned::new(session(&host)?, stream), request, until)?
    } else {
        send(&mut &stream, request, until)?
    };
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    parsed.parse(&response).map_err(|error| invalid(&format!("its answer is not HTTP: {error}")))?;
    parsed.code.ok_or_else(|| invalid("it closed the connection without a response"))
}

fn connect(addresses: &[SocketAddr], until: Instant) -> io::Result<TcpStream> {
    let mut last = invalid("its name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, left(until)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Sends the request and reads what there is of the response.
fn send(stream: &mut (impl Read + Write), request: &Request<Bytes>, until: Instant) -> io::Result<Vec<u8>> {
    stream.write_all(&written(request))?;
    stream.flush()?;
    let mut response = Vec::new();
    let mut part = [0; 4096];
    while (response.len() as u64) < MOST && left(until).is_ok() {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(count) => response.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A server that keeps the connection open has said what it had to say.
            Err(_) if !response.is_empty() => break,
            Err(error) => return Err(error),
        }
        if response.windows(4).any(|end| end == b"\r\n\r\n") {
            break;
        }
    }
    Ok(response)
}

/// The request as HTTP/1.1 has it.
fn written(request: &Request<Bytes>) -> Vec<u8> {
    let uri = request.uri();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let mut out = format!("{} {target} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n", request.method());
    out += &format!("content-length: {}\r\n", request.body().len());
    let mut out = out.into_bytes();
    for (name, value) in request.headers() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(request.body());
    out
}

fn session(host: &str) -> io::Result<ClientConnection> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}
