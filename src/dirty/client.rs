//! Sends the requests of a dirty check, each with a canary of its own, and keeps whole responses.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::canary::{Canaries, Length, Shape};
use crate::dirty::observation::{Observation, Role, Seen};
use crate::exchange::{Exchange, Failure, Outcome};
use crate::load::Target;
use crate::load::clock::Clock;
use crate::load::connection::http1::{Answer, Broken, Connection};
use crate::load::connection::reply::Kept;
use crate::load::request::{Prepared, show_sleep};
use crate::scenario;
use crate::scenario::template::Placeholder;

/// The response header by which a built-in worker names itself.
const WORKER_HEADER: &[u8] = b"x-worker:";

/// What all requests of a check share.
#[derive(Debug)]
pub(super) struct Client {
    pub clock: Clock,
    target: Target,
    request: Prepared,
    method: String,
    timeout: Duration,
    canaries: RefCell<Canaries>,
    requests: Cell<u64>,
    connections: Cell<u64>,
    observations: RefCell<Vec<Observation>>,
}

/// A connection with its number in the check.
#[derive(Debug, Default)]
pub(super) struct Line {
    open: Option<Connection>,
    number: u64,
}

impl Client {
    pub fn new(plan: &scenario::Dirty, target: &Target, seed: u64, clock: Clock) -> Self {
        // The sleep is each request's own.
        let fixed = |placeholder: &Placeholder| target.fixed(placeholder, None);
        Client {
            clock,
            target: target.clone(),
            request: Prepared::new(&plan.request, &target.authority, &fixed),
            method: plan.request.method.clone(),
            timeout: plan.timeout,
            canaries: RefCell::new(Canaries::new(seed)),
            requests: Cell::new(0),
            connections: Cell::new(0),
            observations: RefCell::default(),
        }
    }

    /// Every canary of this check in `text`.
    pub fn canaries_in(&self, text: &[u8]) -> Vec<crate::canary::Found> {
        self.canaries.borrow().scan(text)
    }

    /// Sends one request on `line`, which is opened if need be, and waits for its response. What is observed is kept here,
    /// so that a check that is cut short loses nothing. Returns whether the answer can be judged.
    pub async fn send(&self, line: &mut Line, role: Role, sleep: Option<Duration>) -> bool {
        let request = self.requests.get() + 1;
        self.requests.set(request);
        let canary = self.canaries.borrow_mut().make(request, Shape::Word, Length::Any);
        let bytes = self.fill(request, &canary, sleep);
        let mut kept = Kept::default();
        let intended = self.clock.now();
        let mut sent = None;
        let work = self.converse(line, &bytes, &mut sent, &mut kept);
        let came = tokio::time::timeout(self.timeout, work).await.unwrap_or(Err(Failure::Timeout));
        let (outcome, first_byte, done) = match came {
            Ok(answer) => (Outcome::Answered(answer.status), Some(answer.first_byte), answer.done),
            Err(failure) => (Outcome::Failed(failure), None, self.clock.now()),
        };
        let exchange = Exchange { intended, sent, first_byte, done, outcome };
        let worker = worker_of(&kept.head);
        let text = self.show(&bytes);
        let tells = [&kept.head, &kept.body].iter().any(|text| !self.canaries_in(text).is_empty());
        let seen = Seen { request, canary, role, line: text, connection: line.number, worker, sleep, exchange, tells };
        let usable = seen.is_usable();
        self.observations.borrow_mut().push(Observation { seen, reply: kept });
        usable
    }

    /// Everything observed since the last call.
    pub fn take_observations(&self) -> Vec<Observation> {
        self.observations.take()
    }

    /// One request and its response. If the connection at hand turns out to be closed before a byte of a response has
    /// come, as it may be after a pause, the request is sent once more on a new one.
    async fn converse(
        &self,
        line: &mut Line,
        bytes: &[u8],
        sent: &mut Option<Duration>,
        kept: &mut Kept,
    ) -> Result<Answer, Failure> {
        let reused = line.open.is_some();
        match self.attempt(line, bytes, sent, kept).await {
            Err(Broken::Closed { untouched: true }) if reused => {
                let again = self.attempt(line, bytes, sent, kept).await;
                again.map_err(|broken| match broken {
                    // The request had been sent, on a connection that was closed.
                    Broken::Refused => Failure::Closed,
                    Broken::Closed { .. } | Broken::Malformed(_) => broken.failure(),
                })
            }
            first => first.map_err(|broken| broken.failure()),
        }
    }

    async fn attempt(
        &self,
        line: &mut Line,
        bytes: &[u8],
        sent: &mut Option<Duration>,
        kept: &mut Kept,
    ) -> Result<Answer, Broken> {
        let mut connection = match line.open.take() {
            Some(connection) => connection,
            None => {
                self.connections.set(self.connections.get() + 1);
                line.number = self.connections.get();
                Connection::open(&self.target.endpoint).await.map_err(|_| Broken::Refused)?
            }
        };
        *sent = Some(self.clock.now());
        let answer = connection.exchange(bytes, self.request.head_only, self.clock, kept).await?;
        line.open = (!answer.close).then_some(connection);
        Ok(answer)
    }

    fn fill(&self, request: u64, canary: &str, sleep: Option<Duration>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        self.request.write(&mut bytes, &mut |placeholder, out| {
            let value = match placeholder {
                Placeholder::Canary => canary.to_owned(),
                Placeholder::Sleep => sleep.map(show_sleep).unwrap_or_default(),
                Placeholder::User => "0".to_owned(),
                Placeholder::Seq => request.to_string(),
                Placeholder::Random(low, high) => {
                    // Derived from the request's number, so that a seed repeats it.
                    (low + request.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (high - low).saturating_add(1)).to_string()
                }
                // Nothing: the same in every request, or refused when the scenario was read.
                Placeholder::Host
                | Placeholder::Port
                | Placeholder::Workers
                | Placeholder::Socket
                | Placeholder::Data(_)
                | Placeholder::Identity(_) => return,
            };
            out.extend_from_slice(value.as_bytes());
        });
        bytes
    }

    /// Method and target of a request, for people.
    fn show(&self, bytes: &[u8]) -> String {
        let target = bytes.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        format!("{} {}", self.method, String::from_utf8_lossy(target))
    }
}

fn worker_of(head: &[u8]) -> Option<String> {
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| line.get(..WORKER_HEADER.len()).is_some_and(|name| name.eq_ignore_ascii_case(WORKER_HEADER)))?;
    Some(String::from_utf8_lossy(line[WORKER_HEADER.len()..].trim_ascii()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::scenario::{Budget, Dirty, Expect, Request, Template};

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

    fn client(address: SocketAddr, path: &str) -> Client {
        let path = Template::parse(path).unwrap();
        let plan = Dirty {
            request: Request { method: "GET".to_owned(), path, headers: Vec::new(), body: None },
            sleep: None,
            expect: Expect::Clean,
            budget: Budget { exposures: 1, time: Duration::from_secs(5), exhaustive: false },
            timeout: Duration::from_secs(5),
        };
        Client::new(&plan, &Target::tcp(address, Some(4)), 1, Clock::start())
    }

    /// What comes of three requests on one line to a server that, on each connection in turn, gives these answers and
    /// then closes.
    async fn outcomes(connections: &[&[&str]]) -> Vec<Outcome> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = client(listener.local_addr().unwrap(), "/?q={canary}");
        let server = async {
            for answers in connections {
                let (mut stream, _) = listener.accept().await.unwrap();
                for answer in *answers {
                    assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
            // Nobody listens from here on.
            drop(listener);
        };
        let asking = async {
            let mut line = Line::default();
            let mut outcomes = Vec::new();
            for _ in 0..3 {
                client.send(&mut line, Role::Probe, None).await;
                outcomes.extend(client.take_observations().iter().map(|observation| observation.seen.exchange.outcome));
            }
            outcomes
        };
        tokio::join!(server, asking).1
    }

    #[tokio::test]
    async fn garbage_on_a_reused_connection_is_not_glossed_over_by_asking_again() {
        let protocol = Outcome::Failed(Failure::Protocol);
        let came = outcomes(&[&[OK, "garbage\r\n\r\n"], &[OK]]).await;
        assert_eq!(came, [Outcome::Answered(200), protocol, Outcome::Answered(200)]);
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_meanwhile_is_replaced_once() {
        let closed = Outcome::Failed(Failure::Closed);
        let answered = Outcome::Answered(200);
        assert_eq!(outcomes(&[&[OK], &[OK], &[OK]]).await, [answered; 3]);
        assert_eq!(outcomes(&[&[OK], &[], &[OK]]).await, [answered, closed, answered]);
        assert_eq!(outcomes(&[&[OK, OK]]).await, [answered, answered, closed], "nobody to ask again is no refusal");
    }

    #[tokio::test]
    async fn the_number_of_workers_is_filled_in() {
        let bytes = client(([127, 0, 0, 1], 80).into(), "/{workers}/{port}?q={canary}").fill(1, "c", None);
        assert!(bytes.starts_with(b"GET /4/80?q=c HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&bytes));
    }
}
