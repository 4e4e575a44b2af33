//! Over TLS.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio_rustls::TlsConnector;

use super::super::super::sink::{BufferedResponse, Discard};
use super::super::super::stream::RECORD;
use super::super::*;
use crate::net::endpoint::Endpoint;
use crate::net::tls::Tls;
use crate::scenario;

/// The server's end of a session.
fn accept<S: std::io::Read + std::io::Write>(stream: S) -> StreamOwned<ServerConnection, S> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
}

fn tls() -> Tls {
    let plan = scenario::TlsSpec { insecure: true, ..scenario::TlsSpec::default() };
    Tls::new(&plan, "localhost").unwrap()
}

#[tokio::test]
async fn what_fits_a_record_and_what_does_not_arrives_whole() {
    const LENGTHS: &[usize] = &[1, RECORD, RECORD + 1, 5_000_000, 100];
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut stream = accept(listener.accept().unwrap().0);
        for length in LENGTHS {
            stream.read_exact(&mut vec![0; *length]).unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        }
    });
    let mut connection = Connection::open(&Dialer::new(endpoint, Some(tls()))).await.unwrap();
    for length in LENGTHS {
        let request = vec![b'x'; *length];
        let answer = connection.exchange(&request, false, Clock::start(), &mut Discard).await.unwrap();
        assert_eq!((answer.status, answer.close), (204, false), "{length}");
    }
    assert!(!connection.stream.has_unsent() && !connection.is_resumed());
}

#[tokio::test]
async fn what_tls_holds_still_is_sent_though_the_server_writes_before_it_reads() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    // Less room than TLS has, so that it holds what the kernel does not take.
    for end in [&ours, &theirs] {
        socket2::SockRef::from(end).set_send_buffer_size(4096).unwrap();
    }
    // All that is sent fits what TLS holds.
    const REQUEST: usize = 40_000;
    const BODY: usize = 1_000_000;
    let serving = std::thread::spawn(move || {
        let mut stream = accept(theirs);
        stream.read_exact(&mut [0; 1]).unwrap();
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n").as_bytes()).unwrap();
        stream.write_all(&vec![b'y'; BODY]).unwrap();
        stream.read_exact(&mut vec![0; REQUEST - 1]).unwrap();
    });
    ours.set_nonblocking(true).unwrap();
    let tls = tls().for_protocol(b"http/1.1");
    let ours = tokio::net::UnixStream::from_std(ours).unwrap();
    let shaken = TlsConnector::from(Arc::clone(tls.config())).connect(tls.name().clone(), ours).await.unwrap();
    let mut connection = Connection::over(Stream::UnixTls(Box::new(shaken)));
    connection.send(&[b'x'; REQUEST], Clock::start()).await.unwrap();
    let mut kept = BufferedResponse::default();
    let answer = connection.answer(false, Clock::start(), &mut kept).await.unwrap();
    assert_eq!((answer.status, kept.body.len()), (200, BODY));
    serving.join().unwrap();
}

#[tokio::test]
async fn what_comes_on_an_idle_connection_is_seen_through_tls_and_tickets_are_nothing() {
    for (said, closes, seen) in [
        ("", false, IdleState::Quiet),
        ("\r\n", false, IdleState::Quiet),
        ("", true, IdleState::Over),
        ("HTTP/1.1 200 OK\r\n\r\n", false, IdleState::Unsolicited),
        ("HTTP/1.1 408 Request Timeout\r\n\r\n", true, IdleState::Over),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut stream = accept(listener.accept().unwrap().0);
            stream.read_exact(&mut [0; 1]).unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            stream.read_exact(&mut [0; 1]).unwrap();
            stream.write_all(said.as_bytes()).unwrap();
            if closes {
                stream.conn.send_close_notify();
            }
            stream.flush().unwrap();
            sender.send(stream).unwrap();
        });
        let mut connection = Connection::open(&Dialer::new(endpoint, Some(tls()))).await.unwrap();
        assert!(!connection.exchange(b"x", false, Clock::start(), &mut Discard).await.unwrap().close);
        assert_eq!(connection.look(), IdleState::Quiet, "the tickets of TLS 1.3 are no answer");
        assert!(connection.send_at_once(b"x"));
        let open = receiver.recv().unwrap();
        assert_eq!(connection.look(), seen, "{said:?} {closes}");
        drop(open);
    }
}
