//! A load thread: one event loop with its users.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, LocalSet};
use tokio_util::sync::CancellationToken;

use super::alarm::Alarm;
use super::busy::{self, Busy};
use super::desk::Desk;
use super::live::{Counters, Live};
use super::measured::Measured;
use super::plan::Plan;
use super::samples::Samples;
use super::script::Findings;
use super::source::scripted::Scripts;
use super::{closed, open};
use crate::exchange::{Exchange, Failure, Outcome as Ended};
use crate::net::clock::Clock;
use crate::net::http1::Connection;
use crate::net::http2::Http2Pool;
use crate::net::response::ExchangeError;
use crate::scenario::{self, Model};

/// What came of a load thread.
#[derive(Debug)]
pub(super) struct Outcome {
    pub measured: Measured,
    /// Why requests failed.
    pub samples: Samples,
    pub connections_opened: u64,
    pub handshakes_resumed: u64,
    pub retried: u64,
    pub unsolicited: u64,
    /// CPU time, without that spent awake before arrivals.
    pub cpu: Duration,
    /// CPU time spent awake before arrivals, for the sake of their times.
    pub spun: Duration,
    /// CPU time as a share of its busiest second, 0 to 1; `None` if the measured part was shorter than half of one.
    pub busiest: Option<f64>,
    /// Requests in flight, those that wait for a user included, summed over the measured time.
    pub in_flight: Duration,
    /// When it stopped starting requests.
    pub ended: Duration,
    pub findings: Option<Findings>,
}

/// What the users of a load thread share.
pub(super) struct Lane {
    pub plan: Plan,
    measured: RefCell<Measured>,
    /// Per user: its unanswered request.
    in_flight: Vec<InFlight>,
    pub desk: Desk,
    pub alarm: Alarm,
    /// Connections of the open model that no request is on, the last used last.
    pub idle: RefCell<Vec<Connection>>,
    /// Connections of HTTP/2.
    pub sessions: Http2Pool,
    connections_opened: Cell<u64>,
    handshakes_resumed: Cell<u64>,
    samples: RefCell<Samples>,
    retried: Cell<u64>,
    unsolicited: Cell<u64>,
    pub busy: Busy,
    /// Measured requests that were claimed.
    claimed: Cell<u64>,
    /// What requests waited within the measured part, from due to done, summed.
    waited: Cell<Duration>,
    /// The hooks, if the load has any.
    pub scripts: Option<Scripts>,
    live: Arc<Live>,
}

/// The request that a user waits for. Cells of their own, as each is written at another moment.
#[derive(Debug, Default)]
struct InFlight {
    under_way: Cell<bool>,
    kind: Cell<usize>,
    intended: Cell<Duration>,
    sent: Cell<Option<Duration>>,
}

impl Lane {
    pub fn new(load: &scenario::LoadSpec, plan: Plan, scripts: Option<Scripts>, live: Arc<Live>) -> Self {
        Lane {
            measured: RefCell::new(Measured::new(load)),
            in_flight: (0..plan.users * plan.pipeline).map(|_| InFlight::default()).collect(),
            desk: Desk::default(),
            alarm: Alarm::default(),
            idle: RefCell::default(),
            sessions: Http2Pool::new(plan.protocol.streams()),
            connections_opened: Cell::new(0),
            handshakes_resumed: Cell::new(0),
            samples: RefCell::default(),
            retried: Cell::new(0),
            unsolicited: Cell::new(0),
            busy: Busy::default(),
            claimed: Cell::new(0),
            waited: Cell::default(),
            scripts,
            live,
            plan,
        }
    }

    fn counters(&self) -> &Counters {
        self.live.of_thread(self.plan.index)
    }

    /// Counts a new connection; whether it took up an earlier session of TLS.
    pub fn opened(&self, resumed: bool) {
        self.connections_opened.set(self.connections_opened.get() + 1);
        self.handshakes_resumed.set(self.handshakes_resumed.get() + u64::from(resumed));
    }

    /// The request that is in flight is sent once more.
    pub fn sent_again(&self, slot: u32) {
        let is_measured = self.in_flight[slot as usize].intended.get() >= self.plan.begin;
        self.retried.set(self.retried.get() + u64::from(is_measured));
    }

    /// Something came on a connection that no request had asked for.
    #[cold]
    pub fn unsolicited(&self) {
        self.unsolicited.set(self.unsolicited.get() + 1);
    }

    /// The kind of a failure, whose reason is kept if it is the first of its kind.
    pub fn failed(&self, broken: &ExchangeError) -> Failure {
        let failure = broken.failure();
        self.samples.borrow_mut().keep(failure, self.plan.clock.now(), || broken.to_string());
        failure
    }

    /// An error's body begins like this.
    pub fn error(&self, status: u16, at: Duration, body: &[u8]) {
        self.samples.borrow_mut().keep_error(status, at, body);
    }

    /// Whether as many requests were started as the load is to have.
    pub fn is_exhausted(&self) -> bool {
        self.plan.limit.is_some_and(|limit| self.claimed.get() >= limit)
    }

    /// Counts a request as started that is due; false, and nothing is counted, if the load has enough.
    pub fn claim(&self, due: Duration) -> bool {
        if self.is_exhausted() {
            return false;
        }
        self.claimed.set(self.claimed.get() + u64::from(due >= self.plan.begin));
        Counters::count(&self.counters().started);
        true
    }

    /// A request that was due at one time came to its end at another.
    fn waited(&self, from: Duration, to: Duration) {
        let Plan { begin, end, .. } = self.plan;
        self.waited.set(self.waited.get() + to.min(end).saturating_sub(from.max(begin)));
    }

    /// A user takes up a request that was claimed.
    pub fn begin(&self, slot: u32, kind: usize, intended: Duration) {
        let InFlight { under_way, kind: what, intended: due, sent } = &self.in_flight[slot as usize];
        under_way.set(true);
        what.set(kind);
        due.set(intended);
        sent.set(None);
    }

    /// Its first byte is handed to the kernel.
    pub fn sent(&self, slot: u32, at: Duration) {
        self.in_flight[slot as usize].sent.set(Some(at));
    }

    /// When the request that is in flight was sent.
    pub fn sent_at(&self, slot: u32) -> Option<Duration> {
        self.in_flight[slot as usize].sent.get()
    }

    /// Its outcome is known; `bytes` were read for it.
    pub fn finish(&self, slot: u32, exchange: &Exchange, bytes: u64) {
        let in_flight = &self.in_flight[slot as usize];
        in_flight.under_way.set(false);
        let counters = self.counters();
        match exchange.outcome {
            Ended::Answered(status) => {
                Counters::count(&counters.completed);
                if status >= 400 {
                    Counters::count(&counters.error_status);
                }
            }
            Ended::Failed(_) | Ended::Unanswered => Counters::count(&counters.failed),
        }
        self.waited(exchange.intended, exchange.done);
        self.measured.borrow_mut().record(in_flight.kind.get(), exchange, bytes);
    }

    /// A user of the open model takes up an arrival; how late, if it had not waited for a user.
    pub fn took(&self, delay: Option<Duration>) {
        let mut measured = self.measured.borrow_mut();
        match delay {
            Some(delay) => measured.sent_after(delay),
            None => measured.queued += 1,
        }
    }

    /// Counts arrivals of the open model that this thread never came to, and that were due before the load had `ended`.
    fn miss(&self, left: impl Iterator<Item = Duration>, ended: Duration) {
        let now = self.plan.clock.now();
        for due in left.take_while(|due| *due < ended) {
            if !self.claim(due) {
                return;
            }
            self.unanswered(self.plan.kind_of_unsent(due), due, None, now);
            if due >= self.plan.begin {
                self.took(Some(now.saturating_sub(due)));
                self.measured.borrow_mut().missed += 1;
            }
        }
    }

    fn unanswered(&self, kind: usize, intended: Duration, sent: Option<Duration>, now: Duration) {
        let exchange = Exchange { intended, sent, first_byte: None, done: now, outcome: Ended::Unanswered };
        self.waited(intended, now);
        self.measured.borrow_mut().record(kind, &exchange, 0);
    }

    /// Counts what nobody waits for any longer, sent or not.
    fn abandon(&self, now: Duration) {
        for of_user in self.in_flight.iter().filter(|of_user| of_user.under_way.get()) {
            self.unanswered(of_user.kind.get(), of_user.intended.get(), of_user.sent.get(), now);
        }
        let left = self.desk.left();
        left.iter().for_each(|due| self.unanswered(self.plan.kind_of_unsent(*due), *due, None, now));
        let measured_ones = left.iter().filter(|due| **due >= self.plan.begin).count() as u64;
        let mut measured = self.measured.borrow_mut();
        measured.never_sent += measured_ones;
        measured.queued += measured_ones;
    }
}

/// A load thread that has all it needs.
pub(super) struct Ready {
    load: Arc<scenario::LoadSpec>,
    runtime: tokio::runtime::Runtime,
    lane: Lane,
}

impl Ready {
    pub fn new(
        load: Arc<scenario::LoadSpec>,
        plan: Plan,
        scripts: Option<Scripts>,
        live: Arc<Live>,
    ) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let lane = Lane::new(&load, plan, scripts, live);
        Ok(Ready { load, runtime, lane })
    }

    /// Runs it to the end of its plan, or until `cancel`.
    pub fn run(self, clock: Clock, cancel: &CancellationToken) -> std::io::Result<Outcome> {
        let Ready { load, runtime, mut lane } = self;
        lane.plan.clock = clock;
        let lane = Rc::new(lane);
        // A task of its own, as the future that is blocked on is polled again whenever any task is.
        let tasks = LocalSet::new();
        tasks.spawn_local(busy::watch(Rc::clone(&lane)));
        let ringing = Rc::clone(&lane);
        let ringing = tasks.spawn_local(async move { ringing.alarm.ring(clock).await });
        let driving = tasks.spawn_local(drive(Rc::clone(&lane), cancel.clone(), ringing));
        let ended = match tasks.block_on(&runtime, driving) {
            Ok(ended) => ended?,
            // Nobody aborts it, so that it has panicked.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        lane.abandon(lane.plan.clock.now());
        Ok(Outcome {
            measured: lane.measured.replace(Measured::new(&load)),
            samples: lane.samples.take(),
            connections_opened: lane.connections_opened.get(),
            handshakes_resumed: lane.handshakes_resumed.get(),
            retried: lane.retried.get(),
            unsolicited: lane.unsolicited.get(),
            cpu: lane.busy.worked(),
            spun: lane.busy.spun.get(),
            busiest: lane.busy.most(),
            in_flight: lane.waited.get(),
            ended: ended.min(lane.plan.end),
            findings: lane.scripts.as_ref().map(Scripts::take),
        })
    }
}

/// Runs the load until the end and on until all is answered, the drain is over, or the load is cancelled. Returns when
/// requests stopped being started.
async fn drive(
    lane: Rc<Lane>,
    cancel: CancellationToken,
    ringing: JoinHandle<std::io::Result<Infallible>>,
) -> std::io::Result<Duration> {
    let (lane, plan) = (&lane, &lane.plan);
    let mut arrivals = plan.arrivals().peekable();
    let work = async {
        match plan.model {
            Model::Closed => closed::users(lane).await,
            Model::Open { .. } => open::arrivals(lane, &mut arrivals).await?,
        }
        if plan.limit.is_some() {
            return std::io::Result::Ok(plan.clock.now());
        }
        // Also where the last answer came long before.
        tokio::time::sleep_until(plan.clock.instant(plan.end).into()).await;
        Ok(plan.end)
    };
    let ended = tokio::select! {
        ended = work => ended?,
        () = tokio::time::sleep_until(plan.clock.instant(plan.drained).into()) => plan.end,
        () = cancel.cancelled() => plan.clock.now(),
        Ok(Err(refused)) = ringing => return Err(refused),
    };
    if ended < plan.end {
        lane.busy.look(ended);
    }
    lane.miss(arrivals, ended);
    Ok(ended)
}
