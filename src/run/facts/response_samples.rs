//! What the requests of a dirty check were answered with, and what the server and its starts had to say to that.

use crate::dirty::samples::ResponseSample;
use crate::dirty::samples::ResponseSamples;
use crate::dirty::{Limit, Starts};
use crate::record;
use crate::units::{counted, show_duration};

pub(super) fn samples(samples: &ResponseSamples) -> Vec<record::DirtySample> {
    samples.in_order().into_iter().map(sample).collect()
}

fn sample(sample: &ResponseSample) -> record::DirtySample {
    record::DirtySample {
        at: sample.at.name().to_owned(),
        identity: sample.identity.clone(),
        line: sample.line.clone(),
        status: sample.outcome.ok(),
        failure: sample.outcome.err().map(|failure| failure.name().to_owned()),
        location: sample.location.clone(),
        retry_after: sample.retry_after.clone(),
        body: sample.body.clone(),
        count: sample.count,
    }
}

pub(super) fn limit(limit: Option<Limit>) -> Option<record::RateLimit> {
    limit.map(|limit| record::RateLimit {
        status: limit.status,
        retry_after_s: limit.retry_after.map(|time| time.as_secs_f64()),
        allowed: limit.allowed,
        window_s: limit.window.as_secs_f64(),
        refused: limit.refused,
    })
}

pub(super) fn starts(starts: Starts) -> record::StartsRecord {
    record::StartsRecord { count: starts.count.into(), took_s: starts.took.as_secs_f64(), shared: starts.shared.into() }
}

/// A reason with the limit of the server, where that may be why.
pub(super) fn with_limit(why: String, limit: Option<Limit>) -> String {
    let Some(Limit { status, retry_after, allowed, window, refused }) = limit else { return why };
    let said = retry_after.map(|time| format!(", retry-after {}", show_duration(time))).unwrap_or_default();
    format!(
        "{why}; the server limits requests: it answered {} with {status}{said}, and takes about {allowed} in {}",
        counted(refused, "request"),
        show_duration(window)
    )
}
