//! A user of the closed model: asks, waits for the answer, asks again.

use std::rc::Rc;
use std::time::Duration;

use super::connection::http1::{Answer, Broken, Connection};
use super::deadline::Deadline;
use super::lane::Lane;
use super::source::plain::Plain;
use super::source::scripted::Scripted;
use super::source::{Source, Turn};
use crate::exchange::{Exchange, Failure, Outcome};

/// How long a user waits before it tries to connect again: a refused connection answers at once, and asking again at
/// once would only heat the machine.
const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// A reused connection that ends sooner than this after a request was sent on it had been closed before. One that ends
/// later took the request with it: the server saw it, and failed.
const AT_ONCE: Duration = Duration::from_millis(5);

/// A user of the closed model. It ends when the load does.
pub(super) async fn closed(lane: Rc<Lane>, number: u32) {
    match &lane.scripts {
        None => User::new(&lane, number, Plain::new(&lane.plan, number)).run().await,
        Some(scripts) => User::new(&lane, number, Scripted::new(&lane.plan, scripts, number)).run().await,
    }
}

/// One user, its connection and its requests.
struct User<'a, S> {
    lane: &'a Lane,
    number: u32,
    connection: Option<Connection>,
    source: S,
}

impl<'a, S: Source> User<'a, S> {
    fn new(lane: &'a Lane, number: u32, source: S) -> Self {
        User { lane, number, connection: None, source }
    }

    /// The loop of the closed model.
    async fn run(mut self) {
        let plan = &self.lane.plan;
        let mut intended = plan.clock.now();
        let mut deadline = Deadline::new(plan.clock.instant(intended + plan.timeout));
        while intended < plan.end {
            match self.source.prepare() {
                Turn::Now => {}
                Turn::After(pause) => {
                    intended = self.think(pause).await;
                    if intended >= plan.end {
                        break;
                    }
                }
                Turn::Failed => {
                    intended = self.fail().await;
                    continue;
                }
            }
            self.lane.begin(self.number, intended);
            let due = plan.clock.instant(intended + plan.timeout);
            let came = deadline.guard(due, self.ask(intended)).await;
            let (outcome, first_byte, done, bytes) = match came {
                Some(Ok(answer)) => {
                    (Outcome::Answered(answer.status), Some(answer.first_byte), answer.done, answer.bytes)
                }
                Some(Err(failure)) => (Outcome::Failed(failure), None, plan.clock.now(), 0),
                None => {
                    self.connection = None;
                    (Outcome::Failed(Failure::Timeout), None, plan.clock.now(), 0)
                }
            };
            let sent = self.lane.sent_at(self.number);
            let exchange = Exchange { intended, sent, first_byte, done, outcome };
            self.lane.finish(self.number, &exchange, bytes);
            self.source.judge(&exchange);
            intended = done;
            if outcome == Outcome::Failed(Failure::Connect) {
                tokio::time::sleep(AFTER_REFUSAL).await;
                intended = plan.clock.now();
            }
        }
    }

    /// Waits before a request, at most to the end of the load; returns when it is due. What a script itself took is
    /// the client's time, so it is due after that.
    async fn think(&self, pause: Duration) -> Duration {
        let plan = &self.lane.plan;
        let mut now = plan.clock.now();
        if !pause.is_zero() {
            let until = now.saturating_add(pause).min(plan.end);
            tokio::time::sleep_until(plan.clock.instant(until).into()).await;
            now = plan.clock.now();
        }
        now
    }

    /// Counts a request that the script failed to make; returns when the next is due.
    async fn fail(&self) -> Duration {
        let plan = &self.lane.plan;
        let now = plan.clock.now();
        self.lane.begin(self.number, now);
        let outcome = Outcome::Failed(Failure::Script);
        self.lane.finish(self.number, &Exchange { intended: now, sent: None, first_byte: None, done: now, outcome }, 0);
        // It may fail again at once; other users share the thread.
        tokio::time::sleep(AFTER_REFUSAL).await;
        plan.clock.now()
    }

    /// One request, on the connection at hand or a new one. A connection that the server closed while it was idle says
    /// nothing about the server: the request is sent once more on a new one.
    async fn ask(&mut self, intended: Duration) -> Result<Answer, Failure> {
        let reused = self.connection.is_some();
        let broken = match self.send(intended).await {
            Ok(answer) => return Ok(answer),
            Err(broken) => broken,
        };
        let plan = &self.lane.plan;
        let now = plan.clock.now();
        let untouched = matches!(broken, Broken::Closed { untouched: true });
        let closed_while_idle = reused && untouched && now.saturating_sub(intended) < AT_ONCE;
        if !(closed_while_idle && self.source.outgoing().0.idempotent) {
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
        let (request, sink) = self.source.outgoing();
        let answer = connection.exchange(request.bytes, request.head_only, plan.clock, sink).await?;
        if !answer.close {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}
