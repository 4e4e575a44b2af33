//! A user: its requests, one at a time, and the connection that they go over. When it asks is its model's to say.

use std::pin::pin;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::deadline::Deadline;
use super::request_source::RequestSource;
use super::thread_state::ThreadState;
use crate::exchange::{Exchange, Failure, Outcome};
use crate::net::http1::{Connection, IdleState};
use crate::net::response::{ExchangeError, ResponseInfo};

/// How long a user waits after a request that could not be sent: a refused connection answers at once, and so does a
/// script that fails, and TLS whose client the server does not trust; asking again at once would only heat the machine.
pub(super) const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// One user, its requests, and the connection that they go over.
pub(super) struct VirtualUser<'a, S, C = Connection> {
    pub thread: &'a ThreadState,
    /// Its place among the users of its load thread.
    pub slot: u32,
    pub connection: Option<C>,
    pub source: S,
}

/// What requests travel over.
pub(super) trait Transport: Sized {
    /// One request, at the time it is now.
    async fn ask<S: RequestSource>(user: &mut VirtualUser<'_, S, Self>, now: Duration)
    -> Result<ResponseInfo, Failure>;

    /// What a user of the open model begins its next request with: a connection that no request is on, if there is one.
    fn take_up(kept: Option<Self>, thread: &ThreadState) -> Option<Self>;

    /// What a user keeps after a request; the rest is for others.
    fn put_back(self, thread: &ThreadState) -> Option<Self>;

    /// Looks at one that no request was on, as far as can be seen without waiting.
    fn look(&mut self) -> IdleState {
        IdleState::Quiet
    }
}

impl Transport for Connection {
    /// On the connection at hand or a new one. Most often there is one, and it takes the request at once. All else is
    /// boxed: what is rare must not make large what every request goes through.
    async fn ask<S: RequestSource>(user: &mut VirtualUser<'_, S>, now: Duration) -> Result<ResponseInfo, Failure> {
        let reused = user.connection.is_some();
        let (request, sink) = user.source.outgoing();
        let ordinary = !(request.waits | request.closes);
        let at_once = |connection: &mut Connection| ordinary && connection.send_at_once(request.bytes);
        let came = match user.connection.as_mut().map(|connection| (at_once(connection), connection)) {
            Some((true, connection)) => {
                user.thread.sent(user.slot, now);
                let came = connection.receive(request.head_only, user.thread.plan.clock, sink).await;
                came.map(|answer| connection.ended_by(answer))
            }
            _ => Box::pin(user.send(now)).await,
        };
        if came.as_ref().map_or(true, |answer| answer.close) {
            user.part(came.is_ok());
        }
        match came {
            Ok(answer) => Ok(answer),
            Err(broken) => Box::pin(user.ask_again(broken, reused)).await,
        }
    }

    fn take_up(_kept: Option<Self>, thread: &ThreadState) -> Option<Self> {
        thread.idle.borrow_mut().pop()
    }

    fn put_back(self, thread: &ThreadState) -> Option<Self> {
        thread.idle.borrow_mut().push(self);
        None
    }

    fn look(&mut self) -> IdleState {
        Connection::look(self)
    }
}

/// As [`Transport::take_up`]; those that cannot be used any longer are dropped.
pub(super) fn take_up<C: Transport>(kept: Option<C>, thread: &ThreadState) -> Option<C> {
    let mut taken = C::take_up(kept, thread)?;
    loop {
        if let Some(usable) = usable(taken, thread) {
            return Some(usable);
        }
        taken = C::take_up(None, thread)?;
    }
}

/// A connection that was left idle, if it can be used still. What has come on it meanwhile would be taken for the response to
/// the next request.
pub(super) fn usable<C: Transport>(mut connection: C, thread: &ThreadState) -> Option<C> {
    match connection.look() {
        IdleState::Quiet => return Some(connection),
        IdleState::Unsolicited => thread.unsolicited(),
        IdleState::Over => {}
    }
    None
}

/// Waits until all users have ended; one that has panicked takes the load with it.
pub(super) async fn all_end(mut users: JoinSet<()>, mut each: impl FnMut()) {
    while let Some(ended) = users.join_next().await {
        if let Err(error) = ended
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
        each();
    }
}

impl<'a, S: RequestSource, C: Transport> VirtualUser<'a, S, C> {
    pub fn new(thread: &'a ThreadState, slot: u32, source: S) -> Self {
        VirtualUser { thread, slot, connection: None, source }
    }

    /// The timer for all its requests. Apart from the user, whom a request borrows.
    pub fn deadline(&self) -> Deadline {
        let plan = &self.thread.plan;
        Deadline::new(plan.clock.instant(plan.clock.now() + plan.timeout))
    }

    /// One request that is due at `intended` and sent now, and what came of it.
    pub async fn exchange(&mut self, deadline: &mut Deadline, intended: Duration, now: Duration) -> Exchange {
        let plan = &self.thread.plan;
        self.thread.begin(self.slot, self.source.kind(), intended);
        let due = || plan.clock.instant(intended + plan.timeout);
        let came = deadline.guard(due, pin!(C::ask(self, now))).await;
        let (outcome, first_byte, done, bytes) = match came {
            Some(Ok(answer)) => (Outcome::Answered(answer.status), Some(answer.first_byte), answer.done, answer.bytes),
            Some(Err(failure)) => (Outcome::Failed(failure), None, plan.clock.now(), 0),
            None => {
                self.connection = None;
                (Outcome::Failed(timed_out(self.thread, self.slot)), None, plan.clock.now(), 0)
            }
        };
        let sent = self.thread.sent_at(self.slot);
        let exchange = Exchange { intended, sent, first_byte, done, outcome };
        self.thread.finish(self.slot, &exchange, bytes);
        self.look_at(&exchange);
        exchange
    }

    /// Keeps what the first errors say and which requests were the slowest, and has the source look at what came.
    pub fn look_at(&mut self, exchange: &Exchange) {
        if let Outcome::Answered(status @ 400..) = exchange.outcome
            && let Some(body) = self.source.error()
        {
            self.thread.error(status, exchange.done, body);
        }
        if self.thread.is_slow(exchange) {
            self.thread.keep_slow(exchange, self.source.outgoing().0.bytes);
        }
        self.source.judge(exchange);
    }

    /// Waits, at most to the end of the load; returns the time it is then.
    pub async fn wait_until(&self, time: Duration) -> Duration {
        let plan = &self.thread.plan;
        self.thread.timers.until(time.min(plan.end), plan.clock).await;
        plan.clock.now()
    }

    /// Waits for so long, but not on when the load is over; returns the time it is then.
    pub async fn think_unless(&mut self, over: &CancellationToken, pause: Duration) -> Duration {
        let now = self.thread.plan.clock.now();
        if pause.is_zero() {
            self.look();
            now
        } else {
            self.wait_unless(over, now.saturating_add(pause)).await
        }
    }

    /// As [`VirtualUser::wait_until`], but not on when the load is over. Boxed: few users wait, and none so often.
    pub async fn wait_unless(&mut self, over: &CancellationToken, time: Duration) -> Duration {
        let waited = Box::pin(over.run_until_cancelled(self.wait_until(time))).await;
        self.look();
        waited.unwrap_or_else(|| self.thread.plan.clock.now())
    }

    /// Gives its connection up if that was closed, or something came on it, while no request was on it.
    pub fn look(&mut self) {
        self.connection = self.connection.take().and_then(|connection| usable(connection, self.thread));
    }

    /// Counts a request that the script failed to make.
    pub fn fail(&self, intended: Duration) -> Exchange {
        self.lost(intended, self.source.kind(), Failure::Script)
    }

    /// Counts a request that is never sent.
    pub fn lost(&self, intended: Duration, kind: usize, failure: Failure) -> Exchange {
        let done = self.thread.plan.clock.now();
        self.thread.begin(self.slot, kind, intended);
        let exchange = Exchange { intended, sent: None, first_byte: None, done, outcome: Outcome::Failed(failure) };
        self.thread.finish(self.slot, &exchange, 0);
        exchange
    }
}

/// Whether a request was on a connection, used before, that ended before a byte of its response came. Most likely the server
/// had closed that before the request came; nobody can tell, however long it took. If it asks for no more when it is sent
/// twice, it is sent again (RFC 9110, section 9.2.2), and counted.
pub(super) fn may_be_unseen(broken: &ExchangeError, reused: bool) -> bool {
    reused && matches!(broken, ExchangeError::Closed { untouched: true })
}

/// Says why a request has timed out.
#[cold]
pub(super) fn timed_out(thread: &ThreadState, slot: u32) -> Failure {
    let what = if thread.sent_at(slot).is_some() { "no whole response" } else { "no connection to send it on" };
    thread.failed(&ExchangeError::Late(what, thread.plan.timeout))
}

impl<S: RequestSource> VirtualUser<'_, S> {
    /// Gives the connection up, as it carries no other request. What came on it behind a response, nobody had asked for.
    #[inline(never)]
    fn part(&mut self, answered: bool) {
        if self.connection.take().is_some_and(|mut connection| answered && connection.has_more()) {
            self.thread.unsolicited();
        }
    }

    /// Sends a request that the server may not have seen once more, on a new connection.
    async fn ask_again(&mut self, broken: ExchangeError, reused: bool) -> Result<ResponseInfo, Failure> {
        if !(may_be_unseen(&broken, reused) && self.source.outgoing().0.idempotent) {
            return Err(self.thread.failed(&broken));
        }
        self.thread.sent_again(self.slot);
        let now = self.thread.plan.clock.now();
        let answer = self.send(now).await.map_err(|broken| match broken {
            // The request had been sent, on a connection that was closed.
            ExchangeError::Refused(no) => self.thread.failed(&ExchangeError::RefusedAgain(no)),
            broken => self.thread.failed(&broken),
        });
        if answer.as_ref().map_or(true, |answer| answer.close) {
            self.part(answer.is_ok());
        }
        answer
    }

    /// `now` is a reading of the clock just taken, so that a reused connection needs no other.
    async fn send(&mut self, now: Duration) -> Result<ResponseInfo, ExchangeError> {
        let plan = &self.thread.plan;
        let mut sent = now;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let connection = Connection::open(&plan.target.dialer).await.map_err(ExchangeError::Refused)?;
                self.thread.opened(connection.is_resumed());
                sent = plan.clock.now();
                self.connection.insert(connection)
            }
        };
        self.thread.sent(self.slot, sent);
        let (request, sink) = self.source.outgoing();
        let came = if request.waits {
            connection.exchange_with_leave(request.bytes, request.head_only, plan.clock, sink).await
        } else {
            connection.exchange(request.bytes, request.head_only, plan.clock, sink).await
        };
        // A server may close after it as it was told to, whatever its response says.
        came.map(|answer| ResponseInfo { close: answer.close || request.closes, ..answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[should_panic(expected = "a user is lost")]
    async fn a_user_that_panics_is_not_lost_in_silence() {
        let mut users = JoinSet::new();
        users.spawn(async {});
        users.spawn(async { panic!("a user is lost") });
        all_end(users, || {}).await;
    }
}
