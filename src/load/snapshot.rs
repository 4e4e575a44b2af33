//! A copy of what a load has measured so far, for whoever looks on while it is under way.
//!
//! A load thread hands out a copy only when it is asked for one. Nothing is shared and nothing is done for it per request:
//! an idle task of each thread sleeps until somebody asks. A copy takes the thread about a tenth of a millisecond, and as long
//! again, in turns with its users, for each stage and kind. One a second disturbs no load; do not ask much more often.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::measurement::Measurement;
use crate::exchange::{Exchange, Outcome};
use crate::stats::{Latencies, nanos};

/// A request that a user has taken up, and that had not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRequest {
    /// Its kind: the index among those of the scenario.
    pub kind: usize,
    pub intended: Duration,
    pub sent: Option<Duration>,
}

/// What one load thread has measured so far: cumulative, so that a later one takes the place of an earlier one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The number of the load thread.
    pub thread: u32,
    /// When it was made, by the clock of the load: the warm-up is included.
    pub at: Duration,
    /// Of the requests that had come to their end. Its stages and kinds were copied a moment before, and may lack the last.
    pub measured: Measurement,
    /// The others that were begun.
    pub pending: Vec<PendingRequest>,
    /// When the arrivals of the open model were due that wait for a user. They have no kind yet.
    pub queued: Vec<Duration>,
}

/// Stands for the kind of what has none.
const NO_KIND: usize = usize::MAX;

impl Snapshot {
    /// The measurement as if the load had been ended then: what was pending counts as unanswered, with what it had waited.
    /// Without that, quantiles would be those of the lucky.
    pub fn cut_off(self) -> Measurement {
        let Snapshot { at, mut measured, pending, queued, .. } = self;
        let (begin, end) = measured.whole.measured_part();
        let never_sent = queued.iter().filter(|due| **due >= begin).count() as u64;
        measured.queued += never_sent;
        measured.never_sent += never_sent;
        let queued = queued.into_iter().map(|intended| PendingRequest { kind: NO_KIND, intended, sent: None });
        for PendingRequest { kind, intended, sent } in pending.into_iter().chain(queued) {
            let exchange = Exchange { intended, sent, first_byte: None, done: at, outcome: Outcome::Unanswered };
            measured.record(kind, &exchange, 0);
            measured.generator.in_flight += at.min(end).saturating_sub(intended.max(begin));
        }
        measured
    }

    /// The latencies of [`cut_off`](Snapshot::cut_off) alone, for less.
    pub fn latency(self) -> Latencies {
        let Snapshot { at, measured: Measurement { mut whole, .. }, pending, queued, .. } = self;
        let (begin, _) = whole.measured_part();
        let dues = pending.iter().map(|request| request.intended).chain(queued);
        for due in dues.filter(|due| *due >= begin) {
            let half = whole.half(nanos(due));
            whole.latency.cut(half, nanos(at.saturating_sub(due)));
        }
        whole.latency
    }
}

/// Copies that were asked for, one of each load thread. They come when the threads get to it.
#[derive(Debug)]
pub struct SnapshotRequest {
    answers: Receiver<Snapshot>,
    came: Vec<Snapshot>,
}

impl SnapshotRequest {
    /// All of them in the order of the threads, once, as soon as all are there; does not wait. A thread that ended before
    /// anybody asked has none.
    pub fn poll(&mut self) -> Option<Vec<Snapshot>> {
        loop {
            match self.answers.try_recv() {
                Ok(snapshot) => self.came.push(snapshot),
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => return Some(in_order(std::mem::take(&mut self.came))),
            }
        }
    }

    /// Waits for all of them, but no longer than this: those that came. A thread that hangs leaves one out.
    pub fn wait(mut self, patience: Duration) -> Vec<Snapshot> {
        let until = Instant::now() + patience;
        loop {
            match self.answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(snapshot) => self.came.push(snapshot),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return in_order(self.came),
            }
        }
    }
}

fn in_order(mut snapshots: Vec<Snapshot>) -> Vec<Snapshot> {
    snapshots.sort_by_key(|snapshot| snapshot.thread);
    snapshots
}

/// Asks each of these load threads for a copy.
pub(super) fn ask<'a>(desks: impl Iterator<Item = &'a SnapshotDesk>) -> SnapshotRequest {
    // Nobody is awaited any longer when the last of those who were asked lets go of its end.
    let (answer, answers) = channel();
    desks.for_each(|desk| desk.ask(answer.clone()));
    SnapshotRequest { answers, came: Vec::new() }
}

/// Where a load thread is asked for copies.
#[derive(Debug, Default)]
pub(super) struct SnapshotDesk {
    asking: Mutex<Asking>,
    asked: Notify,
}

#[derive(Debug, Default)]
struct Asking {
    waiting: Vec<Sender<Snapshot>>,
    /// Somebody has asked before.
    ever: bool,
    /// The thread has ended, and with what if somebody had asked before.
    ended: Option<Option<Box<Snapshot>>>,
}

impl SnapshotDesk {
    fn ask(&self, answer: Sender<Snapshot>) {
        let mut asking = self.locked();
        match &asking.ended {
            Some(last) => hand_out(vec![answer], || last.as_deref().cloned()),
            None => {
                asking.ever = true;
                asking.waiting.push(answer);
                self.asked.notify_one();
            }
        }
    }

    /// Waits until somebody asks: for the load thread.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Gives those who ask what the load thread has.
    pub fn answer(&self, snapshot: impl FnOnce() -> Snapshot) {
        let waiting = std::mem::take(&mut self.locked().waiting);
        hand_out(waiting, || Some(snapshot()));
    }

    /// The load thread has ended. If anybody has ever asked, its last copy is kept for those who will.
    pub fn close(&self, snapshot: impl FnOnce() -> Snapshot) {
        let mut asking = self.locked();
        let last = asking.ever.then(|| Box::new(snapshot()));
        hand_out(std::mem::take(&mut asking.waiting), || last.as_deref().cloned());
        asking.ended = Some(last);
    }

    fn locked(&self) -> MutexGuard<'_, Asking> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A copy for each; who has gone meanwhile misses nothing.
fn hand_out(waiting: Vec<Sender<Snapshot>>, snapshot: impl FnOnce() -> Option<Snapshot>) {
    let mut waiting = waiting.into_iter();
    let Some(first) = waiting.next() else { return };
    let Some(snapshot) = snapshot() else { return };
    for other in waiting {
        let _ = other.send(snapshot.clone());
    }
    let _ = first.send(snapshot);
}

#[cfg(test)]
mod tests;
