//! The clock of a run: monotonic time since an origin that all its threads share. It is that of tokio, which a simulation
//! halts.

use std::time::{Duration, Instant};

/// Tells the time since its origin; copies share it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Time zero is now.
    pub fn start() -> Self {
        Clock { origin: now() }
    }

    /// Time zero is that instant; until then it shows zero.
    pub fn since(origin: Instant) -> Self {
        Clock { origin }
    }

    /// A clock that shows `time` now.
    pub fn showing(time: Duration) -> Self {
        let now = now();
        Clock { origin: now.checked_sub(time).unwrap_or(now) }
    }

    /// Time since the origin.
    pub fn now(self) -> Duration {
        now().saturating_duration_since(self.origin)
    }

    /// The instant at which this clock shows `time`.
    pub fn instant(self, time: Duration) -> Instant {
        self.origin + time
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
