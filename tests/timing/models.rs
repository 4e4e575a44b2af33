//! The models of a load, against a server that counts.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::raw_server::{RawServer, Response};
use crate::harness::{Runner, alone};

/// A server that responds at once, but for a stall, and keeps the paths that it was asked for.
struct Counting {
    raw: RawServer,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Counting {
    fn start() -> Self {
        Counting::stalling(Duration::ZERO, Duration::ZERO)
    }

    /// Responds to nothing from `from` after its first request on, until `until`.
    fn stalling(from: Duration, until: Duration) -> Self {
        let (paths, first) = (Arc::new(Mutex::new(Vec::new())), OnceLock::new());
        let shared = Arc::clone(&paths);
        let raw = RawServer::start(move |request| {
            shared.lock().unwrap().push(request.path().to_owned());
            let since = first.get_or_init(Instant::now).elapsed();
            let waits = if (from..until).contains(&since) { until - since } else { Duration::ZERO };
            Response::ok("ok").after(waits)
        });
        Counting { raw, paths }
    }

    /// Runs `[load]` of these lines on it.
    fn load(&self, lines: &str) -> Value {
        let url = format!("[server]\nurl = \"http://{}\"\n[load]\n{lines}", self.raw.address);
        let record = Runner::with(&url).run().exit(0).record("scenario");
        record["variants"][0]["trials"][0]["load"].clone()
    }

    /// How often this path was asked for.
    fn asked_for(&self, path: &str) -> usize {
        self.paths.lock().unwrap().iter().filter(|asked| *asked == path).count()
    }
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
    let _alone = alone();
    let server = Counting::start();
    let load = server.load("path = '/'\nrate = '750/s'\nduration = '2s'");
    assert_eq!((count(&load["started"]), &load["model"]), (1500, &Value::from("open")));
    let never = count(&load["open"]["never_sent"]) as usize;
    // A busy server may not have read what was still unanswered at the end. The question whether it is up is one more.
    let (came, unread) = (server.raw.requests(), count(&load["unanswered"]) as usize);
    assert!(
        came + never <= 1501 && came + never + unread >= 1500,
        "{came} came, {never} never sent, {unread} unanswered"
    );
    assert_eq!(number(&load["open"]["rate"]), 750.0);
}

#[test]
fn arrivals_by_chance_are_about_as_many_and_the_same_for_one_seed() {
    let _alone = alone();
    let lines = "path = '/'\nrate = '500/s'\nduration = '2s'\nspacing = 'poisson'\nthreads = 2";
    let started = |seed: &str| {
        let server = Counting::start();
        let text = format!("seed = {seed}\n[server]\nurl = \"http://{}\"\n[load]\n{lines}", server.raw.address);
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
    let _alone = alone();
    let server = Counting::stalling(Duration::from_secs(1), Duration::from_secs(2));
    waits_as_the_stall_says(&server.load("path = '/'\nrate = '200/s'\nduration = '3s'"));
}

#[test]
fn few_connections_hide_nothing_of_a_stall() {
    let _alone = alone();
    let server = Counting::stalling(Duration::from_secs(1), Duration::from_secs(2));
    let load = server.load("path = '/'\nrate = '200/s'\nduration = '3s'\nmax_concurrency = 4");
    waits_as_the_stall_says(&load);
    assert!(count(&load["open"]["queued"]) > 150, "{}", load["open"]);
    assert!(number(&load["service_time_us"]["p75"]) < 1e5, "only four were on their way: {}", load["service_time_us"]);
    // One more asks whether it is up.
    assert!(server.raw.most_open() <= 5);
}

#[test]
fn what_is_never_sent_is_unanswered() {
    let _alone = alone();
    let server = Counting::stalling(Duration::from_millis(500), Duration::from_secs(9));
    let load = server.load("path = '/'\nrate = '200/s'\nduration = '1s'\nmax_concurrency = 4\ndrain = '100ms'");
    assert_eq!((count(&load["started"]), count(&load["failed"])), (200, 0));
    let (unanswered, never_sent) = (count(&load["unanswered"]), count(&load["open"]["never_sent"]));
    // What the load itself came to too late, on a busy machine, is among the unanswered as well.
    assert_eq!(unanswered, never_sent + count(&load["open"]["missed"]) + 4);
    assert!((60..130).contains(&unanswered), "{unanswered}");
    assert!(load["latency_us"]["p99"]["at_least"].is_number());
}

#[test]
fn a_number_of_requests_is_sent_exactly() {
    let _alone = alone();
    for model in ["concurrency = 7", "rate = '2000/s'", "rate = '2000/s'\nspacing = 'poisson'\nthreads = 2"] {
        let server = Counting::start();
        let load = server.load(&format!("path = '/r'\n{model}\nrequests = 333"));
        assert_eq!((count(&load["started"]), count(&load["completed"])), (333, 333), "{model}");
        assert_eq!(server.asked_for("/r"), 333, "{model}");
    }
}

#[test]
fn requests_are_drawn_by_weight_and_measured_by_name() {
    let _alone = alone();
    let server = Counting::start();
    let load = server.load(
        "concurrency = 3\nrequests = 2000\n[[load.request]]\nname = 'often'\npath = '/a'\nweight = 3\n\
         [[load.request]]\npath = '/b'\nmethod = 'PUT'",
    );
    let (often, seldom) = (count(&load["requests"]["often"]["started"]), count(&load["requests"]["PUT /b"]["started"]));
    assert_eq!(often + seldom, 2000);
    // A binomial of mean 1500 and standard deviation 19.
    assert!(often.abs_diff(1500) < 100, "{often}");
    assert_eq!(server.asked_for("/a") as u64, often);
}

#[test]
fn each_stage_has_the_requests_that_were_due_in_it() {
    let _alone = alone();
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
    let _alone = alone();
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
