//! What happens to the processes of a server, and how they and the server come to their end: facts, from whoever saw it to the record. `Display`
//! tells them in words, without a subject where that is named elsewhere.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::{counted, show_duration, show_time};

/// How a process ended, as the kernel tells its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// It exited with this status.
    Code(i32),
    /// A signal of this number killed it.
    Signal(i32),
    /// It is gone; nobody was told how.
    Unknown,
}

impl ExitStatus {
    /// Of what `wait` tells: the status, or the signal.
    pub fn new(code: Option<i32>, signal: Option<i32>) -> ExitStatus {
        match (code, signal) {
            (Some(code), _) => ExitStatus::Code(code),
            (None, Some(signal)) => ExitStatus::Signal(signal),
            (None, None) => ExitStatus::Unknown,
        }
    }

    /// Whether it exited with status 0.
    pub fn is_success(self) -> bool {
        self == ExitStatus::Code(0)
    }

    /// Whether this signal ended it; a shell passes a signal on as 128 and its number.
    pub fn is_by(self, signal: i32) -> bool {
        [ExitStatus::Signal(signal), ExitStatus::Code(128 + signal)].contains(&self)
    }
}

impl From<std::process::ExitStatus> for ExitStatus {
    fn from(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        ExitStatus::new(status.code(), status.signal())
    }
}

/// `exited with status 3`, `was killed by signal 9 (KILL)`.
impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |signal| match signal {
            1 => " (HUP)",
            2 => " (INT)",
            3 => " (QUIT)",
            6 => " (ABRT)",
            9 => " (KILL)",
            11 => " (SEGV)",
            13 => " (PIPE)",
            15 => " (TERM)",
            _ => "",
        };
        match *self {
            ExitStatus::Code(code) => write!(f, "exited with status {code}"),
            ExitStatus::Signal(signal) => write!(f, "was killed by signal {signal}{}", name(signal)),
            ExitStatus::Unknown => f.write_str("ended"),
        }
    }
}

/// Who ended a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// It exited, although nobody of runner had asked it to.
    Itself,
    /// runner had asked it to end, or killed it.
    Runner,
    /// A signal that runner had not sent: another process's, or the kernel's.
    Outside,
    /// It was gone at the next look.
    Unknown,
}

impl EndedBy {
    /// Who ended a process that runner had not asked to end.
    pub fn unasked(exit: ExitStatus) -> EndedBy {
        match exit {
            ExitStatus::Code(_) => EndedBy::Itself,
            ExitStatus::Signal(_) => EndedBy::Outside,
            ExitStatus::Unknown => EndedBy::Unknown,
        }
    }
}

/// What a process was to its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerProcess {
    /// A worker of a built-in server.
    Worker,
    /// The program that the command line names.
    Main,
    /// What that program has started.
    Child,
    /// runner's own process between itself and the command.
    Supervisor,
}

/// The end of one process.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProcessEnd {
    pub pid: u32,
    pub process: ServerProcess,
    pub exit: ExitStatus,
    pub by: EndedBy,
    /// In seconds from the start of its server to when it was noticed.
    pub after_s: f64,
}

/// `worker 4711 exited with status 3`, `process 4712 ended`.
impl fmt::Display for ProcessEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.process == ServerProcess::Worker { "worker" } else { "process" };
        write!(f, "{noun} {} {}", self.pid, self.exit)
    }
}

/// How a server's life ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerEnd {
    /// As it was asked to, within its grace.
    Stopped,
    /// It was asked to, and what was left after the grace was killed.
    KilledAfterGrace {
        /// How many processes; 0 where nobody can see them.
        killed: u64,
        /// Of how many; null for a command's processes.
        of: Option<u64>,
        grace_s: f64,
    },
    /// Unasked: the end of the program, or of the first worker that ended.
    Died {
        first: ProcessEnd,
        /// The last of those that the program had left running, where it had.
        last: Option<ProcessEnd>,
    },
    /// A signal stopped a process of it (state T), and it was killed.
    Suspended { pid: u32, process: ServerProcess, after_s: f64 },
    /// Its supervisor ended first, and it was killed.
    LostSupervisor { supervisor: ProcessEnd },
    /// It was up before, and stays.
    LeftRunning,
    /// A record of format 1 has words only.
    Told { text: String },
}

impl Default for ServerEnd {
    fn default() -> Self {
        ServerEnd::Told { text: String::new() }
    }
}

impl ServerEnd {
    /// Seconds from the start of the server to its end, where it ended unasked.
    pub fn after_s(&self) -> Option<f64> {
        match self {
            ServerEnd::Died { first, .. } => Some(first.after_s),
            ServerEnd::Suspended { after_s, .. } => Some(*after_s),
            ServerEnd::LostSupervisor { supervisor } => Some(supervisor.after_s),
            _ => None,
        }
    }

    /// What became of it, as the end of a sentence that has named it: `exited with status 3`.
    pub fn predicate(&self) -> String {
        match self {
            ServerEnd::Stopped => "stopped".to_owned(),
            ServerEnd::KilledAfterGrace { killed, of, grace_s } => {
                let which = match (*killed, of) {
                    (killed, Some(of)) => format!("{killed} of {} ", counted(*of, "worker")),
                    (0, None) => String::new(),
                    (killed, None) => format!("{} ", counted(killed, "process")),
                };
                format!("{which}killed after the grace of {}", show_duration(Duration::from_secs_f64(*grace_s)))
            }
            ServerEnd::Died { first, last: None } => first.exit.to_string(),
            ServerEnd::Died { first, last: Some(last) } => {
                format!("{}, and the last it left running (process {}) {}", first.exit, last.pid, last.exit)
            }
            ServerEnd::Suspended { .. } => "was stopped by a signal (state T)".to_owned(),
            ServerEnd::LostSupervisor { supervisor } => {
                format!("lost its supervisor (process {}), which {}", supervisor.pid, supervisor.exit)
            }
            ServerEnd::LeftRunning => "left as it was".to_owned(),
            ServerEnd::Told { text } => text.clone(),
        }
    }

    /// A sentence without a full stop: `worker 4711 exited with status 3`.
    pub fn sentence(&self) -> String {
        let subject = match self {
            ServerEnd::Died { first: ProcessEnd { pid, process: ServerProcess::Worker, .. }, .. }
            | ServerEnd::Suspended { pid, process: ServerProcess::Worker, .. } => format!("worker {pid} "),
            ServerEnd::Died { first, .. } => format!("the server (process {}) ", first.pid),
            ServerEnd::Suspended { pid, .. } => format!("process {pid} of the server "),
            ServerEnd::LostSupervisor { .. } => "the server ".to_owned(),
            _ => String::new(),
        };
        format!("{subject}{}", self.predicate())
    }
}

/// `stopped`, `1 process killed after the grace of 1s`, `worker 4711 exited with status 3 after 2.40 s`.
impl fmt::Display for ServerEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence())?;
        self.after_s().map_or(Ok(()), |after| write!(f, " after {}", show_time(after)))
    }
}

/// Why nothing is known of what a server used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmeasured {
    /// Fits after "as".
    pub why: String,
    pub remedy: String,
}

/// Something that happened to a server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerEvent {
    /// Since the start of the server.
    pub t_s: f64,
    #[serde(flatten)]
    pub what: Happening,
}

/// What can happen to a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Happening {
    /// One of its processes ended, unasked or not as it was asked to.
    ProcessEnded(ProcessEnd),
    /// The rest of its log is lost.
    LogNotKept { why: String },
    /// More happened than is listed.
    More,
    /// A record of format 1 has words only.
    Told { text: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(process: ServerProcess, exit: ExitStatus) -> ProcessEnd {
        ProcessEnd { pid: 4711, process, exit, by: EndedBy::Outside, after_s: 2.4 }
    }

    #[test]
    fn ends_are_told_alone_and_as_a_sentence() {
        let worker = ServerEnd::Died { first: end(ServerProcess::Worker, ExitStatus::Code(3)), last: None };
        assert_eq!(worker.to_string(), "worker 4711 exited with status 3 after 2.40 s");
        assert_eq!(worker.sentence(), "worker 4711 exited with status 3");
        let last = Some(ProcessEnd { pid: 4712, ..end(ServerProcess::Child, ExitStatus::Signal(9)) });
        let main = ServerEnd::Died { first: end(ServerProcess::Main, ExitStatus::Code(0)), last };
        let tail = "exited with status 0, and the last it left running (process 4712) was killed by signal 9 (KILL)";
        assert_eq!(main.sentence(), format!("the server (process 4711) {tail}"));
        assert_eq!(main.to_string(), format!("the server (process 4711) {tail} after 2.40 s"));
        let killed = ServerEnd::KilledAfterGrace { killed: 2, of: None, grace_s: 0.2 };
        assert_eq!(killed.to_string(), "2 processes killed after the grace of 200ms");
    }

    #[test]
    fn a_record_has_them_as_facts() {
        let json = serde_json::to_value(ServerEnd::Died {
            first: end(ServerProcess::Main, ExitStatus::Signal(9)),
            last: None,
        });
        let expected = serde_json::json!({
            "type": "died",
            "first": { "pid": 4711, "process": "main", "exit": { "signal": 9 }, "by": "outside", "after_s": 2.4 },
            "last": null,
        });
        assert_eq!(json.unwrap(), expected);
    }
}
