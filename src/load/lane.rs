//! A load thread: one event loop with its users.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, LocalSet};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::recorder::Recorder;
use super::request::Prepared;
use super::script::Findings;
use super::source::scripted::Scripts;
use super::{Counters, Target, user};
use crate::exchange::{Exchange, Outcome as Ended};
use crate::scenario;
use crate::scenario::template::Placeholder;

/// What a load thread is to do.
#[derive(Debug)]
pub(super) struct Plan {
    pub clock: Clock,
    pub target: Target,
    pub request: Prepared,
    /// The request as the scenario has it, for scripts that change parts of it.
    pub own: scenario::Request,
    pub sleep: Option<Duration>,
    pub data: Option<Arc<scenario::Data>>,
    /// The numbers of its users.
    pub users: Range<u32>,
    /// When the measured part begins and ends, and when the last unanswered request is given up.
    pub begin: Duration,
    pub end: Duration,
    pub drained: Duration,
    pub timeout: Duration,
    pub seed: u64,
}

impl Plan {
    pub fn new(load: &scenario::Load, target: &Target, clock: Clock, users: Range<u32>, seed: u64) -> Self {
        let fixed = |placeholder: &Placeholder| target.fixed(placeholder, load.sleep);
        let end = load.warmup + load.duration;
        Plan {
            clock,
            target: target.clone(),
            request: Prepared::new(&load.request, &target.authority, &fixed),
            own: load.request.clone(),
            sleep: load.sleep,
            data: load.data.clone(),
            users,
            begin: load.warmup,
            end,
            drained: end + load.drain,
            timeout: load.timeout,
            seed,
        }
    }
}

/// What came of a load thread.
#[derive(Debug)]
pub(super) struct Outcome {
    pub recorder: Recorder,
    pub connections_opened: u64,
    pub retried: u64,
    pub cpu: Duration,
    /// When it stopped starting requests.
    pub ended: Duration,
    pub findings: Option<Findings>,
}

/// What the users of a load thread share.
pub(super) struct Lane {
    pub plan: Plan,
    recorder: RefCell<Recorder>,
    /// Per user: when its unanswered request was due and when it was sent.
    in_flight: RefCell<Vec<Option<InFlight>>>,
    pub connections_opened: Cell<u64>,
    pub retried: Cell<u64>,
    /// The hooks, if the load has any.
    pub scripts: Option<Scripts>,
    counters: Arc<[Counters]>,
    index: usize,
}

#[derive(Debug, Clone, Copy)]
struct InFlight {
    intended: Duration,
    sent: Option<Duration>,
}

impl Lane {
    fn slot(&self, user: u32) -> usize {
        (user - self.plan.users.start) as usize
    }

    /// A request is due.
    pub fn begin(&self, user: u32, intended: Duration) {
        self.in_flight.borrow_mut()[self.slot(user)] = Some(InFlight { intended, sent: None });
        Counters::count(&self.counters[self.index].started);
    }

    /// Its first byte is handed to the kernel.
    pub fn sent(&self, user: u32, at: Duration) {
        if let Some(in_flight) = &mut self.in_flight.borrow_mut()[self.slot(user)] {
            in_flight.sent = Some(at);
        }
    }

    /// When the request of `user` that is in flight was sent.
    pub fn sent_at(&self, user: u32) -> Option<Duration> {
        self.in_flight.borrow()[self.slot(user)].and_then(|in_flight| in_flight.sent)
    }

    /// Its outcome is known; `bytes` were read for it.
    pub fn finish(&self, user: u32, exchange: &Exchange, bytes: u64) {
        self.in_flight.borrow_mut()[self.slot(user)] = None;
        match exchange.outcome {
            Ended::Answered(status) => {
                Counters::count(&self.counters[self.index].completed);
                if status >= 400 {
                    Counters::count(&self.counters[self.index].error_status);
                }
            }
            Ended::Failed(_) | Ended::Unanswered => Counters::count(&self.counters[self.index].failed),
        }
        self.recorder.borrow_mut().record(exchange, bytes);
    }

    /// Counts what nobody waits for any longer.
    fn abandon(&self, now: Duration) {
        let mut recorder = self.recorder.borrow_mut();
        for in_flight in self.in_flight.borrow_mut().iter_mut().filter_map(Option::take) {
            let InFlight { intended, sent } = in_flight;
            let outcome = Ended::Unanswered;
            recorder.record(&Exchange { intended, sent, first_byte: None, done: now, outcome }, 0);
        }
    }
}

/// Runs a load thread to the end of its plan, or until `cancel`.
pub(super) fn run(
    plan: Plan,
    scripts: Option<Scripts>,
    cancel: &CancellationToken,
    counters: Arc<[Counters]>,
    index: usize,
) -> std::io::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lane = Rc::new(Lane {
        recorder: RefCell::new(Recorder::new(plan.begin, plan.end)),
        in_flight: RefCell::new(vec![None; plan.users.len()]),
        connections_opened: Cell::new(0),
        retried: Cell::new(0),
        scripts,
        counters,
        index,
        plan,
    });
    let ended = LocalSet::new().block_on(&runtime, drive(&lane, cancel));
    lane.abandon(lane.plan.clock.now());
    Ok(Outcome {
        recorder: lane.recorder.borrow().clone(),
        connections_opened: lane.connections_opened.get(),
        retried: lane.retried.get(),
        cpu: thread_cpu_time(),
        ended: ended.min(lane.plan.end),
        findings: lane.scripts.as_ref().map(Scripts::take),
    })
}

/// Runs every user until the end and on until all is answered, the drain is over, or the load is cancelled. Returns when
/// requests stopped being started.
async fn drive(lane: &Rc<Lane>, cancel: &CancellationToken) -> Duration {
    let mut users = JoinSet::new();
    for number in lane.plan.users.clone() {
        users.spawn_local(user::closed(Rc::clone(lane), number));
    }
    let drained = lane.plan.clock.instant(lane.plan.drained);
    tokio::select! {
        () = async { while users.join_next().await.is_some() {} } => lane.plan.end,
        () = tokio::time::sleep_until(drained.into()) => lane.plan.end,
        () = cancel.cancelled() => lane.plan.clock.now(),
    }
}

/// User and system time of the calling thread.
fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
