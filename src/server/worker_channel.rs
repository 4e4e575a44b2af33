//! The channel between runner and one of its workers.
//!
//! A worker finds the listening socket as its standard input and this channel as its standard output: no file
//! descriptor has to be inherited by number, so no unsafe code. runner writes the worker's plan as one line, later
//! `stop`; the worker writes `ready`. When the channel ends, runner is gone, however it went, and the worker ends too.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::mode::Mode;
use crate::scenario::OnDisconnect;

/// What a worker is to serve.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct WorkerPlan {
    pub mode: Mode,
    /// Threads for handlers; `None` in a mode without.
    pub threads: Option<u32>,
    /// What a handler sleeps when the request names no sleep.
    pub sleep: Duration,
    pub on_disconnect: OnDisconnect,
    pub script: Option<WorkerScript>,
    pub log_requests: bool,
    /// Hosts that handlers may fetch from although they are not this machine.
    pub allowed_hosts: Vec<String>,
    /// Only while a leak is located.
    pub probe: Option<WorkerProbe>,
}

/// What a worker with a probe tells, and where: which request wrote and read which canaries, on which line of the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerProbe {
    /// Where each worker writes `events-<pid>.jsonl`.
    pub folder: PathBuf,
    /// A regular expression: what a canary looks like.
    pub canary: String,
    /// A file of texts that count as canaries, one a line.
    pub marks: Option<PathBuf>,
}

impl WorkerProbe {
    /// The probe that the environment asks for, as it asks those of other languages.
    pub(super) fn of_environment() -> Option<WorkerProbe> {
        let folder = std::env::var_os("RUNNER_PROBE_DIR")?.into();
        let canary = std::env::var("RUNNER_PROBE_CANARY").ok()?;
        Some(WorkerProbe { folder, canary, marks: std::env::var_os("RUNNER_PROBE_MARKS").map(PathBuf::from) })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct WorkerScript {
    pub name: String,
    pub source: String,
    /// Where its imports are found.
    pub folder: PathBuf,
}

const READY: &str = "ready";
const STOP: &str = "stop";
/// How often to look, while waiting for a worker, whether anybody still wants it.
const LOOK: Duration = Duration::from_millis(20);

/// Why a worker does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WorkerNotReady {
    /// It ended without a word.
    Ended,
    /// It said nothing in time.
    Late,
    /// Nobody waits for it any more.
    Cancelled,
    /// It said why.
    Refused(String),
}

/// runner's end of the channel to a worker.
#[derive(Debug)]
pub(super) struct RunnerChannel {
    stream: UnixStream,
}

impl RunnerChannel {
    /// A channel; the second half becomes the worker's standard output.
    pub fn new() -> std::io::Result<(RunnerChannel, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((RunnerChannel { stream: ours }, theirs.into()))
    }

    pub fn send(&mut self, plan: &WorkerPlan) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(plan).map_err(std::io::Error::other)?;
        line.push(b'\n');
        self.stream.write_all(&line)
    }

    /// Waits for the worker's word.
    pub fn wait_ready(&mut self, end: Instant, cancelled: &dyn Fn() -> bool) -> Result<(), WorkerNotReady> {
        let mut line = String::new();
        self.stream.set_read_timeout(Some(LOOK)).map_err(|_| WorkerNotReady::Ended)?;
        let mut reader = BufReader::new(&self.stream);
        loop {
            match reader.read_line(&mut line) {
                Ok(_) if line.trim_end() == READY => return Ok(()),
                Ok(_) if line.is_empty() => return Err(WorkerNotReady::Ended),
                Ok(_) => return Err(WorkerNotReady::Refused(line.trim_end().to_owned())),
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
                    // Reset: it ended before it had read its plan.
                    return Err(WorkerNotReady::Ended);
                }
                Err(_) if cancelled() => return Err(WorkerNotReady::Cancelled),
                Err(_) if Instant::now() >= end => return Err(WorkerNotReady::Late),
                Err(_) => {}
            }
        }
    }

    /// Asks the worker to finish. A worker that is gone already needs no asking.
    pub fn ask_to_stop(&mut self) {
        let _ = self.stream.write_all(format!("{STOP}\n").as_bytes());
    }
}

/// The worker's end.
#[derive(Debug)]
pub(super) struct WorkerChannel {
    reader: BufReader<UnixStream>,
}

impl WorkerChannel {
    /// Takes the channel from the standard output.
    pub fn take() -> std::io::Result<Self> {
        let channel = std::io::stdout().as_fd().try_clone_to_owned()?;
        Ok(WorkerChannel { reader: BufReader::new(UnixStream::from(channel)) })
    }

    pub fn plan(&mut self) -> std::io::Result<WorkerPlan> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        serde_json::from_str(&line).map_err(std::io::Error::other)
    }

    /// Says that requests will be handled from now on.
    pub fn ready(&mut self) -> std::io::Result<()> {
        self.reader.get_mut().write_all(format!("{READY}\n").as_bytes())
    }

    /// Says why there is nothing to serve.
    pub fn refuse(&mut self, why: &str) {
        let _ = self.reader.get_mut().write_all(format!("{}\n", why.replace('\n', "; ")).as_bytes());
    }

    /// Blocks until runner asks to stop; `false` if runner is gone.
    pub fn wait_for_stop(&mut self) -> bool {
        let mut line = String::new();
        matches!(self.reader.read_line(&mut line), Ok(read) if read > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    #[test]
    fn a_worker_is_waited_for_until_its_word_its_end_or_a_cancellation() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut leash = RunnerChannel { stream: ours };
        assert_eq!(leash.wait_ready(far(), &|| true), Err(WorkerNotReady::Cancelled));
        assert_eq!(leash.wait_ready(Instant::now(), &|| false), Err(WorkerNotReady::Late));
        theirs.write_all(b"ready\n").unwrap();
        assert_eq!(leash.wait_ready(far(), &|| false), Ok(()));
        theirs.write_all(b"no such mode\n").unwrap();
        assert_eq!(leash.wait_ready(far(), &|| false), Err(WorkerNotReady::Refused("no such mode".to_owned())));
        drop(theirs);
        assert_eq!(leash.wait_ready(far(), &|| false), Err(WorkerNotReady::Ended));
    }
}
