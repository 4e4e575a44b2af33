//! Tells from outside whether calls come back, and whether one takes the memory of the machine. What a script does is limited
//! step by step, but not what one step of a native function does: where that never ends, no limit ends it, and whoever waits
//! has to know.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Limits;

/// A call that goes on for so much longer than its limits allow is in a function that no limit ends.
const BEYOND_LIMITS: Duration = Duration::from_secs(10);

/// By how much the memory of a process may grow while one call is under way. A call that runs step by step is ended at a
/// quarter of it ([`Limits::memory_bytes`]): whatever goes beyond is in one step of a native function, which no limit ends.
const MOST_GROWTH: usize = 1 << 30;

/// What a thread shows of its calls, one after the other.
#[derive(Debug, Default)]
pub struct Heartbeat {
    /// How many began and ended: odd while one is under way.
    count: AtomicU64,
    what: Mutex<Arc<str>>,
}

/// One who looks at a pulse now and then. It counts looks, not time: of a process that was stopped, and goes on, nobody
/// has waited for anything.
#[derive(Debug, Default)]
pub struct HeartbeatWatch {
    seen: u64,
    looks: u32,
}

/// Watches the memory of a process while one thread's calls are under way.
#[derive(Debug, Default)]
pub struct MemoryWatch {
    /// The call that was under way at the last look, and what the process held when it was seen first.
    call: Option<(u64, usize)>,
}

/// The growth that a [`MemoryWatch`] does not allow, for messages.
pub fn most_growth() -> u64 {
    MOST_GROWTH as u64
}

/// For how long a call may go on before it is taken not to come back.
pub fn longest_call() -> Duration {
    Limits::default().running + BEYOND_LIMITS
}

/// How many looks a time has, if one comes after each `every`.
pub fn looks(time: Duration, every: Duration) -> u32 {
    (time.as_millis() / every.as_millis()) as u32
}

/// A call under way; it has come back once this is dropped.
#[derive(Debug)]
pub(super) struct Beat<'a>(&'a Heartbeat);

impl Heartbeat {
    /// A call begins.
    pub(super) fn begin(&self, what: &Arc<str>) -> Beat<'_> {
        *self.what.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(what);
        self.count.fetch_add(1, Ordering::Relaxed);
        Beat(self)
    }

    /// The name of the call that began last.
    fn name(&self) -> Arc<str> {
        Arc::clone(&self.what.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs a call; `what` is its name.
    pub fn during<T>(&self, what: &Arc<str>, call: impl FnOnce() -> T) -> T {
        let _beat = self.begin(what);
        call()
    }
}

impl Drop for Beat<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_add(1, Ordering::Relaxed);
    }
}

impl HeartbeatWatch {
    /// The name of a call that has been under way at more than this many looks in a row, this one included.
    pub fn look(&mut self, pulse: &Heartbeat, most: u32) -> Option<Arc<str>> {
        let count = pulse.count.load(Ordering::Relaxed);
        self.looks = if count == self.seen { self.looks.saturating_add(1) } else { 1 };
        self.seen = count;
        let overdue = count % 2 == 1 && self.looks > most;
        overdue.then(|| pulse.name())
    }
}

impl MemoryWatch {
    /// The name of a call since whose first look the process has grown by more than is allowed. `resident` is what the
    /// process holds; it is asked for only while a call is under way.
    pub fn look(&mut self, heartbeat: &Heartbeat, resident: impl FnOnce() -> usize) -> Option<Arc<str>> {
        let count = heartbeat.count.load(Ordering::Relaxed);
        if count.is_multiple_of(2) {
            self.call = None;
            return None;
        }
        let resident = resident();
        let base = match self.call {
            Some((seen, base)) if seen == count => base,
            _ => resident,
        };
        self.call = Some((count, base));
        let took_too_much = resident.saturating_sub(base) > MOST_GROWTH;
        took_too_much.then(|| heartbeat.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_overdue_once_it_was_seen_too_often_and_none_between_calls_is() {
        let (pulse, mut watch, name) = (Heartbeat::default(), HeartbeatWatch::default(), Arc::from("check"));
        let mut overdue = || watch.look(&pulse, 2).is_some();
        assert!((0..9).all(|_| !overdue()), "nothing is under way");
        for _ in 0..9 {
            pulse.during(&name, || assert!(!overdue() && !overdue()));
        }
        pulse.during(&name, || assert_eq!([(); 4].map(|()| overdue()), [false, false, true, true]));
        assert!(!overdue());
    }

    #[test]
    fn a_call_is_named_once_the_process_has_grown_too_much_under_it() {
        let (pulse, mut watch, name) = (Heartbeat::default(), MemoryWatch::default(), Arc::from("check"));
        let mut look = |gigabytes: usize| watch.look(&pulse, || gigabytes << 30).is_some();
        assert!(!look(1) && !look(9), "nothing is under way");
        pulse.during(&name, || assert_eq!([1, 2, 3, 1].map(&mut look), [false, false, true, false]));
        assert!(pulse.during(&name, || !look(5)) && pulse.during(&name, || !look(9)), "each call counts by itself");
    }

    #[test]
    fn memory_is_asked_for_only_while_a_call_is_under_way() {
        let (pulse, mut watch) = (Heartbeat::default(), MemoryWatch::default());
        assert!(watch.look(&pulse, || unreachable!("no call is under way")).is_none());
    }
}
