//! What a server shows when it has no time, which equals what one of its users gets.

use crate::foreign::trial;
use crate::harness::{Outcome, Runner};

/// Greets each user in their language, and nobody at all. `/busy`: with more than three requests at once everybody gets bob's.
/// `/slot`: the language is that of who came last.
const SERVER: &str = r#"
import sys, threading, time
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
GREETINGS = {"ann": "Hello", "bob": "Hej", "zoe": "Hola", "idris": "Salaam"}
room, current = threading.Semaphore(3), {}
class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *what): pass
    def reply(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        who = self.headers.get("x-user")
        if who not in GREETINGS:
            return self.reply(401, "log in first")
        if self.path.startswith("/slot"):
            current["who"] = who
            time.sleep(.02)
            return self.reply(200, f"<h1>{GREETINGS[current['who']]}</h1>")
        if not room.acquire(blocking=False):
            return self.reply(200, "<h1>Hej</h1>")
        time.sleep(.02)
        room.release()
        self.reply(200, f"<h1>{GREETINGS[who]}</h1>")
    do_POST = do_PUT = do_HEAD = do_GET
class Server(ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128
Server((sys.argv[1], int(sys.argv[2])), Page).serve_forever()
"#;

fn checked(path: &str) -> Outcome {
    let scenario = format!(
        r#"
        [server]
        command = ["python3", "server.py", "{{host}}", "{{port}}"]
        [dirty]
        path = "{path}"
        headers = {{ x-user = "{{identity.name}}" }}
        identities = [{{ name = "ann" }}, {{ name = "bob" }}, {{ name = "zoe" }}, {{ name = "idris" }}]
        time = "15s"
        "#
    );
    Runner::with(&scenario).file("server.py", SERVER).run()
}

#[test]
fn a_fallback_that_is_also_somebodys_own_value_accuses_nobody() {
    let outcome = checked("/busy");
    let dirty = &trial(&outcome)["dirty"];
    assert_eq!((dirty["leaks"].as_u64(), outcome.code == Some(1)), (Some(0), false), "{dirty}");
}

#[test]
fn a_value_that_needs_its_owner_is_a_leak() {
    let outcome = checked("/slot").exit(1);
    let leak = &trial(&outcome)["dirty"]["evidence"][0];
    assert!(leak["oracle"] == "swap" || leak["oracle"] == "learned", "{leak}");
}
