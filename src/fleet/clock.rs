//! Monotonic clocks of several machines, and how far they are apart: no machine's time of day takes part.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The clock of this process: nanoseconds since its first use.
pub(super) fn now() -> u64 {
    origin().elapsed().as_nanos() as u64
}

/// The instant at which the clock of this process shows so many nanoseconds.
pub(super) fn instant(at: u64) -> Instant {
    origin() + Duration::from_nanos(at)
}

fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// A round trip: when a question was sent and its answer came, by one's own clock, and what the other clock showed between.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundTrip {
    pub sent: u64,
    pub came: u64,
    pub theirs: u64,
}

/// How far another clock is ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClockOffset {
    /// In nanoseconds: theirs minus one's own.
    pub ahead: i128,
    /// It is known to plus or minus this much: half of the shortest round trip.
    pub error: Duration,
}

impl ClockOffset {
    /// By the shortest of the round trips: the other clock was read somewhere within, and most likely halfway (Cristian, "Probabilistic
    /// clock synchronization", Distributed Computing 3, 1989). `None` without any.
    pub fn of(trips: &[RoundTrip]) -> Option<ClockOffset> {
        let best = trips.iter().min_by_key(|trip| trip.came.saturating_sub(trip.sent))?;
        let half = best.came.saturating_sub(best.sent) / 2;
        let ahead = i128::from(best.theirs) - i128::from(best.sent + half);
        Some(ClockOffset { ahead, error: Duration::from_nanos(half) })
    }

    /// What the other clock shows when one's own shows `at`.
    pub fn theirs(self, at: u64) -> u64 {
        u64::try_from(i128::from(at) + self.ahead).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_round_trip_counts_and_its_half_is_the_error() {
        let trip =
            |sent, there, back, ahead: u64| RoundTrip { sent, came: sent + there + back, theirs: sent + there + ahead };
        let trips = [trip(1_000, 900, 100, 5_000), trip(5_000, 60, 40, 5_000), trip(9_000, 10, 900, 5_000)];
        let offset = ClockOffset::of(&trips).unwrap();
        assert_eq!(offset, ClockOffset { ahead: 5_010, error: Duration::from_nanos(50) });
        assert_eq!(offset.theirs(1_000), 6_010);
        assert!(ClockOffset::of(&[]).is_none());
    }

    #[test]
    fn a_clock_that_is_behind_is_no_trouble() {
        let offset = ClockOffset::of(&[RoundTrip { sent: 4_000_000, came: 4_000_010, theirs: 5 }]).unwrap();
        assert_eq!(offset.theirs(4_000_105), 105);
        assert_eq!(instant(7) - instant(5), Duration::from_nanos(2));
    }
}
