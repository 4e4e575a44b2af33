//! What an environment variable with the name of a secret holds is shown nowhere: in no file of a report, on no stream.

use std::fs;
use std::path::Path;

use crate::harness::{Outcome, Runner, walk};

const SECRETS: [(&str, &str); 3] =
    [("API_KEY", "hunter2/f00d+;x"), ("DB_PASSWORD", "hunter2 \\ é\"f00d'"), ("LOGIN", "hunter2-f00d")];

/// Pieces of them that no way of writing them changes.
const PIECES: [&str; 3] = ["hunter2", "f00d", "8675309"];

/// A server that repeats its arguments and every request, as access logs do.
const SERVER: &str = r#"
import http.server, sys
print("started with", sys.argv, flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = (self.path + " " + str(self.headers)).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, format, *args):
        print(sys.argv[2], format % args, flush=True)
if sys.argv[2] == "none": sys.exit("no password like " + sys.argv[3])
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

const FOREIGN: &str = r#"
[server]
command = ["python3", "server.py", "{port}", "${DB_PASSWORD}", "x"]
[server.env]
SESSION_SECRET = "${DB_PASSWORD}"
[load]
path        = "/items?api_key=${API_KEY}&user={user}"
headers     = { authorization = "Bearer ${LOGIN}" }
script      = "hooks.rhai"
concurrency = 2
duration    = "300ms"
[dirty]
path        = "/items"
query       = { api_key = "${API_KEY}", user = "{canary}" }
time        = "3s"
exposures   = 40
triggers    = ["pair", "keep_alive"]
[assert]
that = ["errors.count == 0"]
"#;

const HOOKS: &str = "fn setup() { log(\"set up\"); } fn check(exchange) { `got ${exchange.response.body}` }";

fn with_secrets(runner: Runner) -> Runner {
    SECRETS.iter().fold(runner, |runner, (name, value)| runner.env(name, value))
}

/// Not on the terminal, and in no file but those that the test has written itself.
#[track_caller]
fn shows_none(outcome: &Outcome) {
    let none = |place: &str, text: &str| {
        let shown = text.lines().find(|line| PIECES.iter().any(|piece| line.contains(piece)));
        assert_eq!(shown, None, "in {place}");
    };
    none("stdout", &outcome.stdout);
    none("stderr", &outcome.stderr);
    let files = walk(&outcome.folder.path().join("reports")).into_iter().filter(|path| path.is_file());
    for path in files {
        none(&path.display().to_string(), &String::from_utf8_lossy(&fs::read(&path).unwrap()));
    }
}

#[test]
fn a_report_and_what_is_printed_hold_no_secret() {
    let runner = Runner::with(FOREIGN).file("server.py", SERVER).file("hooks.rhai", HOOKS);
    let outcome = with_secrets(runner).arguments(&["--verbose"]).run();
    shows_none(&outcome);
    let folder = outcome.latest("scenario");
    let log = fs::read_to_string(folder.join("server.log")).unwrap();
    assert!(log.contains("started with") && log.contains("GET /items?api_key=${"), "{log}");
    let record = outcome.record("scenario");
    let variant = &record["variants"][0];
    assert_eq!(variant["server"], "`python3 server.py {port} ${DB_PASSWORD} x`");
    let load = &variant["trials"][0]["load"];
    assert_eq!(load["request"], "GET /items?api_key=${API_KEY}&user={user}");
    let line = load["checks"]["samples"][0]["line"].as_str().unwrap();
    assert!(line.starts_with("GET /items?api_key=${API_KEY}&user="), "{line}");
    assert!(outcome.report("scenario").contains("api_key=${API_KEY}"));
    assert!(outcome.stderr.contains("python3 server.py {port} ${DB_PASSWORD} x"), "{}", outcome.stderr);
}

#[test]
fn a_run_that_could_not_begin_prints_no_secret() {
    let runner = Runner::with(&FOREIGN.replace("\"${DB_PASSWORD}\", \"x\"", "\"none\", \"${DB_PASSWORD}\""));
    let outcome = with_secrets(runner.file("server.py", SERVER).file("hooks.rhai", HOOKS)).run().exit(3);
    shows_none(&outcome);
    outcome.stderr_has("no password like ${DB_PASSWORD}");
}

#[test]
fn a_plan_and_a_problem_show_no_secret() {
    let files = |runner: Runner| with_secrets(runner.file("server.py", SERVER).file("hooks.rhai", HOOKS));
    let plan = files(Runner::new(&["check", "scenario.toml"]).file("scenario.toml", FOREIGN)).run().exit(0);
    shows_none(&plan);
    plan.stdout_has("${DB_PASSWORD}").stdout_has("api_key=${API_KEY}");
    let wrong = FOREIGN.replace("\"300ms\"", "\"${API_KEY}\"");
    let problem = files(Runner::new(&["check", "scenario.toml"]).file("scenario.toml", &wrong)).run().exit(2);
    shows_none(&problem);
    problem.stderr_has("`${API_KEY}` is not a duration");
}

#[test]
fn a_secret_that_is_a_word_of_the_record_leaves_it_whole() {
    let scenario = "[server]\nmode = \"async\"\n[load]\npath = \"/health?key=${API_KEY}\"\nconcurrency = 2\n\
                    duration = \"200ms\"\n[assert]\nthat = [\"errors.count == 0\"]";
    let outcome = Runner::with(scenario).env("API_KEY", "passed").run().exit(0);
    let record = outcome.record("scenario");
    assert_eq!(record["status"], "passed");
    assert_eq!(record["variants"][0]["trials"][0]["load"]["request"], "GET /health?key=${API_KEY}");
    let folder = outcome.latest("scenario");
    let again = outcome.then(&["report", folder.to_str().unwrap()]).run().exit(0);
    assert!(Path::new(&folder).join("report.md").is_file(), "{}", again.stderr);
}

/// A secret at every place where a scenario itself may hold one.
const OWN: &str = r#"
[server]
command = ["python3", "server.py", "{port}", "--password", "hunter2-a-f00d"]
[server.env]
DB_PWD       = "hunter2-b-f00d"
DATABASE_URL = "postgres://user:hunter2-c-f00d@localhost/db"
[load]
path        = "/items?api_keys=hunter2-d-f00d&csrf=${NOT_SET:-hunter2-n-f00d}"
headers     = { x-session-id = "hunter2-e-f00d" }
concurrency = 2
duration    = "200ms"
script      = "hooks.rhai"
[dirty]
path       = "/items?user={identity.name}&token={identity.token}&n={identity.pin}"
headers    = { cookie = "sid=hunter2-f-f00d; user={identity.name}" }
body       = "{{\"user\": \"{identity.name}\", \"passphrase\": \"hunter2-g-f00d\"}}"
method     = "GET"
identities = [{ name = "ann", token = "hunter2-h-f00d", pin = 18675309 }, { name = "bob", token = "hunter2-i-f00d", pin = 28675309 }]
time       = "3s"
triggers   = ["pair"]
[dirty.login]
path = "/login"
method = "GET"
json = { user = "{identity.name}", password = "hunter2-j-f00d", nested = { jwt = "hunter2-k-f00d", otp = [38675309] } }
[matrix]
"load.headers.x-api-key" = ["hunter2-l-f00d", "hunter2-m-f00d"]
[assert]
that = ["errors.count == 0"]
"#;

/// Repeats what it is asked and how it was started, in the ways of servers.
const LOUD: &str = r#"
import base64, http.server, json, os, sys, urllib.parse
def loud(text):
    print(text, json.dumps(text), json.dumps(text).replace("/", "\\/"), urllib.parse.quote_plus(text), flush=True)
loud(" ".join(sys.argv) + " " + os.environ["DB_PWD"] + " " + os.environ["DATABASE_URL"])
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        asked = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        body = f"{self.path} {self.headers} {asked} {os.environ['DB_PWD']}".encode()
        loud(body.decode())
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

// fault: secrets: literal secrets, texts or numbers, in any table of a scenario -> hidden on screen and in every file
#[test]
fn what_the_scenario_itself_holds_is_shown_nowhere() {
    let files = |runner: Runner| runner.file("server.py", LOUD).file("hooks.rhai", HOOKS);
    let outcome = files(Runner::with(OWN)).arguments(&["--verbose"]).run();
    shows_none(&outcome);
    let record = outcome.record("scenario");
    let names: Vec<&str> = record["variants"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect();
    let name = "${RUNNER_MATRIX_LOAD_HEADERS_X_API_KEY";
    assert_eq!(names, [format!("x-api-key={name}}}"), format!("x-api-key={name}_2}}")]);
    assert_eq!(record["scenario"]["withheld"]["RUNNER_DIRTY_LOGIN_JSON_PASSWORD"], "dirty.login.json.password");
    let log = fs::read_to_string(outcome.latest("scenario").join("server.log")).unwrap();
    assert!(log.contains("--password ${RUNNER_SERVER_COMMAND_PASSWORD}"), "{log}");
    let plan = files(Runner::new(&["check", "scenario.toml"]).file("scenario.toml", OWN)).run().exit(0);
    shows_none(&plan);
}

// fault: secrets: a `name` with a secret variable -> refused before a folder is made
#[test]
fn a_name_with_a_secret_in_it_is_refused() {
    let scenario = "name = \"run-${API_KEY}\"\n[server]\nmode = \"async\"\n[load]\npath = \"/\"\nconcurrency = 1\n";
    let outcome = with_secrets(Runner::with(scenario)).run().exit(2).no_report();
    shows_none(&outcome);
    outcome.stderr_has("the name would show the secret `API_KEY`");
}

// fault: secrets: a run is killed, or watched by another user -> no log is left, and nobody else can read it
#[test]
fn a_run_that_is_killed_leaves_no_log_and_one_under_way_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let scenario = FOREIGN.replace("\"300ms\"", "\"10m\"");
    let runner = Runner::with(&scenario).file("server.py", SERVER).file("hooks.rhai", HOOKS);
    let running = with_secrets(runner).start();
    running.wait_for_requests();
    let reports = running.folder().join("reports");
    let under_way: Vec<_> =
        walk(&reports).into_iter().filter(|path| path.to_string_lossy().contains(".unfinished")).collect();
    assert!(!under_way.is_empty());
    for path in under_way {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
    running.signal("KILL");
    shows_none(&running.wait());
}
