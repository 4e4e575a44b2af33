//! When the clock of a load starts: as soon as its threads are ready, or when somebody else says.

use std::fmt;
use std::io;
use std::sync::OnceLock;

use crate::net::clock::Clock;

/// Blocks until the load is to begin, and returns the clock that shows zero then; `None` if it is not to begin at all.
type Wait = dyn Fn() -> Option<Clock> + Send + Sync;

/// Starts the clock of a load once.
pub struct CommonStart {
    clock: OnceLock<Option<Clock>>,
    wait: Option<Box<Wait>>,
}

impl CommonStart {
    /// When the last thread is ready.
    pub const fn at_once() -> Self {
        CommonStart { clock: OnceLock::new(), wait: None }
    }

    /// When `wait` returns, which is called once, by the first thread that finds all others ready.
    pub fn when(wait: impl Fn() -> Option<Clock> + Send + Sync + 'static) -> Self {
        CommonStart { clock: OnceLock::new(), wait: Some(Box::new(wait)) }
    }

    /// Starts the clock, unless it has started; for one who has no threads of the load, but watches others drive it.
    pub fn begin(&self, clock: Clock) {
        self.clock.get_or_init(|| Some(clock));
    }

    /// The clock, if it has started.
    pub fn clock(&self) -> Option<Clock> {
        self.clock.get().copied().flatten()
    }

    /// Starts the clock or waits for it. The error says that the start was called off.
    pub(super) fn pass(&self) -> io::Result<Clock> {
        let started = || self.wait.as_ref().map_or_else(|| Some(Clock::start()), |wait| wait());
        let called_off = || io::Error::new(io::ErrorKind::Interrupted, "the start was called off");
        self.clock.get_or_init(started).ok_or_else(called_off)
    }
}

impl Default for CommonStart {
    fn default() -> Self {
        CommonStart::at_once()
    }
}

impl fmt::Debug for CommonStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommonStart").field("clock", &self.clock).finish_non_exhaustive()
    }
}
