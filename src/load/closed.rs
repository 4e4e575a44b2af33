//! The closed model: users who each wait for their answer before they ask again.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::lane::Lane;
use super::pipelined::batches;
use super::shared::Stream;
use super::source::plain::Plain;
use super::source::scripted::Scripted;
use super::source::{Source, Turn};
use super::user::{Carrier, User, all_end};
use crate::exchange::{Failure, Outcome};
use crate::net::http1::Connection;
use crate::scenario::Protocol;

/// How long a user waits after a request that could not be sent: a refused connection answers at once, and so does a
/// script that fails, and TLS whose client the server does not trust; asking again at once would only heat the machine.
pub(super) const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// Runs all users of a load thread to the end.
pub(super) async fn users(lane: &Rc<Lane>) {
    let mut users = JoinSet::new();
    let over = CancellationToken::new();
    for slot in 0..lane.plan.users {
        let (lane, over) = (Rc::clone(lane), over.clone());
        users.spawn_local(async move {
            let (plan, number) = (&lane.plan, lane.plan.number(slot));
            // All but the most common are boxed, so that they do not make every user as large as the largest.
            match (&lane.scripts, plan.protocol) {
                (None, Protocol::Http1 { pipeline: 1 }) => {
                    turns::<_, Connection>(User::new(&lane, slot, Plain::new(plan, number)), &over).await;
                }
                (Some(scripts), Protocol::Http1 { pipeline: 1 }) => {
                    let user = User::new(&lane, slot, Scripted::new(plan, scripts, number));
                    Box::pin(turns::<_, Connection>(user, &over)).await;
                }
                (None, Protocol::Http1 { .. }) => {
                    Box::pin(batches(&lane, slot, &over, |place| Plain::in_place(plan, number, place))).await;
                }
                (Some(scripts), Protocol::Http1 { .. }) => {
                    let first = Scripted::new(plan, scripts, number);
                    Box::pin(batches(&lane, slot, &over, |place| first.sibling(place))).await;
                }
                (None, Protocol::Http2 { .. }) => {
                    Box::pin(turns::<_, Stream>(User::new(&lane, slot, Plain::new(plan, number)), &over)).await;
                }
                (Some(scripts), Protocol::Http2 { .. }) => {
                    let user = User::new(&lane, slot, Scripted::new(plan, scripts, number));
                    Box::pin(turns::<_, Stream>(user, &over)).await;
                }
            }
        });
    }
    // Once the load has enough, nobody waits for those who would only think on.
    let cancel = || {
        if lane.is_exhausted() {
            over.cancel();
        }
    };
    all_end(users, cancel).await;
}

/// The loop of the closed model: one user, as long as the load has so many.
async fn turns<S: Source, C: Carrier>(mut user: User<'_, S, C>, over: &CancellationToken) {
    let (lane, plan) = (user.lane, &user.lane.plan);
    let mut deadline = user.deadline();
    let rank = f64::from(plan.number(user.slot) + 1);
    let mut free = plan.clock.now();
    while let Some(wanted) = plan.profile.reaches(rank, free)
        && !lane.is_exhausted()
    {
        if wanted > free {
            free = user.wait_unless(over, wanted).await;
            if lane.is_exhausted() {
                break;
            }
        }
        let turn = user.source.prepare();
        // What a script itself took is the client's time: the request is due after that.
        match turn {
            Turn::Now => {}
            Turn::After(pause) => free = user.think_unless(over, pause).await,
            Turn::Failed => free = plan.clock.now(),
        }
        if free >= plan.end || !lane.claim(free) {
            break;
        }
        let exchange = match turn {
            Turn::Failed => user.fail(free),
            Turn::Now | Turn::After(_) => user.exchange(&mut deadline, free, free).await,
        };
        free = exchange.done;
        // What nobody asks after is no part of the load.
        if let Outcome::Failed(failure) = exchange.outcome
            && (exchange.sent.is_none() || matches!(failure, Failure::Tls | Failure::Script))
            && !lane.is_exhausted()
        {
            free = user.think_unless(over, AFTER_REFUSAL).await;
        }
        if !plan.pause.is_zero() && !lane.is_exhausted() {
            free = user.think_unless(over, plan.pause).await;
        }
    }
    // What nobody waits for any longer would show that answers had been taken for others'.
    user.look();
}
