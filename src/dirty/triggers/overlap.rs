//! One long request around several short ones: what the long one wrote before its sleep, a short one overwrites before
//! the long one reads it again.

use std::cell::Cell;
use std::time::Duration;

use super::super::Premises;
use super::super::client::{Client, Line};
use super::super::observation::Role;
use super::{Round, Trigger};
use crate::scenario;

/// Short requests at once, per worker: enough that several reach the worker that has the long one.
const AT_ONCE_PER_WORKER: u32 = 4;
const MOST_AT_ONCE: u32 = 64;
/// Short requests on one connection in a round, at most. Bounds the memory of a round.
const MOST_IN_A_ROW: u32 = 250;
/// How many in a row where no sleep tells long from short.
const IN_A_ROW_WITHOUT_SLEEP: u32 = 5;
/// The head start of the long request, as a part of its sleep, and at most.
const HEAD_START_PART: u32 = 20;
const MOST_HEAD_START: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Overlap;

impl Trigger for Overlap {
    fn name(&self) -> &'static str {
        "overlap"
    }

    fn round<'a>(&'a self, client: &'a Client, plan: &'a scenario::Dirty, premises: Premises) -> Round<'a> {
        Box::pin(round(client, plan, premises))
    }
}

async fn round(client: &Client, plan: &scenario::Dirty, premises: Premises) {
    let long_is_done = Cell::new(false);
    let long = async {
        client.send(&mut Line::default(), Role::Long, plan.sleep.map(|sleep| sleep.long)).await;
        long_is_done.set(true);
    };
    let at_once = (AT_ONCE_PER_WORKER * premises.workers.unwrap_or(1)).min(MOST_AT_ONCE);
    let head_start = plan.sleep.map_or(Duration::ZERO, |sleep| (sleep.long / HEAD_START_PART).min(MOST_HEAD_START));
    let short = async {
        tokio::time::sleep(head_start).await;
        let rows = (0..at_once).map(|_| row(client, plan, &long_is_done));
        futures::future::join_all(rows).await;
    };
    tokio::join!(long, short);
}

/// Short requests one after the other on one connection, until the long one is answered.
async fn row(client: &Client, plan: &scenario::Dirty, long_is_done: &Cell<bool>) {
    let most = if plan.sleep.is_some() { MOST_IN_A_ROW } else { IN_A_ROW_WITHOUT_SLEEP };
    let mut line = Line::default();
    for _ in 0..most {
        client.send(&mut line, Role::Short, plan.sleep.map(|sleep| sleep.short)).await;
        if long_is_done.get() && plan.sleep.is_some() {
            break;
        }
    }
}
