//! A replay sends what the check sent, or says what is missing, and never takes a refusal for a repair.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Outcome, Runner};

/// A slot for all users behind a key. It writes down what it is asked, and does as the file `manner` says.
const SERVER: &str = r#"
import http.server, sys, time
slot = {}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        open("asked", "a").write(f"{self.requestline}\n{self.headers}\n")
        manner = open("manner").read()
        own = slot["user"] = self.headers["x-user"] or "nobody"
        time.sleep(0.05)
        status, user = 200, slot["user"]
        if self.headers["x-api-key"] != "hunter2-k": status, user = 403, "no"
        elif manner == "mended": user = own
        elif manner == "broken": status, user = 500, "sorry"
        elif manner == "silent": user = "you"
        elif manner == "moved": status, user = 302, "over there"
        body = f"hello {user}".encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

const SCENARIO: &str = r#"
[server]
command = ["python3", "server.py", "{port}"]
[dirty]
path     = "/"
headers  = { x-user = "{canary}", x-api-key = "hunter2-k" }
cookies  = { theme = "dark" }
time     = "20s"
triggers = ["pair", "overlap"]
"#;

const KEY: &str = "RUNNER_DIRTY_HEADERS_X_API_KEY";
const LATEST: &str = "reports/scenario/latest";

fn found(scenario: &str) -> Outcome {
    let runner = Runner::with(scenario).file("server.py", SERVER).file("manner", "leaky");
    runner.run().exit(1)
}

/// A replay of the only leak; what is sent holds nothing that stands for a value.
fn again(outcome: Outcome, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let replay = [&["replay", LATEST, "1", "--times", "3"], arguments].concat();
    let runner = variables.iter().fold(outcome.then(&replay), |runner, (name, value)| runner.env(name, value));
    let outcome = runner.run();
    let asked = fs::read_to_string(outcome.folder.path().join("asked")).unwrap();
    assert!(!asked.contains("[redacted]") && !asked.contains("${") && !asked.contains("RUNNER_"), "{asked}");
    outcome
}

fn write(outcome: &Outcome, name: &str, text: &str) {
    fs::write(outcome.folder.path().join(name), text).unwrap();
}

fn asked(outcome: &Outcome) -> usize {
    fs::read_to_string(outcome.folder.path().join("asked")).unwrap().lines().count()
}

/// The record as an earlier version wrote it, with whatever seed.
fn age(outcome: &Outcome) {
    let path = outcome.folder.path().join(LATEST).join("record.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let scenario = record["scenario"].as_object_mut().unwrap();
    scenario.remove("withheld");
    let effective = scenario["effective"].as_str().unwrap();
    let names = ["HEADERS_X_API_KEY", "COOKIES_THEME"].map(|name| format!("${{RUNNER_DIRTY_{name}}}"));
    let effective = names.iter().fold(effective.to_owned(), |text, name| text.replace(name, "[redacted]"));
    scenario["effective"] = format!("seed = 16167516127834706261\n{effective}").into();
    record["seed"] = 16_167_516_127_834_706_261_u64.into();
    fs::write(path, record.to_string()).unwrap();
}

#[test]
fn what_the_record_does_not_show_is_taken_from_the_scenario() {
    let outcome = again(found(SCENARIO), &[], &[]).exit(0).stdout_has("of 3 showed it");
    age(&outcome);
    let outcome = again(outcome, &[], &[]).exit(0);
    // From elsewhere, the file is found above the record.
    let record = outcome.folder.path().join(LATEST);
    Runner::new(&["replay", record.to_str().unwrap(), "1", "--times", "2"]).run().exit(0);
}

#[test]
fn a_record_of_format_1_is_replayed() {
    let outcome = Runner::new(&["replay", "record.json", "1", "--times", "3"])
        .file("record.json", include_str!("../fixtures/record_format_1.json"))
        .file("scenarios/dirty.toml", include_str!("../../scenarios/dirty.toml"))
        .file("scenarios/handlers/dirty.rhai", include_str!("../../scenarios/handlers/dirty.rhai"))
        .run();
    // On a busy machine not every try shows it; with none that does, the code is another.
    outcome.exit(0).stdout_has("of 3 showed it");
}

#[test]
fn a_scenario_that_has_moved_is_named_and_without_it_nothing_is_sent() {
    let outcome = found(SCENARIO);
    let folder = outcome.folder.path().to_path_buf();
    fs::rename(folder.join("scenario.toml"), folder.join("other.toml")).unwrap();
    age(&outcome);
    let before = asked(&outcome);
    let outcome = again(outcome, &[], &[]).exit(2);
    let expected = "error: the record leaves out 2 values of what was sent, and without them a replay tells nothing:\n  \
                    RUNNER_DIRTY_COOKIES_THEME, for `dirty.cookies.theme`: the scenario's file is not there\n  \
                    RUNNER_DIRTY_HEADERS_X_API_KEY, for `dirty.headers.x-api-key`: the scenario's file is not there\n\
                    help: set these variables, or name the scenario's file with `--scenario FILE` (looked for: scenario.toml)\n";
    assert_eq!((outcome.stderr.as_str(), asked(&outcome)), (expected, before));
    let outcome = again(outcome, &["--scenario", "other.toml"], &[]).exit(0);
    let variables = [(KEY, "hunter2-k"), ("RUNNER_DIRTY_COOKIES_THEME", "dark")];
    again(outcome, &[], &variables).exit(0).stderr_has("the scenario scenario.toml is not there any more");
}

#[test]
fn a_scenario_that_has_changed_is_told_and_what_was_recorded_is_sent() {
    let outcome = found(SCENARIO);
    write(&outcome, "scenario.toml", &SCENARIO.replace("path     = \"/\"", "path = \"/new\"\nshape = \"digits\""));
    let outcome = again(outcome, &[], &[]).exit(0);
    let outcome = outcome.stderr_has("warning: scenario.toml has changed since: `dirty.path`, `dirty.shape`\n");
    write(&outcome, "scenario.toml", &SCENARIO.replace(", x-api-key = \"hunter2-k\"", ""));
    let outcome = again(outcome, &[], &[])
        .exit(2)
        .stderr_has(&format!("{KEY}, for `dirty.headers.x-api-key`: the scenario's file has no such value any more"));
    assert!(!outcome.stderr.contains("COOKIES_THEME"), "{}", outcome.stderr);
}

#[test]
fn a_variable_that_is_not_set_any_more_is_named_and_so_is_what_set_gave() {
    let scenario = SCENARIO.replace("\"hunter2-k\"", "\"${API_KEY}\"").replace("cookies  = { theme = \"dark\" }", "");
    let runner = Runner::with(&scenario).file("server.py", SERVER).file("manner", "leaky");
    let outcome = runner.env("API_KEY", "hunter2-k").run().exit(1);
    let outcome = again(outcome, &[], &[]).exit(2).stderr_has("API_KEY, for `dirty.headers.x-api-key`: it is not set");
    again(outcome, &[], &[("API_KEY", "hunter2-k")]).exit(0);

    let runner =
        Runner::with(&SCENARIO.replace("hunter2-k", "another")).file("server.py", SERVER).file("manner", "leaky");
    let outcome = runner.set("dirty.headers.x-api-key=hunter2-k").run().exit(1);
    assert!(outcome.report("scenario").contains(&format!("--set 'dirty.headers.x-api-key=${{{KEY}}}'")));
    // The file's own value is not what was sent.
    let outcome = again(outcome, &[], &[]).exit(2).stderr_has(&format!("{KEY}, for `dirty.headers.x-api-key`"));
    again(outcome, &[], &[(KEY, "hunter2-k")]).exit(0);
}

#[test]
fn only_a_repair_reads_as_one() {
    let outcome = again(found(SCENARIO), &[], &[(KEY, "wrong")]).exit(3);
    let outcome =
        outcome.stdout_has("3 of 3 tries were answered 403 (200 when it was recorded): nothing can be said\n");
    let mut outcome = outcome;
    for (manner, code, said) in [
        ("broken", 3, "3 of 3 tries were answered 500 (200 when it was recorded): nothing can be said"),
        ("moved", 3, "3 of 3 tries were answered 302 (200 when it was recorded): nothing can be said"),
        (
            "silent",
            3,
            "a request that was sent alone was answered without its own canary (with it when it was recorded)",
        ),
        ("mended", 4, "0 of 3 showed it: between 0 % and 70.8 % of tries, at 95 % confidence; "),
    ] {
        write(&outcome, "manner", manner);
        outcome = again(outcome, &[], &[]).exit(code).stdout_has(said);
    }
}

#[test]
fn what_is_effective_runs_again_once_the_variables_are_set() {
    let outcome = found(SCENARIO);
    let file = format!("{LATEST}/effective.toml");
    let text = fs::read_to_string(outcome.folder.path().join(&file)).unwrap();
    assert!(
        text.starts_with("# Not shown here, and to be set in the environment before this file is run:\n#   "),
        "{text}"
    );
    fs::copy(outcome.folder.path().join(&file), outcome.folder.path().join("again.toml")).unwrap();
    let before = asked(&outcome);
    let outcome = outcome.then(&["again.toml"]).env("RUNNER_DIRTY_COOKIES_THEME", "dark").run().exit(2);
    let outcome = outcome.stderr_has(&format!("the environment variable `{KEY}` is not set"));
    let outcome =
        outcome.stderr_has("--> again.toml:").stderr_has("`dirty.headers.x-api-key`: a report does not show it");
    assert_eq!(asked(&outcome), before);
    let runner = outcome.then(&["again.toml"]).env("RUNNER_DIRTY_COOKIES_THEME", "dark").env(KEY, "hunter2-k");
    assert!(Path::new(&runner.run().exit(1).latest("again")).is_dir());
}
