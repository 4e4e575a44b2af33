//! The search for the highest rate, as a user sees it.

use serde_json::Value;

use crate::harness::Runner;

/// A pool of four threads at 25 ms carries 160/s.
const POOL: &str = r#"
[server]
mode = "threaded"
threads = 4
[load]
path = "/sync_sleep/?sleep=25ms"
concurrency = 4
duration = "200ms"
[capacity]
rules = ["latency.p99 < 2s", "errors.rate < 50%"]
time = "10s"
precision = "20%"
max_rate = "400/s"
"#;

#[test]
fn the_capacity_of_a_pool_is_between_what_it_keeps_and_what_is_too_much() {
    let outcome = Runner::with(POOL).run().exit(0).stdout_has("capacity");
    let record = outcome.record("scenario");
    let trial = &record["variants"][0]["trials"][0];
    let capacity = &trial["capacity"];
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let (rate, high) = (number(&capacity["rate"]), number(&capacity["high"]));
    // On a busy machine threads sleep longer than they should, and carry less. They never carry more.
    assert!(rate > 10.0 && rate < 165.0, "{capacity}");
    assert!(high.is_nan() || high > rate, "{capacity}");
    let probes = capacity["probes"].as_array().unwrap();
    let over = probes.iter().filter(|probe| number(&probe["rate"]) > 190.0);
    assert!(over.clone().all(|probe| !probe["broken"].is_null()), "a queue grows: {capacity}");
    let parts: Vec<&str> =
        trial["servers"].as_array().unwrap().iter().map(|server| server["part"].as_str().unwrap()).collect();
    assert_eq!(parts, ["load", "capacity"], "each has a server of its own");
    assert!(number(&capacity["cpu_s_per_1000"]) > 0.0, "{capacity}");
    let report = outcome.report("scenario");
    assert!(report.contains("## Capacity") && report.contains("highest rate with"), "{report}");
}

#[test]
fn a_promise_that_no_rate_keeps_is_told() {
    let scenario = POOL.replace("latency.p99 < 2s", "latency.p99 < 1ms");
    let outcome = Runner::with(&scenario).run().exit(0);
    let capacity = &outcome.record("scenario")["variants"][0]["trials"][0]["capacity"];
    assert!(capacity["rate"].is_null(), "{capacity}");
    // On a busy machine there may be no try that was not disturbed.
    let tried = capacity["high"].is_f64();
    assert!(!tried || outcome.report("scenario").contains("keeps `latency.p99 < 1ms`"), "{}", outcome.stdout);
}

#[test]
fn the_plan_says_what_is_searched_for_and_for_how_long() {
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(file.path(), POOL).unwrap();
    let plan = Runner::new(&["check", file.path().to_str().unwrap()]).run().exit(0);
    plan.stdout_has("highest rate with latency.p99 < 2s and errors.rate < 50%").stdout_has("in 10s at most");
}
