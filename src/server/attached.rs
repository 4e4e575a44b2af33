//! A server that is already up, somewhere.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::sampler::Sampler;
use super::{Death, StartError, allowed, tree};
use crate::scenario::{self, Pid};

/// It is up, so it answers a connection soon.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Nothing is owned: it was there before and stays.
#[derive(Debug)]
pub(super) struct Attached {
    /// Its first process, where the scenario names it.
    process: Option<u32>,
    begun: Instant,
    pub sampler: Sampler,
}

impl Attached {
    /// Resolves the host once; every connection goes to the address that was found and allowed here.
    pub fn to(plan: &scenario::Attached, allowed_hosts: &[String]) -> Result<(Attached, SocketAddr), StartError> {
        let shown = format!("{}:{}", plan.host, plan.port);
        let unknown = |why: String| StartError::new(format!("cannot find {shown}: {why}"), "check `server.url`");
        let found: Vec<SocketAddr> =
            (plan.host.as_str(), plan.port).to_socket_addrs().map_err(|error| unknown(error.to_string()))?.collect();
        allowed::check(&plan.host, plan.port, &found, allowed_hosts)?;
        let mut last = "it has no address".to_owned();
        for address in found {
            match TcpStream::connect_timeout(&address, CONNECT_WITHIN) {
                Ok(_) => return Attached::new(plan).map(|attached| (attached, address)),
                Err(error) => last = error.to_string(),
            }
        }
        let advice = "start it first, or let runner do so with `command`";
        Err(StartError::new(format!("nothing answers on {shown}: {last}"), advice))
    }

    fn new(plan: &scenario::Attached) -> Result<Attached, StartError> {
        let process = plan.process.as_ref().map(find).transpose()?;
        let mut attached = Attached { process, begun: Instant::now(), sampler: Sampler::default() };
        attached.watch();
        Ok(attached)
    }

    /// Reads what its processes use, where they are known. Whether it lives is not runner's to say.
    pub fn watch(&mut self) -> Option<Death> {
        if let Some(process) = self.process {
            let mut pids = tree::descendants(process);
            pids.push(process);
            self.sampler.sample(&pids, self.begun.elapsed());
        }
        None
    }
}

/// The number of a process that is there.
fn find(pid: &Pid) -> Result<u32, StartError> {
    let (number, named) = match pid {
        Pid::Number(number) => (*number, format!("`server.pid` {number}")),
        Pid::File(path) => {
            let refused = |why: String| {
                StartError::new(
                    format!("`server.pid_file` {}: {why}", path.display()),
                    "the server writes its process id there",
                )
            };
            let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
            let number = text.trim().parse().map_err(|_| refused("it does not hold a number".to_owned()))?;
            (number, format!("{number} of {}", path.display()))
        }
    };
    if Path::new("/proc").join(number.to_string()).is_dir() {
        return Ok(number);
    }
    Err(StartError::new(format!("there is no process {named}"), "name the server's first process, or leave it out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_unless_allowed() {
        let plan = |host: &str| scenario::Attached { host: host.to_owned(), port: 9, process: None };
        let error = Attached::to(&plan("192.0.2.1"), &[]).unwrap_err();
        assert!(error.message.contains("not this machine") && error.advice.contains("--allow-host 192.0.2.1"));
        let error = Attached::to(&plan("192.0.2.1"), &["192.0.2.2".to_owned()]).unwrap_err();
        assert!(error.message.contains("not this machine"));
    }
}
