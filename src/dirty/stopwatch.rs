//! The time that a check has had: it stands still while a server starts. Copies share it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::net::clock::Clock;

/// Tells the time that a check has had.
#[derive(Debug, Clone)]
pub struct Stopwatch(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    clock: Clock,
    /// What it shows while it stands.
    stands_at: Option<Duration>,
}

impl Stopwatch {
    /// Time zero is now.
    pub fn start() -> Self {
        Stopwatch(Arc::new(Mutex::new(State { clock: Clock::start(), stands_at: None })))
    }

    /// It shows nothing yet, and stands.
    pub fn stopped() -> Self {
        let stopwatch = Stopwatch::start();
        stopwatch.state().stands_at = Some(Duration::ZERO);
        stopwatch
    }

    /// The time that has passed while it went.
    pub fn now(&self) -> Duration {
        let state = self.state();
        state.stands_at.unwrap_or_else(|| state.clock.now())
    }

    /// A clock that shows the same for as long as this one is neither stopped nor turned back.
    pub fn clock(&self) -> Clock {
        self.state().clock
    }

    /// From now on it stands.
    pub fn stop(&self) {
        let mut state = self.state();
        let now = state.clock.now();
        state.stands_at.get_or_insert(now);
    }

    /// From now on it goes.
    pub fn go(&self) {
        let mut state = self.state();
        if let Some(time) = state.stands_at.take() {
            state.clock = Clock::showing(time);
        }
    }

    /// It shows `time` again: what has passed since then does not count.
    pub fn turn_back(&self, time: Duration) {
        self.state().clock = Clock::showing(time);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_while_it_stands_does_not_count() {
        let (watch, pause) = (Stopwatch::start(), Duration::from_millis(20));
        watch.stop();
        let (before, copy) = (watch.now(), watch.clone());
        std::thread::sleep(pause);
        assert_eq!(copy.now(), before);
        let went = std::time::Instant::now();
        copy.go();
        std::thread::sleep(pause);
        let shown = watch.now() - before;
        assert!(shown >= pause && shown <= went.elapsed(), "{shown:?}");
        watch.turn_back(before);
        assert!(watch.clock().now() < before + shown, "it has been turned back");
    }
}
