//! A leak is located in the server's code: the line that wrote, the line that read, and the object; or it is said why not.

use std::fs;

use serde_json::Value;

use crate::harness::{Outcome, Runner, wait_for};

/// A slot for all users of a server of the standard library.
const SERVER: &str = r#"import http.server
import sys
import time
from urllib.parse import parse_qs, urlsplit


class Shared:
    email = None


shared = Shared()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        shared.email = query.get("email", ["nobody"])[0]
        time.sleep(0.02)
        body = f"hello {shared.email}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

const SCENARIO: &str = r#"
[server]
command = ["python3", "server.py", "{port}"]
[dirty]
path     = "/?email={canary}"
time     = "20s"
triggers = ["pair", "overlap"]
"#;

fn located(outcome: &Outcome) -> Value {
    let record = outcome.record("scenario");
    record["variants"][0]["trials"][0]["dirty"]["evidence"][0]["located"].clone()
}

fn line(place: &Value) -> (String, u64) {
    (place["file"].as_str().unwrap_or_default().to_owned(), place["line"].as_u64().unwrap_or_default())
}

/// No probe of a run that is over is left.
fn leaves_no_probe(outcome: &Outcome) {
    let temporary = outcome.folder.path().join("tmp");
    let left: Vec<_> =
        fs::read_dir(&temporary).map(|entries| entries.flatten().map(|one| one.path()).collect()).unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
}

fn with(scenario: &str, server: &str) -> Runner {
    let runner = Runner::with(scenario).file("server.py", server).file("tmp/.keep", "");
    let temporary = runner.folder().join("tmp");
    fs::remove_file(temporary.join(".keep")).unwrap();
    runner.env("TMPDIR", temporary.to_str().unwrap())
}

#[test]
fn the_lines_and_the_object_of_a_shared_slot_are_named() {
    let outcome = with(SCENARIO, SERVER).run().exit(1);
    let located = located(&outcome);
    assert_eq!(located["confidence"], "located", "{located:#}");
    assert_eq!((line(&located["write"]), line(&located["read"])), (("server.py".into(), 19), ("server.py".into(), 21)));
    assert_eq!(line(&located["overwritten"]), ("server.py".into(), 19));
    assert!(located["object"].as_str().unwrap().ends_with("shared.email"), "{located:#}");
    assert_eq!((located["language"].as_str(), located["kind"].as_str()), (Some("python"), Some("module_global")));
    let source = &located["write"]["source"];
    assert_eq!((source["first"].as_u64(), source["lines"].as_array().unwrap().len()), (Some(15), 9));
    assert!(located["shown_with"]["shown"].as_u64().unwrap() > 0, "{located:#}");
    let report = outcome.report("scenario");
    assert!(report.contains("Written here, read there") && report.contains("> 19 |"), "{report}");
    let outcome = outcome.stdout_has("server.py:19 in").stdout_has("server.py:21 in");
    leaves_no_probe(&outcome);
    let servers = outcome.record("scenario")["variants"][0]["trials"][0]["servers"].clone();
    assert!(servers.as_array().unwrap().iter().any(|server| server["part"] == "location"), "{servers:#}");
    // Again, from the record.
    let again = outcome.then(&["replay", "reports/scenario/latest", "1", "--times", "2", "--locate"]).run().exit(0);
    again.stdout_has("written: server.py:19 in").stdout_has("read: server.py:21 in");
}

#[test]
fn a_module_variable_of_node_is_named() {
    let server = r#"import http from "node:http";

let email = null;

async function view(request) {
  email = new URL(request.url, "http://localhost").searchParams.get("email");
  await new Promise((resolve) => setTimeout(resolve, 20));
  return `hello ${email}`;
}

http.createServer(async (request, response) => response.end(await view(request))).listen(Number(process.argv[2]), "127.0.0.1");
"#;
    let scenario = SCENARIO.replace("\"python3\", \"server.py\"", "\"node\", \"server.mjs\"");
    let outcome = Runner::with(&scenario).file("server.mjs", server).run().exit(1);
    let located = located(&outcome);
    assert_eq!(
        (located["confidence"].as_str(), located["language"].as_str()),
        (Some("located"), Some("node")),
        "{located:#}"
    );
    let lines = (line(&located["write"]), line(&located["read"]));
    assert_eq!(lines, (("server.mjs".into(), 6), ("server.mjs".into(), 8)));
}

#[test]
fn nobody_looks_where_the_scenario_says_so_and_nothing_is_started_for_it() {
    let outcome = with(&SCENARIO.replace("time ", "locate = false\ntime "), SERVER).run().exit(1);
    assert!(located(&outcome).is_null());
    let servers = outcome.record("scenario")["variants"][0]["trials"][0]["servers"].clone();
    assert!(servers.as_array().unwrap().iter().all(|server| server["part"] != "location"), "{servers:#}");
}

#[test]
fn an_interpreter_that_ignores_its_environment_is_told() {
    let outcome = with(&SCENARIO.replace("\"python3\"", "\"python3\", \"-I\""), SERVER).run().exit(1);
    let located = located(&outcome);
    assert_eq!(
        (located["confidence"].as_str(), located["reason"]["type"].as_str()),
        (Some("not_located"), Some("probe_not_loaded"))
    );
    assert!(outcome.report("scenario").contains("Not located in the code:"));
}

#[test]
fn a_server_that_does_not_bear_the_probe_changes_no_verdict() {
    let server = SERVER.replacen(
        "shared = Shared()",
        "import os\nif os.environ.get(\"RUNNER_PROBE_DIR\"): sys.exit(7)\nshared = Shared()",
        1,
    );
    let outcome = with(SCENARIO, &server).run().exit(1);
    let located = located(&outcome);
    assert_eq!(located["reason"]["type"], "server_failed", "{located:#}");
    assert!(located["reason"]["message"].as_str().unwrap().contains("status 7"), "{located:#}");
    let trial = outcome.record("scenario")["variants"][0]["trials"][0].clone();
    assert!(trial["failure"].is_null() && trial["dirty"]["leaks"].as_u64().unwrap() > 0);
}

#[test]
fn ctrl_c_leaves_no_probe_behind() {
    let wait = "import os\nif os.environ.get(\"RUNNER_PROBE_DIR\"):\n    open(\"probed\", \"w\")\n    time.sleep(60)\nshared = Shared()";
    let running = with(SCENARIO, &SERVER.replacen("shared = Shared()", wait, 1)).start();
    let probed = running.folder().join("probed");
    wait_for("the server with the probe", || probed.exists().then_some(()));
    running.signal("INT");
    let outcome = running.wait().exit(130);
    leaves_no_probe(&outcome);
    let trial = outcome.record("scenario")["variants"][0]["trials"][0].clone();
    assert!(trial["dirty"]["leaks"].as_u64().unwrap() > 0, "the leak is in the report");
}

#[test]
fn a_clean_server_is_asked_nothing_more() {
    let server = SERVER.replace("shared.email", "email");
    let outcome = with(&SCENARIO.replace("\"20s\"", "\"3s\""), &server).run().exit(0);
    let trial = outcome.record("scenario")["variants"][0]["trials"][0].clone();
    assert!(trial["dirty"]["evidence"].as_array().unwrap().is_empty());
    assert!(trial["servers"].as_array().unwrap().iter().all(|server| server["part"] == "dirty_check"));
    leaves_no_probe(&outcome);
}
