//! A timer of microseconds: tokio's own has a grain of one millisecond.

use std::io::Result;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::io::unix::AsyncFd;

use crate::net::clock::Clock;

/// The kernel wakes a sleeper this much too late at worst, on an idle machine: the last part is waited for awake.
pub(super) const AWAKE: Duration = Duration::from_micros(50);

/// A timer of a load thread. Linux only.
#[derive(Debug)]
pub(super) struct TimerFd {
    fd: AsyncFd<OwnedFd>,
    clock: Clock,
}

impl TimerFd {
    /// Within a tokio runtime. Fails if the machine has no descriptor left.
    pub fn new(clock: Clock) -> Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        #[expect(
            deprecated,
            reason = "an OwnedFd keeps its descriptor, which is what the successor has the caller vow"
        )]
        let fd = AsyncFd::new(rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?)?;
        Ok(TimerFd { fd, clock })
    }

    /// Sleeps until shortly before `due`.
    pub async fn sleep_until_shortly_before(&self, due: Duration) -> Result<()> {
        self.sleep_until(due.saturating_sub(AWAKE)).await
    }

    /// Sleeps until `time`, and [`AWAKE`] longer at worst, on an idle machine.
    pub async fn sleep_until(&self, time: Duration) -> Result<()> {
        let Some(nap) = time.checked_sub(self.clock.now()).filter(|nap| !nap.is_zero()) else { return Ok(()) };
        let it_value = Timespec { tv_sec: nap.as_secs().cast_signed(), tv_nsec: nap.subsec_nanos().into() };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::time::timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &Itimerspec { it_interval, it_value })?;
        let expired = |fd: &OwnedFd| rustix::io::read(fd, &mut [0; 8]).map_err(std::io::Error::from);
        self.fd.async_io(tokio::io::Interest::READABLE, expired).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_wakes_before_the_time_and_not_a_millisecond_before() {
        let clock = Clock::start();
        let timer = TimerFd::new(clock).unwrap();
        let mut best = Duration::MAX;
        for _ in 0..50 {
            let due = clock.now() + Duration::from_micros(700);
            timer.sleep_until_shortly_before(due).await.unwrap();
            let now = clock.now();
            assert!(now + AWAKE >= due, "too early");
            best = best.min(now.saturating_sub(due));
        }
        // tokio's own timer would be at least 300 us late at all of them.
        assert!(best < Duration::from_micros(200), "{best:?}");
    }
}
