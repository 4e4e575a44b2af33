//! How many calls of handlers a worker can hold at once, and how many it holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::script::HandlerResponse;

/// The kernel's default, where it does not say.
const MAPS: usize = 65_530;
/// Memory maps of a call: its stack, and the guard page below.
const MAPS_PER_CALL: usize = 2;
/// Maps for the program itself; without them allocations fail, and end the worker.
const MAPS_OF_OTHERS: usize = 4_096;
/// Beyond it the addresses of a process, 128 TB, might not suffice for the stacks.
const MOST: usize = 200_000;

/// Room for calls in one worker. A clone is the same room.
#[derive(Debug, Clone)]
pub(super) struct CallLimit {
    calls: Arc<AtomicUsize>,
    most: usize,
    maps: usize,
}

/// A call's place in it, free again once dropped.
#[derive(Debug)]
pub(super) struct CallPermit(Arc<AtomicUsize>);

impl CallLimit {
    /// What the kernel gives a process.
    pub fn of_this_process() -> CallLimit {
        let maps = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        CallLimit::of(maps.and_then(|maps| maps.trim().parse().ok()).unwrap_or(MAPS))
    }

    fn of(maps: usize) -> CallLimit {
        let most = (maps.saturating_sub(MAPS_OF_OTHERS) / MAPS_PER_CALL).clamp(1, MOST);
        CallLimit { calls: Arc::default(), most, maps }
    }

    /// A place for one more call, or the response to a request that finds none.
    pub fn take(&self) -> Result<CallPermit, HandlerResponse> {
        let place = CallPermit(Arc::clone(&self.calls));
        let before = self.calls.fetch_add(1, Ordering::Relaxed);
        if before < self.most { Ok(place) } else { Err(self.full()) }
    }

    fn full(&self) -> HandlerResponse {
        let CallLimit { most, maps, .. } = self;
        let text = format!(
            "{most} calls of scripted handlers are in flight in this worker, as many as it can hold: each takes \
             {MAPS_PER_CALL} memory maps, and vm.max_map_count is {maps}; use more workers, shorter sleeps or a lower \
             rate, or raise it (sysctl vm.max_map_count)"
        );
        let mut response = super::responses::plain(503, &text);
        response.headers.push(("retry-after".to_owned(), "1".to_owned()));
        response
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_after_its_call() {
        let room = CallLimit::of(MAPS_OF_OTHERS + 2 * MAPS_PER_CALL);
        let one = room.take().unwrap();
        let two = room.take().unwrap();
        for _ in 0..3 {
            let full = room.take().unwrap_err();
            assert_eq!(full.status, 503);
            let text = String::from_utf8(full.body).unwrap();
            assert!(text.starts_with("2 calls") && text.contains("vm.max_map_count is 4100"), "{text}");
            assert!(full.headers.contains(&("retry-after".to_owned(), "1".to_owned())));
        }
        drop(one);
        let three = room.take().unwrap();
        assert!(room.take().is_err());
        drop((two, three));
    }

    #[test]
    fn the_kernel_limits_it_whatever_it_allows() {
        assert_eq!(CallLimit::of(65_530).most, 30_717);
        assert_eq!(CallLimit::of(0).most, 1);
        assert_eq!(CallLimit::of(usize::MAX).most, MOST);
    }
}
