//! Responses that do not end: what comes of them in a bounded time is searched.

use serde_json::Value;

use crate::harness::{Outcome, Runner};

/// Tells whoever listens that somebody has come: everybody, or only who it was.
const EVENTS: &str = r#"
import http.server, queue, sys, threading

listening, lock = {}, threading.Lock()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        who, events = self.headers.get("x-user", ""), queue.Queue()
        self.rfile.read(int(self.headers.get("content-length", 0)))
        with lock:
            listening[events] = who
            for other, name in listening.items():
                if TO_ALL or name == who:
                    other.put(f"{who} has come")
        self.send_response(200)
        self.send_header("content-type", TYPE)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            while True:
                try:
                    event = events.get(timeout=0.05)
                except queue.Empty:
                    event = "still there"
                data = f"data: {event}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        except OSError:
            pass
        finally:
            self.close_connection = True
            with lock:
                del listening[events]

    def log_message(self, *arguments):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"#;

fn check(to_all: bool, kind: &str, dirty: &str) -> Outcome {
    let to_all = if to_all { "True" } else { "False" };
    let program = format!("TO_ALL, TYPE = {to_all}, {kind:?}\n{EVENTS}");
    let scenario = format!(
        "[server]\ncommand = [\"python3\", \"server.py\", \"{{host}}\", \"{{port}}\"]\n[dirty]\npath = \"/events\"\n\
         headers = {{ x-user = \"{{canary}}\" }}\n{dirty}\n"
    );
    Runner::with(&scenario).file("server.py", &program).run()
}

fn trial(outcome: &Outcome) -> Value {
    outcome.record("scenario")["variants"][0]["trials"][0]["dirty"].clone()
}

/// Requests that failed, in all triggers that have none that are to fail.
fn failed(dirty: &Value) -> u64 {
    dirty["triggers"].as_object().unwrap().values().map(|trigger| trigger["failed"].as_u64().unwrap_or(0)).sum()
}

#[test]
fn an_event_for_another_user_is_a_leak() {
    for (kind, dirty) in [("text/event-stream", "time = \"20s\""), ("text/plain", "stream = \"200ms\"\ntime = \"20s\"")]
    {
        let dirty = trial(&check(true, kind, dirty).exit(1));
        assert_eq!((&dirty["evidence"][0]["place"], failed(&dirty)), (&Value::from("body"), 0), "{kind}: {dirty}");
    }
}

#[test]
fn a_stream_of_ones_own_events_is_clean_and_no_failure() {
    let dirty = trial(&check(false, "text/event-stream", "stream = \"100ms\"\nexposures = 60\ntime = \"20s\"").exit(0));
    assert_eq!((&dirty["leaks"], failed(&dirty)), (&Value::from(0), 0), "{dirty}");
    assert_eq!(dirty["positive_control"]["found"], true, "{dirty}");
    let why = dirty["triggers"]["keep_alive"]["not_exercised"].as_str().unwrap();
    assert!(why.contains("streams"), "{why}");
}

#[test]
fn a_response_without_an_end_is_an_answer_when_its_time_is_up() {
    let dirty = trial(&check(true, "text/plain", "timeout = \"300ms\"\ntime = \"20s\"").exit(1));
    assert!(dirty["leaks"].as_u64() > Some(0) && failed(&dirty) == 0, "{dirty}");
}
