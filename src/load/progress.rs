//! What a load shows of itself while it is under way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::snapshot::{self, SnapshotDesk, SnapshotRequest};
use crate::net::clock::Clock;

/// A load under way, as its threads tell of it.
#[derive(Debug)]
pub struct LiveCounters {
    counters: Box<[Counters]>,
    desks: Box<[SnapshotDesk]>,
    /// Starts when the threads have all they need.
    clock: Arc<OnceLock<Clock>>,
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadProgress {
    pub started: u64,
    pub completed: u64,
    pub failed: u64,
    /// Responses of 400 and above among the completed.
    pub error_status: u64,
}

impl Counters {
    pub fn count(counter: &AtomicU64) {
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

impl LiveCounters {
    /// A load on this many threads, which has not begun.
    pub fn new(threads: u32) -> Self {
        LiveCounters {
            counters: (0..threads).map(|_| Counters::default()).collect(),
            desks: (0..threads).map(|_| SnapshotDesk::default()).collect(),
            clock: Arc::default(),
        }
    }

    /// How many threads it has.
    pub fn threads(&self) -> u32 {
        self.counters.len() as u32
    }

    /// How long ago it began, warm-up included; `None` while its threads get ready.
    pub fn elapsed(&self) -> Option<Duration> {
        self.clock.get().map(|clock| clock.now())
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

    /// Asks each thread for a copy of what it has measured so far, and does not wait for it.
    pub fn ask_for_snapshots(&self) -> SnapshotRequest {
        snapshot::ask(self.desks.iter())
    }

    /// Where a thread is asked for copies.
    pub(super) fn desk(&self, index: u32) -> &SnapshotDesk {
        &self.desks[index as usize]
    }

    pub(super) fn clock(&self) -> Arc<OnceLock<Clock>> {
        Arc::clone(&self.clock)
    }

    pub(super) fn of_thread(&self, index: u32) -> &Counters {
        &self.counters[index as usize]
    }
}
