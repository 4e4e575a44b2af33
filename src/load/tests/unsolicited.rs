//! Servers that say more than they are asked for.

use super::*;
use crate::scenario::{Protocol, Spacing};

const MORE: &[u8] = b"HTTP/1.1 299 Unasked\r\ncontent-length: 2\r\n\r\nno";

/// Serves each connection on a thread of its own: answers whatever one read brings with `answer`, and says `more` a moment
/// later.
fn start(answer: Vec<u8>, more: &'static [u8]) -> SocketAddr {
    server(move |listener| {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), answer.clone());
            std::thread::spawn(move || {
                while hear(&mut stream) && stream.write_all(&answer).is_ok() {
                    if !more.is_empty() {
                        std::thread::sleep(Duration::from_micros(300));
                        let _ = stream.write_all(more);
                    }
                }
            });
        }
    })
}

/// So many requests of one user.
fn few(requests: u64) -> LoadSpec {
    let lasting = Duration::from_secs(20);
    let levels = vec![Level { from: 1.0, to: 1.0, lasting }];
    LoadSpec { requests: Some(requests), levels, duration: lasting, ..plan() }
}

#[track_caller]
fn is_right(results: &Results, answers: u64, unsolicited: u64) {
    let whole = &results.measured.whole;
    assert_eq!(
        (whole.completed, whole.failed(), results.measured.connections.retried),
        (answers, 0, 0),
        "{:?}",
        results.measured.samples
    );
    assert_eq!((whole.status[200], whole.status[299]), (answers, 0), "no answer is another's");
    assert_eq!(results.measured.connections.unsolicited, unsolicited);
    assert_eq!(results.measured.connections.opened, unsolicited.max(1), "such a connection is not used again");
}

#[test]
fn what_comes_with_an_answer_is_none_to_the_next_request() {
    let twice = [OK, MORE].concat();
    is_right(&execute(start(twice.clone(), b""), &few(50)), 50, 50);
    let broken_off = [OK, b"HT"].concat();
    is_right(&execute(start(broken_off, b""), &few(5)), 5, 5);
    let empty_lines = [OK, b"\r\n\r\n"].concat();
    is_right(&execute(start(empty_lines, b""), &few(50)), 50, 0);
    let get = few(5);
    let head = RequestSpec { method: "HEAD".to_owned(), ..super::get() };
    let kinds = vec![WeightedRequest { request: head, ..get.kinds[0].clone() }];
    // The body that a HEAD must not have.
    is_right(&execute(start(OK.to_vec(), b""), &LoadSpec { kinds, ..get }), 5, 5);
    // Three answers to a batch of two.
    let batches = LoadSpec { protocol: Protocol::Http1 { pipeline: 2 }, ..few(20) };
    is_right(&execute(start([OK, OK, MORE].concat(), b""), &batches), 20, 10);
}

#[test]
fn what_comes_while_a_user_thinks_is_none_to_the_next_request() {
    // Also on a busy machine the server's thread has said all it has to say within this time.
    let pause = Duration::from_secs(2);
    for pipeline in [1, 2] {
        let batches = 3;
        let requests = batches * u64::from(pipeline);
        let load = LoadSpec { pause, protocol: Protocol::Http1 { pipeline }, ..few(requests) };
        let answer = OK.repeat(pipeline as usize);
        let results = execute(start(answer.clone(), MORE), &load);
        // After the last nobody thinks, and what comes then need not be seen.
        assert!(
            results.measured.connections.unsolicited >= batches - 1,
            "{}",
            results.measured.connections.unsolicited
        );
        let whole = &results.measured.whole;
        assert_eq!((whole.status[200], whole.failed(), results.measured.connections.opened), (requests, 0, batches));
        let brief = LoadSpec { pause: Duration::from_millis(50), ..load };
        is_right(&execute(start(answer, b"\r\n"), &brief), requests, 0);
    }
}

#[test]
fn what_comes_on_a_connection_that_waits_for_an_arrival_is_none_to_it() {
    let arrivals = Level { from: 0.5, to: 0.5, lasting: Duration::from_secs(20) };
    let model = Model::Open { spacing: Spacing::Uniform, max_concurrency: 10 };
    let load = LoadSpec { model, levels: vec![arrivals], ..few(3) };
    let results = execute(start(OK.to_vec(), MORE), &load);
    let whole = &results.measured.whole;
    assert_eq!((whole.status[200], whole.failed(), results.measured.connections.opened), (3, 0, 3));
    assert!(results.measured.connections.unsolicited >= 2, "{}", results.measured.connections.unsolicited);
}
