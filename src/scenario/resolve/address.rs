//! Where a server that is up already is: its url, who is connected to in its place, and how TLS is spoken with it.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;

use super::super::file::{self, values::Located};
use super::super::problem::{Problem, why};

use super::super::{Address, AttachedSpec, TlsFiles, TlsSpec, without_zone};
use super::Loading;

const UNIX: &str = "unix:";

impl Loading<'_> {
    /// Where a `url` server is.
    pub(super) fn attached_address(&mut self, written: &file::RawServer) -> Option<AttachedSpec> {
        let tls = written.tls.as_ref().map(|tls| self.tls(tls));
        let connect_to = written.connect_to.as_ref().map(|address| self.connect_to(address));
        let url = written.url.as_ref()?;
        let attached = match parse_url(&url.value) {
            Ok(attached) => attached,
            Err((title, help)) => {
                self.problems.add(Problem::new(title).at(&url.span, "").help(help));
                return None;
            }
        };
        let tls = match (tls, &attached.tls) {
            (Some(_), None) => {
                let span = written.tls.as_ref().map_or(&url.span, |tls| &tls.span);
                let problem = Problem::new("`tls` with an http:// address").at(span, "never used");
                let problem = problem.also(&url.span, "TLS is not spoken here");
                self.problems.add(problem.help("write the url with https://, or remove `tls`"));
                return None;
            }
            (Some(tls), Some(_)) => Some(tls?),
            (None, tls) => tls.clone(),
        };
        if let Some(TlsSpec { name: None, .. }) = &tls
            && ServerName::try_from(attached.name()).is_err()
        {
            let problem = Problem::new(format!("`{}` is no name that a certificate could be for", attached.name()));
            self.problems.add(problem.at(&url.span, "").help("give another with `name` of [server.tls]"));
        }
        Some(AttachedSpec { tls, connect_to: connect_to.map_or(Some(None), |address| address.map(Some))?, ..attached })
    }

    fn connect_to(&mut self, given: &Located<String>) -> Option<Address> {
        if let Some(path) = given.value.strip_prefix(UNIX).filter(|path| !matches!(*path, "" | "@")) {
            return Some(Address::Unix(match path.strip_prefix('@') {
                Some(name) => format!("\0{name}").into(),
                None => self.folder.join(path),
            }));
        }
        let address = host_and_port(&given.value, None).map(|(host, port)| Address::Host(host, port));
        if address.is_none() {
            let problem = Problem::new(format!("`{}` is not an address to connect to", given.value));
            self.problems.add(
                problem
                    .at(&given.span, "not host:port, nor unix:PATH")
                    .help("write it as in \"127.0.0.1:8443\" or \"unix:/run/app.sock\""),
            );
        }
        address
    }

    /// `None` after a problem.
    pub(super) fn tls(&mut self, at: &Located<file::RawTls>) -> Option<TlsSpec> {
        let written = &at.value;
        let insecure = written.insecure.as_ref().is_some_and(|insecure| insecure.value);
        if let (true, Some(ca)) = (insecure, &written.ca) {
            let problem = Problem::new("`ca` has no effect with `insecure`").at(&ca.span, "never used");
            self.problems.add(problem.help("keep `ca`, and remove `insecure`, so that the certificate is looked at"));
        }
        let ca = written.ca.as_ref().map(|ca| self.authorities(ca));
        let name = written.name.as_ref().map(|name| self.server_name(name));
        let identity = match (&written.cert, &written.key) {
            (Some(cert), key) => Some(self.identity(cert, key.as_ref().unwrap_or(cert))),
            (None, Some(key)) => {
                let problem = Problem::new("`key` without `cert`").at(&key.span, "of which certificate?");
                self.problems.add(problem.help("add cert = \"client.pem\", the client's certificate"));
                Some(None)
            }
            (None, None) => None,
        };
        Some(TlsSpec {
            insecure,
            ca: ca.map_or(Some(None), |ca| ca.map(Some))?,
            identity: identity.map_or(Some(None), |identity| identity.map(Some))?,
            name: name.map_or(Some(None), |name| name.map(Some))?,
            files: TlsFiles {
                ca: self.file(&written.ca),
                cert: self.file(&written.cert),
                key: self.file(&written.key),
            },
        })
    }

    fn file(&self, given: &Option<Located<String>>) -> Option<PathBuf> {
        given.as_ref().map(|given| self.folder.join(&given.value))
    }

    fn server_name(&mut self, given: &Located<String>) -> Option<ServerName<'static>> {
        let name = ServerName::try_from(given.value.clone()).ok();
        if name.is_none() {
            let problem = Problem::new(format!("`{}` is no name that a certificate could be for", given.value));
            self.problems.add(problem.at(&given.span, "").help("write a host's name or IP address, without a port"));
        }
        name
    }

    fn authorities(&mut self, given: &Located<String>) -> Option<Arc<RootCertStore>> {
        let mut store = RootCertStore::empty();
        for certificate in self.certificates(given)? {
            if let Err(error) = store.add(certificate) {
                self.bad_file(given, &format!("a certificate that cannot sign others: {error}"), CERTIFICATE);
                return None;
            }
        }
        Some(Arc::new(store))
    }

    fn identity(&mut self, cert: &Located<String>, key: &Located<String>) -> Option<Arc<CertifiedKey>> {
        let chain = self.certificates(cert);
        let text = self.pem(key)?;
        let Ok(secret) = PrivateKeyDer::from_pem_slice(text.as_bytes()) else {
            match text.contains("ENCRYPTED") {
                true => self.bad_file(
                    key,
                    "its private key is encrypted",
                    "nobody can type its passphrase here: `openssl pkey -in KEY -out PLAIN` writes one without, which should \
                     be for your eyes alone (`chmod 600 PLAIN`)",
                ),
                false => self.bad_file(key, "no private key in it", "it is PEM, and begins with -----BEGIN PRIVATE KEY-----"),
            }
            return None;
        };
        match CertifiedKey::from_der(chain?, secret, &ring::default_provider()) {
            Ok(identity) => Some(Arc::new(identity)),
            Err(rustls::Error::InconsistentKeys(_)) => {
                let problem = Problem::new("the client's certificate and key do not belong together");
                let problem = problem.at(&key.span, "another's key").also(&cert.span, "the certificate");
                self.problems.add(problem.help("name the key that the certificate was made with"));
                None
            }
            Err(error) => {
                self.bad_file(key, &format!("a key that cannot be used: {error}"), "keys are RSA, ECDSA or Ed25519");
                None
            }
        }
    }

    /// At least one.
    fn certificates(&mut self, given: &Located<String>) -> Option<Vec<CertificateDer<'static>>> {
        let text = self.pem(given)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        match found {
            Ok(found) if !found.is_empty() => Some(found),
            _ => {
                self.bad_file(given, "no certificate in it", CERTIFICATE);
                None
            }
        }
    }

    fn pem(&mut self, given: &Located<String>) -> Option<String> {
        match self.system.text(&self.folder.join(&given.value)) {
            Ok(text) => Some(text),
            Err(error) => {
                self.bad_file(given, &why(&error), "paths in a scenario count from the scenario's own folder");
                None
            }
        }
    }

    fn bad_file(&mut self, given: &Located<String>, why: &str, help: &str) {
        let problem = Problem::new(format!("cannot use the file `{}`: {why}", given.value));
        self.problems.add(problem.at(&given.span, "").help(help));
    }
}

const CERTIFICATE: &str = "it is PEM, and begins with -----BEGIN CERTIFICATE-----";

/// Host and port of `http://host:port` or `https://host:port`, else what is wrong with it and the remedy.
fn parse_url(url: &str) -> Result<AttachedSpec, (String, &'static str)> {
    let bad = |why: &str, help| Err((format!("`{url}` {why}"), help));
    // Schemes know no case (RFC 3986, section 3.1).
    let parts = url.split_once("://").map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
    let (rest, usual, tls) = match parts.as_ref().map(|(scheme, rest)| (scheme.as_str(), *rest)) {
        Some(("http", rest)) => (rest, 80, None),
        Some(("https", rest)) => (rest, 443, Some(TlsSpec::default())),
        _ => return bad("is not the address of a server", "write it as in \"http://127.0.0.1:8000\""),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return bad("holds more than host and port", "put the path into `path` of [load] and [dirty]");
    }
    if rest.contains('@') {
        return bad("holds a user", "send it as a header: headers = { authorization = \"Basic ${LOGIN}\" }");
    }
    match host_and_port(rest, Some(usual)) {
        Some((host, port)) => Ok(AttachedSpec { host, port, tls, connect_to: None, process: None }),
        None => bad("is not the address of a server", "write it as in \"http://127.0.0.1:8000\""),
    }
}

/// Takes `host:port` apart; `usual` is the port where none is given, or an empty one (RFC 3986, section 3.2.3).
fn host_and_port(text: &str, usual: Option<u16>) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (zoned(host)?, None),
        Some((host, port)) => (zoned(host)?, Some(port.strip_prefix(':')?)),
        None => text.split_once(':').map_or((text.into(), None), |(host, port)| (host.into(), Some(port))),
    };
    let port = match port {
        Some("") | None => usual?,
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
    };
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    // Only what stands in brackets has a zone.
    let name = if text.starts_with('[') { without_zone(&host) } else { &host };
    (!name.is_empty() && name.chars().all(named)).then(|| (host.into_owned(), port))
}

/// What stands in brackets, with its zone as the system names it: `fe80::1%25eth0` (RFC 6874), or with a `%` alone, as many
/// write it.
fn zoned(host: &str) -> Option<Cow<'_, str>> {
    let Some((address, zone)) = host.split_once('%') else { return Some(host.into()) };
    let zone = zone.strip_prefix("25").filter(|zone| !zone.is_empty()).unwrap_or(zone);
    let zone = percent_encoding::percent_decode_str(zone).decode_utf8().ok()?;
    let is_zone = !zone.is_empty() && !zone.contains(|c: char| c.is_control() || matches!(c, ' ' | '/' | '%'));
    (is_zone && address.parse::<Ipv6Addr>().is_ok()).then(|| format!("{address}%{zone}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port() {
        let parsed = |url| parse_url(url).map(|server| (server.host, server.port, server.tls.is_some())).ok();
        assert_eq!(parsed("http://127.0.0.1:8000"), Some(("127.0.0.1".to_owned(), 8000, false)));
        assert_eq!(parsed("http://localhost/"), Some(("localhost".to_owned(), 80, false)));
        assert_eq!(parsed("http://[::1]:81"), Some(("::1".to_owned(), 81, false)));
        assert_eq!(parsed("http://[::1]"), Some(("::1".to_owned(), 80, false)));
        assert_eq!(parsed("https://a"), Some(("a".to_owned(), 443, true)));
        assert_eq!(parsed("https://a:8443/"), Some(("a".to_owned(), 8443, true)));
        for url in ["ftp://a", "http://", "http://a:0", "http://a:b", "http://a/x", "http://u:p@a", "http://[::1]x"] {
            assert_eq!(parsed(url), None, "{url}");
        }
        assert_eq!(parsed("HTTP://LOCALHOST:81"), Some(("LOCALHOST".to_owned(), 81, false)));
        assert_eq!(parsed("Https://a/"), Some(("a".to_owned(), 443, true)));
        assert_eq!(parsed("http://a:/"), Some(("a".to_owned(), 80, false)));
        assert_eq!(parsed("https://[::1]:"), Some(("::1".to_owned(), 443, true)));
        for url in ["http:/a", "http:a", "a", "://a", "http://:80", "http://:", "http://[]", "http://[]:80"] {
            assert_eq!(parsed(url), None, "{url}");
        }
    }

    // fault: http: an IPv6 address with a zone -> connected to; the zone is not sent
    #[test]
    fn an_address_of_ipv6_may_name_its_zone() {
        let parsed = |url| parse_url(url).ok().map(|server| (server.host.clone(), server.authority()));
        let expected = |host: &str, authority: &str| Some((host.to_owned(), authority.to_owned()));
        for url in ["http://[fe80::1%25lo]:81", "http://[fe80::1%lo]:81/"] {
            assert_eq!(parsed(url), expected("fe80::1%lo", "[fe80::1]:81"), "{url}");
        }
        assert_eq!(parsed("http://[fe80::1%252]"), expected("fe80::1%2", "[fe80::1]"));
        assert_eq!(parsed("http://[fe80::1%25]"), expected("fe80::1%25", "[fe80::1]"), "the 25th interface");
        assert_eq!(parsed("https://[fe80::1%25eth%2D0]"), expected("fe80::1%eth-0", "[fe80::1]"));
        for url in
            ["http://[fe80::1%]", "http://a%25lo", "http://[a%25lo]", "http://[%25lo]", "http://[fe80::1%25a%2Fb]"]
        {
            assert_eq!(parsed(url), None, "{url}");
        }
    }
}
