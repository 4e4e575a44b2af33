//! `[server]` and `[servers.NAME]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{Entries, Located, Timespan};
use crate::mode::Mode;

/// A server: exactly one of `mode` (it comes with runner), `command` (runner starts it) and `url` (it is up already).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in [server]")]
#[schemars(rename = "Server")]
pub struct RawServer {
    /// A server that comes with runner, and how its workers handle requests.
    pub mode: Option<Located<Mode>>,
    /// Worker processes. 1 if not given. Fills `{workers}` in a `command`.
    #[schemars(range(min = 1, max = 256))]
    pub workers: Option<Located<i64>>,
    /// Threads a worker: 8 in mode `threaded`, 40 in `async_pool` if not given. No other mode has any.
    #[schemars(range(min = 1, max = 1024))]
    pub threads: Option<Located<i64>>,
    /// A file of handlers written in rhai, for the built-in modes.
    pub script: Option<Located<String>>,
    /// What a built-in handler sleeps when the request names no sleep. 0 if not given.
    pub sleep: Option<Located<Timespan>>,
    /// What becomes of a suspended handler whose client has left, in mode `async`: `continue` if not given, or `cancel`.
    pub on_disconnect: Option<Located<OnDisconnect>>,
    /// The port to listen on. A free one if not given.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<Located<i64>>,
    /// How long built-in workers may finish what they are at before they are killed. 1s if not given.
    pub grace: Option<Located<Timespan>>,
    /// The program to start and its arguments, with `{host}`, `{port}` and `{workers}` filled in.
    #[schemars(example = ["gunicorn", "-w", "{workers}", "-b", "{host}:{port}", "app:app"])]
    pub command: Option<Located<Vec<Located<String>>>>,
    /// The folder in which the command runs. The scenario's folder if not given.
    pub cwd: Option<Located<String>>,
    /// Environment variables of the command, on top of those of runner.
    pub env: Option<Entries<String>>,
    /// A shell command line that runs once before the server first starts.
    #[schemars(example = "make venv")]
    pub setup: Option<Located<String>>,
    /// How long `setup` may take. 10m if not given.
    pub setup_within: Option<Located<Timespan>>,
    /// When the command counts as ready. When its port accepts connections, if not given.
    pub ready: Option<Located<RawReady>>,
    /// How the command is asked to stop.
    pub stop: Option<Located<RawStop>>,
    /// A server that is up already. A host that is not this machine needs `--allow-host` on the command line.
    #[schemars(example = "http://127.0.0.1:8000")]
    pub url: Option<Located<String>>,
    /// The process of a `url` server, so that what it and its children use can be read.
    #[schemars(range(min = 1, max = 4194304))]
    pub pid: Option<Located<i64>>,
    /// A file that holds the process id of a `url` server.
    #[schemars(example = "/run/app.pid")]
    pub pid_file: Option<Located<String>>,
    /// Where connections to a `url` go, in place of its host and port: another host and port, or `unix:` and a path, or `unix:@` and a
    /// name that has no file.
    #[schemars(example = "127.0.0.1:8443", example = "unix:/run/app.sock", example = "unix:@app")]
    pub connect_to: Option<Located<String>>,
    /// How TLS is spoken with an https `url`, or with a `command`, which is asked over TLS if this is there.
    pub tls: Option<Located<RawTls>>,
    /// Where a command listens: `tcp` (`{host}` and `{port}`) if not given, `unix` (`{socket}`), or on what it is handed
    /// (`fd`).
    pub listen: Option<Located<RawListen>>,
}

/// How TLS is spoken with a server. Files are PEM.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in { ca = \"ca.pem\" }")]
#[schemars(rename = "Tls")]
pub struct RawTls {
    /// A file with the certificates of those who may sign that of the server. Whom this machine trusts, if not given.
    #[schemars(example = "certs/ca.pem")]
    pub ca: Option<Located<String>>,
    /// Whether not to look at the server's certificate.
    pub insecure: Option<Located<bool>>,
    /// A file with the client's own certificate, and those that lead to who signed it.
    pub cert: Option<Located<String>>,
    /// A file with the key of `cert`. The file of `cert` holds it if not given.
    pub key: Option<Located<String>>,
    /// The name that the server is asked for (SNI), and that its certificate must be for. The host's if not given.
    pub name: Option<Located<String>>,
}

/// What becomes of a handler whose client leaves while it is suspended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDisconnect {
    /// It runs to its end, as under uvicorn or Node.
    #[default]
    Continue,
    /// It ends where it stands. Only mode `async` can.
    Cancel,
}

/// What kind of socket a command listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Listen")]
pub enum RawListen {
    /// A port of this machine, `{host}:{port}`.
    Tcp,
    /// A port of this machine on which runner itself listens; the command is handed the socket: `{fd}` is its number, and
    /// `LISTEN_FDS` is set.
    Fd,
    /// A Unix socket, `{socket}`.
    Unix,
}

/// When a started command counts as ready: one of `path`, `log` and `port`, within a time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in { path = \"/health\", within = \"20s\" }")]
#[schemars(rename = "Ready")]
pub struct RawReady {
    /// When a GET of this path gets a response with a status below 400.
    pub path: Option<Located<String>>,
    /// When a line of its output contains this text or matches this regular expression.
    pub log: Option<Located<String>>,
    /// When its port accepts a connection; nothing is sent.
    pub port: Option<Located<bool>>,
    /// How long it may take. 20s if not given.
    pub within: Option<Located<Timespan>>,
    /// Whether its address may be held by a process that the command has not started, as a container's. No if not given.
    pub foreign: Option<Located<bool>>,
}

/// How a command is stopped.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, as in { signal = \"TERM\", grace = \"5s\" }")]
#[schemars(rename = "Stop")]
pub struct RawStop {
    /// The signal that asks it to stop. TERM if not given.
    pub signal: Option<Located<Signal>>,
    /// How long it may take before it is killed. 5s if not given.
    pub grace: Option<Located<Timespan>>,
}

/// A signal that asks a process to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// Stop; what gunicorn and uvicorn take for a graceful end.
    Term,
    /// As Ctrl-C.
    Int,
    /// Quick end, of nginx and gunicorn among others.
    Quit,
    /// The terminal is gone.
    Hup,
}

impl Signal {
    /// The name that scenarios use.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::Term => "TERM",
            Signal::Int => "INT",
            Signal::Quit => "QUIT",
            Signal::Hup => "HUP",
        }
    }
}
