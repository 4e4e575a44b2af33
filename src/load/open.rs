//! The open model: requests that come when they are due, whether or not earlier ones were answered.

use std::io::Result;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::desk::Seat;
use super::lane::Lane;
use super::schedule::Arrivals;
use super::source::plain::Plain;
use super::source::scripted::Scripted;
use super::source::{Source, Turn};
use super::timer::Timer;
use super::user::User;
use crate::exchange::Failure;
use crate::scenario::Spacing;

/// So many arrivals that are overdue are handed over before answers are looked at again.
const AT_A_TIME: u32 = 16;

/// The loop of the open model: hands each arrival of a load thread to a user when it is due, to a new one while there are
/// fewer than there may be. Returns when all are answered that were begun.
pub(super) async fn arrivals(lane: &Rc<Lane>, spacing: Spacing) -> Result<()> {
    let plan = &lane.plan;
    let timer = Timer::new(plan.clock)?;
    let mut users = JoinSet::new();
    let mut overdue = 0;
    for due in Arrivals::new(&plan.profile, spacing, (plan.index, plan.threads), plan.seed) {
        timer.sleep_until_shortly_before(due).await?;
        overdue = if awake_until(lane, due).await { 0 } else { overdue + 1 };
        if overdue == AT_A_TIME {
            tokio::task::yield_now().await;
            overdue = 0;
        }
        if !lane.claim(due) {
            break;
        }
        match users.len() as u32 {
            slot if slot < plan.users => drop(users.spawn_local(user(Rc::clone(lane), slot, Seat::with(due)))),
            _ => lane.desk.hand_over(due),
        }
    }
    lane.desk.close();
    while users.join_next().await.is_some() {}
    Ok(())
}

/// Waits for the last microseconds without sleeping; answers are read meanwhile. Whether there was anything to wait for.
/// A turn in which nothing else was done is time spent for precision alone, and counts apart.
async fn awake_until(lane: &Lane, due: Duration) -> bool {
    let clock = lane.plan.clock;
    let mut now = clock.now();
    let waits = now < due;
    while now < due {
        let done = lane.ended();
        tokio::task::yield_now().await;
        let after = clock.now();
        if lane.ended() == done {
            lane.spun.set(lane.spun.get() + (after - now));
        }
        now = after;
    }
    waits
}

async fn user(lane: Rc<Lane>, slot: u32, seat: Rc<Seat>) {
    let number = lane.plan.number(slot);
    match &lane.scripts {
        None => calls(User::new(&lane, slot, Plain::new(&lane.plan, number)), &seat).await,
        Some(scripts) => calls(User::new(&lane, slot, Scripted::new(&lane.plan, scripts, number)), &seat).await,
    }
}

/// One user: takes up arrivals, one after another, on whichever connection is free.
async fn calls<S: Source>(mut user: User<'_, S>, seat: &Rc<Seat>) {
    let (lane, plan) = (user.lane, &user.lane.plan);
    let mut deadline = user.deadline();
    let mut now = plan.clock.now();
    while let Some(call) = lane.desk.next(seat, now < plan.end).await {
        now = plan.clock.now();
        if call.due >= plan.begin {
            lane.took((!call.queued).then(|| now.saturating_sub(call.due)));
        }
        if now >= call.due + plan.timeout {
            now = user.lost(call.due, plan.kind_of_unsent(call.due), Failure::Timeout).done;
            continue;
        }
        let mut intended = call.due;
        match user.source.prepare() {
            Turn::After(pause) if !pause.is_zero() => {
                now = user.think(pause).await;
                intended = now;
            }
            Turn::Now | Turn::After(_) => {}
            Turn::Failed => {
                now = user.fail(call.due).done;
                continue;
            }
        }
        user.connection = lane.idle.borrow_mut().pop();
        now = user.exchange(&mut deadline, intended, now).await.done;
        lane.idle.borrow_mut().extend(user.connection.take());
    }
}
