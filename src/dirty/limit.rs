//! The limit that a server sets to the rate of requests: recognised, and kept to.

use std::collections::VecDeque;
use std::time::Duration;

use super::samples;

/// The time over which a server counts, where it does not say how long to wait; and at most, where it does.
const WINDOW: Duration = Duration::from_secs(1);
const LONGEST_WINDOW: Duration = Duration::from_secs(600);
/// Of what seems to be allowed, so much is made use of.
const SHARE: f64 = 0.9;
/// Requests whose times are remembered.
const REMEMBERED: usize = 4096;

/// A limit that was met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// What requests beyond it are answered with.
    pub status: u16,
    /// What the server said, if it did.
    pub retry_after: Option<Duration>,
    /// This many requests, as far as can be told, are answered in such a time.
    pub allowed: u64,
    pub window: Duration,
    /// Requests that were refused for it.
    pub refused: u64,
}

/// Keeps requests within the limit of a server, once that has been met. Times are those of the check.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    limit: Option<Limit>,
    /// When requests were sent.
    sent: VecDeque<Duration>,
    /// Nothing is asked before.
    closed_until: Duration,
    /// Since when requests are refused, without one that was held back meanwhile; how many of them were.
    since: Option<Duration>,
    refused: u64,
}

impl Throttle {
    pub fn limit(&self) -> Option<Limit> {
        self.limit
    }

    /// How long to wait before this many requests are sent at once. As many as are allowed, if they are more.
    pub fn wait(&mut self, requests: u64, now: Duration) -> Duration {
        let Some(limit) = self.limit else { return Duration::ZERO };
        if now < self.closed_until {
            return self.closed_until - now;
        }
        if self.since.take().is_some() {
            // The window that was used up is over.
            self.sent.clear();
        }
        while self.sent.front().is_some_and(|sent| *sent + limit.window <= now) {
            self.sent.pop_front();
        }
        let room = self.room(limit);
        let surplus = (self.sent.len() as u64 + requests.min(room)).saturating_sub(room);
        let last = surplus.checked_sub(1).and_then(|index| self.sent.get(index as usize));
        last.map_or(Duration::ZERO, |sent| (*sent + limit.window).saturating_sub(now))
    }

    /// How many may be sent at once; `None` without a limit.
    pub fn at_once(&self) -> Option<u64> {
        self.limit.map(|limit| self.room(limit))
    }

    fn room(&self, limit: Limit) -> u64 {
        ((limit.allowed as f64 * SHARE) as u64).max(1)
    }

    /// A request is sent now.
    pub fn sent(&mut self, now: Duration) {
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }

    /// A request was refused.
    pub fn refused(&mut self, status: u16, retry_after: Option<Duration>, now: Duration) {
        if self.since.is_none() {
            self.refused = 0;
        }
        let since = *self.since.get_or_insert(now);
        self.refused += 1;
        let before = self.limit;
        let window = retry_after.or(before.map(|limit| limit.window)).unwrap_or(WINDOW).clamp(WINDOW, LONGEST_WINDOW);
        let begin = since.saturating_sub(window);
        let sent = self.sent.iter().filter(|sent| **sent >= begin).count() as u64;
        let answered = sent.saturating_sub(self.refused);
        let (allowed, window) = match before {
            // To have waited was not enough.
            Some(limit) if answered == 0 && retry_after.is_none() => (limit.allowed, (window * 2).min(LONGEST_WINDOW)),
            Some(limit) if answered == 0 => (limit.allowed, window),
            Some(limit) => (limit.allowed.min(answered), window),
            None => (answered.max(1), window),
        };
        self.closed_until = self.closed_until.max(now + window);
        let refused = before.map_or(0, |limit| limit.refused) + 1;
        self.limit = Some(Limit { status, retry_after, allowed, window, refused });
    }
}

/// Whether a response says that there were too many requests, and how long to wait if it says that, too.
pub(super) fn refusal(status: u16, head: &[u8]) -> Option<Option<Duration>> {
    let said = samples::header(head, "retry-after");
    match (status, &said) {
        (429, _) | (503, Some(_)) => Some(said.as_deref().and_then(retry_after)),
        _ => None,
    }
}

/// Seconds, or a date.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Twenty are answered, and then three refused, all within a tenth of a second.
    fn met(retry_after: Option<Duration>) -> Throttle {
        let mut throttle = Throttle::default();
        (0..23).for_each(|n| throttle.sent(Duration::from_millis(4 * n)));
        (0..3).for_each(|_| throttle.refused(429, retry_after, SECOND / 10));
        throttle
    }

    #[test]
    fn a_limit_that_was_met_is_kept_to() {
        let mut throttle = met(Some(SECOND));
        let limit = throttle.limit().unwrap();
        assert_eq!((limit.allowed, limit.refused, throttle.at_once()), (20, 3, Some(18)));
        assert_eq!(throttle.wait(1, SECOND / 2), SECOND * 6 / 10, "as long as the server said");
        let now = SECOND * 2;
        assert_eq!(throttle.wait(18, now), Duration::ZERO);
        (0..10).for_each(|_| throttle.sent(now));
        assert_eq!(throttle.wait(8, now), Duration::ZERO);
        assert_eq!(throttle.wait(9, now), SECOND, "the first of them must be a second old");
        assert_eq!(
            throttle.wait(500, now + SECOND / 4),
            SECOND * 3 / 4,
            "of more than are allowed, those are waited for"
        );
    }

    #[test]
    fn a_server_that_does_not_say_how_long_is_asked_less_and_less_often() {
        let mut throttle = met(None);
        for times in [2_u32, 4, 8] {
            let now = SECOND * 100 * times;
            assert_eq!(throttle.wait(1, now), Duration::ZERO);
            throttle.sent(now);
            throttle.refused(429, None, now);
            assert_eq!(throttle.wait(1, now), SECOND * times);
        }
        assert_eq!(throttle.limit().map(|limit| limit.allowed), Some(20));
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let mut throttle = Throttle::default();
        (0..10_000).for_each(|_| throttle.sent(SECOND));
        assert_eq!((throttle.wait(50, SECOND), throttle.at_once()), (Duration::ZERO, None));
    }

    #[test]
    fn too_many_requests_are_told_from_other_errors() {
        let said = |value: &str| format!("HTTP/1.1 503 x\r\nRetry-After: {value}\r\n\r\n").into_bytes();
        assert_eq!(refusal(429, b"HTTP/1.1 429 x\r\n\r\n"), Some(None));
        assert_eq!(refusal(503, &said("2")), Some(Some(SECOND * 2)));
        assert_eq!(refusal(503, &said("Wed, 21 Oct 2015 07:28:00 GMT")), Some(Some(Duration::ZERO)), "long ago");
        assert_eq!((refusal(503, b"HTTP/1.1 503 x\r\n\r\n"), refusal(403, &said("2"))), (None, None));
    }
}
