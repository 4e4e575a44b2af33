//! What runner and the supervisor of a launched server say to each other, as lines of JSON.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::process_end::ExitStatus;
use crate::scenario::StopSpec;

/// What to start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LaunchPlan {
    pub command: Vec<String>,
    pub cwd: PathBuf,
    pub env: Vec<(String, String)>,
    /// A line of its output that is to be told, a text or a regular expression.
    pub wanted: Option<String>,
    /// Whether the standard input is a socket that the program is handed.
    pub handed: bool,
    pub stop: StopOrder,
}

/// How the program is ended, also where runner is gone and orders nothing any more.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct StopOrder {
    /// The number of the signal that asks everything to end.
    pub signal: i32,
    /// What is left after this is killed.
    pub grace: Duration,
}

impl From<&StopSpec> for StopOrder {
    fn from(stop: &StopSpec) -> StopOrder {
        let signal = match stop.signal.as_str() {
            "INT" => Signal::INT,
            "QUIT" => Signal::QUIT,
            "HUP" => Signal::HUP,
            _ => Signal::TERM,
        };
        StopOrder { signal: signal.as_raw(), grace: stop.grace }
    }
}

/// Stands for the number of the socket that the program is handed; no argument can hold it.
pub(super) const FD: &str = "\0fd\0";

/// What runner orders.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Order {
    /// Send a signal, by its number, to everything below; what is stopped goes on, so that it can obey.
    Signal(i32),
    /// Kill everything below, however long its tree.
    Kill,
}

/// What happened below.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum SupervisorEvent {
    /// The program is started.
    Started {
        pid: u32,
        /// The supervisor's own number.
        supervisor: u32,
    },
    /// The program could not be started.
    NotStarted { why: String, advice: String },
    /// The line that is wanted has come.
    Said,
    /// What the server says is not kept any more.
    NotLogged { why: String },
    /// A process ended: the program itself, or one that had lost its parent.
    Ended { pid: u32, exit: ExitStatus },
    /// Nothing is left.
    Empty,
}
