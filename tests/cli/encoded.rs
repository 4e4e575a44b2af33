//! Servers that compress what they answer.

use crate::foreign::trial;
use crate::harness::{Outcome, Runner};

/// Greets who asks by what all requests share for 50 ms (`/slot`), or by the request's own header (`/own`), encoded as
/// `x-coding` says.
const SERVER: &str = r#"
import gzip, json, sys, threading, time, zlib
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
current = {}
def raw(text):
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(text) + deflate.flush()
CODINGS = {"gzip": gzip.compress, "deflate": zlib.compress, "raw": raw, "compress": lambda text: b"\x1f\x9d" + raw(text)}
class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *what): pass
    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        who = self.headers.get("x-user")
        if self.path == "/slot":
            current["who"] = who
            time.sleep(.05)
            who = current["who"]
        body = json.dumps({"user": who, "headers": dict(self.headers)} if self.path == "/own" else {"user": who}).encode()
        codings = self.headers.get("x-coding").split()
        for coding in codings:
            body = CODINGS[coding](body)
        self.send_response(200)
        self.send_header("content-encoding", ", ".join(codings).replace("raw", "deflate"))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_PUT = do_HEAD = do_GET
class Server(ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128
Server((sys.argv[1], int(sys.argv[2])), Page).serve_forever()
"#;

fn checked(path: &str, coding: &str, time: &str) -> Outcome {
    let scenario = format!(
        r#"
        [server]
        command = ["python3", "server.py", "{{host}}", "{{port}}"]
        [dirty]
        path = "{path}"
        headers = {{ x-user = "{{canary}}", x-coding = "{coding}" }}
        time = "{time}"
        exposures = 300
        "#
    );
    Runner::with(&scenario).file("server.py", SERVER).run()
}

// fault: http: a leak in a compressed body -> found
#[test]
fn a_leak_in_an_encoded_response_is_found_by_its_canary() {
    for coding in ["gzip", "raw deflate gzip"] {
        let outcome = checked("/slot", coding, "20s").exit(1);
        let leak = &trial(&outcome)["dirty"]["evidence"][0];
        assert_eq!(leak["oracle"], "canary", "{coding}: {leak}");
        assert!(leak["excerpt"].as_str().unwrap().contains("{\"user\": "), "{leak}");
    }
}

#[test]
fn an_encoded_echo_is_clean() {
    let outcome = checked("/own", "gzip", "60s").exit(0);
    let dirty = &trial(&outcome)["dirty"];
    assert!(dirty["undecoded"].is_null() && dirty["positive_control"]["found"] == true, "{dirty}");
}

#[test]
fn what_cannot_be_decoded_passes_nowhere_and_is_said() {
    let outcome = checked("/own", "compress", "3s").exit(4);
    let undecoded = &trial(&outcome)["dirty"]["undecoded"];
    assert_eq!(undecoded["why"], "its content-encoding `compress` is none of gzip, deflate, br and zstd");
    outcome.stdout_has("could not be read (its content-encoding `compress`");
}

#[test]
fn a_script_sees_bodies_decoded_or_learns_why_not() {
    let checks = |coding: &str| {
        let scenario = format!(
            r#"
            [server]
            command = ["python3", "server.py", "{{host}}", "{{port}}"]
            [load]
            path = "/own"
            headers = {{ x-user = "ann", x-coding = "{coding}" }}
            concurrency = 1
            requests = 5
            script = "check.rhai"
            "#
        );
        let check =
            "fn check(exchange) { exchange.response.json.user == \"ann\" && exchange.response.body.contains(\"ann\") }";
        let runner = Runner::with(&scenario).file("server.py", SERVER).file("check.rhai", check);
        trial(&runner.run())["load"]["checks"].clone()
    };
    let decoded = checks("deflate gzip");
    assert_eq!((decoded["failed"].as_u64(), decoded["passed"].as_u64()), (Some(0), Some(5)), "{decoded}");
    let undecoded = checks("compress");
    assert_eq!(undecoded["failed"], 5, "{undecoded}");
    assert!(undecoded.to_string().contains("the response's body cannot be read: its content-encoding"), "{undecoded}");
}
