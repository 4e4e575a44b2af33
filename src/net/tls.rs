//! TLS as a client speaks it: whom it trusts, who it says it is, and why a handshake failed.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::scenario;

mod verifier;

use verifier::{Trusted, is_authority};

/// The name of HTTP/1.1 in ALPN (RFC 7301, section 6).
pub const HTTP_1: &[u8] = b"http/1.1";
/// That of HTTP/2 over TLS (RFC 9113, section 3.2).
pub const HTTP_2: &[u8] = b"h2";

/// Sessions that are kept to be resumed.
const SESSIONS: usize = 4096;

/// What to do about a handshake that fails.
pub const ADVICE: &str = "`ca` of [server.tls] names who signed the server's certificate, `name` whom it is for, and with \
                          `insecure = true` it is not looked at (--cacert and --insecure of `runner load`)";

/// Why a handshake fails with a server that speaks another protocol.
pub const NOT_TLS: &str = "what came is not TLS";

/// TLS cannot be spoken as the scenario has it. What to do about it is [`ADVICE`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SetupError(pub String);

/// How to speak TLS with one server.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// `host` is who is spoken with, unless the scenario names it.
    pub fn new(plan: &scenario::TlsSpec, host: &str) -> Result<Tls, SetupError> {
        let refused = |why: String| SetupError(format!("cannot speak TLS with {host}: {why}"));
        let name = match &plan.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(|error| refused(error.to_string()))?,
        };
        let provider = Arc::new(ring::default_provider());
        let versions = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = versions.map_err(|error| refused(error.to_string()))?;
        let verifier: Arc<dyn ServerCertVerifier> = match &plan.ca {
            _ if plan.insecure => Arc::new(Anybody),
            ca => {
                let roots = ca.clone().unwrap_or_else(|| Arc::new(public_authorities()));
                Arc::new(Trusted::new(roots, provider).map_err(refused)?)
            }
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = match &plan.identity {
            None => builder.with_no_client_auth(),
            Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(key)))),
        };
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(Tls { config: Arc::new(config), name })
    }

    /// The same, for a protocol by its name, with sessions that it shares with no other.
    pub fn for_protocol(&self, protocol: &[u8]) -> Tls {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = vec![protocol.to_vec()];
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Tls { config: Arc::new(config), name: self.name.clone() }
    }

    /// Shakes hands over a stream that blocks, and tells the server that this was all.
    pub fn greet(&self, stream: &mut (impl Read + Write)) -> io::Result<()> {
        let mut session = self.session()?;
        while session.is_handshaking() {
            session.complete_io(stream)?;
        }
        session.send_close_notify();
        // It has shown who it is. One that has closed by now takes no goodbye.
        let _ = session.complete_io(stream);
        Ok(())
    }

    /// A session that has not shaken hands yet.
    pub fn session(&self) -> io::Result<ClientConnection> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone()).map_err(io::Error::other)
    }

    /// What connections are made with; its sessions are shared by all that use it.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// Whom the server's certificate must be for, and what is sent as SNI.
    pub fn name(&self) -> &ServerName<'static> {
        &self.name
    }
}

/// Those that this machine trusts. Without any, no certificate is trusted, and the error says so.
fn public_authorities() -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    store
}

/// Why a handshake failed, in words.
pub fn why_no_handshake(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server closed the connection during the handshake".to_owned(),
        _ => why(error),
    }
}

/// Why a connection of TLS broke, in words.
pub fn why(error: &io::Error) -> String {
    match of_tls(error) {
        Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            "the server speaks another protocol than the one that was asked for (ALPN)".to_owned()
        }
        Some(Error::AlertReceived(AlertDescription::CertificateRequired)) => {
            "the server asks for a client's certificate".to_owned()
        }
        Some(Error::InvalidMessage(_)) => NOT_TLS.to_owned(),
        Some(error) if is_authority(error) => {
            "the server shows the certificate of an authority in place of its own, and of one that is not trusted; give that \
             very certificate as `ca`, or make one that is no authority, as with `openssl req -x509 -addext \
             basicConstraints=critical,CA:FALSE`"
                .to_owned()
        }
        Some(error) => error.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
        None => error.to_string(),
    }
}

/// The error of TLS in an I/O error.
pub fn of_tls(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// Trusts anybody: for `insecure = true`.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use rustls::{ServerConfig, ServerConnection};

    use super::*;

    #[test]
    fn an_end_is_one_of_the_handshake_only_where_it_is() {
        let end = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(why(&end), "the server closed the connection");
        assert_eq!(why_no_handshake(&end), "the server closed the connection during the handshake");
    }

    /// The certificate of an authority that signs itself, for `shop.test`, and its key.
    fn authority(change: impl FnOnce(&mut CertificateParams)) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["shop.test".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        (params.self_signed(&key).unwrap().der().clone(), key)
    }

    /// A stream that takes some writes, and then has been closed by its other side.
    struct ClosedAfter {
        stream: UnixStream,
        writes: usize,
        most: usize,
    }

    impl Read for ClosedAfter {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.stream.read(buffer)
        }
    }

    impl Write for ClosedAfter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.writes == self.most {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.writes += 1;
            self.stream.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.stream.flush()
        }
    }

    /// What comes of a handshake with a server that shows a certificate, by a client who trusts another, or the same.
    fn greeted(
        shown: (CertificateDer<'static>, KeyPair),
        trusted: &CertificateDer<'static>,
        host: &str,
    ) -> Result<(), String> {
        greeted_within(shown, trusted, host, usize::MAX).0
    }

    /// The same with a server that takes no more than this many writes; and how many there were.
    fn greeted_within(
        (shown, key): (CertificateDer<'static>, KeyPair),
        trusted: &CertificateDer<'static>,
        host: &str,
        most: usize,
    ) -> (Result<(), String>, usize) {
        let mut ca = RootCertStore::empty();
        ca.add(trusted.clone()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![shown], PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())))
            .unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut ours = ClosedAfter { stream: ours, writes: 0, most };
        let serving = std::thread::spawn(move || {
            let mut session = ServerConnection::new(Arc::new(config)).unwrap();
            while session.is_handshaking() && session.complete_io(&mut theirs).is_ok() {}
        });
        let plan = scenario::TlsSpec { ca: Some(Arc::new(ca)), ..scenario::TlsSpec::default() };
        let greeted = Tls::new(&plan, host).unwrap().greet(&mut ours).map_err(|error| why(&error));
        let writes = ours.writes;
        drop(ours);
        serving.join().unwrap();
        (greeted, writes)
    }

    // fault: labels: a server closes as soon as it has shaken hands -> it has; one that closes before has not
    #[test]
    fn a_server_that_takes_no_goodbye_has_shaken_hands_and_one_that_closes_before_has_not() {
        let (shown, key) = authority(|_| {});
        let der = key.serialize_der();
        let again = || (shown.clone(), KeyPair::try_from(der.clone()).unwrap());
        let with = |most| greeted_within(again(), &shown, "shop.test", most);
        let (greeted, all) = with(usize::MAX);
        assert_eq!(greeted, Ok(()));
        assert_eq!(with(all - 1), (Ok(()), all - 1));
        assert!(with(0).0.is_err() && all > 2, "{all}");
    }

    // fault: labels: a certificate that signs itself as an authority is named as `ca` -> trusted, as curl does
    #[test]
    fn an_authority_that_shows_its_own_certificate_is_trusted_if_it_is_the_named_one() {
        let (shown, key) = authority(|_| {});
        assert_eq!(greeted((shown.clone(), key), &shown, "shop.test"), Ok(()));
        // Another authority, though of the same name.
        let refused = greeted(authority(|_| {}), &shown, "shop.test").unwrap_err();
        assert!(refused.contains("give that very certificate as `ca`"), "{refused}");
    }

    // fault: labels: such a certificate of another name, or out of date -> refused, with the reason
    #[test]
    fn an_authority_is_held_to_its_name_and_its_time() {
        let (shown, key) = authority(|_| {});
        let refused = greeted((shown.clone(), key), &shown, "other.test").unwrap_err();
        assert!(refused.contains("not valid for name"), "{refused}");
        let (shown, key) = authority(|params| params.not_after = rcgen::date_time_ymd(2001, 1, 1));
        let refused = greeted((shown.clone(), key), &shown, "shop.test").unwrap_err();
        assert!(refused.contains("expired"), "{refused}");
    }
}
