//! What the users of a load thread share: its plan, its queues and connections, and what it has measured so far.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::arrival_queue::ArrivalQueue;
use super::cpu_meter::CpuMeter;
use super::error_samples::ErrorSamples;
use super::measurement::{ConnectionCounters, GeneratorUsage, Measurement};
use super::progress::{Counters, LiveCounters};
use super::recorder::Recorder;
use super::request_source::SourceOfUsers as _;
use super::requests_from::{RequestsFrom, with_source};
use super::slowest::SlowestRequests;
use super::snapshot::{PendingRequest, Snapshot, SnapshotDesk};
use super::thread_plan::ThreadPlan;
use super::timer_queue::TimerQueue;
use crate::exchange::{Exchange, Failure, Outcome};
use crate::net::http1::Connection;
use crate::net::http2::Http2Pool;
use crate::net::response::ExchangeError;
use crate::scenario;

/// What the users of a load thread share.
pub(super) struct ThreadState {
    pub plan: ThreadPlan,
    measured: RefCell<Measurement>,
    /// Per user: its unanswered request.
    in_flight: Vec<InFlight>,
    pub arrivals: ArrivalQueue,
    pub timers: TimerQueue,
    /// Connections of the open model that no request is on, the last used last.
    pub idle: RefCell<Vec<Connection>>,
    /// Connections of HTTP/2.
    pub sessions: Http2Pool,
    connections_opened: Cell<u64>,
    handshakes_resumed: Cell<u64>,
    samples: RefCell<ErrorSamples>,
    slowest: RefCell<SlowestRequests>,
    retried: Cell<u64>,
    unsolicited: Cell<u64>,
    pub cpu_meter: CpuMeter,
    /// Measurement requests that were claimed.
    claimed: Cell<u64>,
    /// What requests waited within the measured part, from due to done, summed.
    waited: Cell<Duration>,
    /// What its users send.
    pub requests: RequestsFrom,
    live: Arc<LiveCounters>,
}

/// The request that a user waits for. Cells of their own, as each is written at another moment.
#[derive(Debug, Default)]
struct InFlight {
    under_way: Cell<bool>,
    kind: Cell<usize>,
    intended: Cell<Duration>,
    sent: Cell<Option<Duration>>,
}

impl ThreadState {
    pub fn new(load: &scenario::LoadSpec, plan: ThreadPlan, requests: RequestsFrom, live: Arc<LiveCounters>) -> Self {
        ThreadState {
            measured: RefCell::new(Measurement::new(load)),
            in_flight: (0..plan.users * plan.pipeline).map(|_| InFlight::default()).collect(),
            arrivals: ArrivalQueue::default(),
            timers: TimerQueue::default(),
            idle: RefCell::default(),
            sessions: Http2Pool::new(plan.protocol.streams()),
            connections_opened: Cell::new(0),
            handshakes_resumed: Cell::new(0),
            samples: RefCell::default(),
            slowest: RefCell::default(),
            retried: Cell::new(0),
            unsolicited: Cell::new(0),
            cpu_meter: CpuMeter::default(),
            claimed: Cell::new(0),
            waited: Cell::default(),
            requests,
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

    /// Whether a request is to be kept as one of the slowest: none is where requests carry no trace id.
    pub fn is_slow(&self, exchange: &Exchange) -> bool {
        self.plan.traced && self.slowest.borrow().wants(exchange.latency())
    }

    /// Keeps a request as one of the slowest so far, by the bytes that were sent.
    #[cold]
    pub fn keep_slow(&self, exchange: &Exchange, bytes: &[u8]) {
        self.slowest.borrow_mut().keep(exchange, self.plan.begin, bytes);
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
        let ThreadPlan { begin, end, .. } = self.plan;
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
            Outcome::Answered(status) => {
                Counters::count(&counters.completed);
                if status >= 400 {
                    Counters::count(&counters.error_status);
                }
            }
            Outcome::Failed(_) | Outcome::Unanswered => Counters::count(&counters.failed),
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
    pub fn miss(&self, left: impl Iterator<Item = Duration>, ended: Duration) {
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
        let exchange = Exchange { intended, sent, first_byte: None, done: now, outcome: Outcome::Unanswered };
        self.waited(intended, now);
        self.measured.borrow_mut().record(kind, &exchange, 0);
    }

    /// Counts what nobody waits for any longer, sent or not.
    pub fn abandon(&self, now: Duration) {
        for of_user in self.in_flight.iter().filter(|of_user| of_user.under_way.get()) {
            self.unanswered(of_user.kind.get(), of_user.intended.get(), of_user.sent.get(), now);
        }
        let left = self.arrivals.left();
        left.iter().for_each(|due| self.unanswered(self.plan.kind_of_unsent(*due), *due, None, now));
        let measured_ones = left.iter().filter(|due| **due >= self.plan.begin).count() as u64;
        let mut measured = self.measured.borrow_mut();
        measured.never_sent += measured_ones;
        measured.queued += measured_ones;
    }

    /// All that it has measured; `ended` is when it stopped starting requests.
    pub fn measurement(&self, load: &scenario::LoadSpec, ended: Duration) -> Measurement {
        let mut measured = self.measured.replace(Measurement::new(load));
        measured.samples = self.samples.take();
        measured.slowest = self.slowest.take();
        measured.connections = self.connections();
        measured.generator = self.usage(ended);
        measured.findings = with_source!(&self.requests, source => source.found());
        measured
    }

    /// A copy of what it has measured of a stage, or of a kind after those.
    pub fn copied_part(&self, index: usize) -> Option<Recorder> {
        self.measured.borrow().copied_part(index)
    }

    /// A copy of all that it has measured so far, and what it waits for; of stages and kinds these copies.
    pub fn snapshot(&self, parts: Vec<Recorder>) -> Snapshot {
        let at = self.plan.clock.now();
        let mut measured = self.measured.borrow().copied_with(parts);
        measured.samples = self.samples.borrow().clone();
        measured.slowest = self.slowest.borrow().clone();
        measured.connections = self.connections();
        measured.generator = self.usage(at);
        measured.findings = with_source!(&self.requests, source => source.found());
        let pending = self.in_flight.iter().filter(|of_user| of_user.under_way.get()).map(|of_user| PendingRequest {
            kind: of_user.kind.get(),
            intended: of_user.intended.get(),
            sent: of_user.sent.get(),
        });
        Snapshot { thread: self.plan.index, at, measured, pending: pending.collect(), queued: self.arrivals.waiting() }
    }

    /// Where others ask for copies.
    pub fn desk(&self) -> &SnapshotDesk {
        self.live.desk(self.plan.index)
    }

    fn connections(&self) -> ConnectionCounters {
        ConnectionCounters {
            opened: self.connections_opened.get(),
            resumed: self.handshakes_resumed.get(),
            retried: self.retried.get(),
            unsolicited: self.unsolicited.get(),
        }
    }

    fn usage(&self, ended: Duration) -> GeneratorUsage {
        let (cpu, lifetime) = (self.cpu_meter.worked(), self.plan.clock.now());
        let share = || (cpu.as_secs_f64() / lifetime.as_secs_f64().max(1e-9)).min(1.0);
        GeneratorUsage {
            threads: 1,
            cpu,
            spun: self.cpu_meter.spun.get(),
            busiest: self.cpu_meter.most().unwrap_or_else(share),
            in_flight: self.waited.get(),
            ended: ended.min(self.plan.end),
        }
    }
}

/// Does a task, and counts each time that it goes on.
pub(super) fn noticed(thread: Rc<ThreadState>, task: impl Future<Output = ()>) -> impl Future<Output = ()> {
    // Boxed, as a task that is pinned in another takes up its room twice.
    let mut task = Box::pin(task);
    poll_fn(move |context| {
        thread.cpu_meter.polled.set(thread.cpu_meter.polled.get() + 1);
        task.as_mut().poll(context)
    })
}
