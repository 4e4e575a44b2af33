//! Starts built-in workers over one listening socket, watches them, and ends them.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::role::ProcessRole;
use super::sampler::{Sampler, Usage, UsedNow};
use super::worker_channel::{RunnerChannel, WorkerNotReady, WorkerPlan, WorkerProbe, WorkerScript};
use super::{Cancelled, Death, StartError, Starting};
use crate::process_end::{EndedBy, ExitStatus, ProcessEnd, ServerEnd, ServerProcess};
use crate::scenario::Builtin;
use crate::units;

/// The kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// A worker has nothing to do before it is ready but to compile a script. For all workers together.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How often a stopping worker is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// Binds and listens. Port 0 takes a free one.
pub(super) fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = || -> std::io::Result<(TcpListener, SocketAddr)> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from(socket);
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound().map_err(|error| cannot_listen(address, &error))
}

/// Why an address cannot be had, with the remedy.
pub(super) fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> StartError {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => StartError::new(
            format!("port {} on {} is in use", address.port(), address.ip()),
            "end the program that holds it (`ss -ltnp` names it), or leave `server.port` out to get a free port",
        ),
        std::io::ErrorKind::PermissionDenied => StartError::new(
            format!("port {} may not be used without privileges", address.port()),
            "choose one above 1023, or leave `server.port` out to get a free port",
        ),
        _ => StartError::new(
            format!("cannot listen on {address}: {error}"),
            "leave `server.port` out to get a free port",
        ),
    }
}

/// All workers of a server. Dropping them kills them.
#[derive(Debug)]
pub(super) struct Workers {
    workers: Vec<Worker>,
    grace: Duration,
    begun: Instant,
    sampler: Sampler,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    leash: RunnerChannel,
    ended: Option<ExitStatus>,
}

impl Workers {
    /// Starts the workers and waits until each has said that it is ready. With the log comes whether it is to tell of
    /// every request. With a probe they tell what their handlers read and write.
    pub fn launch(
        builtin: &Builtin,
        listener: &TcpListener,
        (log, log_requests): (&File, bool),
        allowed_hosts: &[String],
        probe: Option<WorkerProbe>,
        cancelled: Cancelled<'_>,
    ) -> Result<Workers, StartError> {
        let script = builtin.script.as_ref().map(|script| WorkerScript {
            name: script.path.display().to_string(),
            source: script.source.clone(),
            folder: script.path.parent().map(Into::into).unwrap_or_default(),
        });
        let plan = WorkerPlan {
            mode: builtin.mode,
            threads: builtin.threads,
            sleep: builtin.sleep,
            on_disconnect: builtin.on_disconnect,
            script,
            log_requests,
            allowed_hosts: allowed_hosts.to_vec(),
            probe,
        };
        let failed = |error: std::io::Error| {
            StartError::new(
                format!("cannot start a worker: {error}"),
                "check the limits on processes and open files (`ulimit -a`)",
            )
        };
        let mut workers =
            Workers { workers: Vec::new(), grace: builtin.grace, begun: Instant::now(), sampler: Sampler::default() };
        for number in 1..=builtin.workers {
            let title = format!("{} {number}/{} of {}", builtin.mode.name(), builtin.workers, builtin.scenario);
            workers.workers.push(spawn(&title, listener, log).map_err(failed)?);
        }
        for worker in &mut workers.workers {
            // One that is gone already cannot be sent anything; it says below how it went.
            let _ = worker.leash.send(&plan);
        }
        let end = Instant::now() + READY_WITHIN;
        for worker in &mut workers.workers {
            worker.leash.wait_ready(end, &|| cancelled(Starting::Server)).map_err(|why| worker.not_ready(&why))?;
        }
        let pids: Vec<u32> = workers.workers.iter().map(|worker| worker.child.id()).collect();
        tracing::debug!(?pids, mode = ?builtin.mode, "workers ready");
        workers.watch();
        Ok(workers)
    }

    /// Reads what the workers use, and tells of the first that has ended.
    pub fn watch(&mut self) -> Option<Death> {
        // Looked at first: a process that has just ended would be read as one that uses nothing.
        for worker in &mut self.workers {
            let _ = worker.look();
        }
        let alive: Vec<u32> = self.workers.iter().filter(|w| w.ended.is_none()).map(|w| w.child.id()).collect();
        self.sampler.sample(&alive, self.begun.elapsed());
        let after_s = self.begun.elapsed().as_secs_f64();
        let process = ServerProcess::Worker;
        let ended = self.workers.iter_mut().find_map(|worker| {
            let exit = worker.look()?;
            // Nobody has asked it to end, or nobody watches any more.
            let first = ProcessEnd { pid: worker.child.id(), process, exit, by: EndedBy::unasked(exit), after_s };
            Some(Death { end: ServerEnd::Died { first, last: None }, advice: Death::ASK_THE_LOG })
        });
        ended.or_else(|| {
            let pid = self.sampler.stopped()?;
            Some(Death { end: ServerEnd::Suspended { pid, process, after_s }, advice: Death::STOPPED })
        })
    }

    /// Ends all workers, with a grace, and says how it went.
    pub fn stop(&mut self) -> ServerEnd {
        if let Some(death) = self.watch() {
            self.kill();
            return death.end;
        }
        self.workers.iter_mut().for_each(|worker| worker.leash.ask_to_stop());
        let asked = Instant::now();
        while asked.elapsed() < self.grace {
            if self.workers.iter_mut().all(|worker| worker.look().is_some()) {
                return ServerEnd::Stopped;
            }
            std::thread::sleep(LOOK);
        }
        let killed = self.workers.iter().filter(|worker| worker.ended.is_none()).count() as u64;
        self.kill();
        let of = Some(self.workers.len() as u64);
        ServerEnd::KilledAfterGrace { killed, of, grace_s: self.grace.as_secs_f64() }
    }

    pub fn usage(&self) -> Usage {
        self.sampler.usage()
    }

    pub fn used_now(&self) -> Option<UsedNow> {
        self.sampler.now()
    }

    fn kill(&mut self) {
        for worker in &mut self.workers {
            if worker.ended.is_none() {
                let _ = worker.child.kill();
                worker.ended = worker.child.wait().ok().map(ExitStatus::from);
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Worker {
    /// In words. It is of no use any more.
    fn not_ready(&mut self, why: &WorkerNotReady) -> StartError {
        let id = self.child.id();
        let message = match why {
            WorkerNotReady::Refused(why) => format!("worker {id} could not start: {why}"),
            WorkerNotReady::Late => format!("worker {id} was not ready within {}", units::show_duration(READY_WITHIN)),
            WorkerNotReady::Cancelled => format!("worker {id} was not ready yet"),
            WorkerNotReady::Ended => {
                let exit = self.child.wait().map_or(ExitStatus::Unknown, ExitStatus::from);
                self.ended = Some(exit);
                format!("worker {id} {exit} before it was ready")
            }
        };
        StartError::new(message, "look at what it said in its log, if anything, and at what else runs on this machine")
    }

    /// How it ended, if it has.
    fn look(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten().map(ExitStatus::from);
        }
        self.ended
    }
}

/// A worker is this program again. In a process group of its own, a Ctrl-C in the terminal reaches only runner, which
/// then stops the workers in order.
fn spawn(title: &str, listener: &TcpListener, log: &File) -> std::io::Result<Worker> {
    let (leash, theirs) = RunnerChannel::new()?;
    let child = ProcessRole::Worker
        .command(title)
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(listener.try_clone()?)))
        .stdout(Stdio::from(theirs))
        .stderr(Stdio::from(log.try_clone()?))
        .process_group(0)
        .spawn()?;
    Ok(Worker { child, leash, ended: None })
}
