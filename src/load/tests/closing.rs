//! Requests that say `connection: close`, to a server that does so and says nothing of it.

use super::*;
use crate::load::client_script::ClientScript;
use crate::scenario::{Protocol, Spacing};

/// Answers requests until one says that it is the last of its connection. What is behind that one is lost.
fn obeys(listener: TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        std::thread::spawn(move || {
            let mut heard = [0; 64 * 1024];
            while let Ok(length @ 1..) = stream.read(&mut heard) {
                let heard = String::from_utf8_lossy(&heard[..length]);
                for request in heard.split_terminator("\r\n\r\n") {
                    stream.write_all(OK).unwrap();
                    if request.contains("connection: close") {
                        return;
                    }
                }
            }
        });
    }
}

/// Requests that may not be sent twice, 200 by one user.
fn posts(kinds: Vec<WeightedRequest>) -> LoadSpec {
    let lasting = Duration::from_secs(20);
    let levels = vec![Level { from: 1.0, to: 1.0, lasting }];
    LoadSpec { kinds, requests: Some(200), levels, duration: lasting, ..plan() }
}

fn kind(weight: u32, headers: &[(&str, &str)]) -> WeightedRequest {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), Template::literal(*value))).collect();
    let request = RequestSpec { method: "POST".to_owned(), headers, ..get() };
    WeightedRequest { weight, request, ..plan().kinds[0].clone() }
}

const CLOSE: &[(&str, &str)] = &[("connection", "close")];

#[track_caller]
fn loses_nothing(results: &Results) {
    let whole = &results.measured.whole;
    assert_eq!(
        (whole.completed, whole.failed(), results.measured.connections.retried),
        (200, 0, 0),
        "{:?}",
        whole.failures
    );
}

#[test]
fn each_has_a_connection_of_its_own() {
    let closed = posts(vec![kind(1, CLOSE)]);
    let arrivals = Level { from: 1000.0, to: 1000.0, lasting: closed.duration };
    let model = Model::Open { spacing: Spacing::Uniform, max_concurrency: 10 };
    let open = LoadSpec { model, levels: vec![arrivals], ..closed.clone() };
    for load in [closed, open] {
        let results = execute(server(obeys), &load);
        loses_nothing(&results);
        assert_eq!(results.measured.connections.opened, 200);
    }
}

#[test]
fn others_share_one_until_such_a_one_comes() {
    let load = posts(vec![kind(3, &[]), kind(1, CLOSE)]);
    let results = execute(server(obeys), &load);
    loses_nothing(&results);
    assert!((20..100).contains(&results.measured.connections.opened), "{}", results.measured.connections.opened);
}

#[test]
fn in_a_pipeline_nothing_is_sent_behind_one() {
    let protocol = Protocol::Http1 { pipeline: 8 };
    let all = execute(server(obeys), &LoadSpec { protocol, ..posts(vec![kind(1, CLOSE)]) });
    loses_nothing(&all);
    assert_eq!(all.measured.connections.opened, 200);
    let some = execute(server(obeys), &LoadSpec { protocol, ..posts(vec![kind(3, &[]), kind(1, CLOSE)]) });
    loses_nothing(&some);
    assert!((20..100).contains(&some.measured.connections.opened), "{}", some.measured.connections.opened);
}

#[test]
fn a_batch_of_them_is_late_as_one() {
    let silent = |listener: TcpListener| drop(listener.incoming().collect::<Vec<_>>());
    let protocol = Protocol::Http1 { pipeline: 100 };
    let load = LoadSpec { protocol, timeout: Duration::from_millis(50), ..posts(vec![kind(1, CLOSE)]) };
    let results = execute(server(silent), &load);
    assert_eq!((failures(&results, Failure::Timeout), results.measured.connections.opened), (200, 2));
}

#[test]
fn a_script_makes_such_requests_too() {
    let source = r#"fn request(user, seq) { #{ headers: if seq % 4 == 0 { #{ connection: "close" } } else { #{} } } }"#;
    let script = crate::scenario::ScriptSpec { path: "close.rhai".into(), source: source.to_owned() };
    let client = ClientScript::begin(Arc::new(script), Arc::default()).result.unwrap();
    let live = Arc::new(LiveCounters::new(1));
    let target = Target::tcp(server(obeys), None);
    let load = posts(vec![kind(1, &[])]);
    let results = run(&load, Some(&client), &[], &target, 1, &CancellationToken::new(), &live).unwrap();
    loses_nothing(&results);
    assert_eq!(results.measured.connections.opened, 51, "one, and another after each of them");
}
