//! What is said of requests that were cut off, against a server that knows how long each would have taken.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::raw_server::{RawServer, Response};
use crate::harness::{Outcome, Runner, alone, wait_for};

/// A server that responds to each request after a time that it draws, and keeps how long that was by its own clock; requests
/// of one connection one after another.
struct Drawing {
    raw: RawServer,
    taken: Arc<Mutex<Vec<Option<f64>>>>,
}

impl Drawing {
    /// `take` makes a time in seconds of a number between 0 and 1 and of how many were drawn before.
    fn start(take: fn(f64, usize) -> f64) -> Self {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&taken);
        let raw = RawServer::start(move |_| {
            let came = Instant::now();
            let number = {
                let mut taken = shared.lock().unwrap();
                taken.push(None);
                taken.len() - 1
            };
            // Evenly spread, in an order that has nothing to do with time.
            let uniform = ((number as f64 + 0.5) * 0.618_033_988_749_894_9).fract();
            std::thread::sleep(Duration::from_secs_f64(take(uniform, number)));
            shared.lock().unwrap()[number] = Some(came.elapsed().as_secs_f64());
            Response::ok("ok")
        });
        Drawing { raw, taken }
    }

    /// Runs `[load]` of these lines on it, with these rules.
    fn load(&self, lines: &str, rules: &str) -> Outcome {
        let text = format!(
            "[server]\nurl = \"http://{}\"\n[load]\npath = \"/\"\n{lines}\n[assert]\nthat = [{rules}]",
            self.raw.address
        );
        Runner::with(&text).run()
    }

    /// The value at `q` of what the requests of a load took, or would have taken, in seconds.
    fn truth(&self, q: f64, load: &Value) -> f64 {
        let all = || self.taken.lock().unwrap().iter().copied().collect::<Option<Vec<f64>>>();
        let all = wait_for("the answers that nobody waits for", all);
        let started = load["started"].as_u64().unwrap() as usize;
        // What runner came to too late, or had no user for, was not sent. The first asked whether it is up.
        let unsent = ["missed", "never_sent"].map(|key| load["open"][key].as_u64().unwrap_or(0)).iter().sum::<u64>();
        let sent = started - unsent as usize;
        assert!(all.len() >= sent && all.len() <= sent + 1, "{} {sent} of {started}", all.len());
        let mut taken = all[all.len() - sent..].to_vec();
        taken.sort_by(f64::total_cmp);
        taken[(q * taken.len() as f64 - 1e-9).ceil() as usize - 1]
    }
}

fn of(outcome: &Outcome) -> Value {
    outcome.record("scenario")["variants"][0]["trials"][0]["load"].clone()
}

/// What is certain, what is likely, and the estimate of a quantile, in seconds.
fn told(quantile: &Value) -> [f64; 5] {
    let seconds = |value: &Value, none: f64| value.as_f64().map_or(none, |us| us / 1e6);
    match quantile.as_f64() {
        Some(us) => [us / 1e6; 5],
        None => [
            ("at_least", 0.0),
            ("low", 0.0),
            ("estimate", f64::NAN),
            ("high", f64::INFINITY),
            ("at_most", f64::INFINITY),
        ]
        .map(|(key, none)| seconds(&quantile[key], none)),
    }
}

/// Every quantile holds what the server knows; a machine that is busy may add a little to it.
#[track_caller]
fn agrees(server: &Drawing, load: &Value) {
    for (name, q) in [("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)] {
        for clock in ["latency_us", "service_time_us"] {
            let truth = server.truth(q, load);
            let [at_least, low, _, high, at_most] = told(&load[clock][name]);
            let within = at_least.max(low) <= truth * 1.1 + 0.1 && truth <= high.min(at_most) * 1.001 + 0.001;
            assert!(within, "{clock} {name}: {truth} s is not in {}", load[clock][name]);
        }
    }
}

fn exponential(uniform: f64, _: usize) -> f64 {
    -0.3 * (1.0 - uniform).ln()
}

fn constant(_: f64, _: usize) -> f64 {
    0.1
}

// fault: quantiles: requests are cut off by the end of the load -> bounds that hold, and an estimate with an interval, as the server's own log has it
#[test]
fn what_is_said_of_requests_that_were_cut_off_agrees_with_what_the_server_knows() {
    let _alone = alone();
    for lines in ["concurrency = 40\nduration = '2s'\ndrain = '200ms'", "rate = '100/s'\nduration = '2s'\ndrain = '0s'"]
    {
        let server = Drawing::start(exponential);
        let outcome = server.load(lines, "\"latency.p50 < 10s\", \"latency.p50 > 1ms\"").exit(0);
        let load = of(&outcome);
        let unanswered = load["unanswered"].as_u64().unwrap();
        assert!(unanswered > 5, "{unanswered}");
        agrees(&server, &load);
        let [.., estimate, _, _] = told(&load["latency_us"]["p90"]);
        let truth = server.truth(0.9, &load);
        assert!((estimate / truth - 1.0).abs() < 0.25, "{lines}: {} is far from {truth}", load["latency_us"]["p90"]);
        assert!(
            outcome.stdout.contains(" to ") && outcome.report("scenario").contains("Kaplan-Meier"),
            "{}",
            outcome.stdout
        );
        // The record alone says it again.
        let report = outcome.report("scenario");
        let again = outcome.then(&["report", "reports/scenario/latest"]).run().exit(0);
        assert_eq!(again.report("scenario"), report);
    }
}

// fault: quantiles: a constant server, and no time to drain -> percentiles are its constant time
#[test]
fn a_constant_server_takes_as_long_as_it_takes_however_the_load_ends() {
    let _alone = alone();
    let server = Drawing::start(constant);
    let load = of(&server.load("concurrency = 20\nduration = '1050ms'\ndrain = '0s'", "\"started > 1\"").exit(0));
    assert!(load["unanswered"].as_u64().unwrap() >= 10, "{load}");
    agrees(&server, &load);
    let [at_least, ..] = told(&load["latency_us"]["p90"]);
    assert!(at_least >= 0.1 && load["latency_us"]["p90"]["estimate"].as_f64().is_none_or(|us| us >= 1e5), "{load}");
    assert!(
        load["latency_us"]["p90"].get("estimate").is_some() || load["latency_us"]["p90"].is_number(),
        "no mere bound: {load}"
    );
}

// fault: quantiles: a rule on a percentile that is left open -> judged where the interval decides, else inconclusive
#[test]
fn a_rule_is_judged_where_the_interval_decides_and_is_open_within_it() {
    let _alone = alone();
    let server = Drawing::start(exponential);
    let rules = ["latency.p90 < 5s", "latency.p90 < 50ms", "latency.p90 > 50ms", "latency.max < 60s"];
    let text = rules.map(|rule| format!("\"{rule}\"")).join(", ");
    let outcome = server.load("concurrency = 40\nduration = '2s'\ndrain = '0s'", &text).exit(1);
    let record = outcome.record("scenario");
    let verdicts = record["variants"][0]["verdicts"].as_array().unwrap();
    let statuses: Vec<&str> = verdicts.iter().map(|verdict| verdict["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["passed", "failed", "passed", "inconclusive"], "{verdicts:?}");
}

// fault: quantiles: half of the requests time out after 2 s -> `latency.p50 < 2s` fails
#[test]
fn a_time_out_of_two_seconds_fails_a_rule_of_two_seconds() {
    let _alone = alone();
    // Two of three are never answered in time.
    let server = Drawing::start(|_, before| if before % 3 == 0 { 0.01 } else { 4.0 });
    let rules = "\"latency.p50 < 2s\"";
    let outcome = server.load("concurrency = 9\nduration = '2s'\ntimeout = '2s'\ndrain = '3s'", rules).exit(1);
    outcome.stdout_has("> 2.0").stdout_has("FAIL");
}

// fault: quantiles: a queue grows, so that the last would have waited longest -> no estimate, only bounds, and a caveat
#[test]
fn a_queue_that_grows_is_not_guessed_at() {
    let _alone = alone();
    // One after another, whoever asks: 20 come a second, 10 are served.
    let server = Drawing::start(|_, before| 0.05 * before as f64);
    let load = of(&server.load("rate = '20/s'\nduration = '4s'\ndrain = '0s'", "\"started > 1\"").exit(0));
    agrees(&server, &load);
    for name in ["p75", "p90"] {
        assert!(load["latency_us"][name]["estimate"].is_null(), "{name}: {}", load["latency_us"]);
    }
}

#[test]
fn stages_and_requests_by_name_are_told_alike() {
    let _alone = alone();
    let server = Drawing::start(exponential);
    let stages = "stages = [{ concurrency = 20, for = '1s' }, { concurrency = 40, for = '1s' }]\ndrain = '0s'\n\
                  [[load.request]]\nname = 'a'\npath = '/'\n[[load.request]]\nname = 'b'\npath = '/'";
    let text = format!("[server]\nurl = \"http://{}\"\n[load]\n{stages}", server.raw.address);
    let load = of(&Runner::with(&text).run().exit(0));
    let last = &load["stages"][1]["part"];
    for part in [last, &load["requests"]["a"], &load["requests"]["b"]] {
        assert!(part["unanswered"].as_u64().unwrap() > 0, "{part}");
        let [at_least, .., at_most] = told(&part["latency_us"]["p75"]);
        let known = part["latency_us"]["p75"].is_number() || part["latency_us"]["p75"].get("estimate").is_some();
        assert!(known && at_least > 0.0 && at_least <= at_most, "{}", part["latency_us"]);
    }
}

#[test]
fn a_record_that_knows_nothing_of_intervals_is_rendered_still() {
    let _alone = alone();
    let server = Drawing::start(constant);
    let outcome = server.load("concurrency = 4\nduration = '450ms'\ndrain = '0s'", "\"started > 1\"").exit(0);
    let path = outcome.latest("scenario").join("record.json");
    let mut record = outcome.record("scenario");
    let load = record["variants"][0]["trials"][0]["load"].as_object_mut().unwrap();
    let histogram = load["histogram"].as_object_mut().unwrap();
    histogram.retain(|name, _| !["failed", "late"].iter().any(|end| name.ends_with(end)));
    load.retain(|name, _| !["silence", "answers_to_warmup"].contains(&name.as_str()));
    load["latency_us"]["p99"] = serde_json::json!({ "at_least": 129_000.0 });
    std::fs::write(path, record.to_string()).unwrap();
    let again = outcome.then(&["report", "reports/scenario/latest"]).run().exit(0);
    assert!(again.report("scenario").contains("> 129 ms"));
}
