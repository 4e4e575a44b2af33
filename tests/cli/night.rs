//! Folders of scenarios: which are run, what stops the others, and what is left in the morning.

use std::fs;
use std::process::Command;
use std::rc::Rc;

use tempfile::TempDir;

use crate::harness::{Outcome, Runner};

/// What came of a call, in a folder in which others may follow.
struct Came {
    folder: Rc<TempDir>,
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Runner {
    fn go(self) -> Came {
        let Outcome { folder, code, stdout, stderr } = self.run();
        Came { folder: Rc::new(folder), code, stdout, stderr }
    }
}

impl Came {
    fn exit(&self, code: i32) -> &Came {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self
    }

    fn stdout_has(&self, text: &str) -> &Came {
        assert!(self.stdout.contains(text), "no `{text}` in\n{}", self.stdout);
        self
    }

    fn stderr_has(&self, text: &str) -> &Came {
        assert!(self.stderr.contains(text), "no `{text}` in\n{}", self.stderr);
        self
    }

    /// Another call in the same folder.
    fn again(&self, arguments: &[&str]) -> Came {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
        command.args(arguments).current_dir(self.folder.path()).env_remove("RUNNER_REPORTS").env("NO_COLOR", "1");
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Came {
            folder: Rc::clone(&self.folder),
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// A scenario that takes a tenth of a second.
const SHORT: &str = "[server]\nmode = 'async'\n[load]\npath = '/health'\nconcurrency = 1\nduration = '100ms'\n";
const FAILS: &str = "[assert]\nthat = ['latency.p50 < 1us']\n";

fn night(arguments: &[&str]) -> Runner {
    Runner::new(arguments)
        .file("scn/a.toml", &format!("tags = ['fast']\n{SHORT}"))
        .file("scn/sub/b.toml", &format!("{SHORT}{FAILS}"))
        .file("scn/c.toml", SHORT)
        .file("scn/app/pyproject.toml", "[project]\nname = 'x'\n")
}

#[test]
fn a_folder_is_run_in_order_and_the_worst_decides() {
    let came = night(&["scn/", "--junit", "out/j.xml", "--metrics", "m.json", "--prometheus", "p.txt"]).go();
    came.exit(1)
        .stderr_has("3 scenarios, about 1s")
        .stderr_has("scenario 2 of 3: c")
        .stderr_has("3 scenarios: 2 passed, 1 failed")
        .stderr_has("index: reports/index.html");
    let read = |path: &str| fs::read_to_string(came.folder.path().join(path)).unwrap();
    assert_eq!(read("reports/history.jsonl").lines().count(), 3);
    let page = read("reports/index.html");
    assert!(page.contains("of 3 scenarios: 1 failed, 2 passed") && page.contains("href=\"b/20"), "{page}");
    assert!(read("reports/index.md").starts_with("# Of 3 scenarios: 1 failed, 2 passed\n"));
    assert!(read("out/j.xml").contains("type=\"failed\"") && read("m.json").contains("\"a/ok\": 1"));
    assert!(read("p.txt").contains("runner_scenario_ok{scenario=\"b\",state=\"failed\"} 0"));
}

#[test]
fn one_that_is_invalid_or_cannot_run_stops_no_other() {
    let came = night(&["scn"])
        .file("scn/0.toml", "[server]\nmode = 'async'\n[lod]\n")
        .file("scn/1.toml", "[server]\ncommand = ['false']\n[load]\npath = '/'\nconcurrency = 1\nduration = '100ms'\n")
        .go();
    came.exit(2)
        .stderr_has("did you mean `load`?")
        .stderr_has("5 scenarios: 2 passed, 1 failed, 1 could not run, 1 invalid");
    let index = fs::read_to_string(came.folder.path().join("reports/index.md")).unwrap();
    assert!(index.contains("- **0** could not run") && index.contains("- **1** could not run"), "{index}");
}

#[test]
fn a_file_that_was_named_must_be_valid_or_nothing_starts() {
    let came = night(&["scn/a.toml", "bad.toml"]).file("bad.toml", "[lod]\n").go();
    came.exit(2);
    assert!(!came.folder.path().join("reports").exists());
}

#[test]
fn tags_names_and_parts_choose() {
    let stderr = |arguments: &[&str]| night(arguments).go().stderr;
    assert!(stderr(&["scn", "--tag", "fast"]).contains("1 scenario: 1 passed"));
    assert!(stderr(&["scn", "--only", "[ac]"]).contains("2 scenarios: 2 passed"));
    let parts: Vec<String> = (1..=2).map(|part| stderr(&["scn", "--shard", &format!("{part}/2")])).collect();
    let in_both = |name: &str| parts.iter().filter(|part| part.contains(&format!("{name}: GET /health"))).count();
    assert_eq!([in_both("a"), in_both("b"), in_both("c")], [1; 3], "{parts:?}");
    night(&["scn", "--tag", "none"]).go().exit(2).stderr_has("none of 3 scenarios has that tag");
    night(&["empty"]).file("empty/x.txt", "").go().exit(2).stderr_has("no scenario in empty");
    night(&["scn/app"]).go().exit(2).stderr_has("none of them has [server], [load] or [dirty]");
    night(&["scn", "--shard", "3/2"]).go().exit(2).stderr_has("as in 2/5");
    let twins = night(&["scn"]).file("scn/sub/a.toml", SHORT).go();
    twins.exit(2).stderr_has("two scenarios are named `a`").stderr_has("name = ");
}

#[test]
fn fail_fast_ends_with_the_first_that_fails_and_resume_goes_on_behind_it() {
    let came = night(&["scn", "--fail-fast"]).file("scn/0.toml", &format!("{SHORT}{FAILS}")).go();
    came.exit(1).stderr_has("4 scenarios: 1 failed, 3 not started");
    let left = "{\"night\":\"2026-11-30T02:00:00Z\",\"scenarios\":[\"a\",\"c\",\"b\"],\"done\":[[\"a\",4],[\"c\",0]]}";
    let came = night(&["scn", "--resume"]).file("reports/.unfinished-night.json", left).go();
    came.exit(1)
        .stderr_has("3 scenarios, 2 of them done before")
        .stderr_has("3 scenarios: 1 passed, 1 failed, 1 inconclusive");
    let history = fs::read_to_string(came.folder.path().join("reports/history.jsonl")).unwrap();
    assert!(history.contains("\"night\":\"2026-11-30T02:00:00Z\",\"scenario\":\"b\""), "{history}");
    assert!(!came.folder.path().join("reports/.unfinished-night.json").exists());
}

#[test]
fn a_regression_fails_the_night_where_the_scenario_says_so() {
    // The nights before were a thousand times as fast, under the conditions of this one.
    let first = night(&["scn/c.toml"]).go();
    let line = fs::read_to_string(first.folder.path().join("reports/history.jsonl")).unwrap();
    let mut entry: serde_json::Value = serde_json::from_str(line.trim()).unwrap();
    let mut before = String::new();
    for night in 0..30 {
        let at = format!("2026-10-{:02}T02:00:00Z", night + 1);
        (entry["night"], entry["started"]) = (at.clone().into(), at.into());
        let rate = if night < 28 { 1e9 } else { 1e3 };
        entry["metrics"]["throughput"] = (rate + f64::from(night % 3)).into();
        before += &format!("{entry}\n");
    }
    for (policy, code, told) in [("fail", 1, true), ("warn", 0, true), ("off", 0, false)] {
        let came = Runner::new(&["c.toml"])
            .file("c.toml", &format!("regression = '{policy}'\n{SHORT}"))
            .file("reports/history.jsonl", &before)
            .go();
        came.exit(code);
        assert_eq!(came.stderr.contains(": c: throughput −100 %"), told, "{}", came.stderr);
        let page = fs::read_to_string(came.folder.path().join("reports/index.html")).unwrap();
        assert_eq!(page.contains("since 2026-10-29 02:00 (3 nights"), told, "{page}");
    }
}

#[test]
fn a_baseline_is_kept_compared_with_and_fails_what_is_worse() {
    let scenario = |path: &str| format!("{SHORT}[matrix]\nrepeats = 3\n").replace("/health", path);
    let slow = "/async_sleep/?sleep=0.02";
    let saved =
        Runner::new(&["s.toml"]).file("s.toml", &scenario("/health")).go().exit(0).again(&["baseline", "save", "main"]);
    saved.exit(0).stdout_has("baseline main: reports/baselines/main");
    saved.again(&["baseline", "list"]).exit(0).stdout_has("main: s");
    saved.again(&["s.toml", "--baseline", "mian"]).exit(2).stderr_has("there are main");
    saved
        .again(&["s.toml", "--baseline", "main", "--fail-on-regression", "--tolerance", "90%"])
        .stdout_has("against the baseline of");
    fs::write(saved.folder.path().join("s.toml"), scenario(slow)).unwrap();
    let other = saved.again(&["s.toml", "--baseline", "main", "--fail-on-regression"]);
    other.exit(4).stderr_has("not compared with the baseline, as they differ in load.path");
    let worse =
        saved.again(&["--set", "load.path=/health", "--set", "load.pause=20ms", "s.toml", "--baseline", "main"]);
    worse.exit(0).stderr_has("load.pause");
}

#[test]
fn the_candidate_is_judged_by_the_base_of_the_same_run() {
    let two = "[servers.base]\nmode = 'async'\n[servers.candidate]\nmode = 'async'\nsleep = '60ms'\n\
               [load]\npath = '/async_sleep/'\nconcurrency = 2\nduration = '200ms'\n[matrix]\nserver = ['base', 'candidate']\nrepeats = 3\n";
    let two = two.replace("[servers.base]\nmode = 'async'", "[servers.base]\nmode = 'async'\nsleep = '1ms'");
    let came = Runner::new(&["two.toml", "--fail-on-regression"]).file("two.toml", &two).go();
    came.exit(1).stderr_has("times as good as candidate by throughput");
    Runner::new(&["two.toml"]).file("two.toml", &two).go().exit(0);
}

#[test]
fn old_reports_are_removed_but_never_those_of_a_bad_night() {
    let came = night(&["scn"]).go();
    let reports = came.folder.path().join("reports");
    let age = |scenario: &str| {
        let run = fs::read_link(reports.join(scenario).join("latest")).unwrap();
        let old = reports.join(scenario).join("2020-01-01T00-00-00Z");
        let copy = |from: &str| fs::copy(reports.join(scenario).join(&run).join(from), old.join(from)).unwrap();
        fs::create_dir(&old).unwrap();
        copy("record.json");
        old
    };
    let (well, bad) = (age("a"), age("b"));
    came.again(&["prune", "--keep", "30d", "--dry-run"]).exit(0).stdout_has("would remove 1 report");
    assert!(well.exists());
    came.again(&["prune", "--keep", "30d"])
        .exit(0)
        .stdout_has("removed 1 report")
        .stdout_has("kept 1 older report of nights");
    assert!(!well.exists() && bad.exists() && reports.join("a/latest/record.json").exists());
    came.again(&["prune", "--keep", "0d", "--failures-too"]).exit(0).stdout_has("removed 1 report");
    assert!(!bad.exists() && reports.join("b/latest/record.json").exists(), "the latest stays");
    came.again(&["prune", "--keep", "x"]).exit(2).stderr_has("as in 30d");
}

#[test]
fn the_history_is_made_again_from_the_reports() {
    let came = night(&["scn"]).go();
    let history = came.folder.path().join("reports/history.jsonl");
    fs::remove_file(&history).unwrap();
    came.again(&["index"])
        .exit(0)
        .stderr_has("3 lines of reports that it lacked")
        .stdout_has("index: reports/index.html");
    assert_eq!(fs::read_to_string(&history).unwrap().lines().count(), 3);
    let json = came.again(&["index", "--json"]);
    let index: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(index["rows"].as_array().unwrap().len(), 3);
    Runner::new(&["index"]).go().exit(2).stderr_has("no folder reports");
}

#[test]
fn ci_services_get_what_they_read() {
    let came = night(&["scn", "-q"]).env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", "summary.md").go();
    came.exit(1).stderr_has("::error file=scn/sub/b.toml,title=b%3A failed::latency.p50 < 1us");
    let summary = fs::read_to_string(came.folder.path().join("summary.md")).unwrap();
    assert!(summary.starts_with("## runner: 1 of 3 scenarios did not pass\n"), "{summary}");
    let came = night(&["scn/a.toml"]).env("GITLAB_CI", "true").go();
    came.exit(0);
    assert!(
        came.folder.path().join("reports/junit.xml").exists()
            && came.folder.path().join("reports/metrics.txt").exists()
    );
    night(&["scn/a.toml", "--push", "http://192.0.2.1:9091"]).go().exit(3).stderr_has("--allow-host 192.0.2.1");
}

#[test]
fn a_project_gives_defaults_tags_and_the_folder_of_reports() {
    let came = Runner::new(&["scn/deep/", "--tag", "shop"])
        .file("scn/runner.toml", "reports = 'out'\ntags = ['shop']\n[defaults.load]\ntimeout = '3s'\n")
        .file(
            "scn/common/base.toml",
            "[load]\npath = '/x/'\nscript = 'client.rhai'\nduration = '100ms'\nconcurrency = 1\n",
        )
        .file("scn/common/client.rhai", "fn request(user, seq) { #{ path: \"/health\" } }\n")
        .file("scn/deep/a.toml", "include = ['../common/base.toml']\n[server]\nmode = 'async'\n")
        .go();
    came.exit(0);
    assert!(came.folder.path().join("scn/out/index.html").exists(), "{}", came.stderr);
    let effective = came.again(&["check", "--effective", "scn/deep/a.toml"]);
    effective.exit(0).stdout_has("timeout = \"3s\"").stdout_has("script = \"../common/client.rhai\"");
    effective
        .again(&["check", "scn/deep/a.toml"])
        .exit(0)
        .stdout_has("builds upon scn/runner.toml, scn/common/base.toml");
    fs::write(came.folder.path().join("scn/runner.toml"), "report = 'out'\n").unwrap();
    came.again(&["scn/deep/a.toml"]).exit(2).stderr_has("did you mean `reports`?").stderr_has("runner.toml:1:1");
    // Whoever reads a scenario is told, and once, however many scenarios there are.
    came.again(&["check", "scn/deep/a.toml"]).exit(2).stderr_has("did you mean `reports`?");
    came.again(&["serve", "scn/deep/a.toml"]).exit(2).stderr_has("did you mean `reports`?");
    fs::copy(came.folder.path().join("scn/deep/a.toml"), came.folder.path().join("scn/deep/b.toml")).unwrap();
    let both = came.again(&["check", "scn/deep"]);
    assert_eq!(both.exit(2).stderr.matches("unknown key `report`").count(), 1, "{}", both.stderr);
}

#[test]
fn what_is_included_must_be_there_and_not_lead_back() {
    let problem = |include: &str, text: &str| {
        let came = Runner::new(&["check", "a.toml"])
            .file("a.toml", &format!("include = {include}\n{SHORT}"))
            .file("b.toml", text)
            .go();
        came.exit(2);
        came.stderr
    };
    assert!(problem("['none.toml']", "").contains("cannot include `none.toml`: no such file"));
    assert!(problem("['b.toml']", "include = ['a.toml']\n").contains("`a.toml` includes itself"));
    assert!(problem("['b.toml']", "[server\n").contains("b.toml:1:"));
    assert!(problem("['b.toml']", "[load]\nlod = 3\n").contains("b.toml:2:1"));
    assert!(problem("'b.toml'", "").contains("`include` must be a list"));
}

#[test]
fn editors_that_know_draft_4_get_one() {
    let schema: serde_json::Value =
        serde_json::from_str(&Runner::new(&["schema", "--draft", "4"]).go().exit(0).stdout).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-04/schema#");
    let validator = jsonschema::draft4::new(&schema).unwrap();
    let valid = |text: &str| validator.is_valid(&serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap());
    assert!(valid(SHORT));
    assert!(!valid("[server]\nmode = 'snyc'\n") && !valid("[lod]\n") && !valid("[load]\nconcurrency = 'x'\n"));
}

#[test]
fn every_shipped_scenario_is_valid_by_the_schema_of_each_draft() {
    for draft in ["2020-12", "7", "4"] {
        let came = Runner::new(&["schema", "--draft", draft]).go();
        let validator = jsonschema::validator_for(&serde_json::from_str(&came.stdout).unwrap()).unwrap();
        for entry in fs::read_dir(crate::harness::shipped("scenarios")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "toml") {
                let scenario: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
                let wrong = validator
                    .iter_errors(&serde_json::to_value(scenario).unwrap())
                    .map(|error| error.to_string())
                    .next();
                assert_eq!(wrong, None, "{} by draft {draft}", path.display());
            }
        }
    }
}
