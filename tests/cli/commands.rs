//! The commands around a run: check, report, schema, new, completions, and several files at once.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

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
fn a_command_that_is_not_there_is_no_missing_file() {
    let refused = |arguments: &[&str]| {
        let outcome = Runner::new(arguments).file("taken", "").run().exit(2).no_report();
        outcome.stderr
    };
    assert_eq!(refused(&["reprot", "x"]), "error: there is no command `reprot`\nhelp: did you mean `report`?\n");
    let none = "error: there is no command `publish`\nhelp: `runner --help` lists the commands; ";
    assert!(refused(&["publish", "a", "b"]).starts_with(none));
    for file in ["nothing.toml", "./nothing", "taken"] {
        let said = refused(&[file]);
        assert!(!said.contains("no command"), "{said}");
    }
    assert!(refused(&["run", "reprot"]).contains("cannot read `reprot`"));
}

#[test]
fn a_folder_for_reports_is_named_by_an_option_then_by_a_variable_that_is_not_empty() {
    let at = |value: &str, arguments: &[&str], place: &str| {
        let runner = Runner::with(QUICK).set("load.duration=50ms").env("RUNNER_REPORTS", value).arguments(arguments);
        runner.run().exit(0).stdout_has(&format!("report: {place}/scenario/"));
    };
    at("", &[], "reports");
    at("kept", &[], "kept");
    at("kept", &["--reports", "mine"], "mine");
}

// fault: input: a scenario that is not UTF-8 text -> said to be that, not to be missing
#[test]
fn a_file_that_is_no_text_is_not_said_to_be_missing() {
    let runner = Runner::new(&["latin.toml"]);
    fs::write(runner.folder().join("latin.toml"), b"about = \"caf\xe9\"\n").unwrap();
    let outcome = runner.run().exit(2).stderr_has("cannot read `latin.toml`: it is not UTF-8 text");
    outcome.stderr_has("write it in UTF-8").then(&["."]).run().exit(2).stderr_has("cannot read `./latin.toml`");
}

#[test]
fn the_greatest_seed_that_is_accepted_is_the_greatest_that_is_said_to_be() {
    let greatest = "9007199254740991";
    let of = |seed: &str| Runner::with(QUICK).set("load.duration=50ms").set(&format!("seed={seed}")).run();
    assert_eq!(of(greatest).exit(0).record("scenario")["seed"], 9_007_199_254_740_991_u64);
    of("9007199254740992").exit(2).stderr_has("`seed` is out of range").stderr_has(&format!("from 0 to {greatest}"));
    of("-1").exit(2).stderr_has("`seed` is out of range").stderr_has(&format!("from 0 to {greatest}"));
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
    for name in ["record.json", "report.md", "server.log", "run.log", "effective.toml"] {
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
    assert_eq!((&record["format"], &record["runner"]["version"]), (&2.into(), &env!("CARGO_PKG_VERSION").into()));
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
    for key in ["cpu_s", "rss_peak_bytes", "end"] {
        assert!(!variant["trials"][0]["servers"][0][key].is_null(), "{key}");
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
    assert_eq!(outcome.stderr.lines().last(), Some("2 scenarios: 1 passed, 1 failed"));
}

// fault: reports: one scenario of several cannot run -> the others do
#[test]
fn a_scenario_that_cannot_run_does_not_stop_the_next() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("mode = \"async\"\nport = {}", held.local_addr().unwrap().port());
    let outcome = Runner::new(&["one.toml", "two.toml"])
        .file("one.toml", &QUICK.replace("mode = \"async\"", &port))
        .file("two.toml", QUICK)
        .run()
        .exit(3);
    assert_eq!(outcome.record("two")["status"], "passed");
    assert_eq!(outcome.stderr.lines().last(), Some("2 scenarios: 1 passed, 1 could not run"));
}

#[test]
fn one_scenario_needs_no_tally() {
    let outcome = Runner::with(QUICK).run().exit(0);
    assert!(!outcome.stderr.contains("1 scenario"), "{}", outcome.stderr);
}

#[test]
fn a_name_that_is_no_text_is_a_file_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &OsStr| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
        command.arg(name).current_dir(folder.path()).output().unwrap()
    };
    let missing = run(OsStr::from_bytes(b"\xff.toml"));
    let stderr = String::from_utf8(missing.stderr).unwrap();
    assert_eq!(missing.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("no such file"), "{stderr}");
}

#[test]
fn one_of_a_kind_is_singular() {
    let one = QUICK.replace("concurrency = 2", "concurrency = 1") + "[matrix]\nrepeats = 3\n";
    Runner::new(&["check", "one.toml"])
        .file("one.toml", &one)
        .run()
        .exit(0)
        .stdout_has("  1 variant, 3 trials\n")
        .stdout_has(", 1 user for 200ms");
    let two = one + "\"server.mode\" = [\"sync\", \"async\"]\n";
    Runner::new(&["check", "two.toml"]).file("two.toml", &two).run().exit(0).stdout_has("  2 variants, 3 trials each");
}

#[test]
fn a_record_renders_again_to_the_same_report() {
    let outcome = Runner::with(QUICK).run().exit(0);
    let first = outcome.report("scenario");
    fs::write(outcome.latest("scenario").join("report.md"), "").unwrap();
    let again = outcome.then(&["report", "reports/scenario/latest/record.json"]).run().exit(0);
    assert_eq!(again.report("scenario"), first);
    assert!(first.contains("- beside this report: `effective.toml`"), "{first}");
    let elsewhere = again.then(&["report", "reports/scenario/latest", "--output", "again"]).run().exit(0);
    let rendered = fs::read_to_string(elsewhere.folder.path().join("again/report.md")).unwrap();
    let home = fs::read_link(elsewhere.latest("scenario")).unwrap();
    let place = format!("- in `reports/scenario/{}`: `effective.toml`", home.display());
    assert!(rendered.contains(&place) && !rendered.contains("beside this report"), "{rendered}");
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
    let checked = Runner::new(&["check", scenario.to_str().unwrap()]).run().exit(0);
    assert!(!checked.stderr.contains("warning:"), "{}", checked.stderr);
    let again = Runner::new(&["new", "checkout", "--folder", folder.join("scenarios").to_str().unwrap()]);
    again.run().exit(2).stderr_has("exists already");
    Runner::new(&["new", "../escape"]).run().exit(2).stderr_has("cannot name a scenario");
}

#[test]
fn a_new_scenario_passes_as_it_is_and_its_careless_handler_does_not() {
    let made = Runner::new(&["new", "shop-2", "--folder", "."]).run().exit(0);
    let scenario = made.folder.path().join("shop-2.toml");
    let run = || Runner::new(&[scenario.to_str().unwrap()]).set("load.duration=1s");
    // Ended by what it has seen, not by time.
    run().set("dirty.exposures=50").set("dirty.time=1m").run().exit(0).stdout_has("PASSED  shop-2");
    let careless = "dirty.path=/careless/?sleep={sleep}&email={canary}";
    run().set(careless).run().exit(1).stdout_has("FAILED  shop-2");
}

#[test]
fn a_new_scenario_of_a_document_names_it_or_holds_its_requests() {
    let document = r#"{"openapi":"3.0.0","paths":{"/a":{"get":{"responses":{}}},"/b/{id}":{"get":{"responses":{}}}}}"#;
    let new = |from: &'static str| Runner::new(&["new", "shop", "--from", from]).file("openapi.json", document);
    let made = new("openapi.json").run().exit(0).stdout_has("OpenAPI: 1 taken, 1 left out");
    let written = |folder: &std::path::Path| fs::read_to_string(folder.join("scenarios/shop.toml")).unwrap();
    let text = written(made.folder.path());
    assert!(text.contains("from    = \"../openapi.json\""), "{text}");
    let made = new("curl 'http://127.0.0.1:8000/items?q=lamps' -H 'authorization: Bearer s3cr3t'").run().exit(0);
    let text = written(made.folder.path());
    assert!(text.contains("path = \"/items?q={canary}\"") && !text.contains("s3cr3t"), "{text}");
    new("none.har").run().exit(2).stderr_has("cannot read none.har");
    new("notes.txt").file("notes.txt", "hello").run().exit(2).stderr_has("none of OpenAPI, HAR, Postman");
}

#[test]
fn check_warns_of_functions_that_nobody_calls_and_still_passes() {
    let doubtful = shipped("tests/golden/warnings/misspelt_hooks.toml");
    Runner::new(&["check", doubtful.to_str().unwrap()])
        .run()
        .exit(0)
        .stderr_has("warning: nothing calls `setpu`")
        .stderr_has("did you mean `setup()`?")
        .stdout_has("is valid");
}

#[test]
fn definitions_for_editors_are_written_and_written_again() {
    let runner = Runner::new(&["definitions"]).file(".rhai/definitions/runner.d.rhai", "of an earlier version");
    let outcome = runner.run().exit(0).stdout_has("wrote .rhai/definitions/runner.d.rhai\n");
    let read = |name| fs::read_to_string(outcome.folder.path().join(".rhai/definitions").join(name)).unwrap();
    assert!(read("runner.d.rhai").contains("fn sleep(time: ?)") && read("rhai.d.rhai").contains("fn len("));
    Runner::new(&["definitions", "file/below"]).file("file", "").run().exit(3).stderr_has("cannot write file/below");
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

#[test]
fn a_load_of_a_number_of_requests_has_no_planned_duration() {
    let scenario = QUICK.replace("duration = \"200ms\"", "requests = 1");
    let outcome = Runner::with(&scenario).run().exit(0);
    let record = outcome.record("scenario");
    let load = &record["variants"][0]["trials"][0]["load"];
    assert!(load["planned_duration_s"].is_null() && load["planned_requests"] == 1, "{load}");
    let of = |key: &str| load["latency_us"][key].as_f64().unwrap();
    assert!(of("min") <= of("mean") && of("mean") <= of("max"), "{}", load["latency_us"]);
    assert!(outcome.report("scenario").contains("until 1 request"), "{}", outcome.report("scenario"));
}

/// What a terminal of 80 columns receives while a shell runs `line` in the folder of a scenario of a second or more.
fn on_a_terminal(line: &str, no_color: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("scenario.toml"), QUICK.replace("200ms", "1s")).unwrap();
    let line = format!("stty cols 80 rows 24; {}", line.replace("RUNNER", env!("CARGO_BIN_EXE_runner")));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(folder.path()).stdin(Stdio::null());
    script.env("TERM", "xterm-256color").env_remove("RUNNER_REPORTS").env_remove("NO_COLOR").env_remove("CI");
    if no_color {
        script.env("NO_COLOR", "1");
    }
    String::from_utf8(script.output().unwrap().stdout).unwrap()
}

/// What the terminal shows after all that: it knows text, line ends, and the few sequences that move or clear.
fn screen(received: &str) -> String {
    let mut rows: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0usize, 0usize);
    let mut rest = received.chars();
    while let Some(c) = rest.next() {
        match c {
            '\r' => column = 0,
            '\n' => row += 1,
            '\x1b' => {
                let end = rest.as_str().find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let count: usize = rest.as_str()[1..end].parse().unwrap_or(1);
                match rest.by_ref().nth(end).unwrap() {
                    'A' => row = row.saturating_sub(count),
                    'B' => row += count,
                    'K' => rows[row].clear(),
                    other => assert_eq!(other, 'm', "a sequence that this screen does not know"),
                }
            }
            c => {
                if column == 80 {
                    (row, column) = (row + 1, 0);
                    rows.resize(rows.len().max(row + 1), Vec::new());
                }
                let width = rows[row].len().max(column + 1);
                rows[row].resize(width, ' ');
                rows[row][column] = c;
                column += 1;
            }
        }
        rows.resize(rows.len().max(row + 1), Vec::new());
    }
    rows.into_iter().map(|row| String::from_iter(row) + "\n").collect()
}

#[test]
fn a_terminal_shows_a_live_line_and_nothing_of_it_is_left() {
    let received = on_a_terminal("RUNNER scenario.toml", false);
    assert!(
        received.contains("2 users for 1s") && received.contains("[==") && received.contains(" in flight"),
        "{received:?}"
    );
    assert!(received.contains("latency so far: p50 "), "{received:?}");
    let left = screen(&received);
    assert!(left.trim_start().starts_with("PASSED  scenario"), "{left}");
    assert!(!left.contains("[=") && !left.contains("in flight") && !left.contains("latency so far"), "{left}");
}

#[test]
fn a_terminal_gets_colours_unless_no_color_is_set() {
    // A sequence that ends in `m` sets a colour or a style.
    let coloured = |received: &str| {
        let ends = received.split("\x1b[").skip(1).map(|rest| rest.chars().find(char::is_ascii_alphabetic));
        ends.flatten().any(|end| end == 'm')
    };
    assert!(coloured(&on_a_terminal("RUNNER scenario.toml", false)));
    let plain = on_a_terminal("RUNNER scenario.toml", true);
    assert!(!coloured(&plain) && plain.contains("[=="), "{plain:?}");
    assert!(!coloured(&on_a_terminal("RUNNER nowhere.toml", true)));
}

#[test]
fn an_interruption_is_said_above_the_live_line() {
    let interrupt = "RUNNER --set load.duration=60s scenario.toml & sleep 2; kill -TERM $!; wait $!";
    let left = screen(&on_a_terminal(interrupt, false));
    assert!(left.contains("interrupted: writing the report") && left.contains("INTERRUPTED  scenario"), "{left}");
    assert!(!left.contains("[=") && !left.contains("in flight"), "{left}");
}
