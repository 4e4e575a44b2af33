//! A server that speaks TLS, with certificates of its own making.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

/// A folder with `ca.pem`, `server.pem`, `server-key.pem`, `client.pem` and `client-key.pem`.
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// The server's is for `shop.test` and 127.0.0.1.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Without a name of its own, OpenSSL takes whom it signs for for one who signs for itself.
        ca.distinguished_name.push(DnType::CommonName, "the signer");
        fs::write(folder.path().join("ca.pem"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
        let issuer = Issuer::new(ca, ca_key);
        for (name, hosts) in [("server", &["shop.test", "127.0.0.1"][..]), ("client", &["somebody"])] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(hosts.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
            let path = |suffix: &str| folder.path().join(format!("{name}{suffix}.pem"));
            fs::write(path(""), params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
            fs::write(path("-key"), key.serialize_pem()).unwrap();
        }
        Certificates { folder }
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn load(&self, name: &str) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_file_iter(self.path(name)).unwrap().map(Result::unwrap).collect()
    }
}

/// What came over one connection.
#[derive(Debug, Clone)]
pub struct Heard {
    pub name: Option<String>,
    pub host: String,
    pub resumed: bool,
    /// What it asked for first.
    pub target: String,
    pub from: Option<SocketAddr>,
}

/// A server whose connections are handled one after another, each on a thread of its own.
pub struct Secure {
    pub certificates: Certificates,
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Manners {
    /// Closes each connection after one answer.
    pub closes: bool,
    /// Speaks with nobody who shows no certificate.
    pub asks: bool,
    /// Answers with what it was asked for, and what the connection before asked for.
    pub leaks: bool,
}

impl Secure {
    pub fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (secure, config) = Secure::new(address, manners);
        let heard = Arc::clone(&secure.heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let (config, heard, from) = (Arc::clone(&config), Arc::clone(&heard), stream.peer_addr().ok());
                std::thread::spawn(move || serve(stream, from, config, manners, &heard));
            }
        });
        secure
    }

    /// On a Unix socket.
    pub fn start_unix(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let (secure, config) = Secure::new(([127, 0, 0, 1], 0).into(), Manners::default());
        let heard = Arc::clone(&secure.heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, config, heard) = (stream.unwrap(), Arc::clone(&config), Arc::clone(&heard));
                std::thread::spawn(move || serve(stream, None, config, Manners::default(), &heard));
            }
        });
        secure
    }

    /// Speaks HTTP/2, with whoever can; answers with the path, and with a trailer.
    pub fn start_http2() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (secure, config) = Secure::new(listener.local_addr().unwrap(), Manners::default());
        let mut config = ServerConfig::clone(&config);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        let Ok(mut connection) = h2::server::handshake(stream).await else { return };
                        while let Some(Ok((request, mut respond))) = connection.accept().await {
                            let response = http::Response::builder().header("x-kind", "two").body(()).unwrap();
                            let mut stream = respond.send_response(response, false).unwrap();
                            stream.send_data(request.uri().path().to_owned().into(), false).unwrap();
                            let mut trailers = http::HeaderMap::new();
                            trailers.insert("x-sum", "7".parse().unwrap());
                            stream.send_trailers(trailers).unwrap();
                        }
                    });
                }
            });
        });
        secure
    }

    fn new(address: SocketAddr, manners: Manners) -> (Self, Arc<ServerConfig>) {
        let certificates = Certificates::new();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if manners.asks {
            let mut known = RootCertStore::empty();
            known.add_parsable_certificates(certificates.load("ca.pem"));
            let verifier = WebPkiClientVerifier::builder_with_provider(known.into(), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from_pem_file(PathBuf::from(certificates.path("server-key.pem"))).unwrap();
        let mut config = builder.with_single_cert(certificates.load("server.pem"), key).unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        (Secure { certificates, address, heard: Arc::default() }, Arc::new(config))
    }

    pub fn origin(&self) -> String {
        format!("https://{}", self.address)
    }

    /// One entry for each connection that asked something.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

/// Answers requests until the client has had enough.
fn serve<S: Read + Write>(
    stream: S,
    from: Option<SocketAddr>,
    config: Arc<ServerConfig>,
    manners: Manners,
    heard: &Mutex<Vec<Heard>>,
) {
    let mut stream = BufReader::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream));
    let mut first = true;
    loop {
        let (mut host, mut target) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line == "\r\n" => break,
                Ok(_) => {}
            }
            if let Some(value) = line.strip_prefix("host: ") {
                value.trim().clone_into(&mut host);
            }
            if target.is_empty() {
                line.split(' ').nth(1).unwrap_or_default().clone_into(&mut target);
            }
        }
        let session = &stream.get_ref().conn;
        let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        let name = session.server_name().map(str::to_owned);
        let mut body = "ok".to_owned();
        if std::mem::take(&mut first) {
            let mut heard = heard.lock().unwrap();
            if manners.leaks {
                body = format!("{target}, after {}", heard.last().map_or("nobody", |before| &before.target));
            }
            heard.push(Heard { name, host, resumed, target, from });
        }
        let close = if manners.closes { "connection: close\r\n" } else { "" };
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{close}\r\n{body}", body.len());
        if stream.get_mut().write_all(answer.as_bytes()).is_err() || manners.closes {
            stream.get_mut().conn.send_close_notify();
            let _ = stream.get_mut().flush();
            return;
        }
    }
}
