//! Pipelining: users of the closed model who send several requests at once, and ask again when all are answered.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use super::closed::AFTER_REFUSAL;
use super::connection::answer::Broken;
use super::connection::http1::Connection;
use super::deadline::Deadline;
use super::lane::Lane;
use super::source::{Source, Turn};
use super::user::{AT_ONCE, User};
use crate::exchange::{Exchange, Failure, Outcome};

/// A user: one connection, and for each request of a batch a place of its own, with its own share of the user's requests.
struct Batch<'a, S> {
    lane: &'a Lane,
    places: Vec<User<'a, S>>,
    connection: Option<Connection>,
    /// The requests of a batch, one after another.
    bytes: Vec<u8>,
}

/// The loop of a user who pipelines, as long as the load has so many users. `source` makes what is sent from a place.
pub(super) async fn batches<S: Source>(lane: &Rc<Lane>, slot: u32, source: impl Fn(u32) -> S) {
    let plan = &lane.plan;
    let places = (0..plan.pipeline).map(|place| User::new(lane, slot * plan.pipeline + place, source(place)));
    let mut batch = Batch { lane, places: places.collect(), connection: None, bytes: Vec::new() };
    let mut deadline = batch.places[0].deadline();
    let rank = f64::from(plan.number(slot) + 1);
    let mut free = plan.clock.now();
    while let Some(wanted) = plan.profile.reaches(rank, free)
        && !lane.is_exhausted()
    {
        if wanted > free {
            free = batch.places[0].wait_until(wanted).await;
        }
        let turns: Vec<Turn> = batch.places.iter_mut().map(|place| place.source.prepare()).collect();
        let pauses = turns.iter().filter_map(|turn| if let Turn::After(pause) = turn { Some(*pause) } else { None });
        if let Some(pause) = pauses.max() {
            free = batch.places[0].think(pause).await;
        }
        if free >= plan.end {
            break;
        }
        let asked: Vec<usize> = (0..turns.len()).filter(|place| batch.take_up(*place, turns[*place], free)).collect();
        let failure = batch.exchange(&asked, &mut deadline, free).await;
        free = plan.clock.now();
        if asked.is_empty() || matches!(failure, Some(Failure::Connect | Failure::Tls)) {
            free = batch.places[0].think(AFTER_REFUSAL).await;
        }
        if !plan.pause.is_zero() {
            free = batch.places[0].think(plan.pause).await;
        }
    }
}

impl<S: Source> Batch<'_, S> {
    /// Counts the request of a place as started; false if the load has enough, or there is none to send.
    fn take_up(&mut self, place: usize, turn: Turn, now: Duration) -> bool {
        if !self.lane.claim(now) {
            return false;
        }
        let user = &self.places[place];
        if turn == Turn::Failed {
            user.fail(now);
            return false;
        }
        self.lane.begin(user.slot, user.source.kind(), now);
        true
    }

    /// Sends what these places ask, reads the answers in order, and says why not all were answered.
    async fn exchange(&mut self, asked: &[usize], deadline: &mut Deadline, now: Duration) -> Option<Failure> {
        if asked.is_empty() {
            return None;
        }
        let plan = &self.lane.plan;
        let due = plan.clock.instant(now + plan.timeout);
        let mut answered = 0;
        let came = deadline.guard(|| due, pin!(self.converse(asked, now, &mut answered))).await;
        let failure = match came {
            Some(Ok(())) => return None,
            Some(Err(failure)) => failure,
            None => Failure::Timeout,
        };
        self.connection = None;
        for (index, place) in asked[answered..].iter().enumerate() {
            // What is malformed is one answer; those after it went with the connection.
            let failure = if index > 0 && failure == Failure::Protocol { Failure::Closed } else { failure };
            self.finish(*place, now, Outcome::Failed(failure), (None, plan.clock.now()), 0);
        }
        Some(failure)
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
        let sent = self.lane.sent_at(user.slot);
        let exchange = Exchange { intended, sent, first_byte, done, outcome };
        self.lane.finish(user.slot, &exchange, bytes);
        user.source.judge(&exchange);
    }

    /// Sends a batch on the connection at hand or a new one, and counts the answers as they come. As for a single request,
    /// a connection that the server closed while it was idle says nothing about the server.
    async fn converse(&mut self, asked: &[usize], now: Duration, answered: &mut usize) -> Result<(), Failure> {
        let (lane, clock) = (self.lane, self.lane.plan.clock);
        self.bytes.clear();
        let mut idempotent = true;
        for place in asked {
            let (request, _) = self.places[*place].source.outgoing();
            idempotent &= request.idempotent;
            self.bytes.extend_from_slice(request.bytes);
        }
        let reused = self.connection.is_some();
        let mut sent = clock.now();
        let mut broken = match self.send(asked, (now, sent), answered).await {
            Ok(()) => return Ok(()),
            Err(broken) => broken,
        };
        let closed_while_idle = reused
            && *answered == 0
            && matches!(broken, Broken::Closed { untouched: true })
            && clock.now().saturating_sub(sent) < AT_ONCE;
        if closed_while_idle && idempotent {
            lane.retried.set(lane.retried.get() + asked.len() as u64);
            sent = clock.now();
            match self.send(asked, (now, sent), answered).await {
                Ok(()) => return Ok(()),
                // The requests had been sent, on a connection that was closed.
                Err(Broken::Refused(_)) => return Err(Failure::Closed),
                Err(other) => broken = other,
            }
        }
        Err(lane.failed(&broken))
    }

    async fn send(
        &mut self,
        asked: &[usize],
        (intended, mut sent): (Duration, Duration),
        answered: &mut usize,
    ) -> Result<(), Broken> {
        let (lane, clock) = (self.lane, self.lane.plan.clock);
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = Connection::open(&lane.plan.target.dialer).await.map_err(Broken::Refused)?;
                lane.opened(connection.is_resumed());
                sent = clock.now();
                connection
            }
        };
        asked.iter().for_each(|place| lane.sent(self.places[*place].slot, sent));
        // A server may refuse before it has read all, and close: its answers are there to be read.
        let cut_off = connection.send(&self.bytes).await.is_err();
        let mut close = false;
        for place in asked {
            if close {
                return Err(Broken::Closed { untouched: false });
            }
            let (request, sink) = self.places[*place].source.outgoing();
            let answer = connection.receive(request.head_only, clock, sink).await?;
            close = answer.close;
            let times = (Some(answer.first_byte), answer.done);
            self.finish(*place, intended, Outcome::Answered(answer.status), times, answer.bytes);
            *answered += 1;
        }
        if !close && !cut_off && !connection.has_more() {
            self.connection = Some(connection);
        }
        Ok(())
    }
}
