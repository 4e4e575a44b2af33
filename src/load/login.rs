//! The users of a load log in, before it begins.

use std::sync::atomic::{AtomicU32, Ordering};

use futures::StreamExt as _;
use rand::RngExt as _;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use crate::load::rng::{self, RandomStream};
use crate::load::slice::ThreadSlice;
use crate::net::clock::Clock;
use crate::net::http1::Connection;
use crate::net::http2::request::Http2Request;
use crate::net::http2::{ExchangeObserver, Http2Pool};
use crate::net::request::{PreparedRequest, append};
use crate::net::sink::BufferedResponse;
use crate::net::target::Target;
use crate::scenario::template::Placeholder;
use crate::scenario::{self, Protocol};
use crate::session::Session;
use crate::session::login::{LoginRefused, PreparedLogin};

/// So many users log in at once: passwords are slow to check, and servers have few cores.
const AT_ONCE: usize = 8;

/// A user who was not let in.
#[derive(Debug)]
pub struct UserRefused {
    pub user: u32,
    pub why: LoginRefused,
}

/// Logs the users of a slice of a load in; blocks meanwhile. The first who is refused ends it. `done` counts them. Sessions are by
/// the number of the user; those of other slices are empty. None where the load has no login, or where `cancel` came first. `Err` only
/// if the machine refuses.
pub fn log_in(
    load: &scenario::LoadSpec,
    slice: ThreadSlice,
    target: &Target,
    seed: u64,
    cancel: &CancellationToken,
    done: &AtomicU32,
) -> std::io::Result<Result<Vec<Session>, UserRefused>> {
    let Some(login) = &load.login else { return Ok(Ok(Vec::new())) };
    let target = target.for_load_thread(load);
    let gate = Gate {
        login: PreparedLogin::new(login, &target),
        load,
        seed,
        clock: Clock::start(),
        connections: Http2Pool::new(load.protocol.streams()),
        target,
    };
    let all = async {
        let one = async |user| {
            if !is_of(slice, load, user) {
                return Ok(Session::default());
            }
            let session = gate.let_in(user).await.map_err(|why| UserRefused { user, why });
            done.fetch_add(1, Ordering::Relaxed);
            session
        };
        let mut users = futures::stream::iter(0..load.users()).map(one).buffered(AT_ONCE);
        let mut sessions = Vec::new();
        while let Some(session) = users.next().await {
            sessions.push(session?);
        }
        Ok(sessions)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(LocalSet::new().block_on(&runtime, cancel.run_until_cancelled(all)).unwrap_or(Ok(Vec::new())))
}

/// Connections are dealt out to threads in turn, each with its users.
fn is_of(slice: ThreadSlice, load: &scenario::LoadSpec, user: u32) -> bool {
    slice.indices().contains(&(user / load.protocol.streams() % slice.of))
}

/// What all users share who log in.
struct Gate<'a> {
    login: PreparedLogin,
    load: &'a scenario::LoadSpec,
    target: Target,
    seed: u64,
    clock: Clock,
    /// Those of HTTP/2.
    connections: Http2Pool,
}

impl Gate<'_> {
    async fn let_in(&self, user: u32) -> Result<Session, LoginRefused> {
        let mut session = Session::default();
        let write =
            |request: &PreparedRequest, session: &Session, step: usize| self.write(request, session, user, step);
        let mut send = async |bytes: &[u8]| self.send(bytes).await;
        self.login.perform(&mut session, self.target.dialer.speaks_tls(), &write, &mut send).await?;
        Ok(session)
    }

    fn write(&self, request: &PreparedRequest, session: &Session, user: u32, step: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        // The requests of a user draw from streams that count from 0.
        let mut random = rng::stream(self.seed, RandomStream::Slots, (user, u64::MAX - step as u64));
        request.write(&mut bytes, &mut |hole, out| {
            let value = match hole {
                Placeholder::User => u64::from(user),
                Placeholder::Seq => step as u64,
                Placeholder::Random(low, high) => random.random_range(*low..=*high),
                Placeholder::Canary | Placeholder::CanaryAs(_) | Placeholder::IdentityCanary => u64::from(user) << 40,
                Placeholder::Data(column) => {
                    return self.load.data.iter().for_each(|data| data.write(user, column, out));
                }
                hole => {
                    let captured = hole.captured().and_then(|name| session.captured(name)).unwrap_or_default();
                    return out.extend_from_slice(captured.as_bytes());
                }
            };
            append(out, format_args!("{value}"));
        });
        bytes
    }

    /// One request over a connection of its own, or over one of HTTP/2.
    async fn send(&self, bytes: &[u8]) -> Result<(u16, BufferedResponse), String> {
        let mut kept = BufferedResponse::default();
        let exchange = async {
            match self.load.protocol {
                Protocol::Http1 { .. } => {
                    let mut connection = Connection::open(&self.target.dialer).await.map_err(|no| no.why)?;
                    let answer = connection.exchange(bytes, bytes.starts_with(b"HEAD "), self.clock, &mut kept).await;
                    answer.map_err(|broken| broken.to_string())
                }
                Protocol::Http2 { .. } => {
                    let scheme = if self.target.dialer.speaks_tls() { "https" } else { "http" };
                    let request = Http2Request::new(bytes, scheme)?;
                    let sent = self.connections.exchange(&self.target.dialer, &request, self.clock, &Nobody, &mut kept);
                    sent.await.map_err(|lost| lost.why.to_string())
                }
            }
        };
        match tokio::time::timeout(self.load.timeout, exchange).await {
            Ok(answer) => Ok((answer?.status, kept)),
            Err(_) => Err(format!("none within {}", crate::units::show_duration(self.load.timeout))),
        }
    }
}

/// What is not measured tells nobody.
struct Nobody;

impl ExchangeObserver for Nobody {
    fn opened(&self, _resumed: bool) {}
    fn sent(&self, _waited: bool) {}
}
