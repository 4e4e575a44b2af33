//! Patience with a server: one that has only just been started, one that limits the rate of requests, one that is silent.

use std::time::{Duration, Instant};

use tracing::debug;

use super::wire::Received;
use super::{Ask, CheckClient};
use crate::dirty::limit::{self, Limit};
use crate::dirty::observation::Role;
use crate::dirty::recipe::Anomaly;
use crate::exchange::Failure;

/// How long to wait before a request is sent again.
const AGAIN: Duration = Duration::from_millis(50);
/// A request has at least so long beyond what its handler sleeps, also when the time is up.
const LEAST: Duration = Duration::from_secs(1);
/// How often a lone request is sent that is refused as one too many.
const TRIES: u32 = 3;
/// Answers of a server, or of a proxy before it, that is not there yet.
const NOT_YET: [u16; 2] = [502, 503];

impl CheckClient {
    /// For so long requests are sent again while the server refuses them, or answers that it is not there yet; until it
    /// has answered one otherwise.
    pub fn be_patient(&self, within: Option<Duration>) {
        self.patient_until.set(within.and_then(|within| Instant::now().checked_add(within)));
    }

    /// Lone requests wait for a response no longer than until then, on the stopwatch.
    pub fn end_by(&self, time: Option<Duration>) {
        self.end.set(time);
    }

    /// How long was waited for servers that were not there yet, since the last call.
    pub fn take_waited(&self) -> Duration {
        self.waited.take()
    }

    /// How long a request may take.
    pub(super) fn timeout_of(&self, ask: &Ask<'_>) -> Duration {
        let Some(end) = self.end.get() else { return self.timeout };
        let least = LEAST + self.sleep(ask.shot.nap).unwrap_or_default();
        self.timeout.min(end.saturating_sub(self.clock.now()).max(least))
    }

    /// Whether a request that began then is to be sent again, as the server is still starting. What that took does not
    /// count as time of the check.
    pub(super) async fn is_still_starting(
        &self,
        ask: &Ask<'_>,
        came: &Result<Received, Failure>,
        began: Duration,
    ) -> bool {
        let Some(until) = self.patient_until.get() else { return false };
        if !is_not_there_yet(came) {
            self.patient_until.set(None);
            return false;
        }
        let ordinary = ask.gate.is_none() && ask.shot.twist == Anomaly::None;
        if !ordinary || Instant::now() >= until {
            return false;
        }
        tokio::time::sleep(AGAIN).await;
        self.waited.set(self.waited.get() + self.clock.now().saturating_sub(began));
        self.clock.turn_back(began);
        true
    }
}

impl CheckClient {
    /// The limit that the server has set, if one was met.
    pub fn limit(&self) -> Option<Limit> {
        self.throttle.borrow().limit()
    }

    /// How many requests may be sent at the same moment, where the server limits that.
    pub fn at_once(&self) -> Option<u64> {
        self.throttle.borrow().at_once()
    }

    /// The limit leaves no time for further requests.
    pub fn is_shut_out(&self) -> bool {
        self.shut_out.get()
    }

    /// Waits until this many requests are within the limit of the server, if it has one; not beyond the time of the check.
    pub async fn keep_to_limit(&self, requests: u64) {
        loop {
            let now = self.clock.now();
            let wait = self.throttle.borrow_mut().wait(requests, now);
            if wait.is_zero() {
                return;
            }
            if now < self.time && now + wait > self.time {
                self.shut_out.set(true);
            }
            if now + wait > self.time {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Notes what the server says of a limit, and whether a lone request is to be sent again for that.
    pub(super) fn is_refused(&self, ask: &Ask<'_>, came: &Result<Received, Failure>, head: &[u8], tries: u32) -> bool {
        let Ok(Received::Response(answer)) = came else { return false };
        let Some(retry_after) = limit::refusal(answer.status, head) else { return false };
        debug!(status = answer.status, "the server limits the rate of requests");
        self.throttle.borrow_mut().refused(answer.status, retry_after, self.clock.now());
        ask.role == Role::Probe && tries < TRIES && self.clock.now() < self.time
    }
}

/// Whether nobody has answered who is meant to.
fn is_not_there_yet(came: &Result<Received, Failure>) -> bool {
    match came {
        Ok(Received::Response(answer)) => NOT_YET.contains(&answer.status),
        Ok(Received::Left) => false,
        Err(failure) => matches!(failure, Failure::Connect | Failure::Closed),
    }
}
