//! A server that is already up, somewhere.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::deadline_stream::{DeadlineStream, LOOK};
use super::sampler::Sampler;
use super::{Cancelled, Death, Endpoint, StartError, Starting, allowed_hosts, proc, process_tree};
use crate::net::endpoint::connect_unix;
use crate::net::tls::{self, Tls};
use crate::scenario::{self, Address, Pid};
use crate::units::show_duration;

/// It is up, so it answers a connection soon, and shakes hands.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Nothing is owned: it was there before and stays.
#[derive(Debug)]
pub(super) struct AttachedServer {
    /// Its first process, where the scenario names it.
    process: Option<u32>,
    begun: Instant,
    pub sampler: Sampler,
}

impl AttachedServer {
    /// Resolves the host once; every connection goes to the address that was found and allowed here.
    pub fn to(
        plan: &scenario::AttachedSpec,
        tls: Option<&Tls>,
        allowed_hosts: &[String],
        cancelled: Cancelled<'_>,
    ) -> Result<(AttachedServer, Endpoint), StartError> {
        let endpoint = match &plan.connect_to {
            None => find_host(
                &plan.host,
                plan.port,
                tls,
                ("check the address, `server.url` of a scenario", allowed_hosts),
                cancelled,
            )?,
            Some(Address::Host(host, port)) => find_host(
                host,
                *port,
                tls,
                ("check the address, `server.connect_to` of a scenario", allowed_hosts),
                cancelled,
            )?,
            Some(Address::Unix(path)) => {
                let shown = Endpoint::Unix(path.clone()).to_string();
                greet(connect_unix(path), tls, ANSWER_WITHIN, cancelled).map_err(|why| nobody(&shown, why))?;
                Endpoint::Unix(path.clone())
            }
        };
        AttachedServer::new(plan).map(|attached| (attached, endpoint))
    }

    fn new(plan: &scenario::AttachedSpec) -> Result<AttachedServer, StartError> {
        let process = plan.process.as_ref().map(find).transpose()?;
        let mut attached = AttachedServer { process, begun: Instant::now(), sampler: Sampler::default() };
        attached.watch();
        Ok(attached)
    }

    /// Whether its processes are looked at.
    pub fn is_watched(&self) -> bool {
        self.process.is_some()
    }

    /// Reads what its processes use, where they are known. Whether it lives is not runner's to say.
    pub fn watch(&mut self) -> Option<Death> {
        if let Some(process) = self.process {
            let mut pids = process_tree::descendants(process);
            pids.push(process);
            self.sampler.sample(&pids, self.begun.elapsed());
        }
        None
    }
}

/// The first address of a host that answers.
fn find_host(
    host: &str,
    port: u16,
    tls: Option<&Tls>,
    (advice, allowed_hosts): (&str, &[String]),
    cancelled: Cancelled<'_>,
) -> Result<Endpoint, StartError> {
    let shown = scenario::authority(host, port);
    let unknown = |why: String| StartError::new(format!("cannot find {shown}: {why}"), advice);
    let found: Vec<SocketAddr> = (host, port).to_socket_addrs().map_err(|error| unknown(error.to_string()))?.collect();
    allowed_hosts::check(host, port, &found, allowed_hosts)?;
    let mut last = Deaf::NoConnection("it has no address".to_owned());
    for address in found {
        match greet(TcpStream::connect_timeout(&address, ANSWER_WITHIN), tls, ANSWER_WITHIN, cancelled) {
            Ok(()) => return Ok(Endpoint::Tcp(address)),
            Err(why) => last = why,
        }
    }
    Err(nobody(&shown, last))
}

/// Why a server cannot be spoken with.
enum Deaf {
    NoConnection(String),
    NoTls(String),
}

/// Shakes hands where TLS is spoken; nothing else is said.
fn greet<S: Read + Write + AsFd>(
    connected: io::Result<S>,
    tls: Option<&Tls>,
    within: Duration,
    cancelled: Cancelled<'_>,
) -> Result<(), Deaf> {
    let stream = connected.map_err(|error| Deaf::NoConnection(error.to_string()))?;
    let Some(tls) = tls else { return Ok(()) };
    let socket = socket2::SockRef::from(&stream);
    let patience = socket.set_read_timeout(Some(LOOK)).and_then(|()| socket.set_write_timeout(Some(LOOK)));
    let mut is_over = || cancelled(Starting::Server);
    let mut stream = DeadlineStream { stream, end: Instant::now() + within, is_over: &mut is_over };
    patience.and_then(|()| tls.greet(&mut stream)).map_err(|error| {
        Deaf::NoTls(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!("no response within {}", show_duration(within))
            }
            _ => tls::why_no_handshake(&error),
        })
    })
}

fn nobody(shown: &str, why: Deaf) -> StartError {
    match why {
        Deaf::NoConnection(why) => {
            let advice = "start it first, or let runner do so with `command`";
            StartError::new(format!("nothing answers on {shown}: {why}"), advice)
        }
        Deaf::NoTls(why) => {
            let advice = if why == tls::NOT_TLS { "does it speak plain HTTP? then write http://" } else { tls::ADVICE };
            StartError::new(format!("the TLS handshake with {shown} failed: {why}"), advice)
        }
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
            let text = crate::input::read(path).map_err(|error| refused(error.to_string()))?;
            let number = text.trim().parse().map_err(|_| refused("it does not hold a number".to_owned()))?;
            (number, format!("{number} of {}", path.display()))
        }
    };
    if proc::unusable().is_some() {
        // The run goes on, and says that nothing was measured.
        return Ok(number);
    }
    if Path::new("/proc").join(number.to_string()).is_dir() {
        return Ok(number);
    }
    Err(StartError::new(format!("there is no process {named}"), "name the server's first process, or leave it out"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_server_that_does_not_answer_the_handshake_is_said_to() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let tls = Tls::new(&scenario::TlsSpec { insecure: true, ..scenario::TlsSpec::default() }, "localhost").unwrap();
        let Err(Deaf::NoTls(why)) = greet(Ok(ours), Some(&tls), Duration::from_millis(10), &|_| false) else {
            unreachable!()
        };
        assert_eq!(why, "no response within 10ms");
        drop(theirs);
    }

    fn at(host: &str) -> scenario::AttachedSpec {
        scenario::AttachedSpec { host: host.to_owned(), port: 9, tls: None, connect_to: None, process: None }
    }

    #[test]
    fn the_usual_port_is_not_named_in_requests() {
        let of = |port, tls| scenario::AttachedSpec { port, tls, ..at("shop.test") }.authority();
        let tls = || Some(scenario::TlsSpec::default());
        assert_eq!([of(80, None), of(443, tls())], ["shop.test", "shop.test"]);
        assert_eq!([of(443, None), of(80, tls()), of(8080, None)], ["shop.test:443", "shop.test:80", "shop.test:8080"]);
        assert_eq!(scenario::AttachedSpec { port: 80, ..at("::1") }.authority(), "[::1]");
    }

    #[test]
    fn where_a_server_listens_is_no_place_to_connect_to() {
        let error = AttachedServer::to(&at("0.0.0.0"), None, &[], &|_| false).unwrap_err();
        assert_eq!(error.message, "0.0.0.0:9 is no loopback address");
        assert!(error.advice.contains("127.0.0.1"), "{}", error.advice);
    }

    #[test]
    fn only_this_machine_unless_allowed() {
        let error = AttachedServer::to(&at("192.0.2.1"), None, &[], &|_| false).unwrap_err();
        assert!(error.message.contains("no loopback address") && error.advice.contains("--allow-host 192.0.2.1"));
        let error = AttachedServer::to(&at("192.0.2.1"), None, &["192.0.2.2".to_owned()], &|_| false).unwrap_err();
        assert!(error.message.contains("no loopback address"));
        let elsewhere = Some(Address::Host("192.0.2.1".to_owned(), 9));
        let plan = scenario::AttachedSpec { connect_to: elsewhere, ..at("127.0.0.1") };
        let error = AttachedServer::to(&plan, None, &["127.0.0.1".to_owned()], &|_| false).unwrap_err();
        assert!(error.advice.contains("--allow-host 192.0.2.1"), "it counts who is connected to: {error:?}");
    }
}
