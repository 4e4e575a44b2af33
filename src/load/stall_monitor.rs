//! What happens to a whole load: whether runner itself stood still, and whether nothing was answered for a while.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::progress::{LiveCounters, LoadProgress};

/// How often somebody looks.
const TICK: Duration = Duration::from_millis(50);
/// Who comes so much too late to look was not only waiting for a core.
const LATE: Duration = Duration::from_millis(50);

/// A while in which nothing was answered, though requests were waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseGap {
    /// From the start of the clock, warm-up included.
    pub from: Duration,
    pub lasting: Duration,
    /// Requests that were waiting then.
    pub waiting: u64,
}

/// A fold over looks at a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StallMonitor {
    begin: Duration,
    end: Duration,
    last: Duration,
    completed: u64,
    waiting: u64,
    /// Nothing was answered since then.
    silent_since: Duration,
    /// How long runner as a whole stood still within the measured part: it was stopped, or got no core.
    pub stopped: Duration,
    pub longest_lull: Option<ResponseGap>,
}

impl StallMonitor {
    /// Of a load whose measured part is from `begin` to `end`.
    pub fn new(begin: Duration, end: Duration) -> Self {
        StallMonitor {
            begin,
            end,
            last: Duration::ZERO,
            completed: 0,
            waiting: 0,
            silent_since: begin,
            stopped: Duration::ZERO,
            longest_lull: None,
        }
    }

    /// What other processes saw of such a load: so long one of them stood still.
    pub(super) fn seen(begin: Duration, end: Duration, stopped: Duration) -> Self {
        StallMonitor { stopped, ..StallMonitor::new(begin, end) }
    }

    /// With the longest while in which nothing was answered.
    pub(super) fn with_lull(self, longest_lull: Option<ResponseGap>) -> Self {
        StallMonitor { longest_lull, ..self }
    }

    fn look(&mut self, now: Duration, progress: LoadProgress) {
        let due = self.last + TICK;
        if now > due + LATE {
            self.stopped += now.min(self.end).saturating_sub(due.max(self.begin));
            // Answers may have come meanwhile, and nobody was there to take them.
            self.silent_since += now - due;
        }
        let (completed, waiting) = (progress.completed, progress.in_flight());
        let is_over = now > self.end;
        if self.completed != completed || waiting == 0 || is_over || now < self.begin {
            // It was silent for certain until the last look, or until the end.
            let until = if is_over && self.completed == completed { self.end } else { self.last };
            let lasting = until.min(self.end).saturating_sub(self.silent_since);
            if lasting > self.longest_lull.map_or(TICK, |longest| longest.lasting) {
                self.longest_lull = Some(ResponseGap { from: self.silent_since, lasting, waiting: self.waiting });
            }
            self.silent_since = if is_over { self.end } else { now };
        }
        (self.last, self.completed, self.waiting) = (now, completed, waiting);
    }

    /// Looks at a load under way until nobody is left at the other end of `over`.
    pub(super) fn until(mut self, over: &Receiver<()>, live: &LiveCounters) -> StallMonitor {
        while let Err(RecvTimeoutError::Timeout) = over.recv_timeout(TICK) {
            live.elapsed().into_iter().for_each(|now| self.look(now, live.progress()));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A load of 50 users from 0 to 5 s that answers 10 requests at each look, but for the looks in which it is said not to.
    fn watched(looks: impl Iterator<Item = u64>, silent: std::ops::Range<u64>) -> StallMonitor {
        let mut watch = StallMonitor::new(Duration::ZERO, ms(5_000));
        let mut completed = 0;
        for at in looks {
            completed += if silent.contains(&at) { 0 } else { 10 };
            watch.look(ms(at), LoadProgress { started: completed + 50, completed, ..LoadProgress::default() });
        }
        watch
    }

    fn every_tick() -> impl Iterator<Item = u64> {
        (1..=110).map(|tick| tick * 50)
    }

    #[test]
    fn a_load_that_goes_on_and_on_shows_nothing() {
        let watch = watched(every_tick(), 0..0);
        assert_eq!((watch.stopped, watch.longest_lull), (Duration::ZERO, None));
    }

    #[test]
    fn a_server_that_stands_still_is_silent_and_runner_is_not_stopped() {
        let watch = watched(every_tick(), 2_010..3_010);
        let lull = ResponseGap { from: ms(2_000), lasting: ms(1_000), waiting: 50 };
        assert_eq!((watch.stopped, watch.longest_lull), (Duration::ZERO, Some(lull)));
        let to_the_end = watched(every_tick(), 4_010..9_000);
        assert_eq!(to_the_end.longest_lull, Some(ResponseGap { from: ms(4_000), lasting: ms(1_000), waiting: 50 }));
    }

    #[test]
    fn a_runner_that_stands_still_is_stopped_and_the_server_is_not_silent() {
        let watch = watched(every_tick().filter(|at| !(1_010..3_010).contains(at)), 0..0);
        assert_eq!((watch.stopped, watch.longest_lull), (ms(2_000), None));
    }

    #[test]
    fn answers_that_are_taken_a_moment_after_a_stop_make_no_silence() {
        let mut watch = StallMonitor::new(Duration::ZERO, ms(5_000));
        for (at, completed) in [(50, 10), (100, 20), (2_100, 20), (2_150, 30), (2_200, 40)] {
            watch.look(ms(at), LoadProgress { started: 50, completed, ..LoadProgress::default() });
        }
        assert_eq!((watch.stopped, watch.longest_lull), (ms(1_950), None));
    }

    #[test]
    fn the_warm_up_and_the_drain_do_not_count() {
        let mut watch = StallMonitor::new(ms(1_000), ms(2_000));
        for at in [50, 900, 950, 1_000, 1_050, 1_950, 2_900] {
            watch.look(ms(at), LoadProgress { started: 50, completed: at, ..LoadProgress::default() });
        }
        // From 1,100 to 1,950, and from 2,000 on it is over.
        assert_eq!((watch.stopped, watch.longest_lull), (ms(850), None));
    }

    #[test]
    fn where_nobody_asks_nobody_is_silent() {
        let mut watch = StallMonitor::new(Duration::ZERO, ms(5_000));
        (1..=90).for_each(|tick| {
            watch.look(ms(tick * 50), LoadProgress { started: 9, completed: 9, ..LoadProgress::default() });
        });
        assert_eq!(watch.longest_lull, None);
    }
}
