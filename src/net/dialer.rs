//! Opens connections to the server under test: one place for the load, the dirty check and the relay.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::stream::Stream;
use super::tcp::Tcp;
use crate::exchange::Failure;
use crate::net::endpoint::Endpoint;
use crate::net::tls::{self, Tls};

/// A Unix socket whose backlog is full is asked again after the first of these, then after twice as long each time, up to
/// the second, so that a thousand users who wait cost no processor.
const FULL_FIRST: Duration = Duration::from_millis(1);
const FULL_LAST: Duration = Duration::from_millis(16);

/// All that a connection needs.
#[derive(Debug, Clone)]
pub struct Dialer {
    endpoint: Endpoint,
    /// If it is spoken.
    tls: Option<Tls>,
    /// Where connections come from; the kernel says if there are none.
    sources: Arc<[IpAddr]>,
    /// How many connections have taken a source.
    taken: Arc<AtomicUsize>,
    /// Whether something is sent on each connection as soon as it is there.
    sends_at_once: bool,
}

/// Why no connection was made.
#[derive(Debug)]
pub struct DialError {
    pub failure: Failure,
    /// What the system called it.
    pub kind: io::ErrorKind,
    pub why: String,
}

impl DialError {
    fn new(error: &io::Error) -> Self {
        DialError { kind: error.kind(), ..DialError::told(Failure::Connect, error.to_string()) }
    }

    /// Why there is none, where that is no error of the system.
    pub fn told(failure: Failure, why: impl Into<String>) -> Self {
        DialError { failure, kind: io::ErrorKind::Other, why: why.into() }
    }
}

impl Dialer {
    /// Connects to `endpoint`, for HTTP/1.1, over TLS if any is given.
    pub fn new(endpoint: Endpoint, tls: Option<Tls>) -> Self {
        let tls = tls.map(|tls| tls.for_protocol(tls::HTTP_1));
        Dialer { endpoint, tls, sources: Arc::default(), taken: Arc::default(), sends_at_once: false }
    }

    /// Connections come from these addresses in turn.
    pub fn from_sources(self, sources: &[IpAddr]) -> Self {
        Dialer { sources: sources.into(), ..self }
    }

    /// The same, for a protocol by its name over TLS, and with TLS sessions that it shares with no other.
    pub fn for_protocol(self, protocol: &[u8]) -> Self {
        Dialer { tls: self.tls.map(|tls| tls.for_protocol(protocol)), ..self }
    }

    /// Something is sent on each connection as soon as it is there. Then the last packet of the TCP handshake carries it,
    /// and is no packet of its own. The server sees the connection when it sees the first bytes.
    pub fn sends_at_once(self) -> Self {
        Dialer { sends_at_once: true, ..self }
    }

    /// Where it connects to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Where it connects to; `None` for a Unix socket.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match &self.endpoint {
            Endpoint::Tcp(address) => Some(*address),
            Endpoint::Unix(_) => None,
        }
    }

    /// Whether what it opens is spoken over TLS.
    pub fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Opens a connection, TLS handshake included. It waits for as long as the peer lets it: a deadline is the caller's
    /// affair.
    pub async fn dial(&self) -> Result<Stream, DialError> {
        match &self.endpoint {
            Endpoint::Tcp(address) => {
                let stream = self.connect(*address).await.map_err(|error| DialError::new(&error))?;
                Ok(match &self.tls {
                    None => Stream::Tcp(stream),
                    Some(tls) => Stream::TcpTls(shake_hands(tls, stream).await?),
                })
            }
            Endpoint::Unix(path) => {
                let stream = connect_unix(path).await.map_err(|error| DialError::new(&error))?;
                Ok(match &self.tls {
                    None => Stream::Unix(stream),
                    Some(tls) => Stream::UnixTls(shake_hands(tls, stream).await?),
                })
            }
        }
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Tcp> {
        if self.sources.is_empty() {
            return connect(self.socket(address)?, address).await;
        }
        let source = self.sources[self.taken.fetch_add(1, Ordering::Relaxed) % self.sources.len()];
        let from = async {
            let socket = self.socket(address)?;
            bind(&socket, source)?;
            connect(socket, address).await
        };
        from.await.map_err(|error| io::Error::other(format!("from {source}: {error}")))
    }

    fn socket(&self, address: SocketAddr) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
        if self.sends_at_once {
            // Only until it is connected: from then on Linux acknowledges as ever.
            rustix::net::sockopt::set_tcp_quickack(&socket, false)?;
        }
        Ok(socket)
    }
}

/// Has a socket connect from `source`. Its port is chosen when it connects, so that there are as many ports for each pair
/// of addresses as the system has in all.
fn bind(socket: &Socket, source: IpAddr) -> io::Result<()> {
    setsockopt(socket, sockopt::IpBindAddressNoPort, &true)?;
    socket.bind(&SocketAddr::new(source, 0).into())
}

/// Within one machine a connection is there when the kernel says that it is on its way: then it is not waited for.
async fn connect(socket: Socket, address: SocketAddr) -> io::Result<Tcp> {
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => return Err(error),
        _ => {}
    }
    let is_connected = socket.peer_addr().is_ok();
    let stream = TcpStream::from_std(socket.into())?;
    if !is_connected {
        stream.writable().await?;
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
    }
    Ok(Tcp::new(stream))
}

/// Connects to a Unix socket, and waits while its backlog is full, as over TCP, where the kernel does. Here it refuses a
/// socket that does not block, and that is no word of the server.
async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let mut pause = FULL_FIRST;
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(pause).await,
            connected => return connected,
        }
        pause = FULL_LAST.min(2 * pause);
    }
}

async fn shake_hands<S>(tls: &Tls, stream: S) -> Result<Box<TlsStream<S>>, DialError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let failed = |why| DialError::told(Failure::Tls, why);
    let connector = TlsConnector::from(Arc::clone(tls.config()));
    // Apart: a handshake takes kilobytes, which users without TLS, and those who are connected, need not carry.
    let shaken = Box::pin(connector.connect(tls.name().clone(), stream)).await;
    let stream = shaken.map_err(|error| failed(tls::why_no_handshake(&error)))?;
    let wanted = tls.config().alpn_protocols.first();
    let chosen = stream.get_ref().1.alpn_protocol();
    // A server that chooses nothing speaks HTTP/1.1.
    if wanted.is_some_and(|wanted| wanted == tls::HTTP_2) && chosen != Some(tls::HTTP_2) {
        return Err(failed("the server did not choose HTTP/2 (ALPN)".to_owned()));
    }
    Ok(Box::new(stream))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn connections_come_from_each_source_in_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sources: Vec<IpAddr> = ["127.0.0.2", "127.0.0.3"].map(|source| source.parse().unwrap()).to_vec();
        let dialer = Dialer::new(Endpoint::Tcp(listener.local_addr().unwrap()), None).from_sources(&sources);
        let mut seen = Vec::new();
        for _ in 0..4 {
            let (stream, accepted) = tokio::join!(dialer.dial(), listener.accept());
            assert!(stream.is_ok());
            seen.push(accepted.unwrap().1.ip());
        }
        assert_eq!(seen, [sources.clone(), sources].concat());
    }

    #[tokio::test]
    async fn a_handshake_waits_for_what_is_sent_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap().into_std().unwrap();
        let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
        let dialer = Dialer::new(endpoint.clone(), None).sends_at_once();
        // Linux waits for 200 ms at most, which can pass on a busy machine.
        let mut waited = 0;
        for _ in 0..20 {
            let mut stream = dialer.dial().await.unwrap();
            listener.set_nonblocking(true).unwrap();
            let is_there = listener.accept().is_ok();
            stream.try_send(b"GET / HTTP/1.1").unwrap();
            if !is_there {
                listener.set_nonblocking(false).unwrap();
                listener.accept().unwrap();
                waited += 1;
            }
        }
        assert!(waited > 0);
        // Without it the server has a connection before anything is sent.
        listener.set_nonblocking(false).unwrap();
        let _stream = Dialer::new(endpoint, None).dial().await.unwrap();
        listener.accept().unwrap();
    }

    #[tokio::test]
    async fn a_unix_socket_whose_backlog_is_full_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        // Linux has one more wait than it is told.
        rustix::net::listen(&listener, 0).unwrap();
        let dialer = Dialer::new(Endpoint::Unix(path), None);
        let _first = dialer.dial().await.unwrap();
        let mut second = std::pin::pin!(dialer.dial());
        assert!(futures::poll!(&mut second).is_pending(), "there is no room");
        let _accepted = listener.accept().unwrap();
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn a_unix_socket_may_have_a_name_and_no_file() {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::{SocketAddr, UnixListener};
        let name = format!("runner-test-{}", std::process::id());
        let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let endpoint = Endpoint::Unix(format!("\0{name}").into());
        assert_eq!(endpoint.to_string(), format!("unix:@{name}"));
        assert!(Dialer::new(endpoint, None).dial().await.is_ok());
    }

    #[tokio::test]
    async fn a_source_that_is_not_here_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialer = Dialer::new(Endpoint::Tcp(listener.local_addr().unwrap()), None);
        let refused = dialer.from_sources(&["192.0.2.7".parse().unwrap()]).dial().await.map(drop).unwrap_err();
        assert_eq!(refused.failure, Failure::Connect);
        assert!(refused.why.starts_with("from 192.0.2.7: Cannot assign requested address"), "{}", refused.why);
    }
}
