//! The server under test: started, watched and stopped, whatever it is.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::scenario;

mod builtin;
mod control;
mod launcher;
mod sampler;
pub mod worker;

use launcher::Workers;

/// Why a server could not be started. The text fits after "error: "; `advice` says what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct StartError {
    pub message: String,
    pub advice: String,
}

impl StartError {
    fn new(message: impl Into<String>, advice: impl Into<String>) -> Self {
        StartError { message: message.into(), advice: advice.into() }
    }
}

/// A server that is up. Dropping it kills whatever runner started for it.
#[derive(Debug)]
pub struct Server {
    workers: Workers,
    address: SocketAddr,
    ready_after: Duration,
}

/// How a server's life went.
#[derive(Debug, Clone)]
pub struct Life {
    pub address: SocketAddr,
    /// From the start to the last worker's word that it is ready.
    pub ready_after: Duration,
    pub usage: sampler::Usage,
    /// In words: `stopped`, `killed after the grace of 1s`, `worker 4711 exited with status 3`.
    pub exit: String,
}

/// A worker that ended unasked.
#[derive(Debug, Clone)]
pub struct Death {
    /// `worker 4711 was killed by signal 9 (KILL)`.
    pub message: String,
    pub after: Duration,
}

impl Server {
    /// Starts a server and waits until it is ready. Its output, and the scripts' logs, go to the file `log`.
    pub fn start(plan: &scenario::Server, log: &Path) -> Result<Server, StartError> {
        let begun = Instant::now();
        let scenario::Server::Builtin(plan) = plan else {
            return Err(StartError::new(
                "this version starts built-in servers only",
                "use `mode = \"sync\"`, `threaded`, `async`, `async_pool` or `async_blocking`",
            ));
        };
        let log_file = File::options().create(true).append(true).open(log).map_err(|error| {
            StartError::new(format!("cannot write {}: {error}", log.display()), "check the reports folder")
        })?;
        let (listener, address) =
            launcher::listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), plan.port.unwrap_or(0)))?;
        let workers = Workers::launch(plan, &listener, &log_file)?;
        Ok(Server { workers, address, ready_after: begun.elapsed() })
    }

    /// From the start to the last worker's word that it is ready.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Looks after the workers: call it every 100 ms or so. Reads what they use; tells if one has died.
    pub fn watch(&mut self) -> Option<Death> {
        self.workers.watch()
    }

    /// Asks the workers to finish what they are at, and kills those that have not after the grace.
    pub fn stop(mut self) -> Life {
        let exit = self.workers.stop();
        Life { address: self.address, ready_after: self.ready_after, usage: self.workers.usage(), exit }
    }
}
