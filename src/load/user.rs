//! A user of the closed model: asks, waits for the answer, asks again.

use std::rc::Rc;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};

use super::connection::http1::{Answer, Broken, Connection};
use super::connection::reply::Discard;
use super::deadline::Deadline;
use super::lane::Lane;
use crate::exchange::{Exchange, Failure, Outcome};
use crate::scenario::template::Placeholder;

/// How long a user waits before it tries to connect again: a refused connection answers at once, and asking again at
/// once would only heat the machine.
const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// A reused connection that ends sooner than this after a request was sent on it had been closed before. One that ends
/// later took the request with it: the server saw it, and failed.
const AT_ONCE: Duration = Duration::from_millis(5);

/// The loop of the closed model. It ends when the load does.
pub(super) async fn closed(lane: Rc<Lane>, number: u32) {
    let plan = &lane.plan;
    let mut intended = plan.clock.now();
    let mut deadline = Deadline::new(plan.clock.instant(intended + plan.timeout));
    let mut user = User::new(&lane, number);
    while intended < plan.end {
        lane.begin(number, intended);
        let due = plan.clock.instant(intended + plan.timeout);
        let came = deadline.guard(due, user.ask(intended)).await;
        let (outcome, first_byte, done, bytes) = match came {
            Some(Ok(answer)) => (Outcome::Answered(answer.status), Some(answer.first_byte), answer.done, answer.bytes),
            Some(Err(failure)) => (Outcome::Failed(failure), None, plan.clock.now(), 0),
            None => {
                user.connection = None;
                (Outcome::Failed(Failure::Timeout), None, plan.clock.now(), 0)
            }
        };
        let sent = lane.sent_at(number);
        lane.finish(number, &Exchange { intended, sent, first_byte, done, outcome }, bytes);
        intended = done;
        if outcome == Outcome::Failed(Failure::Connect) {
            tokio::time::sleep(AFTER_REFUSAL).await;
            intended = plan.clock.now();
        }
    }
}

/// One user's connection and what its requests are filled with.
struct User<'a> {
    lane: &'a Lane,
    number: u32,
    seq: u64,
    connection: Option<Connection>,
    request: Vec<u8>,
    random: rand::rngs::SmallRng,
}

impl<'a> User<'a> {
    fn new(lane: &'a Lane, number: u32) -> Self {
        let seed = lane.plan.seed.wrapping_add(u64::from(number));
        let random = rand::rngs::SmallRng::seed_from_u64(seed);
        User { lane, number, seq: 0, connection: None, request: Vec::new(), random }
    }

    /// One request, on the connection at hand or a new one. A connection that the server closed while it was idle says
    /// nothing about the server: the request is sent once more on a new one.
    async fn ask(&mut self, intended: Duration) -> Result<Answer, Failure> {
        self.fill();
        let reused = self.connection.is_some();
        let broken = match self.send(intended).await {
            Ok(answer) => return Ok(answer),
            Err(broken) => broken,
        };
        let plan = &self.lane.plan;
        let now = plan.clock.now();
        let untouched = matches!(broken, Broken::Closed { untouched: true });
        let closed_while_idle = reused && untouched && now.saturating_sub(intended) < AT_ONCE;
        if !(closed_while_idle && plan.request.idempotent) {
            return Err(broken.failure());
        }
        self.lane.retried.set(self.lane.retried.get() + 1);
        self.send(now).await.map_err(|broken| match broken {
            // The request had been sent, on a connection that was closed.
            Broken::Refused => Failure::Closed,
            Broken::Closed { .. } | Broken::Malformed(_) => broken.failure(),
        })
    }

    /// `now` is a reading of the clock just taken, so that a reused connection needs no other.
    async fn send(&mut self, now: Duration) -> Result<Answer, Broken> {
        let plan = &self.lane.plan;
        let mut sent = now;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = Connection::open(&plan.target.endpoint).await.map_err(|_| Broken::Refused)?;
                self.lane.connections_opened.set(self.lane.connections_opened.get() + 1);
                sent = plan.clock.now();
                connection
            }
        };
        self.lane.sent(self.number, sent);
        let request = plan.request.constant().unwrap_or(&self.request);
        let answer = connection.exchange(request, plan.request.head_only, plan.clock, &mut Discard).await?;
        if !answer.close {
            self.connection = Some(connection);
        }
        Ok(answer)
    }

    /// Writes the next request, if it differs from the last.
    fn fill(&mut self) {
        let User { lane, number, seq, request, random, .. } = self;
        if lane.plan.request.constant().is_none() {
            request.clear();
            lane.plan.request.write(request, &mut |placeholder, out| {
                let value = match placeholder {
                    Placeholder::User => u64::from(*number),
                    Placeholder::Seq => *seq,
                    Placeholder::Random(low, high) => random.random_range(*low..=*high),
                    // A value that no other request carries: its user and its number.
                    Placeholder::Canary => u64::from(*number) << 40 | *seq,
                    // Nothing: the same in every request, or refused when the scenario was read.
                    Placeholder::Sleep
                    | Placeholder::Host
                    | Placeholder::Port
                    | Placeholder::Workers
                    | Placeholder::Socket
                    | Placeholder::Data(_)
                    | Placeholder::Identity(_)
                    | Placeholder::Token => return,
                };
                out.extend_from_slice(value.to_string().as_bytes());
            });
        }
        *seq += 1;
    }
}
