//! Folders of reports, as several machines left them, made one.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Outcome, Runner};

/// A scenario that takes a tenth of a second.
const SHORT: &str = "[server]\nmode = 'async'\n[load]\npath = '/health'\nconcurrency = 1\nduration = '100ms'\n";
/// Two variants with two trials each, a rule, and a script that judges.
const ROUNDS: &str = "seed = 1\n[server]\nmode = 'async'\n[load]\npath = '/health'\nconcurrency = 1\nduration = '100ms'\n\
                      [assert]\nthat = ['errors.rate < 1%']\nscript = 'judge.rhai'\n\
                      [matrix]\n'server.mode' = ['async', 'threaded']\nrepeats = 2\n";
const JUDGE: &str =
    "fn verdict(metrics) { [expect(\"something came\", metrics[\"completed\"] > 0, metrics[\"completed\"])] }\n";

fn shards() -> Outcome {
    let files = ["a", "b", "c", "d"];
    let night = files.iter().fold(Runner::new(&["scn", "--shard", "1/2", "--reports", "reports-1"]), |runner, name| {
        let fails = if *name == "c" { "[assert]\nthat = ['latency.p50 < 1us']\n" } else { "" };
        runner.file(&format!("scn/{name}.toml"), &format!("tags = ['fast']\n{SHORT}{fails}"))
    });
    let first = night.run();
    first.then(&["scn", "--shard", "2/2", "--reports", "reports-2"]).run()
}

fn read(outcome: &Outcome, path: &str) -> String {
    fs::read_to_string(outcome.folder.path().join(path)).unwrap()
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// What an index says that is not a time or a figure.
fn rows(outcome: &Outcome) -> Vec<Value> {
    let index: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let rows = index["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        json!([row["scenario"], row["variant"], row["status"], row["tags"], row["stale"], row["comparable"]])
    })
    .collect()
}

/// Everything in a folder, by path.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = crate::harness::walk(folder)
        .into_iter()
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn the_shards_of_a_night_become_one_with_the_index_of_one_run() {
    let outcome = shards();
    let folder = outcome.folder.path().to_owned();
    let before = [contents(&folder.join("reports-1")), contents(&folder.join("reports-2"))];
    let outcome = outcome.then(&["merge", "reports-1", "reports-2"]).run().exit(1);
    let outcome = outcome.stdout_has("a: passed; report: reports/a/20").stdout_has("c: failed; report: reports/c/20");
    let outcome = outcome.stderr_has("4 scenarios: 3 passed, 1 failed").stderr_has("index: reports/index.html");
    assert_eq!(
        [contents(&folder.join("reports-1")), contents(&folder.join("reports-2"))],
        before,
        "inputs are not changed"
    );
    for name in ["a", "b", "c", "d"] {
        let latest = folder.join(format!("reports/{name}/latest"));
        for file in ["record.json", "report.md", "report.html", "effective.toml", "server.log", "run.log"] {
            assert!(latest.join(file).is_file(), "{name}/{file}");
        }
        let part = [1, 2].map(|shard| folder.join(format!("reports-{shard}/{name}/latest/record.json")));
        let part = part.iter().find(|path| path.is_file()).unwrap();
        assert_eq!(fs::read(part).unwrap(), fs::read(latest.join("record.json")).unwrap());
        let report = fs::read_to_string(latest.join("report.md")).unwrap();
        assert!(report.contains("runner report reports/"), "commands name the new place: {report}");
    }
    let history = read(&outcome, "reports/history.jsonl");
    let outcome = outcome.then(&["merge", "reports-2", "reports-1"]).run().exit(1);
    assert_eq!(read(&outcome, "reports/history.jsonl"), history, "once is enough");
    assert_eq!(fs::read_dir(folder.join("reports/a")).unwrap().count(), 2, "a report and `latest`");
    let outcome = outcome.then(&["index", "--json"]).run().exit(0);
    let merged = rows(&outcome);
    let outcome = outcome.then(&["scn", "--reports", "whole"]).run().exit(1);
    let outcome = outcome.then(&["index", "--json", "--reports", "whole"]).run().exit(0);
    assert_eq!(merged, rows(&outcome));
}

/// A record with both rounds under `whole`, and each round for itself, as two machines would leave it.
fn rounds() -> Outcome {
    let run = Runner::with(ROUNDS).file("judge.rhai", JUDGE).arguments(&["--reports", "whole"]);
    let outcome = run.run().exit(0);
    let whole = json_of(&outcome.folder.path().join("whole/scenario/latest/record.json"));
    for (round, cpu) in [(0, "x"), (1, "y")] {
        let mut part = whole.clone();
        part["rounds"] = json!({ "first": round, "count": 1, "of": 2 });
        part["environment"]["cpu"] = json!(cpu);
        part["total_s"] = json!(1.5);
        for variant in part["variants"].as_array_mut().unwrap() {
            variant["trials"] = json!([variant["trials"][round].clone()]);
            variant["planned_trials"] = json!(1);
            variant["verdicts"] = json!([]);
        }
        let folder = outcome.folder.path().join(format!("machine-{round}/scenario/2026-01-01T00-00-00Z"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("record.json"), part.to_string()).unwrap();
        fs::write(folder.join("server.log"), format!("words of machine {round}\n")).unwrap();
    }
    outcome
}

#[test]
fn two_rounds_are_judged_as_one_run_of_both() {
    let outcome = rounds().then(&["merge", "machine-0", "machine-1"]).run().exit(0);
    let outcome = outcome.stdout_has("scenario: passed, merged from 2 records; report: reports/scenario/20");
    let folder = outcome.folder.path();
    let [whole, merged] =
        ["whole", "reports"].map(|reports| json_of(&folder.join(reports).join("scenario/latest/record.json")));
    for (one, other) in whole["variants"].as_array().unwrap().iter().zip(merged["variants"].as_array().unwrap()) {
        assert_eq!((&one["trials"], &one["verdicts"]), (&other["trials"], &other["verdicts"]));
        assert_eq!((&one["name"], &one["planned_trials"]), (&other["name"], &other["planned_trials"]));
        let kinds: Vec<&Value> = other["caveats"].as_array().unwrap().iter().map(|caveat| &caveat["kind"]).collect();
        assert!(kinds.contains(&&json!("several_machines")), "{kinds:?}");
    }
    assert_eq!(whole["comparison"]["conditions"], merged["comparison"]["conditions"]);
    assert_eq!((&merged["merged"][1]["rounds"]["first"], &merged["merged"][1]["trials"]), (&json!(1), &json!(2)));
    let read = |file: &str| fs::read_to_string(folder.join("reports/scenario/latest").join(file)).unwrap();
    assert!(read("report.md").contains("Merged from 2 records of 2 kinds of machines"), "{}", read("report.md"));
    let log = read("server.log");
    assert!(log.contains("==> machine-0/scenario") && log.contains("words of machine 1"), "{log}");
    let index = outcome.then(&["index", "--json"]).run().exit(0);
    assert_eq!(rows(&index).len(), 2);
}

#[test]
fn the_record_is_all_that_is_printed_if_it_is_asked_for() {
    let outcome = rounds().then(&["merge", "--json", "machine-0", "machine-1"]).run().exit(0);
    let record: Value = serde_json::from_str(outcome.stdout.trim()).unwrap();
    assert_eq!((record["merged"].as_array().unwrap().len(), record["status"].clone()), (2, json!("passed")));
}

#[test]
fn a_round_that_is_missing_was_left_out() {
    let outcome = rounds().then(&["merge", "machine-1"]).run().exit(130);
    let outcome = outcome.stdout_has("scenario: interrupted, merged from 1 record");
    let report = fs::read_to_string(outcome.folder.path().join("reports/scenario/latest/report.md")).unwrap();
    assert!(report.contains("1 of 2 rounds are in no record: 0"), "{report}");
    assert!(!report.contains("by the user"), "{report}");
}

#[test]
fn what_cannot_be_merged_is_refused_with_what_to_do_and_nothing_is_written() {
    let outcome = rounds();
    let folder = outcome.folder.path().to_owned();
    let (zero, one) = ("machine-0/scenario/2026-01-01T00-00-00Z", "machine-1/scenario/2026-01-01T00-00-00Z");
    let change = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut record = json_of(&folder.join(one).join("record.json"));
        change(&mut record);
        fs::write(folder.join(name), record.to_string()).unwrap();
    };
    let of_scenario = |from: &'static str, to: &'static str| {
        move |record: &mut Value| {
            let effective = record["scenario"]["effective"].as_str().unwrap();
            assert!(effective.contains(from), "{effective}");
            record["scenario"]["effective"] = json!(effective.replace(from, to));
        }
    };
    change("other.json", &of_scenario("concurrency = 1", "concurrency = 2"));
    change("version.json", &|record| record["runner"]["version"] = json!("0.0.1"));
    change("format.json", &|record| record["format"] = json!(99));
    change("rounds.json", &|record| record["rounds"]["of"] = json!(3));
    change("merged.json", &|record| {
        let part =
            json!({ "started": record["started"], "seed": 1, "environment": record["environment"], "trials": 2 });
        record["merged"] = json!([part]);
    });
    fs::create_dir(folder.join("empty")).unwrap();
    let mut told = String::new();
    let cases: [&[&str]; 9] = [
        &[zero, "other.json"],
        &[zero, "version.json"],
        &[zero, "format.json"],
        &[zero, "rounds.json"],
        &[zero, "merged.json"],
        &[zero, one, "machine-1"],
        &["empty"],
        &["nowhere"],
        &["machine-0", "--reports", "machine-0"],
    ];
    let mut outcome = outcome;
    for arguments in cases {
        outcome = outcome.then(&[&["merge"], arguments].concat()).run().exit(2);
        told += &format!("$ runner merge {}\n{}{}\n", arguments.join(" "), outcome.stdout, outcome.stderr);
        assert!(!folder.join("reports").exists(), "{told}");
    }
    let started = json_of(&folder.join(one).join("record.json"))["started"].as_str().unwrap().to_owned();
    let told = told.replace(&started, "STARTED").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    snapbox::assert_data_eq!(told, snapbox::file!["../golden/merge.txt"].raw());
    fs::remove_file(folder.join("judge.rhai")).unwrap();
    let outcome = outcome.then(&["merge", "machine-0", "machine-1"]).run().exit(2);
    outcome
        .stderr_has("judge.rhai")
        .stderr_has("cannot be loaded as scenario.toml")
        .stderr_has("help: merge where the scenario is");
}

#[test]
fn secrets_are_not_needed_to_judge() {
    let scenario = ROUNDS.replace("[load]", "[load]\nheaders = { authorization = 'Bearer ${API_TOKEN}' }");
    let run = Runner::with(&scenario)
        .file("judge.rhai", JUDGE)
        .env("API_TOKEN", "s3cret-s3cret")
        .arguments(&["--reports", "one"]);
    let first = run.run().exit(0);
    let second = first.then(&["scenario.toml", "--reports", "two"]).env("API_TOKEN", "s3cret-s3cret").run().exit(0);
    let merged =
        second.then(&["merge", "one", "two"]).run().exit(0).stdout_has("scenario: passed, merged from 2 records");
    let record = merged.record("scenario").to_string();
    assert!(record.contains("${API_TOKEN}") && !record.contains("s3cret") && !record.contains("left_out"), "{record}");
}

#[test]
fn an_earlier_night_is_left_out_and_what_could_not_run_is_not_forgotten() {
    let outcome = shards();
    let folder = outcome.folder.path().to_owned();
    let in_shard = |name: &str| if folder.join("reports-1").join(name).exists() { "reports-1" } else { "reports-2" };
    let (own, other) = match in_shard("a") {
        "reports-1" => ("reports-1", "reports-2"),
        _ => ("reports-2", "reports-1"),
    };
    // The other one had the scenario the night before, as its cache has it.
    let before = folder.join(other).join("a/2020-01-01T00-00-00Z");
    fs::create_dir_all(&before).unwrap();
    let mut record = json_of(&folder.join(own).join("a/latest/record.json"));
    record["started"] = json!("2020-01-01T00:00:00Z");
    fs::write(before.join("record.json"), record.to_string()).unwrap();
    let broken = json!({
        "night": "2999-01-01T00:00:00Z", "scenario": "b", "variant": "", "started": record["started"], "status": "could_not_run",
        "took_s": 0.0, "problems": ["the port is taken"],
        "conditions": { "machine": "", "kernel": "", "runner": "", "configuration": "" },
    });
    let history = folder.join(in_shard("b")).join("history.jsonl");
    let text = fs::read_to_string(&history).unwrap();
    let started = json_of(&folder.join(in_shard("b")).join("b/latest/record.json"))["started"].clone();
    let mut broken = broken;
    (broken["started"], broken["night"]) = (started.clone(), started);
    fs::write(&history, format!("{text}{broken}\n")).unwrap();
    outcome
        .then(&["merge", "reports-1", "reports-2"])
        .run()
        .exit(3)
        .stdout_has("a: passed; report")
        .stderr_has("left out, as it is of an earlier night")
        .stderr_has("b: could not run: the port is taken")
        .stderr_has("4 scenarios: 2 passed, 1 failed, 1 could not run");
}

/// Copies a folder, with what links lead to in place of the links.
fn copy_followed(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy_followed(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

#[test]
fn artifacts_of_a_ci_service_are_taken_as_they_come() {
    let outcome = shards();
    let folder = outcome.folder.path().to_owned();
    for name in ["reports-1", "reports-2"] {
        copy_followed(&folder.join(name), &folder.join("parts").join(name));
    }
    let outcome = outcome.then(&["merge", "parts"]).run().exit(1).stderr_has("4 scenarios: 3 passed, 1 failed");
    let names = |scenario: &str| {
        let entries = fs::read_dir(folder.join("reports").join(scenario)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    assert!(names("a").iter().any(|name| name.starts_with("20")) && names("a").len() == 2, "{:?}", names("a"));
    assert!(folder.join("reports/a/latest").is_symlink());
    // The reports of one scenario, and a record by its file.
    let home = ["reports-1/c", "reports-2/c"].into_iter().find(|home| folder.join(home).exists()).unwrap();
    let record = format!("{}/latest/record.json", home);
    let outcome = outcome.then(&["merge", home, "--reports", "one"]).run().exit(1).stdout_has("c: failed");
    let _outcome =
        outcome.then(&["merge", &record, "--reports", "other"]).run().exit(1).stdout_has("report: other/c/20");
    for reports in ["one", "other"] {
        assert!(folder.join(reports).join("c/latest/server.log").is_file());
        assert_eq!(fs::read_to_string(folder.join(reports).join("history.jsonl")).unwrap().lines().count(), 1);
    }
}
