//! Loads on servers that misbehave in one way each.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::*;
use crate::exchange::Failure;
use crate::scenario::request::BodySpec;
use crate::scenario::template::Piece;
use crate::scenario::{Level, LoadSpec, Model, RequestSpec, Template, WeightedRequest};

mod cpu_meter;
mod closing;
mod http2;
mod hung;
mod models;
mod pipelined;
mod snapshots;
mod unsolicited;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that hands its listener to `serve`, on a thread that ends with the listener's last connection.
fn server(serve: impl FnOnce(TcpListener) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || serve(listener));
    address
}

/// Reads a request; `false` if the client has gone.
fn hear(stream: &mut TcpStream) -> bool {
    stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0)
}

fn get() -> RequestSpec {
    RequestSpec::get(&Template::literal("/"))
}

/// One user for 200 ms after a warm-up.
fn drive(address: SocketAddr, request: RequestSpec, warmup: Duration) -> Results {
    let kinds = vec![WeightedRequest { request, ..plan().kinds[0].clone() }];
    execute(address, &LoadSpec { warmup, kinds, ..plan() })
}

fn execute(address: SocketAddr, load: &LoadSpec) -> Results {
    let live = Arc::new(LiveCounters::new(threads(load)));
    run(load, None, &[], &Target::tcp(address, None), 1, &CancellationToken::new(), &live).unwrap()
}

/// One user for 200 ms.
pub(crate) fn plan() -> LoadSpec {
    let lasting = Duration::from_millis(200);
    LoadSpec {
        protocol: crate::scenario::Protocol::Http1 { pipeline: 1 },
        source_addresses: Vec::new(),
        kinds: vec![WeightedRequest { name: "GET /".to_owned(), weight: 1, request: get() }],
        sleep: None,
        model: Model::Closed,
        levels: vec![Level { from: 1.0, to: 1.0, lasting }],
        duration: lasting,
        requests: None,
        pause: Duration::ZERO,
        warmup: Duration::ZERO,
        timeout: Duration::from_secs(5),
        drain: Duration::from_secs(1),
        threads: None,
        script: None,
        data: None,
        login: None,
    }
}

fn failures(results: &Results, failure: Failure) -> u64 {
    results.measured.whole.failures[failure as usize]
}

/// Answers one request on each connection, then closes it without having said so.
fn closes_idle_connections(listener: TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        if hear(&mut stream) {
            stream.write_all(OK).unwrap();
        }
    }
}

#[test]
fn a_connection_closed_while_idle_is_no_failure_but_is_counted() {
    let results = drive(server(closes_idle_connections), get(), Duration::ZERO);
    assert_eq!(results.measured.whole.failed(), 0);
    assert!(
        results.measured.connections.retried > 0
            && results.measured.connections.retried < results.measured.connections.opened
    );
}

#[test]
fn what_may_not_be_asked_twice_is_not_sent_again() {
    let request = RequestSpec { method: "POST".to_owned(), ..get() };
    let results = drive(server(closes_idle_connections), request, Duration::ZERO);
    assert_eq!(results.measured.connections.retried, 0);
    assert!(failures(&results, Failure::Closed) > 0);
}

/// Answers this many requests on each connection, then takes one more, and closes after a while as if it had never come.
fn drops_after(answers: usize) -> impl FnOnce(TcpListener) {
    move |listener| {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let whole = (0..answers).all(|_| hear(&mut stream) && stream.write_all(OK).is_ok());
            if whole && hear(&mut stream) {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

#[test]
fn a_request_that_dies_with_a_connection_used_before_is_sent_again_and_counted_however_long_it_took() {
    let results = drive(server(drops_after(4)), get(), Duration::ZERO);
    let whole = &results.measured.whole;
    assert_eq!(whole.failed(), 0, "{:?}", results.measured.samples);
    assert!(
        results.measured.connections.retried > 0 && results.measured.connections.retried < whole.completed,
        "{} {}",
        results.measured.connections.retried,
        whole.completed
    );
}

#[test]
fn a_server_that_takes_a_request_on_a_new_connection_and_closes_has_failed() {
    let results = drive(server(drops_after(0)), get(), Duration::ZERO);
    assert_eq!((results.measured.connections.retried, results.measured.whole.completed), (0, 0));
    assert!(failures(&results, Failure::Closed) > 0);
}

#[test]
fn what_was_sent_again_in_the_warm_up_does_not_count() {
    let load = LoadSpec { warmup: Duration::from_millis(200), duration: Duration::from_millis(1), ..plan() };
    let results = execute(server(closes_idle_connections), &load);
    assert!(
        results.measured.connections.opened > 2
            && results.measured.connections.retried <= results.measured.whole.started()
    );
}

#[test]
fn a_server_that_goes_away_after_an_answer_has_closed_and_only_then_refuses() {
    let results = drive(
        server(|listener| {
            let (mut stream, _) = listener.accept().unwrap();
            drop(listener);
            assert!(hear(&mut stream));
            stream.write_all(OK).unwrap();
        }),
        get(),
        Duration::ZERO,
    );
    assert_eq!((results.measured.whole.completed, failures(&results, Failure::Closed)), (1, 1));
    assert!(failures(&results, Failure::Connect) > 0);
    assert_eq!(results.measured.connections.opened, 1, "one that is refused was not opened");
    let why = results.measured.samples.of(Failure::Closed).unwrap();
    assert!(why.contains("before it answered, and no other could be made: Connection refused"), "{why}");
}

#[test]
fn a_refusal_in_the_middle_of_a_large_request_is_an_answer() {
    let body = Template { pieces: vec![Piece::Text("x".repeat(8 << 20))] };
    let request = RequestSpec { method: "POST".to_owned(), body: Some(BodySpec::Text(body)), ..get() };
    let results = drive(
        server(|listener| {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                if hear(&mut stream) {
                    stream.write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n").unwrap();
                }
            }
        }),
        request,
        Duration::ZERO,
    );
    assert!(results.measured.whole.status[413] > 0);
    assert_eq!(results.measured.whole.failed(), 0, "{:?}", results.measured.whole.failures);
}

#[test]
fn the_bytes_are_those_of_the_answers_in_the_measured_part() {
    let whole = drive(server(closes_idle_connections), get(), Duration::from_millis(100)).measured.whole;
    let answered: u64 = whole.rows.iter().map(|row| row.completed).sum();
    assert_eq!(whole.bytes, answered * OK.len() as u64);
}
