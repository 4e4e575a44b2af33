//! What a load shows of itself while it is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::slice::ThreadSlice;
use super::snapshot::{self, SnapshotDesk, SnapshotRequest};
use super::start::CommonStart;
use crate::net::clock::Clock;

/// A load under way, as its threads tell of it.
#[derive(Debug)]
pub struct LiveCounters {
    /// Of all threads of the load, by their index, also of those that other processes drive.
    counters: Box<[Counters]>,
    /// Of all threads, too.
    desks: Box<[SnapshotDesk]>,
    slice: ThreadSlice,
    /// Starts the clock when the threads have all they need.
    start: Arc<CommonStart>,
}

/// What a load thread has done so far. One writer, so that plain stores suffice; and cache lines of its own, so that threads
/// do not wait for each other's (two, as they are fetched in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Counters {
    pub started: AtomicU64,
    pub completed: AtomicU64,
    pub failed: AtomicU64,
    pub error_status: AtomicU64,
}

/// What all threads of a load have done so far. Warm-up included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadProgress {
    pub started: u64,
    pub completed: u64,
    pub failed: u64,
    /// Responses of 400 and above among the completed.
    pub error_status: u64,
}

impl LoadProgress {
    /// Requests that were started and have not come to their end. The counts are taken one after the other, and may be out of step by a
    /// few.
    pub fn in_flight(&self) -> u64 {
        self.started.saturating_sub(self.completed + self.failed)
    }
}

impl Counters {
    pub fn count(counter: &AtomicU64) {
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

impl LiveCounters {
    /// A load on this many threads, which has not begun.
    pub fn new(threads: u32) -> Self {
        LiveCounters::of(ThreadSlice::whole(threads), CommonStart::at_once())
    }

    /// A slice of a load, which has not begun, and does when `start` says.
    pub fn of(slice: ThreadSlice, start: CommonStart) -> Self {
        let counters = (0..slice.of).map(|_| Counters::default()).collect();
        let desks = (0..slice.of).map(|_| SnapshotDesk::default()).collect();
        LiveCounters { counters, desks, slice, start: Arc::new(start) }
    }

    /// The threads that this process drives.
    pub fn slice(&self) -> ThreadSlice {
        self.slice
    }

    /// How long ago it began, warm-up included; `None` while its threads get ready.
    pub fn elapsed(&self) -> Option<Duration> {
        self.start.clock().map(|clock| clock.now())
    }

    /// The sum over its threads; each is read at a slightly different moment.
    pub fn progress(&self) -> LoadProgress {
        let sum =
            |pick: fn(&Counters) -> &AtomicU64| self.counters.iter().map(|c| pick(c).load(Ordering::Relaxed)).sum();
        LoadProgress {
            started: sum(|c| &c.started),
            completed: sum(|c| &c.completed),
            failed: sum(|c| &c.failed),
            error_status: sum(|c| &c.error_status),
        }
    }

    /// Asks each thread of this process for a copy of what it has measured so far, and does not wait for it.
    pub fn ask_for_snapshots(&self) -> SnapshotRequest {
        snapshot::ask(self.slice.indices().map(|index| self.desk(index)))
    }

    /// Where a thread is asked for copies.
    pub(super) fn desk(&self, index: u32) -> &SnapshotDesk {
        &self.desks[index as usize]
    }

    pub(super) fn start(&self) -> Arc<CommonStart> {
        Arc::clone(&self.start)
    }

    /// The load has begun elsewhere, by this clock.
    pub fn begin(&self, clock: Clock) {
        self.start.begin(clock);
    }

    /// What the threads of another process have done so far, told by index of the first of them.
    pub fn tell(&self, first: u32, progress: LoadProgress) {
        let Some(counters) = self.counters.get(first as usize) else { return };
        counters.started.store(progress.started, Ordering::Relaxed);
        counters.completed.store(progress.completed, Ordering::Relaxed);
        counters.failed.store(progress.failed, Ordering::Relaxed);
        counters.error_status.store(progress.error_status, Ordering::Relaxed);
    }

    pub(super) fn of_thread(&self, index: u32) -> &Counters {
        &self.counters[index as usize]
    }
}
