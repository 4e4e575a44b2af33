//! What the check says of its decisions as it goes, for logs and traces. Nothing is decided here.

use std::time::Duration;

use tracing::{debug, info, trace};

use super::evidence::{Evidence, FoundBy};
use super::observation::Seen;
use crate::trigger::Trigger;

/// What a round adds to the counts of the check.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundCounts {
    pub requests: usize,
    pub exposures: u64,
    pub leaks: u64,
    pub took: Duration,
}

/// A round has ended, and was judged; `evidence` is what it left.
pub(super) fn round_ended(found_by: FoundBy, counts: RoundCounts, evidence: &[Evidence]) {
    let RoundCounts { requests, exposures, leaks, took } = counts;
    debug!(trigger = found_by.name(), requests, exposures, leaks, took_ms = millis(took), "round ended");
    evidence.iter().for_each(leak_found);
}

/// The trigger of the next round; every other one goes to the fastest.
pub(super) fn trigger_chosen(trigger: Trigger, fastest: bool) {
    let why = if fastest { "it exposes most in a second" } else { "it is its turn" };
    debug!(trigger = trigger.name(), why, "trigger chosen");
}

/// A response held another request's data.
pub(super) fn leak_found(evidence: &Evidence) {
    let leak = &evidence.leak;
    info!(
        trigger = evidence.found_by.name(),
        round = evidence.round,
        class = evidence.class.name(),
        victim = leak.victim.request,
        source = leak.source.as_ref().map(|source| source.request),
        overlapped = leak.overlapped,
        place = leak.place,
        "leak found"
    );
}

/// A response looks like a leak, and lone requests are to tell.
pub(super) fn suspicion(evidence: &Evidence, by_value: bool) {
    let by = if by_value { "a value of another identity" } else { "what others get when they ask alone" };
    let (victim, place) = (evidence.leak.victim.request, &evidence.leak.place);
    debug!(trigger = evidence.found_by.name(), victim, place, by, "suspicion raised: lone requests are to tell");
}

/// What has become of a suspicion.
pub(super) fn suspicion_settled(evidence: &Evidence, stands: bool, why: &str) {
    let what = if stands { "suspicion stands" } else { "suspicion dropped" };
    debug!(
        trigger = evidence.found_by.name(),
        victim = evidence.leak.victim.request,
        place = evidence.leak.place,
        "{what}: {why}"
    );
}

/// One request and its response.
pub(super) fn exchange(seen: &Seen) {
    trace!(
        request = seen.request,
        role = seen.role.name(),
        connection = seen.connection,
        status = seen.status(),
        outcome = ?seen.exchange.outcome,
        took_ms = millis(seen.exchange.service_time()),
        "{}",
        seen.line
    );
}

/// To a tenth of a millisecond.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 10.0
}
