//! Pipelining: users of the closed model who send several requests at once, and ask again when all are answered.

use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::deadline::Deadline;
use super::request_source::{RequestSource, Turn};
use super::thread_state::ThreadState;
use super::virtual_user::{AFTER_REFUSAL, VirtualUser, may_be_unseen, timed_out, usable};
use crate::exchange::{Exchange, Failure, Outcome};
use crate::net::http1::Connection;
use crate::net::response::ExchangeError;

/// A user: one connection, and for each request of a batch a place of its own, with its own share of the user's requests.
struct Batch<'a, S> {
    thread: &'a ThreadState,
    places: Vec<VirtualUser<'a, S>>,
    connection: Option<Connection>,
    /// Places whose requests have no outcome yet, in the order in which they are sent on one connection.
    left: VecDeque<usize>,
    /// Places whose requests come after those, each as soon as those before it have an outcome.
    later: VecDeque<usize>,
    /// The requests of the places that are left, one after another.
    bytes: Vec<u8>,
}

/// The loop of a user who pipelines, as long as the load has that many users. `source` makes what is sent from its places.
pub(super) async fn batches<S: RequestSource>(
    thread: &Rc<ThreadState>,
    slot: u32,
    source: S,
    over: &CancellationToken,
) {
    let plan = &thread.plan;
    let places =
        (0..plan.pipeline).map(|place| VirtualUser::new(thread, slot * plan.pipeline + place, source.sibling(place)));
    let places = places.collect();
    let (left, later) = (VecDeque::new(), VecDeque::new());
    let mut batch = Batch { thread, places, connection: None, left, later, bytes: Vec::new() };
    let mut deadline = batch.places[0].deadline();
    let rank = f64::from(plan.number(slot) + 1);
    let mut free = plan.clock.now();
    while let Some(wanted) = plan.profile.reaches(rank, free)
        && !thread.is_exhausted()
    {
        if wanted > free {
            free = batch.places[0].wait_unless(over, wanted).await;
            batch.look();
            if thread.is_exhausted() {
                break;
            }
        }
        let turns: Vec<Turn> = batch.places.iter_mut().map(|place| place.source.prepare()).collect();
        let pauses = turns.iter().filter_map(|turn| if let Turn::After(pause) = turn { Some(*pause) } else { None });
        if let Some(pause) = pauses.max() {
            free = batch.think_unless(over, pause).await;
        }
        if free >= plan.end {
            break;
        }
        for (place, turn) in turns.into_iter().enumerate() {
            batch.take_up(place, turn, free);
        }
        let idle = batch.later.is_empty();
        let failure = batch.exchange(&mut deadline, free).await;
        free = plan.clock.now();
        // What nobody asks after is no part of the load.
        if thread.is_exhausted() {
            break;
        }
        if idle || matches!(failure, Some(Failure::Connect | Failure::Tls)) {
            free = batch.think_unless(over, AFTER_REFUSAL).await;
        }
        if !plan.pause.is_zero() {
            free = batch.think_unless(over, plan.pause).await;
        }
    }
    // As for a user of single requests.
    batch.look();
}

impl<S: RequestSource> Batch<'_, S> {
    /// Thinks as a user of single requests does.
    async fn think_unless(&mut self, over: &CancellationToken, pause: Duration) -> Duration {
        let now = self.places[0].think_unless(over, pause).await;
        self.look();
        now
    }

    /// Gives the connection up if that was closed, or something came on it, while no request was on it.
    fn look(&mut self) {
        self.connection = self.connection.take().and_then(|connection| usable(connection, self.thread));
    }

    /// Counts the request of a place as started, unless the load has enough; it is to be sent, if there is one.
    fn take_up(&mut self, place: usize, turn: Turn, now: Duration) {
        if !self.thread.claim(now) {
            return;
        }
        let user = &self.places[place];
        if turn == Turn::Failed {
            user.fail(now);
            return;
        }
        self.thread.begin(user.slot, user.source.kind(), now);
        self.later.push_back(place);
    }

    /// Sends what was taken up, reads the responses in order, and says why not all were answered.
    async fn exchange(&mut self, deadline: &mut Deadline, now: Duration) -> Option<Failure> {
        let plan = &self.thread.plan;
        let due = plan.clock.instant(now + plan.timeout);
        let mut last = None;
        while let Some(first) = self.go_on() {
            let came = deadline.guard(|| due, pin!(self.converse(now))).await;
            let failure = match came {
                Some(Ok(())) => continue,
                Some(Err(failure)) => failure,
                None => timed_out(self.thread, self.places[first].slot),
            };
            self.connection = None;
            if matches!(failure, Failure::Connect | Failure::Tls | Failure::Timeout) {
                // Those that come later would find no connection either, or be as late.
                self.left.append(&mut self.later);
            }
            self.fail_left(failure, now);
            last = Some(failure);
        }
        last
    }

    /// Goes on to what one connection can carry: up to a request that closes it, and nothing behind. Returns the first
    /// place, if there is any.
    fn go_on(&mut self) -> Option<usize> {
        let Batch { places, left, later, .. } = self;
        let closes = |place: &usize| places[*place].source.outgoing().0.closes;
        let end = later.iter().position(closes).map_or(later.len(), |at| at + 1);
        left.extend(later.drain(..end));
        left.front().copied()
    }

    /// Counts what is left as failed.
    fn fail_left(&mut self, failure: Failure, now: Duration) {
        let mut each = failure;
        while let Some(place) = self.left.pop_front() {
            self.finish(place, now, Outcome::Failed(each), (None, self.thread.plan.clock.now()), 0);
            // What is malformed is one response; those after it went with the connection.
            if each == Failure::Protocol && !self.left.is_empty() {
                let why = "the connection was given up after a response before it that was not HTTP";
                each = self.thread.failed(&ExchangeError::Told(Failure::Closed, why.to_owned()));
            }
        }
    }

    fn finish(
        &mut self,
        place: usize,
        intended: Duration,
        outcome: Outcome,
        (first_byte, done): (Option<Duration>, Duration),
        bytes: u64,
    ) {
        let user = &mut self.places[place];
        let sent = self.thread.sent_at(user.slot);
        let exchange = Exchange { intended, sent, first_byte, done, outcome };
        self.thread.finish(user.slot, &exchange, bytes);
        user.look_at(&exchange);
    }

    /// Sends what is left on the connection at hand or a new one, and counts the responses as they come. What a connection
    /// leaves unanswered that has carried a response is sent again (RFC 9112, sections 9.3.2 and 9.6), as a single request is.
    async fn converse(&mut self, now: Duration) -> Result<(), Failure> {
        let (thread, clock) = (self.thread, self.thread.plan.clock);
        let mut again = false;
        while !self.left.is_empty() {
            let (reused, left, sent) = (self.connection.is_some(), self.left.len(), clock.now());
            match self.send((now, sent)).await {
                Ok(()) => {}
                // The requests had been sent, on a connection that was closed.
                Err(ExchangeError::Refused(no)) if again => return Err(thread.failed(&ExchangeError::RefusedAgain(no))),
                Err(broken) => {
                    let reused = reused || self.left.len() != left;
                    if !may_be_unseen(&broken, reused) {
                        return Err(thread.failed(&broken));
                    }
                }
            }
            self.keep_what_may_be_sent_again(now);
            again = true;
        }
        Ok(())
    }

    /// What asks for more when it is sent twice has failed with the connection that it was sent on.
    fn keep_what_may_be_sent_again(&mut self, now: Duration) {
        let (thread, clock) = (self.thread, self.thread.plan.clock);
        for _ in 0..self.left.len() {
            let Some(place) = self.left.pop_front() else { return };
            if self.places[place].source.outgoing().0.idempotent {
                thread.sent_again(self.places[place].slot);
                self.left.push_back(place);
            } else {
                let failure = thread.failed(&ExchangeError::Closed { untouched: true });
                self.finish(place, now, Outcome::Failed(failure), (None, clock.now()), 0);
            }
        }
    }

    /// Sends what is left, and reads responses until there are no more to come: some are left if the server said with one
    /// that it closes the connection. A request that closes it is the last.
    async fn send(&mut self, (intended, mut sent): (Duration, Duration)) -> Result<(), ExchangeError> {
        let (thread, clock) = (self.thread, self.thread.plan.clock);
        self.bytes.clear();
        for place in &self.left {
            self.bytes.extend_from_slice(self.places[*place].source.outgoing().0.bytes);
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = Connection::open(&thread.plan.target.dialer).await.map_err(ExchangeError::Refused)?;
                thread.opened(connection.is_resumed());
                sent = clock.now();
                connection
            }
        };
        self.left.iter().for_each(|place| thread.sent(self.places[*place].slot, sent));
        // A server may refuse before it has read all, and close: its responses are there to be read.
        let cut_off = connection.send(&self.bytes, clock).await.is_err();
        while let Some(place) = self.left.front().copied() {
            let (request, sink) = self.places[place].source.outgoing();
            let answer = connection.receive(request.head_only, clock, sink).await?;
            let times = (Some(answer.first_byte), answer.done);
            // A server may close after a request as it was told to, whatever its response says.
            let close = answer.close || request.closes;
            self.left.pop_front();
            self.finish(place, intended, Outcome::Answered(answer.status), times, answer.bytes);
            if close {
                if self.left.is_empty() && connection.has_more() {
                    thread.unsolicited();
                }
                return Ok(());
            }
        }
        if connection.has_more() {
            thread.unsolicited();
        } else if !cut_off {
            self.connection = Some(connection);
        }
        Ok(())
    }
}
