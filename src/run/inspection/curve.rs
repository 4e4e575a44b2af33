//! How the responses to a load come in over time, closer than its histograms tell.

use std::io::Result;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::load::{LiveCounters, LoadProgress};

/// How often to look.
const LOOK: Duration = Duration::from_millis(1);

/// What a load had come to, each time that it had come to more. As long as the load at most, which is seconds.
#[derive(Debug, Default)]
pub(super) struct CompletionCurve(Vec<(Duration, LoadProgress)>);

/// Does some work that drives a load, and watches the load meanwhile; `look` is told how long it has run, each time.
pub(super) fn during<T>(
    live: &LiveCounters,
    look: &mut (dyn FnMut(Duration) + Send),
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, CompletionCurve)> {
    std::thread::scope(|scope| {
        let (done, is_done) = channel();
        let watcher = std::thread::Builder::new().name("curve".to_owned());
        let watcher = watcher.spawn_scoped(scope, move || watch(live, look, &is_done))?;
        let output = work();
        drop(done);
        let curve = watcher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((output?, curve))
    })
}

fn watch(live: &LiveCounters, look: &mut dyn FnMut(Duration), is_done: &Receiver<()>) -> CompletionCurve {
    let mut curve = CompletionCurve::default();
    loop {
        let is_over = is_done.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout);
        // While its threads get ready it has not begun.
        if let Some(now) = live.elapsed() {
            curve.note(now, live.progress());
            look(now);
        }
        if is_over {
            return curve;
        }
    }
}

fn good(progress: &LoadProgress) -> u64 {
    progress.completed.saturating_sub(progress.error_status)
}

impl CompletionCurve {
    fn note(&mut self, now: Duration, progress: LoadProgress) {
        if self.0.last().is_none_or(|(_, last)| *last != progress) {
            self.0.push((now, progress));
        }
    }

    /// Good responses until a time.
    fn good_at(&self, time: Duration) -> u64 {
        self.0.iter().take_while(|(at, _)| *at <= time).last().map_or(0, |(_, progress)| good(progress))
    }

    /// Good responses after one time, up to another.
    pub fn good_between(&self, from: Duration, to: Duration) -> u64 {
        self.good_at(to).saturating_sub(self.good_at(from))
    }

    /// Good responses a second, from just after some had come to just after others had, near the ends of a time: those that
    /// come in clumps, far apart, are then counted over a whole number of pauses.
    pub fn rate_between(&self, from: Duration, to: Duration) -> f64 {
        let middle = from + (to - from) / 2;
        let (early, late) = (self.before_pauses(from, middle), self.before_pauses(middle, to));
        match (early.first().copied(), late.last().copied()) {
            (Some(first), Some(last)) if first < last => {
                self.good_between(first, last) as f64 / (last - first).as_secs_f64()
            }
            _ => self.good_between(from, to) as f64 / (to - from).as_secs_f64(),
        }
    }

    /// When good responses came that a pause followed, of those of a time one of the longest.
    fn before_pauses(&self, from: Duration, to: Duration) -> Vec<Duration> {
        let mut came: Vec<Duration> = Vec::new();
        let mut count = 0;
        for (at, progress) in &self.0 {
            if good(progress) > count {
                count = good(progress);
                came.push(*at);
            }
        }
        // After the last of all nothing comes: that pause is as long as any.
        let pauses = came.windows(2).map(|pair| pair[1] - pair[0]).chain([to - from]);
        let within = || came.iter().zip(pauses.clone()).filter(|(at, _)| (from..=to).contains(*at));
        let longest = within().map(|(_, pause)| pause).max().unwrap_or_default();
        within().filter(|(_, pause)| *pause * 2 >= longest).map(|(at, _)| *at).collect()
    }

    /// When each good response came, in milliseconds.
    pub fn times_ms(&self) -> Vec<f64> {
        let mut times = Vec::new();
        for (at, progress) in &self.0 {
            times.resize(good(progress) as usize, at.as_secs_f64() * 1e3);
        }
        times
    }

    /// Requests in flight at the end of each of so many equal parts of a time.
    pub fn in_flight(&self, whole: Duration, parts: u32) -> Vec<f64> {
        let at = |part: u32| {
            let time = whole * (part + 1) / parts;
            let last = self.0.iter().take_while(|(at, _)| *at <= time).last();
            last.map_or(0.0, |(_, progress)| progress.in_flight() as f64)
        };
        (0..parts).map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_that_come_in_clumps_are_counted_over_whole_pauses() {
        let mut curve = CompletionCurve::default();
        // Eight each 800 ms, of which the last come a millisecond later.
        for clump in 1..=4 {
            for (late, completed) in [(0, 3), (1, 8)] {
                let progress = LoadProgress { completed: (clump - 1) * 8 + completed, ..LoadProgress::default() };
                curve.note(Duration::from_millis(clump * 800 + late), progress);
            }
        }
        for from in [700, 800, 801, 900, 1500] {
            let rate = curve.rate_between(Duration::from_millis(from), Duration::from_millis(from + 1600));
            assert!((rate - 10.0).abs() < 0.1, "{rate} from {from} ms");
        }
    }

    #[test]
    fn responses_are_told_by_when_they_came() {
        let mut curve = CompletionCurve::default();
        let mut note = |ms, started, completed, error_status| {
            curve.note(Duration::from_millis(ms), LoadProgress { started, completed, error_status, failed: 0 });
        };
        note(0, 4, 0, 0);
        note(1, 4, 0, 0);
        note(100, 8, 3, 0);
        note(200, 8, 5, 1);
        assert_eq!(curve.0.len(), 3, "only what is new");
        assert_eq!(curve.times_ms(), [100.0, 100.0, 100.0, 200.0], "an error is none");
        assert_eq!(curve.good_between(Duration::from_millis(50), Duration::from_millis(150)), 3);
        assert_eq!(curve.good_between(Duration::from_millis(100), Duration::from_millis(250)), 1);
        assert_eq!(curve.in_flight(Duration::from_millis(200), 2), [5.0, 3.0]);
    }
}
