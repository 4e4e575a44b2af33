//! Servers that need time, that limit requests or send them elsewhere, and what is said of them.

use serde_json::Value;

use crate::harness::{Outcome, Runner};

/// `python3 server.py MANNERS PORT`.
const SERVER: &str = r#"
import socketserver, sys, time
from http.server import BaseHTTPRequestHandler
MANNERS, PORT = sys.argv[1:]
if "slow" in MANNERS: time.sleep(1.2)
BEGAN, SLOT, TIMES = time.time(), {}, []
class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def reply(self, text, status=200, **headers):
        self.send_response(status); self.send_header("content-length", str(len(text)))
        for name, value in headers.items(): self.send_header(name.replace("_", "-"), value)
        self.end_headers(); self.wfile.write(text.encode())
    def do_GET(self):
        if self.headers.get("transfer-encoding"): self.close_connection = True; return self.reply("no", 411)
        self.rfile.read(int(self.headers.get("content-length") or 0))
        who, early = self.headers.get("x-user", "nobody"), time.time() - BEGAN < .7
        if "warm" in MANNERS and early: return self.reply("wait", 503)
        if "reset" in MANNERS and early: self.close_connection = True; return
        if self.path == "/health": return self.reply("up")
        if "silent" in MANNERS: time.sleep(600)
        if "login" in MANNERS: return self.reply("", 302, location="/accounts/login/")
        if "forbidden" in MANNERS: return self.reply("<h1>CSRF verification failed</h1>", 403)
        if "limit" in MANNERS:
            now = time.time(); TIMES[:] = [t for t in TIMES if now - t < 1] + [now]
            if len(TIMES) > 20: return self.reply("slow down", 429, retry_after="1")
        if "sticky" in MANNERS: who = SLOT.setdefault("first", who)
        if "leak" in MANNERS: SLOT["who"] = who; time.sleep(.02); who = SLOT["who"]
        self.reply(f"hi {who}")
    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True; request_queue_size = 256
Server(("127.0.0.1", int(PORT)), Page).serve_forever()
"#;

/// A check of a server with these manners; `ready` and `dirty` are further lines of their tables.
fn check(manners: &str, ready: &str, dirty: &str) -> Outcome {
    let scenario = format!(
        "[server]\ncommand = [\"python3\", \"server.py\", \"{manners}\", \"{{port}}\"]\n{ready}\n\
         [dirty]\npath = \"/\"\nheaders = {{ x-user = \"{{canary}}\" }}\n{dirty}\n"
    );
    Runner::with(&scenario).file("server.py", SERVER).run()
}

fn dirty(outcome: &Outcome) -> Value {
    outcome.record("scenario")["variants"][0]["trials"][0]["dirty"].clone()
}

const HEALTH: &str = "ready = { path = \"/health\", within = \"20s\" }";

#[test]
fn a_server_that_is_not_there_yet_is_asked_again() {
    for (manners, ready) in [("warm,leak", ""), ("warm,leak", HEALTH), ("reset,leak", "")] {
        let outcome = check(manners, ready, "expect = \"dirty\"").exit(0);
        let dirty = dirty(&outcome);
        assert_eq!(dirty["control"]["problems"], Value::Array(Vec::new()), "{manners}");
        assert!(dirty["starts"]["took_s"].as_f64().unwrap() > 0.6, "it is the start that took so long: {dirty}");
    }
}

#[test]
fn what_the_first_request_leaves_is_seen_although_the_server_has_a_health_check_and_warms_up() {
    let outcome = check("warm,sticky", HEALTH, "expect = \"dirty\"").exit(0);
    let leak = &dirty(&outcome)["evidence"][0];
    assert_eq!((&leak["trigger"], &leak["class"]), (&"first".into(), &"sticky_first".into()));
}

#[test]
fn starts_take_no_time_from_the_check_and_parts_share_a_server_where_they_are_slow() {
    let outcome = check("slow", "", "start_time = \"2s\"\nexposures = 50").exit(0);
    let dirty = dirty(&outcome);
    let starts = &dirty["starts"];
    let (count, took) = (starts["count"].as_u64().unwrap(), starts["took_s"].as_f64().unwrap());
    assert!(count == 1 && took >= 1.2, "{starts}");
    assert!(starts["shared"].as_u64().unwrap() > 5, "{starts}");
    for trigger in ["first", "anonymous", "overlap", "gate", "error", "abort", "pipeline"] {
        assert!(dirty["triggers"][trigger]["rounds"].as_u64().unwrap() > 0, "{trigger} had its turn");
    }
    outcome.stdout_has("of the server for the dirty check took").stdout_has("that had been asked before");
}

#[test]
fn a_check_that_had_no_time_for_a_family_of_triggers_concludes_nothing() {
    let outcome = check("", "", "time = \"200ms\"\ntimeout = \"5s\"\nsleep = { long = \"150ms\", short = \"1ms\" }");
    outcome.exit(4).stdout_has("which alone show").stdout_has("time = \"400ms\"");
}

// fault: endless: a server falls silent during a dirty check -> it ends soon after its time
#[test]
fn a_silent_server_is_not_waited_for_long_after_the_time_is_up() {
    let outcome = check("silent", "", "time = \"2s\"").exit(4);
    let took = dirty(&outcome)["duration_s"].as_f64().unwrap();
    assert!(took < 15.0, "it was to take 2 s, and took {took}");
    outcome.stdout_has("no response (timeout)");
}

#[test]
fn a_check_that_concludes_nothing_shows_what_came() {
    let outcome = check("login", "", "time = \"2s\"").exit(4).stdout_has("302 to /accounts/login/");
    assert!(outcome.report("scenario").contains("302 to /accounts/login/"));
    let outcome = check("forbidden", "", "time = \"2s\"").exit(4).stdout_has("<h1>CSRF verification failed</h1>");
    let dirty = dirty(&outcome);
    let control = dirty["samples"].as_array().unwrap().iter().find(|sample| sample["at"] == "control").unwrap();
    assert_eq!((&control["status"], &control["line"]), (&403.into(), &"GET /".into()));
    let named = "identities = [{ name = \"ann\" }, { name = \"zoe\" }]\ntime = \"2s\"";
    let scenario = format!(
        "[server]\ncommand = [\"python3\", \"server.py\", \"login\", \"{{port}}\"]\n\
         [dirty]\npath = \"/\"\nheaders = {{ x-user = \"{{identity.name}}\" }}\n{named}\n"
    );
    let outcome = Runner::with(&scenario).file("server.py", SERVER).run().exit(4);
    outcome.stdout_has("302 to /accounts/login/");
}

// fault: servers: it limits the rate of requests (429) -> the dirty check keeps to that, and names it
#[test]
fn a_limit_to_the_rate_of_requests_is_kept_to_and_named() {
    let outcome = check("limit", "", "time = \"12s\"").stdout_has("429");
    assert_ne!(outcome.code, Some(1), "nobody is accused: {}", outcome.stdout);
    let dirty = dirty(&outcome);
    assert_eq!(dirty["limit"]["status"], 429);
    let allowed = dirty["limit"]["allowed"].as_u64().unwrap();
    assert!((5..=20).contains(&allowed), "{}", dirty["limit"]);
    let requests: u64 =
        dirty["triggers"].as_object().unwrap().values().map(|trigger| trigger["requests"].as_u64().unwrap()).sum();
    assert!(dirty["limit"]["refused"].as_u64().unwrap() * 2 < requests, "most get through: {dirty}");
}

#[test]
fn a_load_tells_what_its_first_errors_said() {
    let scenario = "[server]\nmode = \"async\"\nscript = \"flaky.rhai\"\n\
                    [load]\npath = \"/page/\"\nconcurrency = 2\nrequests = 40\n";
    let handler = r#"
        fn page(request) {
            process.n = if process.n == () { 1 } else { process.n + 1 };
            if process.n % 4 == 0 { return respond(429, "slow <down>"); }
            if process.n % 7 == 0 { respond(500, "oops") } else { respond(200, "fine") }
        }
    "#;
    let outcome = Runner::with(scenario).file("flaky.rhai", handler).run().stdout_has("slow <down>");
    let load = outcome.record("scenario")["variants"][0]["trials"][0]["load"].clone();
    assert_eq!((&load["error_bodies"]["429"], &load["error_bodies"]["500"]), (&"slow <down>".into(), &"oops".into()));
    assert!(outcome.report("scenario").contains("the first said `oops`"));
}
