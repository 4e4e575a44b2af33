//! The dirty check on servers that leak and on their clean twins.

use serde_json::Value;

use crate::harness::{Runner, shipped};

fn dirty(record: &Value) -> &Value {
    &record["variants"][0]["trials"][0]["dirty"]
}

#[test]
fn the_shared_object_leaks_in_async_mode_with_names_and_times() {
    let outcome = Runner::shipped("dirty").run().exit(0);
    let record = outcome.record("dirty");
    let dirty = dirty(&record);
    assert!(dirty["leaks"].as_u64().unwrap() >= 1);
    let leak = &dirty["evidence"][0];
    let (victim, source) = (&leak["victim"], &leak["source"]);
    // On a machine that stutters, already two short ones meet, which come before any long one.
    assert_eq!((&leak["class"], &source["role"]), (&"shared_slot".into(), &"short".into()));
    let time = |witness: &Value, key: &str| witness[key].as_f64().unwrap();
    assert!(time(source, "sent_ms") > time(victim, "sent_ms"), "the source came later");
    assert!(time(source, "sent_ms") < time(victim, "done_ms"), "while the victim was under way");
    assert!(leak["excerpt"].as_str().unwrap().contains(source["canary"].as_str().unwrap()));
    assert_eq!(victim["worker"], source["worker"]);
    let report = outcome.report("dirty");
    assert!(report.contains(&format!("request {}", victim["request"])), "{report}");
}

#[test]
fn the_same_leak_fails_a_scenario_that_expects_none() {
    Runner::shipped("dirty").set("dirty.expect=clean").run().exit(1);
}

#[test]
fn one_at_a_time_there_is_no_leak() {
    let outcome = Runner::shipped("dirty")
        .set("server.mode=sync")
        .set("dirty.sleep={long=\"200ms\", short=\"10ms\"}")
        .set("dirty.time=4s")
        .run()
        .exit(1);
    let record = outcome.record("dirty");
    let dirty = dirty(&record);
    assert_eq!((dirty["leaks"].as_u64(), dirty["evidence"].as_array().map(Vec::len)), (Some(0), Some(0)));
    assert_eq!(dirty["triggers"]["overlap"]["not_exercised"], "the server handles one request at a time");
}

#[test]
fn a_handler_that_keeps_its_data_to_itself_is_clean_in_every_mode() {
    let check = |mode: &str| {
        let outcome = Runner::shipped("clean_in_every_mode")
            .set(&format!("server.mode={mode}"))
            .set("dirty.exposures=300")
            .set("assert.that=[\"dirty.leaks == 0\", \"dirty.bound <= 1%\"]")
            .run()
            .exit(0);
        let record = outcome.record("clean_in_every_mode");
        let dirty = &record["variants"][0]["trials"][0]["dirty"];
        assert!(dirty["exposures"].as_u64().unwrap() >= 300, "{mode}: {dirty}");
        assert!(dirty["bound"].as_f64().unwrap() <= 0.01, "{mode}: {dirty}");
    };
    let shipped = std::fs::read_to_string(shipped("scenarios/clean_in_every_mode.toml")).unwrap();
    let shipped: toml::Table = shipped.parse().unwrap();
    let modes = shipped["matrix"]["server.mode"].as_array().unwrap();
    assert_eq!(modes.len(), 3);
    // Each waits most of the time.
    std::thread::scope(|scope| {
        for mode in modes {
            scope.spawn(move || check(mode.as_str().unwrap()));
        }
    });
}

#[test]
fn the_handler_that_comes_with_it_leaks_too() {
    Runner::with(
        r#"
        [server]
        mode = "async"
        [dirty]
        path = "/dirty/?sleep={sleep}&email={canary}"
        sleep = { long = "200ms", short = "10ms" }
        expect = "dirty"
        time = "5s"
        "#,
    )
    .run()
    .exit(0);
}

#[test]
fn a_canary_in_a_header_is_followed_into_a_header() {
    let outcome = Runner::with(
        r#"
        [server]
        mode = "async"
        script = "leak.rhai"
        [dirty]
        path = "/page/"
        headers = { "x-user" = "{canary}" }
        sleep = { long = "200ms", short = "10ms" }
        expect = "dirty"
        time = "5s"
        [assert]
        that = ["dirty.leaks > 0"]
        "#,
    )
    .file(
        "leak.rhai",
        r#"
        fn page(request) {
            process.user = request.headers["x-user"];
            sleep(0.05);
            respond(200, "ok").header("x-greeting", `hello ${process.user}`)
        }
        "#,
    )
    .run()
    .exit(0);
    let record = outcome.record("scenario");
    assert_eq!(dirty(&record)["evidence"][0]["place"], "header x-greeting");
}

#[test]
fn an_endpoint_that_does_not_show_its_canary_is_inconclusive() {
    Runner::with(
        r#"
        [server]
        mode = "async"
        [dirty]
        path = "/sync_sleep/?sleep={sleep}&email={canary}"
        sleep = { long = "100ms", short = "10ms" }
        time = "2s"
        "#,
    )
    .run()
    .exit(4)
    .stdout_has("canary");
}

#[test]
fn a_value_that_stays_is_a_stale_leak_even_alone() {
    let outcome = Runner::with(
        r#"
        [server]
        mode = "sync"
        script = "stale.rhai"
        [dirty]
        path = "/page/?email={canary}"
        expect = "dirty"
        time = "2s"
        "#,
    )
    .file(
        "stale.rhai",
        r#"
        fn page(request) {
            let before = process.email;
            process.email = request.query.email;
            `${request.query.email}, after ${before}`
        }
        "#,
    )
    .run()
    .exit(0);
    let record = outcome.record("scenario");
    assert_eq!(dirty(&record)["evidence"][0]["class"], "stale_state");
}

#[test]
fn the_exposures_of_the_triggers_are_those_of_the_check_and_never_fewer_than_the_leaks() {
    let outcome = Runner::with(
        r#"
        [server]
        mode   = "sync"
        script = "stale.rhai"
        [dirty]
        path       = "/page/?user={canary}"
        exhaustive = true
        exposures  = 300
        time       = "10s"
        [assert]
        that = ["dirty.residue.exposures > 5"]
        "#,
    )
    .file("stale.rhai", STALE_GLOBAL)
    .run()
    .exit(1);
    let record = outcome.record("scenario");
    let dirty = dirty(&record);
    let count = |of: &Value, key: &str| of[key].as_u64().unwrap();
    let triggers = dirty["triggers"].as_object().unwrap();
    for (name, trigger) in triggers {
        assert!(count(trigger, "leaks") <= count(trigger, "exposures"), "{name}: {trigger}");
    }
    // The control run counts too where it leaks.
    let of_triggers: u64 = triggers.values().map(|trigger| count(trigger, "exposures")).sum();
    let of_control = count(dirty, "exposures") - of_triggers;
    assert!(of_control < count(&dirty["control"], "requests"), "{dirty}");
    assert_eq!(record["variants"][0]["verdicts"][1]["status"], "passed", "{}", record["variants"][0]["verdicts"]);
}

/// Greets whoever said last who they are.
const STALE_GLOBAL: &str = r#"
fn page(request) {
    let user = request.query.user;
    if user != () && user != "" { process.user = user; }
    `<p>Hello, ${process.user}</p>`
}
"#;

#[test]
fn a_check_begins_no_round_for_which_there_is_no_time() {
    let outcome = Runner::with(
        r#"
        [server]
        mode   = "sync"
        script = "own.rhai"
        [dirty]
        path = "/page/?user={canary}"
        time = "500ms"
        "#,
    )
    .file("own.rhai", "fn page(request) { `<p>Hello, ${request.query.user}</p>` }")
    .run()
    .exit(0);
    let record = outcome.record("scenario");
    let dirty = dirty(&record);
    // A round of `slow` takes 3 s.
    assert_eq!(dirty["triggers"]["slow"]["not_exercised"], "its turn had not come when the check ended");
    let took = |of: &Value, key: &str| of[key].as_f64().unwrap();
    let without_starts = took(dirty, "duration_s") - took(&dirty["starts"], "took_s");
    assert!(without_starts < 2.0, "{without_starts}");
}

#[test]
fn a_stale_global_is_one_leak_whatever_trigger_shows_it() {
    let outcome = Runner::with(
        r#"
        [server]
        mode   = "sync"
        script = "stale.rhai"
        [dirty]
        path       = "/page/?user={canary}"
        exhaustive = true
        exposures  = 250
        time       = "20s"
        expect     = "dirty"
        "#,
    )
    .file(
        "stale.rhai",
        r#"
        fn page(request) {
            let before = process.user;
            process.user = request.query.user;
            `<p>Hello, ${request.query.user}; before you came ${before}</p>`
        }
        "#,
    )
    .run()
    .exit(0);
    let record = outcome.record("scenario");
    let evidence = dirty(&record)["evidence"].as_array().unwrap();
    let found = |trigger: &str| evidence.iter().any(|leak| leak["trigger"] == trigger);
    assert!(found("abort") && found("error"), "{evidence:?}");
    let classes: Vec<&Value> = evidence.iter().map(|leak| &leak["class"]).collect();
    assert!(classes.iter().all(|class| *class == "stale_state"), "{classes:?}");
}
