//! The commands around a run: check, report, schema, new, completions, and several files at once.

use std::fs;

use serde_json::Value;

use crate::harness::{Runner, shipped};

const QUICK: &str =
    "[server]\nmode = \"async\"\n[load]\npath = \"/async_sleep/?sleep=5ms\"\nconcurrency = 2\nduration = \"200ms\"\n";

#[test]
fn without_arguments_it_explains_itself_and_exits_with_2() {
    Runner::new(&[]).run().exit(2).stderr_has("Examples:");
    Runner::new(&["--help"]).run().exit(0).stdout_has("Exit codes: 0 passed");
    Runner::new(&["--version"]).run().exit(0).stdout_has(env!("CARGO_PKG_VERSION"));
    Runner::new(&["--frobnicate"]).run().exit(2).stderr_has("--frobnicate");
}

#[test]
fn check_shows_the_plan_and_starts_nothing() {
    let scenario = shipped("scenarios/dirty.toml");
    Runner::new(&["check", scenario.to_str().unwrap()])
        .run()
        .exit(0)
        .stdout_has("is valid")
        .stdout_has("built-in async, 1 worker")
        .stdout_has("expected dirty")
        .no_report();
}

#[test]
fn a_run_leaves_a_whole_report_and_points_latest_at_it() {
    let outcome = Runner::with(QUICK).run().exit(0).stdout_has("report: reports/scenario/");
    let latest = outcome.latest("scenario");
    for name in ["record.json", "report.md", "server.log", "effective.toml"] {
        assert!(latest.join(name).is_file(), "{name}");
    }
    let report = outcome.report("scenario");
    let pictures: Vec<&str> = report.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    let pictures: Vec<&&str> = pictures.iter().filter(|name| name.ends_with(".svg")).collect();
    assert!(!pictures.is_empty());
    for picture in pictures {
        assert!(latest.join(picture).is_file(), "{picture}");
    }
    assert!(fs::read_link(&latest).unwrap().is_relative());
}

#[test]
fn the_record_has_the_keys_that_were_promised() {
    let outcome = Runner::with(QUICK).set("server.workers=2").run().exit(0);
    let record = outcome.record("scenario");
    for key in ["format", "runner", "started", "seed", "status", "scenario", "environment", "variants"] {
        assert!(!record[key].is_null(), "{key}");
    }
    assert_eq!((&record["format"], &record["runner"]["version"]), (&1.into(), &env!("CARGO_PKG_VERSION").into()));
    for key in ["name", "file", "effective"] {
        assert!(record["scenario"][key].is_string(), "{key}");
    }
    assert_eq!(record["scenario"]["overrides"][0], "server.workers=2");
    let variant = &record["variants"][0];
    for key in ["name", "settings", "trials", "verdicts", "caveats"] {
        assert!(!variant[key].is_null(), "{key}");
    }
    let load = &variant["trials"][0]["load"];
    for key in [
        "started",
        "completed",
        "failed",
        "unanswered",
        "duration_s",
        "throughput",
        "status",
        "errors",
        "timeline",
        "histogram",
    ] {
        assert!(!load[key].is_null(), "{key}");
    }
    for key in ["min", "mean", "p50", "p75", "p90", "p95", "p99", "p999", "max"] {
        assert!(load["latency_us"][key].is_number() && load["service_time_us"][key].is_number(), "{key}");
    }
    for key in ["cpu_s", "rss_peak_bytes", "exit"] {
        assert!(!variant["trials"][0]["server"][key].is_null(), "{key}");
    }
}

#[test]
fn json_is_the_record_and_nothing_else() {
    let outcome = Runner::with(QUICK).arguments(&["--json"]).run().exit(0);
    let printed: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(printed, outcome.record("scenario"));
}

#[test]
fn several_files_run_one_after_the_other_and_the_worst_decides() {
    let failing = format!("{QUICK}[assert]\nthat = [\"throughput > 1000000/s\"]\n");
    let outcome =
        Runner::new(&["one.toml", "two.toml"]).file("one.toml", &failing).file("two.toml", QUICK).run().exit(1);
    assert_eq!(outcome.record("one")["status"], "failed");
    assert_eq!(outcome.record("two")["status"], "passed");
}

#[test]
fn a_record_renders_again_to_the_same_report() {
    let outcome = Runner::with(QUICK).run().exit(0);
    let record = outcome.latest("scenario").join("record.json");
    let again = Runner::new(&["report", record.to_str().unwrap(), "--output", "again"]).run().exit(0);
    let rendered = fs::read_to_string(again.folder.path().join("again/report.md")).unwrap();
    assert_eq!(rendered, outcome.report("scenario"));
    Runner::new(&["report", "nothing.json"]).run().exit(2).stderr_has("nothing.json");
    Runner::new(&["report", "x.json"]).file("x.json", "{}").run().exit(2).stderr_has("not a record");
    Runner::new(&["report", "x.json"]).file("x.json", "{\"format\": 99}").run().exit(2).stderr_has("format 99");
}

#[test]
fn the_schema_knows_the_keys() {
    let outcome = Runner::new(&["schema"]).run().exit(0);
    let schema: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(schema["properties"]["server"].is_object() && schema["properties"]["dirty"].is_object());
}

#[test]
fn a_new_scenario_is_valid_and_nothing_is_overwritten() {
    let made = Runner::new(&["new", "checkout"]).run().exit(0).stdout_has("wrote scenarios/checkout.toml");
    let folder = made.folder.path();
    let scenario = folder.join("scenarios/checkout.toml");
    Runner::new(&["check", scenario.to_str().unwrap()]).run().exit(0);
    let again = Runner::new(&["new", "checkout", "--folder", folder.join("scenarios").to_str().unwrap()]);
    again.run().exit(2).stderr_has("exists already");
    Runner::new(&["new", "../escape"]).run().exit(2).stderr_has("cannot name a scenario");
}

#[test]
fn completions_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        Runner::new(&["completions", shell]).run().exit(0).stdout_has("runner");
    }
}

#[test]
fn every_shipped_scenario_is_valid_or_says_what_is_not_supported_yet() {
    for entry in fs::read_dir(shipped("scenarios")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let outcome = Runner::new(&["check", path.to_str().unwrap()]).run();
            let unsupported = outcome.stderr.contains("not supported yet");
            assert!(outcome.code == Some(0) || unsupported, "{}:\n{}", path.display(), outcome.stderr);
        }
    }
}

#[test]
fn an_environment_variable_fills_in() {
    let scenario = QUICK.replace("duration = \"200ms\"", "duration = \"${LOAD_TIME:-150ms}\"");
    let planned = |runner: Runner| {
        let record = runner.run().exit(0).record("scenario");
        record["variants"][0]["trials"][0]["load"]["planned_duration_s"].as_f64().unwrap()
    };
    assert!((planned(Runner::with(&scenario)) - 0.15).abs() < 1e-9);
    assert!((planned(Runner::with(&scenario).env("LOAD_TIME", "100ms")) - 0.1).abs() < 1e-9);
}
