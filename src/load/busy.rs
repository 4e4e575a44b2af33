//! How busy a load thread is in its busiest second: an average over a whole load hides a stage that was too much for it.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use super::lane::Lane;

/// How often the CPU clock is read.
const SECOND: Duration = Duration::from_secs(1);
/// A shorter stretch is not looked at by itself: a burst would fill it.
const SHORTEST: Duration = Duration::from_millis(500);

/// What the calling thread works. A fold over readings of its CPU clock.
#[derive(Debug, Default)]
pub(super) struct Busy {
    /// CPU time spent awake before arrivals, for the sake of their times: no work.
    pub spun: Cell<Duration>,
    /// How often tasks that are [`noticed`] went on.
    pub polled: Cell<u64>,
    /// When it was read last, and what it showed.
    last: Cell<Option<(Duration, Duration)>>,
    most: Cell<Option<f64>>,
}

impl Busy {
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

/// Reads the clock of this thread every second of the measured part. The rest of less than half a second at its end belongs
/// to the last one.
pub(super) async fn watch(lane: Rc<Lane>) {
    let plan = &lane.plan;
    let mut next = plan.begin;
    loop {
        tokio::time::sleep_until(plan.clock.instant(next).into()).await;
        lane.busy.look(plan.clock.now());
        if next >= plan.end {
            break;
        }
        let after = next + SECOND;
        next = if after + SHORTEST > plan.end { plan.end } else { after };
    }
}

/// Does a task, and counts each time that it goes on.
pub(super) fn noticed(lane: Rc<Lane>, task: impl Future<Output = ()>) -> impl Future<Output = ()> {
    // Boxed, as a task that is pinned in another takes up its room twice.
    let mut task = Box::pin(task);
    poll_fn(move |context| {
        lane.busy.polled.set(lane.busy.polled.get() + 1);
        task.as_mut().poll(context)
    })
}

/// User and system time of the calling thread.
fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most after readings of so many milliseconds: when, and how much CPU time.
    fn most(readings: &[(u64, u64)]) -> Option<f64> {
        let busy = Busy::default();
        readings.iter().for_each(|(at, cpu)| busy.read(Duration::from_millis(*at), Duration::from_millis(*cpu)));
        busy.most()
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
