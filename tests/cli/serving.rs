//! A built-in server that a test talks to itself, beside the little load that keeps it up.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::harness::{Outcome, Runner, Running, wait_for};

/// A server that is up.
pub struct Serving {
    pub running: Running,
    pub port: u16,
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The process that answered.
    pub fn worker(&self) -> u32 {
        self.header("x-worker").unwrap().parse().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Serving {
    /// A server with this script; `server` are further lines of `[server]`.
    pub fn start(server: &str, script: &str) -> Serving {
        Serving::start_with(server, script, &[])
    }

    pub fn start_with(server: &str, script: &str, arguments: &[&str]) -> Serving {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let scenario = format!(
            "[server]\n{server}\nscript = \"handlers.rhai\"\nport = {port}\n\
             [load]\npath = \"/async_sleep/?sleep=20ms\"\nconcurrency = 1\nduration = \"10m\"\n"
        );
        let running = Runner::with(&scenario).file("handlers.rhai", script).arguments(arguments).start();
        running.wait_for_requests();
        Serving { running, port }
    }

    /// Sends a request; the connection that is to bring its response.
    pub fn send(&self, request: &str) -> TcpStream {
        let mut stream = wait_for("a connection", || TcpStream::connect(("127.0.0.1", self.port)).ok());
        // A call may take 30 s of a core, of which a busy machine gives a test a tenth.
        stream.set_read_timeout(Some(Duration::from_secs(600))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    pub fn ask(&self, path: &str) -> TcpStream {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\n\r\n", self.port))
    }

    pub fn get(&self, path: &str) -> Answer {
        read(self.ask(path))
    }

    /// Ends it; what is left then is its report.
    pub fn stop(self) -> Outcome {
        self.running.signal("INT");
        self.running.wait().exit(130)
    }
}

/// The response on a connection that ends with it.
pub fn read(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}
