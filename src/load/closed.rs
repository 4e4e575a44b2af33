//! The closed model: users who each wait for their response before they ask again.

use std::rc::Rc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::multiplexed::Multiplexed;
use super::pipelined::batches;
use super::request_source::{RequestSource, SourceOfUsers, Turn};
use super::thread_state::ThreadState;
use super::virtual_user::{AFTER_REFUSAL, Transport, VirtualUser, all_end};
use crate::exchange::{Failure, Outcome};
use crate::net::http1::Connection;
use crate::scenario::Protocol;

/// Runs all users of a load thread to the end; `source` makes what they send.
pub(super) async fn users<S: SourceOfUsers>(thread: &Rc<ThreadState>, source: &Rc<S>) {
    let mut users = JoinSet::new();
    let over = CancellationToken::new();
    for slot in 0..thread.plan.users {
        let (thread, source, over) = (Rc::clone(thread), Rc::clone(source), over.clone());
        users.spawn_local(async move {
            let source = source.of_user(&thread.plan, thread.plan.number(slot));
            // All but the most common are boxed, so that they do not make every user as large as the largest.
            match thread.plan.protocol {
                Protocol::Http1 { pipeline: 1 } => {
                    turns::<_, Connection>(VirtualUser::new(&thread, slot, source), &over).await;
                }
                Protocol::Http1 { .. } => Box::pin(batches(&thread, slot, source, &over)).await,
                Protocol::Http2 { .. } => {
                    Box::pin(turns::<_, Multiplexed>(VirtualUser::new(&thread, slot, source), &over)).await;
                }
            }
        });
    }
    // Once the load has enough, nobody waits for those who would only think on.
    let cancel = || {
        if thread.is_exhausted() {
            over.cancel();
        }
    };
    all_end(users, cancel).await;
}

/// The loop of the closed model: one user, as long as the load has that many.
async fn turns<S: RequestSource, C: Transport>(mut user: VirtualUser<'_, S, C>, over: &CancellationToken) {
    let (thread, plan) = (user.thread, &user.thread.plan);
    let mut deadline = user.deadline();
    let rank = f64::from(plan.number(user.slot) + 1);
    let mut free = plan.clock.now();
    while let Some(wanted) = plan.profile.reaches(rank, free)
        && !thread.is_exhausted()
    {
        if wanted > free {
            free = user.wait_unless(over, wanted).await;
            if thread.is_exhausted() {
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
        if free >= plan.end || !thread.claim(free) {
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
            && !thread.is_exhausted()
        {
            free = user.think_unless(over, AFTER_REFUSAL).await;
        }
        if !plan.pause.is_zero() && !thread.is_exhausted() {
            free = user.think_unless(over, plan.pause).await;
        }
    }
    // What nobody waits for any longer would show that answers had been taken for others'.
    user.look();
}
