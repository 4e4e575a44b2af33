//! A scenario as meant: types that cannot hold nonsense. [`load`] makes it from a scenario as written.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;

use crate::canary::Shape;
use crate::rule::Rule;
use crate::script;

mod attached;
pub mod data;
mod decode;
mod environment;
pub mod file;
mod matrix;
mod meant;
mod overrides;
mod problem;
mod protocol;
pub mod request;
pub mod sample;
pub mod schema;
mod secrets;
mod source;
mod suggest;
pub mod template;
mod tree;
pub mod typed;
pub mod variation;
mod warnings;

pub use attached::{Address, Attached, Pid, Tls, TlsFiles, authority};
pub use data::Data;
pub use file::Spacing;
pub use problem::{Problem, Problems};
pub use protocol::Protocol;
pub use request::Request;
pub use secrets::Secrets;
pub use template::Template;
pub use warnings::warnings;

/// A whole valid scenario file.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The file's stem unless the file says otherwise. Safe as a folder's name.
    pub name: String,
    pub about: Option<String>,
    /// The file, as it was named on the command line.
    pub file: PathBuf,
    /// What `--set` gave, as typed.
    pub overrides: Vec<String>,
    /// For everything drawn by chance; drawn itself if the file does not give it.
    pub seed: Option<u64>,
    /// One per combination of the matrix, in the order of the file; at least one.
    pub variants: Vec<Variant>,
    /// How many trials each variant gets; at least one.
    pub repeats: u32,
    /// The scenario with every override and environment variable filled in, as TOML; secrets are left as `${NAME}`.
    pub effective: String,
    /// The values of the environment variables that `effective` leaves as names: nobody is to be shown them.
    pub secrets: Secrets,
}

/// One combination of a scenario's matrix.
#[derive(Debug, Clone)]
pub struct Variant {
    /// `server.mode=async load.sleep=10ms`; the scenario's name where there is no matrix.
    pub name: String,
    /// What the matrix set, key path and value as written.
    pub settings: Vec<(String, serde_json::Value)>,
    pub server: Server,
    pub load: Option<Load>,
    pub dirty: Option<Dirty>,
    /// The rules that apply to this variant.
    pub rules: Vec<Rule>,
    /// Rules that end the load early.
    pub abort_when: Vec<Rule>,
    /// A script whose `verdict` adds verdicts of its own.
    pub verdicts: Option<Script>,
}

/// The system under test.
#[derive(Debug, Clone)]
pub enum Server {
    Builtin(Builtin),
    Command(Command),
    Attached(Attached),
}

impl Server {
    /// How TLS is spoken with it, if it is.
    pub fn tls(&self) -> Option<&Tls> {
        match self {
            Server::Builtin(_) => None,
            Server::Command(server) => server.tls.as_ref(),
            Server::Attached(server) => server.tls.as_ref(),
        }
    }

    /// `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        if self.tls().is_some() { "https" } else { "http" }
    }

    /// How many worker processes serve, where that is known.
    pub fn workers(&self) -> Option<u32> {
        match self {
            Server::Builtin(server) => Some(server.workers),
            Server::Command(server) => Some(server.workers),
            Server::Attached(_) => None,
        }
    }

    /// The same server, but nothing is asked of it to find out whether it is ready.
    pub fn ready_without_a_request(&self) -> Server {
        let mut server = self.clone();
        if let Server::Command(command) = &mut server
            && let ReadyCheck::Path(_) = command.ready.check
        {
            command.ready.check = ReadyCheck::Port;
        }
        server
    }
}

/// A server that comes with runner.
#[derive(Debug, Clone)]
pub struct Builtin {
    pub mode: Mode,
    /// Processes; at least one.
    pub workers: u32,
    pub script: Option<Script>,
    /// What a handler sleeps when the request names no sleep.
    pub sleep: Duration,
    /// What becomes of a suspended handler whose client has left.
    pub on_disconnect: OnDisconnect,
    /// The port to listen on; from the kernel if not given.
    pub port: Option<u16>,
    /// How long workers may finish what they are at before they are killed.
    pub grace: Duration,
}

/// What becomes of a handler whose client leaves while it is suspended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDisconnect {
    /// It runs to its end, and nobody gets its response.
    #[default]
    Continue,
    /// It ends where it stands; what it has written stays. Only mode `async` can.
    Cancel,
}

/// How a built-in worker handles requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One request at a time; the connection closes after each response. As gunicorn sync.
    Sync,
    /// `threads` at once, each blocking its thread. As gunicorn gthread.
    Threaded { threads: u32 },
    /// Any number at once; a sleep suspends the handler. As uvicorn with `async def`.
    Async,
    /// One event loop that hands handlers to `threads` blocking threads. As a plain `def` view under Starlette.
    AsyncPool { threads: u32 },
    /// One event loop that every handler blocks. As `time.sleep` inside `async def`.
    AsyncBlocking,
}

impl Mode {
    /// The name that scenarios use.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Sync => "sync",
            Mode::Threaded { .. } => "threaded",
            Mode::Async => "async",
            Mode::AsyncPool { .. } => "async_pool",
            Mode::AsyncBlocking => "async_blocking",
        }
    }
}

/// A script, read and compiled once when the scenario was loaded, so that it is known to be valid.
#[derive(Debug, Clone)]
pub struct Script {
    /// As found from the scenario's folder.
    pub path: PathBuf,
    pub source: String,
}

/// A server that a command line starts.
#[derive(Debug, Clone)]
pub struct Command {
    /// The program and its arguments; `{host}`, `{port}`, `{socket}` and `{workers}` are still to be filled in.
    pub command: Vec<Template>,
    pub cwd: PathBuf,
    pub env: Vec<(String, String)>,
    /// A shell command line that runs once, before.
    pub setup: Option<String>,
    pub workers: u32,
    pub listen: Listen,
    pub ready: Ready,
    pub stop: Stop,
    /// How TLS is spoken with it, if it is.
    pub tls: Option<Tls>,
}

/// Where a launched server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// A port of this machine; from the kernel if not given.
    Tcp { port: Option<u16> },
    /// A Unix socket in a folder of runner's choice.
    Unix,
}

/// When a launched server counts as ready.
#[derive(Debug, Clone)]
pub struct Ready {
    pub check: ReadyCheck,
    pub within: Duration,
}

#[derive(Debug, Clone)]
pub enum ReadyCheck {
    /// A GET of this path is answered with a status below 400.
    Path(String),
    /// A line of its output contains this text or matches this regular expression.
    Log(String),
    /// The port accepts a connection; nothing is sent.
    Port,
}

/// How a launched server is asked to stop.
#[derive(Debug, Clone)]
pub struct Stop {
    /// `TERM`, `INT`, `QUIT` or `HUP`.
    pub signal: String,
    pub grace: Duration,
}

/// The load to drive.
#[derive(Debug, Clone)]
pub struct Load {
    /// What is sent, drawn by weight; at least one.
    pub kinds: Vec<Kind>,
    /// Fills `{sleep}`.
    pub sleep: Option<Duration>,
    pub model: Model,
    /// The rates or numbers of users, one after another; at least one.
    pub levels: Vec<Level>,
    /// How long the measured part lasts; where `requests` ends it, at most.
    pub duration: Duration,
    /// The measured part ends with this many requests; above zero.
    pub requests: Option<u64>,
    /// How long a user of the closed model thinks after each answer.
    pub pause: Duration,
    /// Load before the measured part, left out of every figure.
    pub warmup: Duration,
    /// A request without a whole answer for this long has failed.
    pub timeout: Duration,
    /// How long unanswered requests may still finish after `duration`.
    pub drain: Duration,
    pub protocol: Protocol,
    /// Where connections come from, in turn; the kernel says if there are none.
    pub source_addresses: Vec<IpAddr>,
    /// Load threads; chosen by runner if not given.
    pub threads: Option<u32>,
    /// Hooks: what each user sends, and what counts as a right answer.
    pub script: Option<Script>,
    /// A row a user, for `{data.column}` and for the hooks.
    pub data: Option<Arc<Data>>,
}

impl Load {
    /// The highest rate, or the most users.
    pub fn peak(&self) -> f64 {
        self.levels.iter().fold(0.0, |most, level| most.max(level.from).max(level.to))
    }

    /// The most users, and so the most requests in flight.
    pub fn users(&self) -> u32 {
        match self.model {
            Model::Closed => self.peak().ceil() as u32,
            Model::Open { max_concurrency, .. } => max_concurrency,
        }
    }

    /// The most connections, if the server takes as many requests on each as it is to carry.
    pub fn connections(&self) -> u32 {
        self.users().div_ceil(self.protocol.streams())
    }
}

/// Who sends when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// Users who each wait for their answer before they ask again; levels are how many.
    Closed,
    /// Requests that come whether or not earlier ones were answered; levels are how many a second.
    Open { spacing: Spacing, max_concurrency: u32 },
}

/// A stage of a load: its level goes from one value to the other in a straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    pub from: f64,
    pub to: f64,
    pub lasting: Duration,
}

/// One of the requests of a load.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Unique within its load.
    pub name: String,
    /// Its share is this of the sum of all; above zero.
    pub weight: u32,
    pub request: Request,
}

/// The dirty check to run.
#[derive(Debug, Clone)]
pub struct Dirty {
    /// Without a login, at least one part holds `{canary}` or `{identity.field}`.
    pub request: Request,
    /// What fills `{identity.field}`: none, or at least two that differ, with the same fields each.
    pub identities: Vec<BTreeMap<String, String>>,
    /// The field of identities whose equals may see each other's data.
    pub group: Option<String>,
    pub login: Option<Login>,
    pub shape: Shape,
    /// What responses may share: text that one of these matches accuses nobody.
    pub public: Vec<Regex>,
    /// What to try: names of [`rule::TRIGGERS`](crate::rule::TRIGGERS), in that order; at least one.
    pub triggers: Vec<&'static str>,
    /// What fills `{sleep}`: the long request's and the short ones'.
    pub sleep: Option<Sleeps>,
    pub expect: Expect,
    pub budget: Budget,
    pub timeout: Duration,
}

/// What each identity sends once, before its requests. The cookies of the answer are its own from then on.
#[derive(Debug, Clone)]
pub struct Login {
    /// Some part holds `{canary}` or `{identity.field}`, none `{token}` or `{sleep}`.
    pub request: Request,
    /// The names (or indices) that lead to what fills `{token}` in the answer's JSON.
    pub token: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy)]
pub struct Sleeps {
    pub long: Duration,
    pub short: Duration,
}

/// What a dirty check is expected to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No leak; a leak fails the run.
    Clean,
    /// A leak; none fails the run. For scenarios that demonstrate one.
    Dirty,
    /// Nothing by itself; the rules judge.
    Report,
}

/// When a dirty check ends: at a proof, or when it has enough exposures, or when its time is up.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Enough exposures without a leak; from `exposures` or `bound`.
    pub exposures: u64,
    pub time: Duration,
    /// Whether to go on after a proof.
    pub exhaustive: bool,
}

/// What loading a scenario needs of the world outside it.
pub trait Surroundings {
    /// Reads a text file.
    fn read(&self, path: &Path) -> std::io::Result<String>;
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;
}

/// Compiles a script's source; the path is the folder of its imports.
pub type Compile<'a> = &'a dyn Fn(&str, &Path) -> Result<(), script::ScriptError>;

/// Reads a scenario file, applies `overrides` (`key.path=value`) and the matrix, and reports every problem at once.
pub fn load(file: &Path, overrides: &[String], surroundings: &dyn Surroundings) -> Result<Scenario, Problems> {
    load_with(file, overrides, surroundings, &compile)
}

fn compile(source: &str, folder: &Path) -> Result<(), script::ScriptError> {
    script::Program::compile(source, folder, script::Limits::default()).map(drop)
}

/// As [`load`], with the scripts compiled by somebody else.
pub fn load_with(
    file: &Path,
    overrides: &[String],
    surroundings: &dyn Surroundings,
    compile: Compile<'_>,
) -> Result<Scenario, Problems> {
    meant::load(file, overrides, surroundings, compile)
}

#[cfg(test)]
pub(crate) mod tests;
