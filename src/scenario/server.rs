//! The system under test, as meant.

use std::path::PathBuf;
use std::time::Duration;

use super::{AttachedSpec, OnDisconnect, Scenario, ScriptSpec, Template, TlsSpec};
use crate::mode::{Handlers, Mode};

/// The system under test.
#[derive(Debug, Clone)]
pub enum ServerSpec {
    Builtin(Builtin),
    Command(CommandSpec),
    Attached(AttachedSpec),
}

impl ServerSpec {
    /// How TLS is spoken with it, if it is.
    pub fn tls(&self) -> Option<&TlsSpec> {
        match self {
            ServerSpec::Builtin(_) => None,
            ServerSpec::Command(server) => server.tls.as_ref(),
            ServerSpec::Attached(server) => server.tls.as_ref(),
        }
    }

    /// `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        if self.tls().is_some() { "https" } else { "http" }
    }

    /// How many worker processes serve, where that is known.
    pub fn workers(&self) -> Option<u32> {
        match self {
            ServerSpec::Builtin(server) => Some(server.workers),
            ServerSpec::Command(server) => Some(server.workers),
            ServerSpec::Attached(_) => None,
        }
    }

    /// How long it may take to get ready, where that is the scenario's to say.
    pub fn ready_within(&self) -> Option<Duration> {
        match self {
            ServerSpec::Command(server) => Some(server.ready.within),
            ServerSpec::Builtin(_) | ServerSpec::Attached(_) => None,
        }
    }

    /// The same server, but nothing is asked of it to find out whether it is ready.
    pub fn ready_without_a_request(&self) -> ServerSpec {
        let mut server = self.clone();
        if let ServerSpec::Command(command) = &mut server
            && let ReadyCheck::Path(_) = command.ready.check
        {
            command.ready.check = ReadyCheck::Port;
        }
        server
    }
}

impl Scenario {
    /// Whether it starts a server by a command line.
    pub fn starts_commands(&self) -> bool {
        self.variants.iter().any(|variant| matches!(variant.server, ServerSpec::Command(_)))
    }
}

/// A server that comes with runner.
#[derive(Debug, Clone)]
pub struct Builtin {
    /// The name of the scenario's file, by which people know the processes of the server.
    pub scenario: String,
    pub mode: Mode,
    /// Threads of a worker for handlers; `None` in a mode without.
    pub threads: Option<u32>,
    /// Processes; at least one.
    pub workers: u32,
    pub script: Option<ScriptSpec>,
    /// What a handler sleeps when the request names no sleep.
    pub sleep: Duration,
    /// What becomes of a suspended handler whose client has left.
    pub on_disconnect: OnDisconnect,
    /// The port to listen on; from the kernel if not given.
    pub port: Option<u16>,
    /// How long workers may finish what they are at before they are killed.
    pub grace: Duration,
}

impl Builtin {
    /// How many requests a worker handles at once, where that is bounded.
    pub fn in_flight(&self) -> Option<u32> {
        match self.mode.handlers() {
            Handlers::One => Some(1),
            Handlers::Threads(_) => self.threads,
            Handlers::Unbounded => None,
        }
    }
}

/// A server that a command line starts.
#[derive(Debug, Clone)]
pub struct CommandSpec {
    /// The name of the scenario's file, by which people know the processes of the server.
    pub scenario: String,
    /// The program and its arguments; `{host}`, `{port}`, `{socket}` and `{workers}` are still to be filled in.
    pub command: Vec<Template>,
    pub cwd: PathBuf,
    pub env: Vec<(String, Template)>,
    /// A shell command line that runs once, before.
    pub setup: Option<String>,
    /// How long that may take.
    pub setup_within: Duration,
    pub workers: u32,
    pub listen: ListenSpec,
    pub ready: ReadySpec,
    pub stop: StopSpec,
    /// How TLS is spoken with it, if it is.
    pub tls: Option<TlsSpec>,
}

/// Where a launched server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenSpec {
    /// A port of this machine; from the kernel if not given. `handed`: runner itself listens, and hands the socket down.
    Tcp { port: Option<u16>, handed: bool },
    /// A Unix socket in a folder of runner's choice.
    Unix,
}

/// When a launched server counts as ready.
#[derive(Debug, Clone)]
pub struct ReadySpec {
    pub check: ReadyCheck,
    pub within: Duration,
    /// Whether the address may be held by a process that the command has not started.
    pub foreign: bool,
}

/// What tells that a launched server is ready.
#[derive(Debug, Clone)]
pub enum ReadyCheck {
    /// A GET of this path gets a response with a status below 400.
    Path(String),
    /// A line of its output contains this text or matches this regular expression.
    Log(String),
    /// The port accepts a connection; nothing is sent.
    Port,
}

/// How a launched server is asked to stop.
#[derive(Debug, Clone)]
pub struct StopSpec {
    /// `TERM`, `INT`, `QUIT` or `HUP`.
    pub signal: String,
    pub grace: Duration,
}
