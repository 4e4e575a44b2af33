//! Servers that a test writes itself: small Python programs, started by `command`, of which nothing may be left.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::{Outcome, Runner, Running, wait_for};

/// What every program begins with: it says where it listens, and has what it takes to serve.
///
/// `answer(connection)` reads one request and answers it; `serve(handle)` gives every connection a thread.
const PRELUDE: &str = r#"
import os, signal, socket, sys, threading, time
host, port = sys.argv[1], int(sys.argv[2])
open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "port"), "w").write(str(port))

def listen():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(128)
    return listener

def answer(connection, status="200 OK", delay=0.0):
    request = b""
    while b"\r\n\r\n" not in request:
        read = connection.recv(4096)
        if not read:
            return False
        request += read
    time.sleep(delay)
    connection.sendall(f"HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok".encode())
    return True

def answers(connection, **how):
    while answer(connection, **how):
        pass

def serve(handle, listener=None):
    def safely(connection):
        try:
            with connection:
                handle(connection)
        except OSError:
            pass
    listener = listener or listen()
    while True:
        connection = listener.accept()[0]
        threading.Thread(target=safely, args=[connection], daemon=True).start()
"#;

const LOAD: &str = r#"
[load]
path = "/"
concurrency = 4
duration = "600ms"
timeout = "30s"
drain = "50ms"
"#;

/// A run against such a program.
pub struct Foreign {
    runner: Runner,
    mark: String,
    extra: Vec<&'static str>,
}

/// It under way.
pub struct Going {
    pub running: Running,
    pub mark: String,
}

/// The program as `server.py`, with lines for the table `[server]`, and an environment that all its processes inherit.
pub fn python(program: &str, server: &str) -> Foreign {
    let foreign = command(r#"["python3", "server.py", "{host}", "{port}"]"#, server);
    Foreign { runner: foreign.runner.file("server.py", &format!("{PRELUDE}{program}")), ..foreign }
}

/// Any other command, in TOML.
pub fn command(command: &str, server: &str) -> Foreign {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mark = format!("RUNNER_TEST_MARK={}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let (name, value) = mark.split_once('=').unwrap();
    let scenario = format!("[server]\ncommand = {command}\n{server}\n{LOAD}");
    Foreign { runner: Runner::with(&scenario).env(name, value), mark, extra: Vec::new() }
}

impl Foreign {
    pub fn file(self, name: &str, text: &str) -> Self {
        Foreign { runner: self.runner.file(name, text), ..self }
    }

    pub fn set(self, key_value: &str) -> Self {
        Foreign { runner: self.runner.set(key_value), ..self }
    }

    pub fn folder(&self) -> &Path {
        self.runner.folder()
    }

    /// Rules to judge by.
    pub fn that(mut self, rule: &'static str) -> Self {
        self.extra.push(rule);
        self
    }

    pub fn run(self) -> Outcome {
        let going = self.start();
        going.wait()
    }

    pub fn start(self) -> Going {
        let Foreign { runner, mark, extra } = self;
        let rules = if extra.is_empty() { String::new() } else { format!("[assert]\nthat = {extra:?}\n") };
        let path = runner.folder().join("scenario.toml");
        fs::write(&path, fs::read_to_string(&path).unwrap() + rules.as_str()).unwrap();
        Going { running: runner.start(), mark }
    }
}

impl Going {
    /// Waits until the server has written a file of this name, and returns what it holds.
    pub fn wait_for_file(&self, name: &str) -> String {
        let path = self.running.folder().join(name);
        wait_for(name, || fs::read_to_string(&path).ok().filter(|text| !text.is_empty()))
    }

    /// Waits for the end; whatever that was, nothing is left: no process, and nobody on the port.
    pub fn wait(self) -> Outcome {
        let outcome = self.running.wait();
        wait_until_nothing_is_left(&self.mark, &outcome);
        outcome
    }
}

fn wait_until_nothing_is_left(mark: &str, outcome: &Outcome) {
    wait_for(&format!("the end of {:?}", marked(mark)), || marked(mark).is_empty().then_some(()));
    if let Ok(port) = fs::read_to_string(outcome.folder.path().join("port")) {
        let port: u16 = port.parse().unwrap();
        // Another test may have got the same port from the kernel meanwhile.
        wait_for("the port", || TcpListener::bind(("127.0.0.1", port)).ok());
    }
}

/// The processes that have inherited a mark.
pub fn marked(mark: &str) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let has_mark = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    };
    processes.filter(has_mark).collect()
}

/// What the record says of the only trial.
pub fn trial(outcome: &Outcome) -> serde_json::Value {
    outcome.record("scenario")["variants"][0]["trials"][0].clone()
}
