//! Loads whose script makes the requests and checks the answers.

use std::fs;

use serde_json::Value;

use crate::harness::Runner;

const USERS: &str = "email,plan\nana&x@example.com,free\nb c@example.com,pro\n";

/// A shop that says who ordered what.
const SHOP: &str = r#"
fn order(request) {
    respond(201, #{ user: request.headers["x-user"], by: request.query.by, items: request.json?.items, method: request.method })
}
"#;

/// Four users of the shop, with hooks.
fn shop(hooks: &str, more: &str) -> Runner {
    let scenario = format!(
        r#"
        [server]
        mode   = "async"
        script = "shop.rhai"
        [load]
        script      = "hooks.rhai"
        data        = "users.csv"
        path        = "/order/?by={{data.email}}"
        concurrency = 4
        duration    = "300ms"
        {more}
        "#
    );
    Runner::with(&scenario).file("shop.rhai", SHOP).file("hooks.rhai", hooks).file("users.csv", USERS)
}

fn load(record: &Value) -> &Value {
    &record["variants"][0]["trials"][0]["load"]
}

fn samples(record: &Value) -> &Vec<Value> {
    load(record)["checks"]["samples"].as_array().unwrap()
}

#[test]
fn each_user_sends_its_own_row_and_passing_checks_pass() {
    let hooks = r#"
        fn setup() { log("set up"); #{ most: 3 } }
        fn request(user, seq) {
            #{ headers: #{ "x-user": `${user.number}-${user.plan}` }, json: #{ items: 1 + seq % setup.most } }
        }
        fn check(exchange) {
            let order = exchange.response.json;
            let user = exchange.user;
            if exchange.status != 201 || order.method != "POST" { return `${exchange.status} ${order.method}`; }
            if order.user != `${user.number}-${user.plan}` { return `x-user ${order.user}`; }
            if order.by != user.email { return `by ${order.by}`; }
            order.items == exchange.request.json.items
        }
        fn teardown() { log("torn down"); }
        fn verdict(metrics) {
            [expect("everybody ordered", metrics["checks.passed"] >= 4, metrics["checks.passed"])]
        }
    "#;
    let rules = "[assert]\nthat = [\"checks.failed == 0\", \"checks.rate >= 100%\", \"errors.count == 0\"]";
    let outcome = shop(hooks, rules).run().exit(0).stdout_has("checks passed").stdout_has("everybody ordered");
    let record = outcome.record("scenario");
    let checks = &load(&record)["checks"];
    assert_eq!(checks["passed"], load(&record)["started"], "{checks}");
    assert_eq!(checks["log"], serde_json::json!(["set up", "torn down"]));
    assert!(outcome.report("scenario").contains("## Checks"));
}

#[test]
fn failing_checks_fail_the_run_with_five_samples_as_evidence() {
    let hooks = "fn check(exchange) { if exchange.seq == 0 { throw \"<b>boom</b>\" } exchange.seq < 2 }";
    let outcome = shop(hooks, "[assert]\nthat = [\"checks.failed == 0\"]").run().exit(1);
    let record = outcome.record("scenario");
    let samples = samples(&record);
    assert_eq!(samples.len(), 5);
    for sample in samples {
        let by = ["ana%26x%40example.com", "b%20c%40example.com"][sample["user"].as_u64().unwrap() as usize % 2];
        assert_eq!(sample["line"], format!("GET /order/?by={by}"));
        assert_eq!(sample["status"], 201);
        assert!(sample["excerpt"].as_str().unwrap().contains("\"method\":\"GET\""), "{sample}");
    }
    assert!(samples[0]["said"].as_str().unwrap().contains("<b>boom</b>"), "{}", samples[0]);
    let report = outcome.report("scenario");
    assert!(report.contains("checks failed") && report.contains("`<b>boom</b>`"), "{report}");
}

#[test]
fn a_check_that_no_answer_reached_is_inconclusive() {
    // Only the warm-up is answered.
    let hooks = "fn request(user, seq) { throw \"nothing to send\" } fn check(exchange) { true }";
    let outcome = shop(hooks, "[assert]\nthat = [\"checks.failed == 0\"]").run().exit(4);
    let record = outcome.record("scenario");
    let load = load(&record);
    assert!(load["errors"]["script"].as_u64().unwrap() >= 4, "{}", load["errors"]);
    assert_eq!((&load["failed"], &load["completed"]), (&load["started"], &Value::from(0)));
    let errors = load["checks"]["script_errors"].as_array().unwrap();
    assert_eq!(errors.len(), 5);
    assert!(errors[0]["said"].as_str().unwrap().contains("nothing to send"), "{}", errors[0]);
}

#[test]
fn a_request_that_fails_is_an_error_of_its_own_kind() {
    let hooks = "fn request(user, seq) { if user.number == 0 { #{ headers: #{ a: \"x\\r\\ny: z\" } } } else { () } }";
    let rules = "[assert]\nthat = [\"errors.script > 0\", \"errors.status == 0\", \"completed > 0\"]";
    let record = shop(hooks, rules).run().exit(0).record("scenario");
    let said = load(&record)["checks"]["script_errors"][0]["said"].as_str().unwrap();
    assert!(said.contains("line break"), "{said}");
}

#[test]
fn a_setup_that_fails_ends_the_run_before_anything_is_sent() {
    let hooks = "fn setup() {\n  log(\"asking for a token\"); throw \"no token\"\n}\nfn teardown() { }";
    shop(hooks, "")
        .run()
        .exit(3)
        .stderr_has("the script's setup failed: in setup, line 2")
        .stderr_has("no token")
        .stderr_has("the script's log: asking for a token")
        .no_report();
}

#[test]
fn teardown_runs_after_ctrl_c_too_and_a_failing_one_is_a_caveat() {
    let hooks = "fn teardown() { log(\"cleared\"); throw \"still there\" }";
    let running = shop(hooks, "").set("load.duration=1h").start();
    running.wait_for_requests();
    running.signal("INT");
    let outcome = running.wait().exit(130);
    let record = outcome.record("scenario");
    let checks = &load(&record)["checks"];
    assert_eq!(checks["log"], serde_json::json!(["cleared"]));
    assert!(checks["teardown_error"].as_str().unwrap().contains("still there"));
    assert!(outcome.report("scenario").contains("teardown failed"));
}

// fault: endless: a hook loops without end -> it fails after its operations, and the load ends
#[test]
fn an_endless_hook_does_not_hang_the_load() {
    let hooks = "fn request(user, seq) { if user.number == 0 { loop { } } () } fn check(exchange) { loop { } }";
    let outcome = shop(hooks, "").run();
    // Not one request came through that the script had its say on, or not one check.
    assert!(matches!(outcome.code, Some(3 | 4)), "{:?}: {}", outcome.code, outcome.stdout);
    let record = outcome.record("scenario");
    let checks = &load(&record)["checks"];
    let said = checks["script_errors"][0]["said"].as_str().unwrap();
    assert!(said.contains("endless loop"), "{said}");
    assert!(
        checks["samples"].as_array().unwrap().iter().all(|it| it["said"].as_str().unwrap().contains("endless loop"))
    );
}

#[test]
fn think_time_comes_before_a_request_and_is_no_latency() {
    let hooks = "fn request(user, seq) { sleep(\"100ms\"); () }";
    let record = shop(hooks, "").set("load.duration=1s").run().exit(0).record("scenario");
    let started = load(&record)["started"].as_u64().unwrap();
    assert!((1..=40).contains(&started), "four users in one second, each after 100 ms: {started}");
}

#[test]
fn a_data_file_needs_no_script() {
    let scenario = "[server]\nmode = \"async\"\nscript = \"shop.rhai\"\n[load]\ndata = \"users.jsonl\"\n\
                    path = \"/order/?by={data.email}\"\nconcurrency = 2\nduration = \"200ms\"\n\
                    json = { items = \"{data.note}\" }\n[assert]\nthat = [\"errors.count == 0\", \"status.201 > 0\"]";
    let users = "{\"email\":\"a b\",\"note\":\"\\\"quoted\\\" \\n\"}\n{\"email\":\"c&d\",\"note\":7}\n";
    let outcome = Runner::with(scenario).file("shop.rhai", SHOP).file("users.jsonl", users).run().exit(0);
    assert!(load(&outcome.record("scenario"))["checks"].is_null());
    let effective = fs::read_to_string(outcome.latest("scenario").join("effective.toml")).unwrap();
    assert!(effective.contains("users.jsonl"));
}

#[test]
fn a_verdict_that_fails_makes_the_run_inconclusive() {
    let hooks = "fn verdict(metrics) { expect(\"a\", metrics[\"dirty.leaks\"] == 0) }";
    let outcome = shop(hooks, "").run().exit(4);
    let verdict = outcome.record("scenario")["variants"][0]["verdicts"][0].clone();
    assert!(verdict["evidence"].as_str().unwrap().contains("has no samples"), "{verdict}");
    let failing = "fn verdict(metrics) { expect(\"many\", metrics[\"started\"] < 1, metrics[\"started\"]) }";
    shop("fn check(exchange) { true }", "[assert]\nscript = \"judge.rhai\"").file("judge.rhai", failing).run().exit(1);
}

#[test]
fn the_shipped_scenario_passes() {
    Runner::shipped("checked")
        .set("load.duration=500ms")
        .set("assert.that=[\"checks.failed == 0\"]")
        .set("assert.script=handlers/checked.rhai")
        .run()
        .stdout_has("checks passed");
}
