//! How long a call has run, and how far it has driven up the memory of its process.

use std::cell::Cell;
use std::time::Duration;

use super::Limits;
use crate::units;

/// Operations between two looks at the clock. Each can at most double what a call holds.
const OPERATIONS: u64 = 16;
/// Running time between two looks at the memory. What fits into it is not worth a look.
const MEMORY_EVERY: Duration = Duration::from_micros(500);
/// A call that has taken so much is looked at after every few operations.
const MUCH: usize = 16 << 20;

/// What a process can tell about itself. A script reads neither clocks nor files on its own.
#[derive(Debug, Clone, Copy)]
pub struct Gauges {
    /// A clock that never goes back.
    pub clock: fn() -> Duration,
    /// Bytes of memory that the process holds.
    pub resident: fn() -> usize,
}

/// The gauges as one call uses them.
pub(super) struct Meter {
    gauges: Option<Gauges>,
    limits: Limits,
    /// Running time up to the last suspension, with what it has burnt and blocked.
    ran: Cell<Duration>,
    /// When it was resumed last.
    resumed: Cell<Duration>,
    looked: Cell<Duration>,
    /// What the process held when this call first looked since it was resumed.
    base: Cell<Option<usize>>,
    /// By how much that has grown since, and in the stretches before.
    grown: Cell<usize>,
    grown_before: Cell<usize>,
    /// It may not go on: `sort` asks for the next comparison although one has failed, a hundred thousand times.
    over: Cell<bool>,
}

impl Meter {
    pub fn new(gauges: Option<Gauges>, limits: Limits) -> Meter {
        Meter {
            gauges,
            limits,
            ran: Cell::default(),
            resumed: Cell::default(),
            looked: Cell::default(),
            base: Cell::default(),
            grown: Cell::default(),
            grown_before: Cell::default(),
            over: Cell::default(),
        }
    }

    pub fn resume(&self) {
        let Some(gauges) = self.gauges else { return };
        let now = (gauges.clock)();
        self.resumed.set(now);
        self.looked.set(now);
    }

    pub fn suspend(&self) {
        let Some(gauges) = self.gauges else { return };
        self.ran.set(self.ran.get() + (gauges.clock)().saturating_sub(self.resumed.get()));
        self.grown_before.set(self.grown_before.get() + self.grown.take());
        self.base.set(None);
    }

    /// Asks whether the call may go on after this many operations; else why not.
    pub fn check(&self, operations: u64) -> Result<(), String> {
        let looks = || operations.is_multiple_of(OPERATIONS) || self.grown.get() > MUCH || self.over.get();
        let Some(gauges) = self.gauges.filter(|_| looks()) else { return Ok(()) };
        self.look(gauges).inspect_err(|_| self.over.set(true))
    }

    fn look(&self, gauges: Gauges) -> Result<(), String> {
        let now = (gauges.clock)();
        let most = self.limits.running;
        if self.ran.get() + now.saturating_sub(self.resumed.get()) > most {
            let most = units::show_duration(most);
            return Err(format!("it ran longer than {most}, its sleeps not counted: is there an endless loop?"));
        }
        if now.saturating_sub(self.looked.get()) >= MEMORY_EVERY || self.grown.get() > MUCH {
            self.looked.set(now);
            self.look_at_memory((gauges.resident)())?;
        }
        Ok(())
    }

    fn look_at_memory(&self, resident: usize) -> Result<(), String> {
        let base = self.base.get().unwrap_or(resident);
        self.base.set(Some(base));
        self.grown.set(resident.saturating_sub(base));
        if self.grown_before.get() + self.grown.get() > self.limits.memory_bytes {
            let most = units::show_size(self.limits.memory_bytes as u64);
            return Err(format!("its process's memory grew by more than {most} while it ran"));
        }
        Ok(())
    }

    /// Takes `time` in which the call will hold its thread without running: `block` and `burn`.
    pub fn hold(&self, function: &str, time: Duration) -> Result<(), String> {
        let running = self.gauges.map_or(Duration::ZERO, |gauges| (gauges.clock)().saturating_sub(self.resumed.get()));
        let most = self.limits.running;
        if self.ran.get() + running + time > most {
            let (time, most) = (units::show_duration(time), units::show_duration(most));
            return Err(format!("{function}({time}): a call may run, burn and block for {most} in all"));
        }
        self.ran.set(self.ran.get() + time);
        Ok(())
    }
}
