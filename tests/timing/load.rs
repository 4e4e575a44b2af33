//! Loads on the built-in modes, and what their records say.

use serde_json::Value;

use crate::harness::{Runner, alone};

fn load(record: &Value) -> &Value {
    &record["variants"][0]["trials"][0]["load"]
}

#[track_caller]
fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a count: {value}"))
}

/// Every started request is completed, failed or unanswered.
#[track_caller]
fn adds_up(load: &Value) {
    let sum = count(&load["completed"]) + count(&load["failed"]) + count(&load["unanswered"]);
    assert_eq!(count(&load["started"]), sum, "{load}");
}

#[test]
fn one_blocking_worker_is_exhausted_and_half_of_its_users_wait_longer_than_the_load_lasts() {
    let _alone = alone();
    let rules = "assert.that=[\"throughput < 11/s\", \"latency.p50 > 1500ms\"]";
    let outcome =
        Runner::shipped("sync_sleep").set("load.duration=1500ms").set("load.concurrency=100").set(rules).run().exit(0);
    let record = outcome.record("sync_sleep");
    let load = load(&record);
    adds_up(load);
    assert!(count(&load["unanswered"]) > count(&load["completed"]), "{load}");
    assert_eq!(count(&load["errors"]["timeout"]), 0, "the time-out is longer than the load: nobody gives up");
    assert!(load["latency_us"]["p50"]["at_least"].as_f64().unwrap() >= 1.5e6, "{}", load["latency_us"]);
}

#[test]
fn users_who_give_up_leave_the_worker_to_serve_nobody() {
    let _alone = alone();
    // Two time-outs and a bit: the second lot of users gives up while the load drains.
    let rules = "assert.that=[\"throughput < 11/s\", \"latency.p50 > 2s\"]";
    let outcome = Runner::shipped("impatient_users")
        .set("load.duration=3500ms")
        .set("load.concurrency=100")
        .set(rules)
        .run()
        .exit(0);
    let record = outcome.record("impatient_users");
    let load = load(&record);
    adds_up(load);
    assert!(count(&load["errors"]["timeout"]) > count(&load["completed"]), "{load}");
    assert!(load["latency_us"]["p50"]["at_least"].as_f64().unwrap() >= 2e6, "{}", load["latency_us"]);
    assert!(outcome.report("impatient_users").contains("> 2.00 s"));
}

#[test]
fn one_worker_that_suspends_answers_everybody() {
    let _alone = alone();
    let outcome = Runner::shipped("async_sleep")
        .set("load.duration=2s")
        .set("load.concurrency=50")
        .set("assert.that=[\"errors.count == 0\", \"latency.min >= 100ms\"]")
        .run()
        .exit(0);
    let record = outcome.record("async_sleep");
    let load = load(&record);
    adds_up(load);
    assert_eq!(count(&load["failed"]), 0);
    assert!(load["latency_us"]["p50"].as_f64().unwrap() >= 1e5);
    assert_eq!(load["status"]["200"], load["completed"]);
}

#[test]
fn the_modes_differ_as_their_twins_do() {
    let _alone = alone();
    let outcome = Runner::with(
        r#"
        [server]
        threads = 4
        [load]
        path = "/sync_sleep/?sleep=50ms"
        concurrency = 16
        duration = "1s"
        [matrix]
        "server.mode" = ["sync", "threaded", "async", "async_pool", "async_blocking"]
        "#,
    )
    .run()
    .exit(0);
    let record = outcome.record("scenario");
    let completed = |variant: usize| count(&record["variants"][variant]["trials"][0]["load"]["completed"]) as f64;
    let [sync, threaded, suspending, pool, blocking] = [0, 1, 2, 3, 4].map(completed);
    // At 50 ms: 20/s for one at a time, four times that for four threads, sixteen times for all users at once.
    assert!(threaded / sync > 2.0 && pool / sync > 2.0, "{sync} {threaded} {pool}");
    assert!(suspending / threaded > 2.0 && blocking / sync < 2.0, "{suspending} {threaded} {blocking}");
}

#[test]
fn several_workers_share_one_socket() {
    let _alone = alone();
    let outcome = Runner::with(
        r#"
        [server]
        mode = "sync"
        workers = 4
        [load]
        path = "/sync_sleep/?sleep=50ms"
        concurrency = 16
        duration = "1s"
        "#,
    )
    .run()
    .exit(0);
    // One worker makes 20 in a second.
    assert!(count(&load(&outcome.record("scenario"))["completed"]) > 40);
}

#[test]
fn nobody_listening_is_counted_and_the_failed_rule_decides() {
    let _alone = alone();
    let outcome = Runner::with(
        r#"
        [server]
        mode = "async"
        [load]
        path = "/nowhere/"
        concurrency = 2
        duration = "300ms"
        [assert]
        that = ["errors.count == 0", "throughput > 0/s"]
        "#,
    )
    .run()
    .exit(1);
    let record = outcome.record("scenario");
    let load = load(&record);
    assert_eq!(load["errors"]["status"], load["completed"]);
    assert_eq!(load["status"]["404"], load["completed"]);
    assert_eq!(record["variants"][0]["verdicts"][0]["status"], "failed");
}

#[test]
fn a_hopeless_load_ends_early() {
    let _alone = alone();
    let outcome = Runner::with(
        r#"
        [server]
        mode = "async"
        [load]
        path = "/nowhere/"
        concurrency = 2
        duration = "60s"
        [assert]
        abort_when = ["errors.rate > 50% for 500ms"]
        "#,
    )
    .run()
    .exit(1);
    let record = outcome.record("scenario");
    assert!(load(&record)["duration_s"].as_f64().unwrap() < 30.0);
    assert_eq!(record["variants"][0]["trials"][0]["aborted"]["rule"], "errors.rate > 50% for 500ms");
}

#[test]
fn warm_up_is_left_out() {
    let _alone = alone();
    let scenario = |warmup: &str| {
        format!(
            "[server]\nmode = \"async\"\n[load]\npath = \"/async_sleep/?sleep=100ms\"\nconcurrency = 4\nduration = \"1s\"\nwarmup = \"{warmup}\"\n"
        )
    };
    let counted = |warmup| count(&load(&Runner::with(&scenario(warmup)).run().exit(0).record("scenario"))["started"]);
    let (without, with) = (counted("0ms"), counted("1s"));
    assert!(with < without * 3 / 2, "{with} {without}");
}

#[test]
fn the_number_of_workers_is_filled_into_requests() {
    let _alone = alone();
    let outcome = Runner::with(
        r#"
        [server]
        mode = "async"
        [load]
        path = "/async_sleep/?sleep=0.{workers}"
        concurrency = 2
        duration = "500ms"
        [assert]
        that = ["errors.count == 0", "latency.min >= 100ms"]
        "#,
    )
    .run()
    .exit(0);
    let record = outcome.record("scenario");
    assert_eq!(load(&record)["generator"]["retries"], 0);
    assert_eq!(load(&record)["generator"]["connections_opened"], 2);
}
