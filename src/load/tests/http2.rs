//! HTTP/2 without TLS: a server on a thread of its own, and the load beside it.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, Response};
use tokio::net::TcpListener;

use super::*;
use crate::scenario::Protocol;

/// How a server behaves.
#[derive(Debug, Clone, Copy, Default)]
struct Manners {
    /// Goes away in good order after so many requests of a connection; the requests that come then are not looked at.
    goes_away_after: Option<u64>,
    /// Refuses the first request of each connection unseen.
    refuses_first: bool,
    /// Breaks every stream off.
    breaks: bool,
}

/// What a server has seen.
#[derive(Debug, Default)]
struct Seen {
    connections: AtomicU64,
    answered: AtomicU64,
}

fn start(manners: Manners) -> (SocketAddr, Arc<Seen>) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let seen = Arc::new(Seen::default());
    let shared = Arc::clone(&seen);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, manners, Arc::clone(&shared)));
            }
        });
    });
    (receiver.recv().unwrap(), seen)
}

async fn serve(stream: tokio::net::TcpStream, manners: Manners, seen: Arc<Seen>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let mut requests = 0;
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        requests += 1;
        if manners.breaks || (manners.refuses_first && requests == 1) {
            respond.send_reset(if manners.breaks { Reason::INTERNAL_ERROR } else { Reason::REFUSED_STREAM });
            continue;
        }
        if manners.goes_away_after == Some(requests) {
            connection.graceful_shutdown();
        }
        seen.answered.fetch_add(1, Ordering::SeqCst);
        assert_eq!(request.uri().path(), "/");
        let mut stream = respond.send_response(Response::new(()), false).unwrap();
        stream.send_data(Bytes::from_static(b"hello"), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "5".parse().unwrap());
        stream.send_trailers(trailers).unwrap();
    }
}

fn plan(users: f64, streams: u32, requests: u64) -> Load {
    let lasting = Duration::from_secs(20);
    Load {
        protocol: Protocol::Http2 { streams },
        levels: vec![Level { from: users, to: users, lasting }],
        duration: lasting,
        requests: Some(requests),
        ..super::plan()
    }
}

#[test]
fn users_share_connections_so_many_at_a_time() {
    let (address, seen) = start(Manners::default());
    let results = execute(address, &plan(8.0, 4, 400));
    assert_eq!((results.measured.whole.completed, results.measured.whole.failed()), (400, 0));
    assert_eq!((results.connections_opened, seen.connections.load(Ordering::SeqCst)), (2, 2));
    assert_eq!(results.measured.whole.bytes, 2000);
}

#[test]
fn arrivals_of_the_open_model_share_connections_too() {
    let (address, _) = start(Manners::default());
    let open = crate::scenario::Model::Open { spacing: crate::scenario::Spacing::Uniform, max_concurrency: 50 };
    let plan = Load { model: open, ..plan(1000.0, 50, 300) };
    let results = execute(address, &plan);
    assert_eq!((results.measured.whole.completed, results.connections_opened), (300, 1));
}

#[test]
fn what_a_server_refuses_unseen_is_sent_again() {
    for manners in [
        Manners { goes_away_after: Some(10), ..Manners::default() },
        Manners { refuses_first: true, ..Manners::default() },
    ] {
        let (address, seen) = start(manners);
        let results = execute(address, &plan(8.0, 4, 200));
        let whole = &results.measured.whole;
        assert_eq!((whole.completed, whole.failed()), (200, 0), "{manners:?} {:?}", results.samples);
        assert_eq!(seen.answered.load(Ordering::SeqCst), 200, "none is handled twice: {manners:?}");
        assert!(results.connections_opened >= 2, "{manners:?}");
    }
}

#[test]
fn a_stream_that_the_server_breaks_off_is_closed_and_says_why() {
    let (address, _) = start(Manners { breaks: true, ..Manners::default() });
    let results = execute(address, &plan(2.0, 2, 20));
    assert_eq!(failures(&results, Failure::Closed), 20);
    let why = results.samples.of(Failure::Closed).unwrap();
    assert!(why.contains("unexpected internal error"), "{why}");
}

#[test]
fn a_server_that_speaks_http_1_is_a_failure_of_the_protocol() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            // Until the client has had enough.
            while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
        }
    });
    let results = execute(address, &plan(1.0, 1, 3));
    assert_eq!(failures(&results, Failure::Protocol), 3, "{:?}", results.samples);
}
