//! Several requests at once on a connection of HTTP/1.1.

use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::scenario::Protocol;

/// Serves each connection on a thread of its own: reads as many requests as one read brings, says how many that were, and
/// answers with what `answer` makes of that number.
fn start(answer: fn(usize) -> (Vec<u8>, bool)) -> (SocketAddr, Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = channel();
    let serve = move |mut stream: TcpStream, sender: std::sync::mpsc::Sender<usize>| {
        let mut heard = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = stream.read(&mut heard) {
            let requests = heard[..length].windows(4).filter(|window| window == b"\r\n\r\n").count();
            let _ = sender.send(requests);
            let (bytes, close) = answer(requests);
            if stream.write_all(&bytes).is_err() || close {
                return;
            }
        }
    };
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            std::thread::spawn(move || serve(stream.unwrap(), sender));
        }
    });
    (address, receiver)
}

fn plan(users: f64, pipeline: u32, requests: u64) -> LoadSpec {
    let lasting = Duration::from_secs(20);
    LoadSpec {
        protocol: Protocol::Http1 { pipeline },
        levels: vec![Level { from: users, to: users, lasting }],
        duration: lasting,
        requests: Some(requests),
        ..super::plan()
    }
}

#[test]
fn a_user_sends_a_batch_at_once_and_the_next_when_all_are_answered() {
    let (address, batches) = start(|requests| (OK.repeat(requests), false));
    let results = execute(address, &plan(2.0, 8, 164));
    let whole = &results.measured.whole;
    assert_eq!((whole.completed, whole.failed(), results.measured.connections.opened), (164, 0, 2));
    assert_eq!(whole.bytes, 164 * OK.len() as u64, "no byte counts twice");
    let mut seen: Vec<usize> = batches.try_iter().collect();
    seen.sort_unstable();
    // 20 whole batches, and the rest of what the load was to send.
    assert_eq!((seen.len(), seen[0], seen[1]), (21, 4, 8));
}

// fault: retries: a connection closes in the middle of a pipeline -> the rest is sent again, and counted
#[test]
fn what_a_connection_that_closes_in_the_middle_leaves_unanswered_is_sent_again_and_counted() {
    let (address, _) = start(|requests| (OK.repeat(requests.min(3)), true));
    let results = execute(address, &plan(1.0, 8, 80));
    let whole = &results.measured.whole;
    assert_eq!((whole.completed, whole.failed(), results.measured.connections.unsolicited), (80, 0, 0));
    // Of each batch three, three and two; the next is sent on a connection that is closed.
    assert_eq!((results.measured.connections.opened, results.measured.connections.retried), (30, 10 * (5 + 2) + 9 * 8));
}

#[test]
fn what_a_connection_leaves_unanswered_that_has_answered_nothing_has_failed() {
    let (address, _) = start(|_| (Vec::new(), true));
    let results = execute(address, &plan(1.0, 8, 80));
    assert_eq!((failures(&results, Failure::Closed), results.measured.connections.retried), (80, 0));
}

#[test]
fn one_answer_of_a_batch_is_malformed_and_those_after_it_are_lost() {
    let (address, _) = start(|_| ([OK, b"what?\r\n\r\n"].concat(), false));
    let results = execute(address, &plan(1.0, 4, 40));
    let failed = [Failure::Protocol, Failure::Closed].map(|failure| failures(&results, failure));
    assert_eq!((results.measured.whole.completed, failed), (10, [10, 20]));
    assert!(results.measured.samples.of(Failure::Closed).unwrap().contains("given up after a response before it"));
    assert_eq!(
        results.measured.samples.of(Failure::Protocol),
        Some(r#"the response is not HTTP/1.1: "what?\r\n\r\n""#)
    );
}

#[test]
fn an_answer_that_closes_its_connection_is_the_last_of_its_batch() {
    const CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let (address, _) = start(|_| ([CLOSE, OK].concat(), false));
    let results = execute(address, &plan(1.0, 2, 20));
    let whole = &results.measured.whole;
    assert_eq!((whole.completed, whole.failed()), (20, 0), "what it leaves unanswered is sent again");
    assert_eq!((results.measured.connections.opened, results.measured.connections.retried), (20, 10));
}

// fault: retries: a POST is lost with its connection -> an error: it may not be sent twice
#[test]
fn what_may_not_be_sent_twice_has_failed_with_the_connection_that_says_it_closes() {
    const CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let (address, _) = start(|_| (CLOSE.to_vec(), true));
    let post = RequestSpec { method: "POST".to_owned(), ..get() };
    let kinds = vec![WeightedRequest { request: post, ..super::plan().kinds[0].clone() }];
    let results = execute(address, &LoadSpec { kinds, ..plan(1.0, 4, 40) });
    assert_eq!((results.measured.whole.completed, failures(&results, Failure::Closed)), (10, 30));
    assert_eq!((results.measured.connections.opened, results.measured.connections.retried), (10, 0));
    assert!(results.measured.samples.of(Failure::Closed).is_some());
}

#[test]
fn a_batch_that_is_not_answered_in_time_has_timed_out_but_for_what_was() {
    let (address, _) = start(|_| (OK.to_vec(), false));
    let plan = LoadSpec { timeout: Duration::from_millis(100), ..plan(1.0, 4, 8) };
    let results = execute(address, &plan);
    assert_eq!((results.measured.whole.completed, failures(&results, Failure::Timeout)), (2, 6));
    assert_eq!(results.measured.samples.of(Failure::Timeout), Some("no whole response within 100ms"));
}
