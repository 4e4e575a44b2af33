//! The open model: requests that come when they are due, whether or not earlier ones were answered.

use std::io::Result;
use std::iter::Peekable;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::arrival_queue::IdleUser;
use super::measurement::LATE;
use super::multiplexed::Multiplexed;
use super::request_source::{RequestSource, SourceOfUsers, Turn};
use super::thread_state::{ThreadState, noticed};
use super::timerfd::{AWAKE, TimerFd};
use super::virtual_user::{Transport, VirtualUser, all_end, take_up};
use crate::net::http1::Connection;
use crate::net::response::ExchangeError;
use crate::scenario::Protocol;

/// Users who think wake so much too late at worst, on an idle machine. Their requests are due when they wake; what is later
/// than that has waited.
const GRAIN: Duration = Duration::from_micros(200);

/// So many arrivals are handed over at most before answers are looked at again.
const AT_A_TIME: usize = 16;

/// The loop of the open model: hands each arrival of a load thread to a user when it is due, to a new one while there are
/// fewer than there may be. Returns when all are answered that were begun.
pub(super) async fn arrivals<S: SourceOfUsers>(
    thread: &Rc<ThreadState>,
    source: &Rc<S>,
    all: &mut Peekable<impl Iterator<Item = Duration>>,
) -> Result<()> {
    let plan = &thread.plan;
    let timer = TimerFd::new(plan.clock)?;
    let mut users = JoinSet::new();
    let mut come_to = 0;
    while let Some(due) = all.peek().copied() {
        timer.sleep_until_shortly_before(due).await?;
        let now = awake_until(thread, due).await;
        if come_to % AT_A_TIME == 0 {
            tokio::task::yield_now().await;
        }
        // This thread is so far behind that the load is over: what is left is missed.
        if now > plan.end + LATE || !thread.claim(due) {
            break;
        }
        all.next();
        come_to += 1;
        match users.len() as u32 {
            slot if slot < plan.users => {
                let user = user(Rc::clone(thread), Rc::clone(source), slot, thread.arrivals.idle_user(due));
                users.spawn_local(noticed(Rc::clone(thread), user));
            }
            _ => thread.arrivals.hand_over(due),
        }
    }
    thread.arrivals.close();
    all_end(users, || {}).await;
    Ok(())
}

/// Waits for the last microseconds without sleeping; answers are read meanwhile. Returns the time then. A turn in which no
/// user went on was for the arrival's sake alone, and counts apart, unless it took so long that another thread had the core.
pub(super) async fn awake_until(thread: &ThreadState, due: Duration) -> Duration {
    let clock = thread.plan.clock;
    let mut now = clock.now();
    while now < due {
        let polled = thread.cpu_meter.polled.get();
        tokio::task::yield_now().await;
        let after = clock.now();
        if thread.cpu_meter.polled.get() == polled && after - now < AWAKE {
            thread.cpu_meter.spun.set(thread.cpu_meter.spun.get() + (after - now));
        }
        now = after;
    }
    now
}

async fn user<S: SourceOfUsers>(thread: Rc<ThreadState>, source: Rc<S>, slot: u32, idle_user: Rc<IdleUser>) {
    let source = source.of_user(&thread.plan, thread.plan.number(slot));
    // Boxed as in the closed model.
    match thread.plan.protocol {
        Protocol::Http1 { .. } => {
            calls::<_, Connection>(VirtualUser::new(&thread, slot, source), &idle_user).await;
        }
        Protocol::Http2 { .. } => {
            Box::pin(calls::<_, Multiplexed>(VirtualUser::new(&thread, slot, source), &idle_user)).await;
        }
    }
}

/// One user: takes up arrivals, one after another, on whichever connection is free.
async fn calls<S: RequestSource, C: Transport>(mut user: VirtualUser<'_, S, C>, idle_user: &Rc<IdleUser>) {
    let (thread, plan) = (user.thread, &user.thread.plan);
    let mut deadline = user.deadline();
    let mut now = plan.clock.now();
    let mut last = now;
    while let Some(call) = thread.arrivals.next(idle_user, now < plan.end).await {
        now = plan.clock.now();
        if call.due >= plan.begin {
            thread.took((!call.queued).then(|| now.saturating_sub(call.due)));
        }
        if now >= call.due + plan.timeout {
            let failure = thread.failed(&ExchangeError::Late("no user was free to send it", plan.timeout));
            now = user.lost(call.due, plan.kind_of_unsent(call.due), failure).done;
            continue;
        }
        let mut intended = call.due;
        match user.source.prepare() {
            Turn::Now => {}
            Turn::After(pause) => {
                // Its user would have thought from when it was due, had one been free. What the script took is no pause.
                intended = intended.saturating_add(pause);
                now = plan.clock.now();
                if intended > now {
                    now = user.wait_until(intended).await;
                    if now <= intended + GRAIN {
                        intended = intended.max(now);
                    }
                }
                // By then the load is over: it is no part of it.
                if intended >= plan.end {
                    continue;
                }
            }
            Turn::Failed => {
                now = user.fail(call.due).done;
                continue;
            }
        }
        // What a script's pause put off was due later than what has waited meanwhile.
        if intended < last {
            deadline.hasten(plan.clock.instant(intended + plan.timeout));
        }
        last = intended;
        user.connection = take_up(user.connection.take(), thread);
        now = user.exchange(&mut deadline, intended, now).await.done;
        user.connection = user.connection.take().and_then(|connection| connection.put_back(thread));
    }
    // As in the closed model.
    take_up(user.connection.take(), thread);
}
