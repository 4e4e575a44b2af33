//! Variants of one run beside each other, and two runs of one scenario.

use serde_json::Value;

use crate::harness::{Outcome, Runner};

/// Two alternatives under two conditions: where requests wait, the pool of one thread falls behind.
const TWO: &str = r#"
seed = 1
[server]
workers = 1
threads = 1
[load]
path        = "/sync_sleep/?sleep={sleep}"
concurrency = 8
duration    = "400ms"
[matrix]
"server.mode" = ["threaded", "async"]
"load.sleep"  = ["1ms", "40ms"]
"#;

/// One load, twice.
const ONE: &str = r#"
seed = 1
[server]
mode = "async"
[load]
path        = "/async_sleep/?sleep=0.02"
concurrency = 4
duration    = "300ms"
[matrix]
repeats = 3
"#;

fn comparison(outcome: &Outcome) -> Value {
    outcome.record("scenario")["comparison"].clone()
}

#[test]
fn like_is_compared_with_like_and_the_report_begins_with_what_to_decide() {
    let outcome = Runner::with(TWO).run().exit(0);
    let comparison = comparison(&outcome);
    assert_eq!(comparison["alternatives"], serde_json::json!(["threaded", "async"]));
    let conditions = comparison["conditions"].as_array().unwrap();
    assert_eq!(conditions.len(), 2);
    for condition in conditions {
        assert_eq!(condition["best"], 1, "{condition}");
        assert_eq!(condition["versus"][0]["outcome"]["type"], "differ_in_one_trial", "{condition}");
    }
    let report = outcome.report("scenario");
    let (decision, overview) = (report.find("## Decision").unwrap(), report.find("## Overview").unwrap());
    assert!(decision < overview && report.contains("**Async (at sleep=40ms"), "{report}");
    assert!(report.contains("there is no crossover") || report.contains("There is no crossover"), "{report}");
    outcome.stdout_has("times the throughput of threaded").stderr_has("s left] mode=async");
}

#[test]
fn a_crossover_is_searched_for_between_the_values_of_the_matrix() {
    // The pool of four is as good as the loop until four users no longer fill it.
    let scenario = TWO.replace("threads = 1", "threads = 4").replace("concurrency = 8", "concurrency = 4");
    let along = scenario
        .replace("\"load.sleep\"  = [\"1ms\", \"40ms\"]", "\"load.concurrency\" = [1, 32]\n[crossover]\ntime = \"3s\"")
        .replace("concurrency = 4\n", "sleep = \"20ms\"\n")
        .replace("\"server.mode\" = [\"threaded\", \"async\"]", "\"server.mode\" = [\"async\", \"threaded\"]");
    let outcome = Runner::with(&along).run().exit(0);
    let comparison = comparison(&outcome);
    assert_eq!(comparison["key"]["path"], "load.concurrency");
    // Alone, a user waits as long for either: it is settled by more pairs, or stays open.
    let pairs = comparison["conditions"][0]["versus"][0]["pairs"].as_array().unwrap();
    assert!(pairs.len() > 1, "{comparison}");
    outcome.stderr_has("search for where the better one changes");
}

#[test]
fn the_requests_of_several_trials_are_ranked_together_too() {
    let outcome = Runner::with(ONE).run().exit(0);
    let variant = &outcome.record("scenario")["variants"][0];
    let trials = variant["trials"].as_array().unwrap();
    let started: u64 = trials.iter().map(|trial| trial["load"]["started"].as_u64().unwrap()).sum();
    let pooled = &variant["pooled"];
    assert_eq!((&pooled["trials"], &pooled["started"]), (&3.into(), &started.into()));
    let most = |quantiles: &Value| quantiles["max"].as_f64().unwrap();
    let slowest = trials.iter().map(|trial| most(&trial["load"]["latency_us"])).fold(0.0, f64::max);
    assert_eq!(most(&pooled["latency_us"]), slowest);
    let report = outcome.report("scenario");
    assert!(report.lines().any(|line| line.contains(" all | latency ")), "{report}");
}

#[test]
fn two_runs_of_one_scenario_are_the_same_or_are_not() {
    // So far apart that no busy machine hides it.
    let first = Runner::with(&ONE.replace("sleep=0.02", "sleep=0.002")).run().exit(0);
    let one = std::fs::read_link(first.folder.path().join("reports/scenario/latest")).unwrap();
    let one = format!("reports/scenario/{}", one.display());
    let again = first.then(&["scenario.toml", "--set", "load.path=/async_sleep/?sleep=0.06"]).run().exit(0);
    let refused = again.then(&["compare", &one, "reports/scenario/latest"]).run().exit(2);
    let refused = refused.stderr_has("the two records differ in more than what they measured");
    let refused = refused.stderr_has("load.path").stderr_has("--differing load.path");
    let asked = ["compare", &one, "reports/scenario/latest", "--differing", "load.path", "--tolerance", "20%"];
    let worse = refused.then(&asked).run().exit(1).stdout_has("WORSE").stdout_has("worse by more than 20");
    let same = worse.then(&["compare", &one, &one, "--tolerance", "90%"]).run().exit(0).stdout_has("SAME");
    let json = same.then(&["compare", &one, &one, "--tolerance", "90%", "--json"]).run().exit(0);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json["change"].as_str(), json["differences"].as_array().map(Vec::len)), (Some("within"), Some(0)));
}

#[test]
fn one_trial_each_tells_nothing_of_a_change() {
    let outcome = Runner::with(ONE).set("matrix.repeats=1").run().exit(0);
    let latest = "reports/scenario/latest";
    outcome.then(&["compare", latest, latest]).run().exit(4).stdout_has("two trials or more");
}

#[test]
fn a_run_that_was_cut_off_is_taken_up() {
    let running = Runner::with(&ONE.replace("300ms", "1500ms")).start();
    running.wait_for_requests();
    crate::harness::wait_for("the second trial", || running.said().contains("[2/3").then_some(()));
    running.signal("KILL");
    let outcome = running.wait();
    let resumed = outcome.then(&["scenario.toml", "--resume"]).run().exit(0);
    assert!(!resumed.stderr.contains("[1/3") && resumed.stderr.contains("[3/3"), "{}", resumed.stderr);
    let record = resumed.record("scenario");
    assert_eq!(record["variants"][0]["trials"].as_array().unwrap().len(), 3);
    assert!(record["resumed"]["trials"].as_u64().unwrap() >= 1, "{}", record["resumed"]);
    // It has come to its end: there is nothing more to take up.
    let whole = resumed.then(&["scenario.toml", "--resume", "--set", "load.duration=200ms"]).run().exit(0);
    assert!(whole.record("scenario")["resumed"].is_null());
}

#[test]
fn a_scenario_that_changed_meanwhile_is_not_taken_up() {
    let running = Runner::with(&ONE.replace("300ms", "1500ms")).start();
    crate::harness::wait_for("the second trial", || running.said().contains("[2/3").then_some(()));
    running.signal("INT");
    let outcome = running.wait().exit(130);
    let changed = outcome.then(&["scenario.toml", "--resume", "--set", "load.concurrency=5"]).run().exit(2);
    changed.stderr_has("cannot be taken up, as the scenario has changed since").stderr_has("without `--resume`");
}

#[test]
fn ctrl_c_during_the_search_leaves_a_report_and_what_can_be_taken_up() {
    let scenario = TWO.replace("400ms", "200ms").replace("\"40ms\"]", "\"40ms\"]\n[crossover]\ntime = \"60s\"");
    let scenario = scenario.replace("threads = 1", "threads = 8");
    let running = Runner::with(&scenario).start();
    crate::harness::wait_for("the search", || running.said().contains("search for where").then_some(()));
    running.signal("INT");
    let outcome = running.wait().exit(130);
    assert_eq!(outcome.record("scenario")["status"], "interrupted");
    let resumed = outcome.then(&["scenario.toml", "--resume", "--set", "load.sleep=1ms"]).run().exit(2);
    resumed.stderr_has("the scenario has changed");
}
