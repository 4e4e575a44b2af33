//! A load thread: one event loop that drives its users to the end of the plan.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, LocalSet};
use tokio_util::sync::CancellationToken;

use super::cpu_meter::{SECOND, SHORTEST};
use super::measurement::Measurement;
use super::progress::LiveCounters;
use super::requests_from::{RequestsFrom, with_source};
use super::snapshot::Snapshot;
use super::thread_plan::ThreadPlan;
use super::thread_state::ThreadState;
use super::{closed, open};
use crate::net::clock::Clock;
use crate::scenario::{self, Model};

/// A load thread that has all it needs.
pub(super) struct LoadThread {
    load: Arc<scenario::LoadSpec>,
    runtime: tokio::runtime::Runtime,
    thread: ThreadState,
}

impl LoadThread {
    pub fn new(
        load: Arc<scenario::LoadSpec>,
        plan: ThreadPlan,
        requests: RequestsFrom,
        live: Arc<LiveCounters>,
    ) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = ThreadState::new(&load, plan, requests, live);
        Ok(LoadThread { load, runtime, thread })
    }

    /// Runs it to the end of its plan, or until `cancel`.
    pub fn run(self, clock: Clock, cancel: &CancellationToken) -> std::io::Result<Measurement> {
        let LoadThread { load, runtime, mut thread } = self;
        thread.plan.clock = clock;
        let thread = Rc::new(thread);
        // A task of its own, as the future that is blocked on is polled again whenever any task is.
        let tasks = LocalSet::new();
        tasks.spawn_local(read_cpu_clock(Rc::clone(&thread)));
        tasks.spawn_local(hand_out_snapshots(Rc::clone(&thread)));
        let ringing = Rc::clone(&thread);
        let ringing = tasks.spawn_local(async move { ringing.timers.ring(clock).await });
        let driving = tasks.spawn_local(drive(Rc::clone(&thread), cancel.clone(), ringing));
        let ended = match tasks.block_on(&runtime, driving) {
            Ok(ended) => ended?,
            // Nobody aborts it, so that it has panicked.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        thread.abandon(thread.plan.clock.now());
        // All of it has come to its end by now.
        thread.desk().close(|| {
            let parts = (0..).map_while(|index| thread.copied_part(index)).collect();
            Snapshot { pending: Vec::new(), ..thread.snapshot(parts) }
        });
        Ok(thread.measurement(&load, ended))
    }
}

/// Runs the load until the end and on until all is answered, the drain is over, or the load is cancelled. Returns when
/// requests stopped being started.
async fn drive(
    thread: Rc<ThreadState>,
    cancel: CancellationToken,
    ringing: JoinHandle<std::io::Result<Infallible>>,
) -> std::io::Result<Duration> {
    let (thread, plan) = (&thread, &thread.plan);
    let mut arrivals = plan.arrivals().peekable();
    let work = async {
        match plan.model {
            Model::Closed => with_source!(&thread.requests, source => closed::users(thread, source).await),
            Model::Open { .. } => {
                with_source!(&thread.requests, source => open::arrivals(thread, source, &mut arrivals).await?)
            }
        }
        if plan.limit.is_some() {
            return std::io::Result::Ok(plan.clock.now());
        }
        // Also where the last response came long before.
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
        thread.cpu_meter.look(ended);
    }
    thread.miss(arrivals, ended);
    Ok(ended)
}

/// Gives those who ask a copy of what was measured so far. There may be many stages and kinds: between two of them others have
/// their turn. The whole is copied last, so that what is under way then is in none of them.
async fn hand_out_snapshots(thread: Rc<ThreadState>) {
    loop {
        thread.desk().asked().await;
        let mut parts = Vec::new();
        while let Some(part) = thread.copied_part(parts.len()) {
            parts.push(part);
            tokio::task::yield_now().await;
        }
        thread.desk().answer(|| thread.snapshot(parts));
    }
}

/// Reads the clock of this thread every second of the measured part. The rest of less than half a second at its end belongs
/// to the last one.
async fn read_cpu_clock(thread: Rc<ThreadState>) {
    let plan = &thread.plan;
    let mut next = plan.begin;
    loop {
        tokio::time::sleep_until(plan.clock.instant(next).into()).await;
        thread.cpu_meter.look(plan.clock.now());
        if next >= plan.end {
            break;
        }
        let after = next + SECOND;
        next = if after + SHORTEST > plan.end { plan.end } else { after };
    }
}
