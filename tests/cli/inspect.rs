//! `runner inspect`, as a user sees it. What is right on a busy machine is asserted: batches, who accepts, and never a time.

use serde_json::Value;

use crate::harness::{Outcome, Runner, alone, shipped};
use crate::serve::Served;

/// A server of a mode, whose requests wait for 60 ms.
fn server(mode: &str) -> String {
    format!("[server]\n{mode}\n[load]\npath = \"/sync_sleep/?sleep={{sleep}}\"\nsleep = \"60ms\"\nconcurrency = 1\n")
}

fn inspect(scenario: &str) -> Outcome {
    Runner::new(&["inspect", "scenario.toml"]).file("scenario.toml", scenario).run()
}

fn inspection(outcome: &Outcome) -> Value {
    outcome.record("scenario")["variants"][0]["trials"][0]["inspection"].clone()
}

#[test]
fn a_loop_that_something_blocks_is_told_from_a_worker_that_does_one_thing_at_a_time() {
    let _alone = alone();
    let outcome = inspect(&server("mode = \"async_blocking\"")).exit(0).stdout_has("a loop that something blocks");
    let found = inspection(&outcome);
    assert_eq!(found["signature"], "blocked_loop", "{found:#}");
    let busy = &found["busy"];
    assert_eq!(busy["not_accepted_first"], busy["later"], "nobody accepts while a handler blocks: {busy}");
    let report = outcome.report("scenario");
    assert!(report.contains("## Requests at once") && report.contains("look for blocking calls"), "{report}");
    assert!(report.contains("parallelism.svg"), "{report}");

    let outcome = inspect(&server("mode = \"sync\"")).exit(0).stdout_has("one at a time");
    let found = inspection(&outcome);
    assert_eq!((&found["signature"], &found["closes"]), (&"one_at_a_time".into(), &true.into()), "{found:#}");
}

#[test]
fn a_pool_is_counted_and_a_section_makes_it_part_of_a_run() {
    let _alone = alone();
    let scenario = server("mode = \"threaded\"\nthreads = 4") + "duration = \"600ms\"\n[inspect]\n";
    let outcome = Runner::with(&scenario).run().exit(0).stdout_has("a pool of").stdout_has("ceiling");
    let trial = outcome.record("scenario")["variants"][0]["trials"][0].clone();
    let (found, ceiling) = (&trial["inspection"], &trial["ceiling"]);
    assert_eq!(found["signature"], "pool", "{found:#}");
    let value = found["parallelism"]["value"].as_f64().unwrap();
    assert!((3.0..=4.6).contains(&value), "{found:#}");
    // One user is less than four threads.
    assert_eq!((&ceiling["because"], &ceiling["at_once"]), (&"users".into(), &1.0.into()), "{ceiling}");
    let parts: Vec<&Value> = trial["servers"].as_array().unwrap().iter().map(|server| &server["part"]).collect();
    assert_eq!(parts, ["load", "inspection"], "each has a server of its own");
}

#[test]
fn a_url_is_inspected_and_the_rate_of_a_load_tells_whether_a_queue_grows() {
    let _alone = alone();
    let served = Served::start(&[shipped("scenarios/async_sleep.toml").to_str().unwrap()]);
    let url = format!("{}/nowhere/", served.origin());
    let outcome = Runner::new(&["inspect", &url]).run().exit(4).stdout_has("is not known");
    let found = &outcome.record("inspect")["variants"][0]["trials"][0]["inspection"];
    assert_eq!(found["inconclusive"], "not one response has a status below 400: 404", "{found:#}");

    // Short requests: on a busy machine longer ones leave no time for what comes last.
    let scenario = server("mode = \"async_blocking\"").replace("60ms", "20ms");
    let scenario = scenario.replace("concurrency = 1", "rate = \"180/s\"");
    let outcome = inspect(&scenario).exit(0).stdout_has("a queue grows without end");
    let arrivals = inspection(&outcome)["arrivals"].clone();
    assert!(arrivals["growth_per_s"].as_f64().is_some_and(|growth| growth > 20.0), "{arrivals}");
}

#[test]
fn what_cannot_be_inspected_is_refused_before_anything_starts() {
    let scenario = "[server]\nmode = \"async\"\n[dirty]\npath = \"/dirty/?email={canary}\"\n";
    inspect(scenario).exit(2).stderr_has("add [load] with a path").no_report();
    let url = "http://127.0.0.1:1/";
    Runner::new(&["inspect", url, "--set", "load.concurrency=1"]).run().exit(2).stderr_has("an address has none");
    Runner::new(&["inspect", url]).run().exit(3).stderr_has("nothing answers on 127.0.0.1:1").no_report();
    Runner::new(&["inspect", "nowhere.toml"]).run().exit(2).stderr_has("cannot read `nowhere.toml`");
}

#[test]
fn the_plan_says_what_is_inspected() {
    let scenario = server("mode = \"async\"") + "[inspect]\nmax_concurrency = 64\n";
    let plan = Runner::new(&["check", "scenario.toml"]).file("scenario.toml", &scenario).run().exit(0);
    plan.stdout_has("inspect GET /sync_sleep/?sleep=0.06, up to 64 requests at once");
}
