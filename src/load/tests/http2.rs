//! HTTP/2 without TLS: a server on a thread of its own, and the load beside it.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, Response};
use tokio::net::TcpListener;

use super::*;
use crate::scenario::Protocol;

mod late;
mod strict;

/// How a server behaves.
#[derive(Debug, Clone, Copy, Default)]
struct Manners {
    /// Goes away in good order after this many requests of a connection; the requests that come then are not looked at.
    goes_away_after: Option<u64>,
    /// Refuses the first request of each connection unseen.
    refuses_first: bool,
    /// Breaks every stream off.
    breaks: bool,
    /// Takes this many requests of a connection at once.
    takes: Option<u32>,
    /// Closes a connection when this request of it has come.
    crashes_at: Option<u64>,
    /// Sends the half of each response.
    halves: bool,
    status: Option<u16>,
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
    let mut builder = h2::server::Builder::new();
    if let Some(takes) = manners.takes {
        builder.max_concurrent_streams(takes);
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    let mut halves = Vec::new();
    let mut requests = 0;
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        requests += 1;
        if manners.crashes_at == Some(requests) {
            return;
        }
        if manners.breaks || (manners.refuses_first && requests == 1) {
            respond.send_reset(if manners.breaks { Reason::INTERNAL_ERROR } else { Reason::REFUSED_STREAM });
            continue;
        }
        if manners.goes_away_after == Some(requests) {
            connection.graceful_shutdown();
        }
        seen.answered.fetch_add(1, Ordering::SeqCst);
        assert_eq!(request.uri().path(), "/");
        let response = Response::builder().status(manners.status.unwrap_or(200)).body(()).unwrap();
        let mut stream = respond.send_response(response, false).unwrap();
        stream.send_data(Bytes::from_static(b"hello"), false).unwrap();
        if manners.halves {
            halves.push(stream);
            continue;
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "5".parse().unwrap());
        stream.send_trailers(trailers).unwrap();
    }
}

fn plan(users: f64, streams: u32, requests: u64) -> LoadSpec {
    let lasting = Duration::from_secs(20);
    LoadSpec {
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
    assert_eq!((results.measured.connections.opened, seen.connections.load(Ordering::SeqCst)), (2, 2));
    assert_eq!(results.measured.whole.bytes, 2000);
}

#[test]
fn threads_have_whole_connections() {
    let (address, seen) = start(Manners::default());
    let results = execute(address, &LoadSpec { threads: Some(4), ..plan(9.0, 4, 400) });
    assert_eq!((results.measured.whole.completed, results.measured.generator.threads), (400, 3));
    assert_eq!((results.measured.connections.opened, seen.connections.load(Ordering::SeqCst)), (3, 3));
}

#[test]
fn a_server_that_takes_fewer_requests_at_once_gets_more_connections() {
    let (address, seen) = start(Manners { takes: Some(3), ..Manners::default() });
    let results = execute(address, &plan(8.0, 8, 400));
    assert_eq!((results.measured.whole.completed, results.measured.whole.failed()), (400, 0));
    assert_eq!((results.measured.connections.opened, seen.connections.load(Ordering::SeqCst)), (3, 3));
}

#[test]
fn arrivals_of_the_open_model_share_connections_too() {
    let (address, _) = start(Manners::default());
    let open = crate::scenario::Model::Open { spacing: crate::scenario::Spacing::Uniform, max_concurrency: 50 };
    let plan = LoadSpec { model: open, ..plan(1000.0, 50, 300) };
    let results = execute(address, &plan);
    assert_eq!((results.measured.whole.completed, results.measured.connections.opened), (300, 1));
}

// fault: retries: a stream of HTTP/2 is refused unseen -> sent again, and counted
#[test]
fn what_a_server_refuses_unseen_is_sent_again() {
    for manners in [
        Manners { goes_away_after: Some(10), ..Manners::default() },
        Manners { refuses_first: true, ..Manners::default() },
    ] {
        let (address, seen) = start(manners);
        let results = execute(address, &plan(8.0, 4, 200));
        let whole = &results.measured.whole;
        assert_eq!((whole.completed, whole.failed()), (200, 0), "{manners:?} {:?}", results.measured.samples);
        assert_eq!(seen.answered.load(Ordering::SeqCst), 200, "none is handled twice: {manners:?}");
        assert!(results.measured.connections.opened >= 2, "{manners:?}");
    }
}

#[test]
fn a_stream_that_the_server_breaks_off_is_closed_and_says_why() {
    let (address, _) = start(Manners { breaks: true, ..Manners::default() });
    let results = execute(address, &plan(2.0, 2, 20));
    assert_eq!(failures(&results, Failure::Closed), 20);
    let why = results.measured.samples.of(Failure::Closed).unwrap();
    assert!(why.contains("unexpected internal error"), "{why}");
}

#[test]
fn a_server_that_closes_a_new_connection_has_failed() {
    let (address, _) = start(Manners { crashes_at: Some(1), ..Manners::default() });
    let results = execute(address, &plan(1.0, 1, 20));
    assert_eq!((failures(&results, Failure::Closed), results.measured.connections.retried), (20, 0));
}

#[test]
fn a_server_that_closes_in_the_middle_of_its_answer_has_failed() {
    let (address, _) = start(Manners { halves: true, crashes_at: Some(2), ..Manners::default() });
    let results = execute(address, &plan(2.0, 2, 20));
    assert_eq!((failures(&results, Failure::Closed), results.measured.connections.retried), (20, 0));
}

#[test]
fn a_connection_closed_while_idle_is_no_failure_but_is_counted() {
    let (address, seen) = start(Manners { crashes_at: Some(5), ..Manners::default() });
    let results = execute(address, &plan(1.0, 1, 400));
    assert_eq!(results.measured.whole.failed(), 0);
    assert_eq!(results.measured.connections.retried, 400 / 4 - 1, "each connection but the last");
    assert_eq!(results.measured.whole.completed, seen.answered.load(Ordering::SeqCst));
}

// fault: http: a status of 600 to 999 -> a response, and an error
#[test]
fn a_status_that_http_does_not_have_is_an_answer_and_an_error() {
    let (address, _) = start(Manners { status: Some(999), ..Manners::default() });
    let results = execute(address, &plan(2.0, 2, 20));
    let whole = &results.measured.whole;
    assert_eq!((whole.failed(), whole.status[999], whole.good_in_time()), (0, 20, 0));
}

// fault: retries: a GOAWAY after every few requests -> sent again while others are answered
#[test]
fn a_server_that_goes_away_again_and_again_fails_nothing_while_it_answers() {
    let (address, seen) = start(Manners { goes_away_after: Some(3), ..Manners::default() });
    let results = execute(address, &plan(100.0, 100, 400));
    let whole = &results.measured.whole;
    assert_eq!((whole.completed, whole.failed()), (400, 0), "{:?}", results.measured.samples);
    assert_eq!(seen.answered.load(Ordering::SeqCst), 400, "none is handled twice");
}

#[test]
fn a_request_that_http_2_does_not_have_is_not_asked_for_without_a_pause() {
    let (address, _) = start(Manners::default());
    let odd = RequestSpec { headers: vec![("x-odd".to_owned(), Template::literal("\u{7f}"))], ..get() };
    let kinds = vec![WeightedRequest { request: odd, ..super::plan().kinds[0].clone() }];
    let results = execute(address, &LoadSpec { protocol: Protocol::Http2 { streams: 1 }, kinds, ..super::plan() });
    // One at the start, and one after each 50 of 200 ms.
    assert!((1..=5).contains(&failures(&results, Failure::Script)), "{:?}", results.measured.whole.failures);
    assert!(results.measured.samples.of(Failure::Script).unwrap().starts_with("HTTP/2 has no such request"));
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
    assert_eq!(failures(&results, Failure::Protocol), 3, "{:?}", results.measured.samples);
}
