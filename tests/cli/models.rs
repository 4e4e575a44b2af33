//! The models of a load, against a server that counts.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::Runner;

/// What a server has seen.
#[derive(Default)]
struct Seen {
    first: Option<Instant>,
    open: usize,
    most_open: usize,
    paths: Vec<String>,
}

/// A server that answers at once, but for a stall; its threads end with their connections.
struct Counting {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Counting {
    fn start() -> Self {
        Counting::stalling(Duration::ZERO, Duration::ZERO)
    }

    /// Answers nothing from `from` after its first request on, until `until`.
    fn stalling(from: Duration, until: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let seen = Arc::clone(&shared);
                let stream = stream.unwrap();
                std::thread::spawn(move || serve(stream, &seen, from..until));
            }
        });
        Counting { address, seen }
    }

    /// Runs `[load]` of these lines on it.
    fn load(&self, lines: &str) -> Value {
        let url = format!("[server]\nurl = \"http://{}\"\n[load]\n{lines}", self.address);
        let record = Runner::with(&url).run().exit(0).record("scenario");
        record["variants"][0]["trials"][0]["load"].clone()
    }

    fn requests(&self) -> usize {
        self.seen.lock().unwrap().paths.len()
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Seen>, stall: std::ops::Range<Duration>) {
    let count = |seen: &mut Seen, more: isize| {
        seen.open = seen.open.saturating_add_signed(more);
        seen.most_open = seen.most_open.max(seen.open);
    };
    count(&mut seen.lock().unwrap(), 1);
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        let request = String::from_utf8_lossy(&buffer[..length]);
        let since = {
            let mut seen = seen.lock().unwrap();
            seen.paths.push(request.split(' ').nth(1).unwrap_or_default().to_owned());
            seen.first.get_or_insert_with(Instant::now).elapsed()
        };
        if stall.contains(&since) {
            std::thread::sleep(stall.end - since);
        }
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
            break;
        }
    }
    count(&mut seen.lock().unwrap(), -1);
}

#[track_caller]
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("not a number: {value}"))
}

#[track_caller]
fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a count: {value}"))
}

#[test]
fn an_even_rate_is_kept_to_the_request() {
    let server = Counting::start();
    let load = server.load("path = '/'\nrate = '750/s'\nduration = '2s'");
    assert_eq!((count(&load["started"]), &load["model"]), (1500, &Value::from("open")));
    let never = count(&load["open"]["never_sent"]) as usize;
    // A busy server may not have read what was still unanswered at the end. The question whether it is up is one more.
    let (came, unread) = (server.requests(), count(&load["unanswered"]) as usize);
    assert!(
        came + never <= 1501 && came + never + unread >= 1500,
        "{came} came, {never} never sent, {unread} unanswered"
    );
    assert_eq!(number(&load["open"]["rate"]), 750.0);
}

#[test]
fn arrivals_by_chance_are_about_as_many_and_the_same_for_one_seed() {
    let lines = "path = '/'\nrate = '500/s'\nduration = '2s'\nspacing = 'poisson'\nthreads = 2";
    let started = |seed: &str| {
        let server = Counting::start();
        let text = format!("seed = {seed}\n[server]\nurl = \"http://{}\"\n[load]\n{lines}", server.address);
        let record = Runner::with(&text).run().exit(0).record("scenario");
        count(&record["variants"][0]["trials"][0]["load"]["started"])
    };
    let (one, again, other) = (started("1"), started("1"), started("2"));
    assert_eq!(one, again);
    // Five standard deviations.
    assert!(one.abs_diff(1000) < 160 && other.abs_diff(1000) < 160 && one != 1000, "{one} {other}");
}

/// A third of the requests falls into the stall of a third of the time; of all, the share that waits longer than x of
/// the stall is (1 - x) / 3. So p99 is 0.97 of it and p75 is 0.25.
#[track_caller]
fn waits_as_the_stall_says(load: &Value) {
    let (p75, p99) = (number(&load["latency_us"]["p75"]) / 1e6, number(&load["latency_us"]["p99"]) / 1e6);
    assert!((p99 - 0.97).abs() < 0.1 && (p75 - 0.25).abs() < 0.1, "{}", load["latency_us"]);
    assert_eq!(count(&load["completed"]), 600);
}

#[test]
fn a_stall_is_waited_for_by_all_that_were_due_in_it() {
    let server = Counting::stalling(Duration::from_secs(1), Duration::from_secs(2));
    waits_as_the_stall_says(&server.load("path = '/'\nrate = '200/s'\nduration = '3s'"));
}

#[test]
fn few_connections_hide_nothing_of_a_stall() {
    let server = Counting::stalling(Duration::from_secs(1), Duration::from_secs(2));
    let load = server.load("path = '/'\nrate = '200/s'\nduration = '3s'\nmax_concurrency = 4");
    waits_as_the_stall_says(&load);
    assert!(count(&load["open"]["queued"]) > 150, "{}", load["open"]);
    assert!(number(&load["service_time_us"]["p75"]) < 1e5, "only four were on their way: {}", load["service_time_us"]);
    // One more asks whether it is up.
    assert!(server.seen.lock().unwrap().most_open <= 5);
}

#[test]
fn what_is_never_sent_is_unanswered() {
    let server = Counting::stalling(Duration::from_millis(500), Duration::from_secs(9));
    let load = server.load("path = '/'\nrate = '200/s'\nduration = '1s'\nmax_concurrency = 4\ndrain = '100ms'");
    assert_eq!((count(&load["started"]), count(&load["failed"])), (200, 0));
    let (unanswered, never_sent) = (count(&load["unanswered"]), count(&load["open"]["never_sent"]));
    assert_eq!(unanswered, never_sent + 4);
    assert!((60..130).contains(&unanswered), "{unanswered}");
    assert!(load["latency_us"]["p99"]["at_least"].is_number());
}

#[test]
fn a_number_of_requests_is_sent_exactly() {
    for model in ["concurrency = 7", "rate = '2000/s'", "rate = '2000/s'\nspacing = 'poisson'\nthreads = 2"] {
        let server = Counting::start();
        let load = server.load(&format!("path = '/r'\n{model}\nrequests = 333"));
        assert_eq!((count(&load["started"]), count(&load["completed"])), (333, 333), "{model}");
        assert_eq!(server.seen.lock().unwrap().paths.iter().filter(|path| *path == "/r").count(), 333, "{model}");
    }
}

#[test]
fn requests_are_drawn_by_weight_and_measured_by_name() {
    let server = Counting::start();
    let load = server.load(
        "concurrency = 3\nrequests = 2000\n[[load.request]]\nname = 'often'\npath = '/a'\nweight = 3\n\
         [[load.request]]\npath = '/b'\nmethod = 'PUT'",
    );
    let (often, seldom) = (count(&load["requests"]["often"]["started"]), count(&load["requests"]["PUT /b"]["started"]));
    assert_eq!(often + seldom, 2000);
    // A binomial of mean 1500 and standard deviation 19.
    assert!(often.abs_diff(1500) < 100, "{often}");
    let sent = server.seen.lock().unwrap().paths.iter().filter(|path| *path == "/a").count() as u64;
    assert_eq!(sent, often);
}

#[test]
fn each_stage_has_the_requests_that_were_due_in_it() {
    let server = Counting::start();
    let load = server.load(
        "path = '/'\nstages = [{ rate = '100/s', for = '500ms' }, { rate = '500/s', for = '1s', ramp = true }, \
         { rate = '200/s', for = '500ms' }]",
    );
    let started: Vec<u64> =
        load["stages"].as_array().unwrap().iter().map(|stage| count(&stage["part"]["started"])).collect();
    assert_eq!(started.iter().sum::<u64>(), 450);
    assert!(started.iter().zip([50, 300, 100]).all(|(is, should)| is.abs_diff(should) <= 1), "{started:?}");
}

#[test]
fn users_come_and_go_with_the_stages_and_pause_between_requests() {
    let server = Counting::start();
    let load = server.load(
        "path = '/'\npause = '50ms'\nstages = [{ concurrency = 2, for = '1s' }, { concurrency = 8, for = '1s' }]",
    );
    let started: Vec<f64> =
        load["stages"].as_array().unwrap().iter().map(|stage| number(&stage["part"]["started"])).collect();
    // At most 20 a second for each user.
    assert!(started[0] <= 42.0 && started[1] <= 168.0, "{started:?}");
    let ratio = started[1] / started[0];
    assert!((2.5..6.0).contains(&ratio), "{started:?}");
}
