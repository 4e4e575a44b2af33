//! Wakes users who wait for a time: one timer of microseconds for all of a load thread.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io::Result;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;

use super::timerfd::TimerFd;
use crate::net::clock::Clock;

/// Who waits, and until when.
#[derive(Debug, Default)]
pub(super) struct TimerQueue {
    sleepers: RefCell<BinaryHeap<Sleeper>>,
    /// Somebody waits for an earlier time than all others.
    sooner: Notify,
}

#[derive(Debug)]
struct Sleeper {
    until: Duration,
    waker: Waker,
}

impl TimerQueue {
    /// Sleeps until that time of the clock, as long as somebody has the alarm [`ring`](TimerQueue::ring).
    pub async fn until(&self, time: Duration, clock: Clock) {
        poll_fn(|context| {
            if clock.now() >= time {
                return Poll::Ready(());
            }
            let mut sleepers = self.sleepers.borrow_mut();
            if sleepers.peek().is_none_or(|first| time < first.until) {
                self.sooner.notify_one();
            }
            sleepers.push(Sleeper { until: time, waker: context.waker().clone() });
            Poll::Pending
        })
        .await;
    }

    /// Wakes everybody in time, and never ends. Fails if the machine refuses a timer.
    pub async fn ring(&self, clock: Clock) -> Result<Infallible> {
        let timer = TimerFd::new(clock)?;
        loop {
            match self.next() {
                None => self.sooner.notified().await,
                Some(until) => tokio::select! {
                    rung = timer.sleep_until(until) => rung?,
                    () = self.sooner.notified() => {}
                },
            }
            let now = clock.now();
            while self.next().is_some_and(|until| until <= now) {
                let due = self.sleepers.borrow_mut().pop();
                due.into_iter().for_each(|sleeper| sleeper.waker.wake());
            }
        }
    }

    fn next(&self) -> Option<Duration> {
        self.sleepers.borrow().peek().map(|sleeper| sleeper.until)
    }
}

/// Who is to be woken first is the greatest.
impl Ord for Sleeper {
    fn cmp(&self, other: &Self) -> Ordering {
        other.until.cmp(&self.until)
    }
}

impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Self) -> bool {
        self.until == other.until
    }
}

impl Eq for Sleeper {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `sleepers` while the alarm rings.
    async fn while_it_rings<T>(alarm: &TimerQueue, clock: Clock, sleepers: impl Future<Output = T>) -> T {
        tokio::select! {
            over = sleepers => over,
            failed = alarm.ring(clock) => panic!("{failed:?}"),
        }
    }

    #[tokio::test]
    async fn nobody_sleeps_a_millisecond_too_long_or_too_short() {
        let (alarm, clock) = (TimerQueue::default(), Clock::start());
        let sleepers = async {
            let mut best = Duration::MAX;
            for _ in 0..50 {
                let time = clock.now() + Duration::from_micros(700);
                alarm.until(time, clock).await;
                let late = clock.now().checked_sub(time).expect("too early");
                best = best.min(late);
            }
            best
        };
        let best = while_it_rings(&alarm, clock, sleepers).await;
        // tokio's own timer would be at least 300 us late at all of them.
        assert!(best < Duration::from_micros(250), "{best:?}");
    }

    #[tokio::test]
    async fn whoever_waits_for_less_long_wakes_first_whenever_they_began() {
        let (alarm, clock, woken) = (TimerQueue::default(), Clock::start(), RefCell::new(Vec::new()));
        let sleeper = |millis: u64| {
            let (alarm, woken) = (&alarm, &woken);
            async move {
                alarm.until(Duration::from_millis(millis), clock).await;
                woken.borrow_mut().push(millis);
            }
        };
        let sleepers = async { tokio::join!(sleeper(60), sleeper(20), sleeper(40), sleeper(0)) };
        while_it_rings(&alarm, clock, sleepers).await;
        assert_eq!(*woken.borrow(), [0, 20, 40, 60]);
    }
}
