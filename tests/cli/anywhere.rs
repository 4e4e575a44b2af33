//! A leak counts wherever in a response it stands, and whatever the status.

use serde_json::Value;

use crate::harness::{Outcome, Runner, a_few_at_once};

/// What every program begins with: `page(who, path)` gives status, headers and body of an answer to the user whom the
/// header `x-user` names, after a pause in which others may be asked.
const PRELUDE: &str = r#"
import hashlib, http.server, sys, time, urllib.parse

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global last
        who = self.headers.get("x-user", "")
        self.rfile.read(int(self.headers.get("content-length", 0)))
        last = who
        time.sleep(0.02)
        status, headers, body = page(who if CLEAN else last, self.path)
        body = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET

    def log_message(self, *arguments):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

def of(name):
    return hashlib.sha256(b"secret" + name.encode()).hexdigest()
"#;

/// A check of this page, on a server that confuses users or not.
fn check(page: &str, clean: bool, dirty: &str) -> Outcome {
    let program = format!(
        "{PRELUDE}\nCLEAN = {}\n{page}\nServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()\n",
        if clean { "True" } else { "False" }
    );
    let scenario = format!(
        "[server]\ncommand = [\"python3\", \"server.py\", \"{{host}}\", \"{{port}}\"]\n[dirty]\npath = \"/\"\n\
         time = \"{}\"\n{dirty}\n",
        if clean { "8s" } else { "20s" }
    );
    Runner::with(&scenario).file("server.py", &program).run()
}

fn dirty(outcome: &Outcome) -> Value {
    outcome.record("scenario")["variants"][0]["trials"][0]["dirty"].clone()
}

const BY_CANARY: &str = "headers = { x-user = \"{canary}\" }\nexposures = 300";
const BY_NAME: &str = "headers = { x-user = \"{identity.name}\" }\n\
                       identities = [{ name = \"ann\" }, { name = \"zoe\" }, { name = \"ivy\" }, { name = \"max\" }]\n\
                       exposures = 100";

/// Pages that show a canary in an unusual place.
const SHOWN: [(&str, &str, &str); 5] = [
    ("a 500 page", "body", "def page(who, path): return 500, {}, f'<h1>Error</h1>request of {who}'"),
    ("a 404 page", "body", "def page(who, path): return 404, {}, f'<h1>Not Found</h1>{who}, no such page'"),
    ("a redirect", "header location", "def page(who, path): return 302, {'Location': f'/home/{who}/'}, ''"),
    ("an ETag", "header etag", "def page(who, path): return 200, {'ETag': f'W/\"{who}-1\"'}, 'the same to all'"),
    ("a refusal", "header x-denied", "def page(who, path): return 403, {'X-Denied': who}, 'the same to all'"),
];

#[test]
fn a_canary_is_found_in_errors_redirects_and_etags() {
    a_few_at_once(&SHOWN, |(what, place, page)| {
        let outcome = check(page, false, BY_CANARY).exit(1);
        let dirty = dirty(&outcome);
        assert_eq!(dirty["evidence"][0]["place"], *place, "{what}: {dirty}");
        let count = |key: &str| dirty[key].as_u64().unwrap();
        assert!(count("leaks") > 0 && count("leaks") <= count("exposures"), "{what}: {dirty}");
    });
}

/// Pages that show, of whom they are for, only what was made of the name.
const MADE: [(&str, &str, &str); 2] = [
    ("a redirect", "header location", "def page(who, path): return 302, {'Location': '/home/' + of(who)[:16]}, ''"),
    ("an ETag", "header etag", "def page(who, path): return 200, {'ETag': '\"%s\"' % of(who)[:16]}, 'the same to all'"),
];

#[test]
fn what_was_made_of_a_user_is_found_in_redirects_and_etags() {
    a_few_at_once(&MADE, |(what, place, page)| {
        let dirty = dirty(&check(page, false, BY_NAME).exit(1));
        let shown = dirty["evidence"][0]["place"].as_str().unwrap();
        assert!(shown.starts_with(place), "{what}: {dirty}");
    });
}

#[test]
fn a_server_that_shows_everybody_their_own_values_there_is_not_accused() {
    let made = MADE.iter().map(|case| (case, BY_NAME));
    let all: Vec<_> = SHOWN.iter().map(|case| (case, BY_CANARY)).chain(made).collect();
    a_few_at_once(&all, |((what, _, page), by)| {
        let outcome = check(page, true, by);
        assert!(
            matches!(outcome.code, Some(0 | 4)),
            "{what}: {:?}\n{}\n{}",
            outcome.code,
            outcome.stdout,
            outcome.stderr
        );
        assert_eq!(dirty(&outcome)["leaks"], 0, "{what}: {}", outcome.stdout);
    });
}

/// Knows users by Basic authentication, and listens where its environment says.
const BASIC: &str = r#"
import base64, http.server, json, os, time

setting = json.loads(os.environ["SETTING"])

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global last
        self.rfile.read(int(self.headers.get("content-length", 0)))
        given = self.headers.get("authorization", "")
        name, _, password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
        last = name
        time.sleep(0.02)
        body = f"Hello, {last if setting['shared'] else name}".encode()
        self.send_response(200 if password == "secret" else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer.request_queue_size = 128
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"#;

#[test]
fn basic_authentication_holds_a_canary_and_a_command_is_told_its_port_by_its_environment() {
    for (shared, code) in [(true, 1), (false, 0)] {
        let scenario = format!(
            r#"
            [server]
            command = ["python3", "server.py"]
            env = {{ HOST = "{{host}}", PORT = "{{port}}", SETTING = '{{"shared": {shared}}}' }}
            [load]
            path = "/"
            headers = {{ authorization = "Basic {{base64({{user}}:secret)}}" }}
            concurrency = 2
            requests = 20
            [dirty]
            path = "/"
            headers = {{ authorization = "Basic {{base64({{canary}}:secret)}}" }}
            time = "20s"
            exposures = 300
            [assert]
            that = ["errors.count == 0", "status.200 == 20"]
            "#
        );
        let outcome = Runner::with(&scenario).file("server.py", BASIC).run().exit(code);
        let status = &outcome.record("scenario")["variants"][0]["trials"][0]["load"]["status"]["200"];
        assert_eq!((dirty(&outcome)["leaks"].as_u64() > Some(0), status), (shared, &Value::from(20)));
    }
}
