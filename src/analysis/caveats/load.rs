//! Reasons to trust a load less that lie with the server and its responses.

use crate::analysis::abandonment::abandonment;
use crate::analysis::queue_growth;
use crate::analysis::responses::share_without_response;
use crate::exchange::Failure;
use crate::measured_value::{Bounds, MeasuredValue};
use crate::net::tls;
use crate::record::{Caveat, LoadRecord};
use crate::units::{counted, show_count, show_percentage, show_time};

use super::limits::{TELLING, TOO_MANY_RESPONSES};

/// A quantile with fewer requests beyond it moves with every run.
const SAMPLES_BEYOND: f64 = 10.0;
/// Bounds that are further apart than by this factor are not read as one value.
const APART: f64 = 1.01;
/// A shorter while without a response, in seconds, is not worth a word;
const STALL: f64 = 0.25;
/// nor is one that is not this many times as long as the median latency;
const UNUSUAL: f64 = 10.0;
/// nor is one in which fewer requests would have been due.
const STALL_HIDES: f64 = 20.0;

/// A server that answered, and then no longer: for a second at least, and for longer than any response had taken. One that
/// still works for clients who gave up is told of elsewhere.
pub(super) fn fell_silent(load: &LoadRecord) -> Option<Caveat> {
    let last = load.timeline.iter().rposition(|second| second.completed > 0)?;
    let silent = &load.timeline[last + 1..];
    let lasting: f64 = silent.iter().map(|second| second.length_s).sum();
    let longest = load.timeline.iter().filter_map(|second| second.latency_max_us).fold(0.0, f64::max) / 1e6;
    let all_answered = load.unanswered + load.failed == 0;
    if all_answered || lasting < 1.0 || lasting <= longest || abandonment(load).is_some() {
        return None;
    }
    let message = format!(
        "nothing was answered in the last {} of {}: the server had stopped, or hung; what is said of the load is of both times",
        show_time(lasting),
        show_time(load.duration_s)
    );
    Some(Caveat::new(message, "look for what happened to it then, and judge only loads in which it lived"))
}

/// Users of the closed model who wait ask nothing, so that a while without any response is in few latencies, however long it is
/// (coordinated omission).
pub(super) fn stalled(load: &LoadRecord) -> Option<Caveat> {
    let silence = load.silence.as_ref().filter(|_| load.open.is_none() && fell_silent(load).is_none())?;
    let length = silence.length_s;
    let rate = load.completed as f64 / (load.duration_s - length).max(1e-9);
    let usual = load.latency_us.p50?.likely() / 1e6;
    let hidden = rate * length;
    if length < (usual * UNUSUAL).max(STALL) || hidden < STALL_HIDES || length < TELLING * load.duration_s {
        return None;
    }
    let message = format!(
        "nothing was answered for {} from {} on, while {} waited; users who wait ask nothing, so only these show it: at the rate of the rest of the load, {} more would have been due",
        show_time(length),
        show_time(silence.t_s),
        counted(silence.waiting, "request"),
        show_count(hidden as u64)
    );
    Some(Caveat::new(
        message,
        "look for what the server did then; with `load.rate` in place of `load.concurrency`, percentiles show it as well",
    ))
}

pub(super) fn teardown_failed(load: &LoadRecord) -> Option<Caveat> {
    let error = load.checks.as_ref()?.teardown_error.as_ref()?;
    Some(Caveat::new(format!("the script's teardown failed: {error}"), "look for what its setup made and left behind"))
}

pub(super) fn few_samples(load: &LoadRecord) -> Option<Caveat> {
    let quantiles = [("p99.9", 0.999), ("p99", 0.99), ("p90", 0.9)];
    // Rounding must not make ten a little less.
    let beyond = |q: f64| load.started as f64 * (1.0 - q) + 1e-9;
    // Of one that is only a lower bound, no more is claimed.
    let is_told = |q: f64| load.latency_us.written(q).is_none_or(MeasuredValue::is_bounded);
    let thin = quantiles.iter().filter(|(_, q)| beyond(*q) < SAMPLES_BEYOND && is_told(*q)).map(|(name, _)| *name);
    let names: Vec<&str> = thin.collect();
    let message = format!(
        "{} rest{} on fewer than 10 requests beyond, of {} in all",
        names.join(", "),
        if names.len() == 1 { "s" } else { "" },
        show_count(load.started)
    );
    let advice = match load.planned_requests {
        Some(_) => "more of `load.requests` steady them",
        None if !load.stages.is_empty() => "longer stages steady them",
        None => "a longer `load.duration` steadies them",
    };
    (!names.is_empty() && load.started > 0).then(|| Caveat::new(message, advice))
}

pub(super) fn error_statuses(load: &LoadRecord) -> Option<Caveat> {
    let errors = load.errors.get("status").copied().filter(|count| *count > 0)?;
    let message = format!(
        "{} of {} responses have a status of 400 or above; latency counts them, throughput does not",
        show_count(errors),
        show_count(load.completed)
    );
    Some(Caveat::new(
        message,
        "a fast error flatters latency: look at the status table, and at the server's log for its cause",
    ))
}

pub(super) fn no_response(load: &LoadRecord) -> Option<Caveat> {
    let share = share_without_response(load);
    if share < TELLING {
        return None;
    }
    let share_lost = show_percentage(share);
    let message = match load.latency_us.open().next() {
        None => format!(
            "{share_lost} of requests never got a response; they rank as longer than all that did, so {} are lower bounds",
            match share < 1.0 {
                true => format!("quantiles beyond {}", rest_of(share, &share_lost)),
                false => "all quantiles".to_owned(),
            }
        ),
        Some(_) => format!(
            "{share_lost} of requests never got a response, some of which had not waited as long as others were answered in; quantiles that this leaves open have an interval beside them"
        ),
    };
    Some(Caveat::new(message, "compare them only with a run that has the same `load.timeout` and `load.duration`"))
}

/// What a share leaves of the whole, with as many decimals as the share is shown with, so that the two make 100 %.
fn rest_of(share: f64, shown: &str) -> String {
    let decimals = shown.trim_end_matches([' ', '%']).split_once('.').map_or(0, |(_, decimals)| decimals.len());
    format!("{:.decimals$} %", (1.0 - share) * 100.0)
}

/// Where a quantile was another in the second half, the answered say nothing of those that were cut off in the end.
pub(super) fn drifted(load: &LoadRecord) -> Option<Caveat> {
    let by_bounds =
        |open: Bounds| open.estimate.is_none() && open.at_most.is_some_and(|most| most > open.at_least * APART);
    let message = "responses took another time in the second half of the load than in the first, so those that came tell nothing of those that did not: quantiles that this leaves open are bounds, without an estimate";
    load.latency_us.open().any(by_bounds).then(|| {
        Caveat::new(
            message.to_owned(),
            "give the last requests more time (`drain`), so that they are answered, too; and see what changed meanwhile",
        )
    })
}

pub(super) fn not_connected(load: &LoadRecord) -> Option<Caveat> {
    let advice = "it must listen, and accept connections as fast as they come; `ulimit -n` and ports of this machine are limits, too";
    failed(load, Failure::Connect, "connections could not be made", advice)
}

pub(super) fn no_handshake(load: &LoadRecord) -> Option<Caveat> {
    failed(load, Failure::Tls, "TLS handshakes failed", tls::ADVICE)
}

pub(super) fn not_http(load: &LoadRecord) -> Option<Caveat> {
    let advice = "look at what the server sends there, as with `curl -v`; what runner could not read stands in quotes";
    failed(load, Failure::Protocol, "responses were not HTTP", advice)
}

pub(super) fn connection_lost(load: &LoadRecord) -> Option<Caveat> {
    let advice = "a server that crashes, is restarted or has reached a limit cuts off like that: look at its log";
    failed(load, Failure::Closed, "requests lost their connection", advice)
}

/// Requests that are safe to send twice are, where a connection that was used before ends without a byte of a response: most
/// likely the server had closed it while it was idle, but one that reads a request and drops it looks no different.
pub(super) fn retried(load: &LoadRecord) -> Option<Caveat> {
    let retries = load.generator.retries;
    if (retries as f64) < TELLING * load.started as f64 || retries == 0 {
        return None;
    }
    let message = format!(
        "requests were sent again {} ({} of all), as the connection ended before a byte of the response, or the server refused \
         them unseen; they are no errors, and what that took is in their latency",
        counted(retries, "time"),
        show_percentage(retries as f64 / load.started as f64)
    );
    Some(Caveat::new(
        message,
        "let it keep idle connections for longer, or say `connection: close`; one that reads a request and drops it looks the \
         same: see its log, and judge with `retries.rate`",
    ))
}

/// What came unasked before it could be seen was taken for a response.
pub(super) fn unsolicited(load: &LoadRecord) -> Option<Caveat> {
    let message = format!(
        "on {} something came that no request had asked for; they were closed. What came before it was seen was taken for the \
         response to the next request, so that statuses, times and checks may be those of other requests",
        counted(load.unsolicited, "connection")
    );
    (load.unsolicited > 0).then(|| Caveat::new(message, TOO_MANY_RESPONSES))
}

/// This many requests failed in one way, and why the first did.
pub(super) fn failed(load: &LoadRecord, failure: Failure, what: &str, advice: &str) -> Option<Caveat> {
    let count = load.errors.get(failure.name()).copied().filter(|count| *count > 0)?;
    let sample = load.error_samples.get(failure.name())?;
    Some(Caveat::new(format!("{} {what}; the first: {sample}", show_count(count)), advice))
}

/// More requests come than are answered: no figure of such a load is one that it would have a minute later.
pub(super) fn growing_queue(load: &LoadRecord) -> Option<Caveat> {
    let growth = queue_growth::of_load(load)?;
    let message = format!(
        "a queue grows without end: with each second {} more requests are in flight, so latency depends on how long the load lasts",
        show_count(growth.round().max(1.0) as u64)
    );
    Some(Caveat::new(
        message,
        "the rate is more than the server can answer: lower it, or find the highest with [capacity]",
    ))
}
