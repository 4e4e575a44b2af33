//! How busy a load thread is in its busiest second: an average over a whole load hides a stage that was too much for it.

use std::cell::Cell;
use std::time::Duration;

/// How often the CPU clock is read.
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// A shorter stretch is not looked at by itself: a burst would fill it.
pub(super) const SHORTEST: Duration = Duration::from_millis(500);

/// What the calling thread works. A fold over readings of its CPU clock.
#[derive(Debug, Default)]
pub(super) struct CpuMeter {
    /// CPU time spent awake before arrivals, for the sake of their times: no work.
    pub spun: Cell<Duration>,
    /// How often tasks that are [`noticed`] went on.
    pub polled: Cell<u64>,
    /// When it was read last, and what it showed.
    last: Cell<Option<(Duration, Duration)>>,
    most: Cell<Option<f64>>,
}

impl CpuMeter {
    /// CPU time so far, without that spent awake before arrivals.
    pub fn worked(&self) -> Duration {
        thread_cpu_time().saturating_sub(self.spun.get())
    }

    /// Reads the CPU clock.
    pub fn look(&self, now: Duration) {
        self.read(now, self.worked());
    }

    /// At `now` the thread has worked for `cpu` in all. A reading too soon after the last one counts with the next.
    fn read(&self, now: Duration, cpu: Duration) {
        let Some((at, before)) = self.last.get() else {
            self.last.set(Some((now, cpu)));
            return;
        };
        let span = now.saturating_sub(at);
        if span < SHORTEST {
            return;
        }
        let share = (cpu.saturating_sub(before).as_secs_f64() / span.as_secs_f64()).min(1.0);
        self.most.set(Some(self.most.get().map_or(share, |most| most.max(share))));
        self.last.set(Some((now, cpu)));
    }

    /// CPU time as a share of the busiest second, 0 to 1; `None` if there was not even half of one.
    pub fn most(&self) -> Option<f64> {
        self.most.get()
    }
}

/// User and system time of the calling thread.
fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most after readings of this many milliseconds: when, and how much CPU time.
    fn most(readings: &[(u64, u64)]) -> Option<f64> {
        let meter = CpuMeter::default();
        readings.iter().for_each(|(at, cpu)| meter.read(Duration::from_millis(*at), Duration::from_millis(*cpu)));
        meter.most()
    }

    #[test]
    fn the_busiest_second_counts_and_moments_do_not() {
        assert_eq!(most(&[(0, 0), (1000, 100), (2000, 1100), (3000, 1100)]), Some(1.0));
        assert_eq!(most(&[(5000, 400), (6000, 650)]), Some(0.25), "what was before the first reading is left out");
        assert_eq!(most(&[(0, 0), (400, 400)]), None);
        assert_eq!(most(&[(0, 0), (1000, 500), (1400, 900), (2000, 900)]), Some(0.5), "a moment counts with the next");
        assert_eq!(most(&[]), None);
    }
}
