//! Reasons to trust a number less, computed from the figures themselves.

use crate::exchange::Failure;
use crate::net::tls;
use crate::record::{Caveat, Dirty, Load, Micros, OpenMicros, Trial};
use crate::report::gave_up;
use crate::units::{counted, show_count, show_percentage, show_rate, show_time};

mod dirty;
mod server;

/// A load thread that is busier than this may itself be the limit.
const BUSY: f64 = 0.85;
/// A quantile with fewer requests beyond it moves with every run.
const SAMPLES_BEYOND: f64 = 10.0;
/// A smaller share of requests without an answer moves none of the quantiles that are shown but the last.
const TELLING: f64 = 0.001;
/// A larger share of late sends shows in the quantiles that people look at.
const LATE_SHARE: f64 = 0.01;
/// A larger share of the asked rate that is missing is no chance.
const RATE_MISSED: f64 = 0.01;
/// Ports nearly used up: connecting gets slow, then fails.
const PORTS_USED: f64 = 0.8;
/// A clock is too coarse for a median of fewer of its ticks.
const TICKS: f64 = 100.0;
/// Bounds that are further apart than by this factor are not read as one value.
const APART: f64 = 1.01;
/// A larger share of the time that runner stood still shows in its figures.
const STOOD_STILL: f64 = 0.01;
/// A shorter while without an answer, in seconds, is not worth a word;
const STALL: f64 = 0.25;
/// nor is one that is not so many times as long as the median latency;
const UNUSUAL: f64 = 10.0;
/// nor is one in which fewer requests would have been due.
const STALL_HIDES: f64 = 20.0;
/// How far users in flight, by Little's law, may be from the users there are.
const LITTLE: f64 = 0.1;

/// The caveats of a variant, each once, from whichever trial shows it first.
pub(super) fn of(trials: &[Trial]) -> Vec<Caveat> {
    let mut caveats: Vec<Caveat> = Vec::new();
    let rules: [fn(&Load) -> Option<Caveat>; 22] = [
        stood_still,
        fell_silent,
        stalled,
        busy_generator,
        late_sends,
        queued,
        rate_not_met,
        few_samples,
        error_statuses,
        never_answered,
        drifted,
        not_connected,
        no_handshake,
        not_http,
        cut_off,
        sent_again,
        unsolicited,
        little,
        few_descriptors,
        few_ports,
        coarse_clock,
        not_torn_down,
    ];
    for rule in rules {
        caveats.extend(trials.iter().filter_map(|trial| trial.load.as_ref()).find_map(rule));
    }
    for rule in [not_searched, alike, not_decoded, dirty::unsolicited, dirty::slow_starts, dirty::limited] {
        caveats.extend(trials.iter().filter_map(|trial| trial.dirty.as_ref()).find_map(rule));
    }
    caveats.extend(trials.iter().filter_map(|trial| trial.server.as_ref()).find_map(server::unmeasured));
    caveats
}

fn caveat(message: String, advice: &str) -> Option<Caveat> {
    Some(Caveat { message, advice: advice.to_owned() })
}

fn not_searched(dirty: &Dirty) -> Option<Caveat> {
    let message = format!(
        "the end of {} was not searched for canaries, as runner keeps 4 MiB of each: the bound does not hold for leaks there",
        counted(dirty.cut, "response")
    );
    (dirty.cut > 0).then(|| caveat(message, "point the check at a page that shows who asks near its beginning"))?
}

fn alike(dirty: &Dirty) -> Option<Caveat> {
    let (one, other) = dirty.alike.first()?;
    let more = match dirty.alike.len() - 1 {
        0 => String::new(),
        more => format!(", nor can those to {}", counted(more as u64, "other pair")),
    };
    let message = format!(
        "responses to {one} and to {other} cannot be told apart{more}: a leak between them would not be seen, and the bound does \
         not hold for it"
    );
    caveat(message, "point the check at a page on which each identity sees something of its own")
}

fn not_decoded(dirty: &Dirty) -> Option<Caveat> {
    let unread = dirty.undecoded.as_ref()?;
    let responses = counted(unread.responses, "response");
    let message = format!("the body of {responses} could not be read ({}): a leak in there was not seen", unread.why);
    caveat(
        message,
        "ask for a body that can be read: `headers = { accept-encoding = \"gzip\" }`, or `identity` for none encoded",
    )
}

/// A server that answered, and then no longer: for a second at least, and for longer than any answer had taken. One that
/// still works for clients who gave up is told of elsewhere.
fn fell_silent(load: &Load) -> Option<Caveat> {
    let last = load.timeline.iter().rposition(|second| second.completed > 0)?;
    let silent = &load.timeline[last + 1..];
    let lasting: f64 = silent.iter().map(|second| second.length_s).sum();
    let longest = load.timeline.iter().filter_map(|second| second.latency_max_us).fold(0.0, f64::max) / 1e6;
    let all_answered = load.unanswered + load.failed == 0;
    if all_answered || lasting < 1.0 || lasting <= longest || gave_up(load).is_some() {
        return None;
    }
    let message = format!(
        "nothing was answered in the last {} of {}: the server had stopped, or hung; what is said of the load is of both times",
        show_time(lasting),
        show_time(load.duration_s)
    );
    caveat(message, "look for what happened to it then, and judge only loads in which it lived")
}

/// Runner as a whole was stopped, or the machine was: neither the server nor the load threads are to blame.
fn stood_still(load: &Load) -> Option<Caveat> {
    let stopped = load.generator.stopped_s;
    let message = format!(
        "runner itself stood still for {} of {}: it was stopped, or had no core; the throughput is lower for it, and what was under way then seems longer",
        show_time(stopped),
        show_time(load.duration_s)
    );
    (stopped > STOOD_STILL * load.duration_s)
        .then(|| caveat(message, "run it again where nothing stops it, and with a core of its own"))?
}

/// Users of the closed model who wait ask nothing, so that a while without any answer is in few latencies, however long it is
/// (coordinated omission).
fn stalled(load: &Load) -> Option<Caveat> {
    let silence = load.silence.as_ref().filter(|_| load.open.is_none() && fell_silent(load).is_none())?;
    let length = silence.length_s;
    let rate = load.completed as f64 / (load.duration_s - length).max(1e-9);
    let usual = load.latency_us.p50?.value() / 1e6;
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
    caveat(
        message,
        "look for what the server did then; with `load.rate` in place of `load.concurrency`, percentiles show it as well",
    )
}

fn busy_generator(load: &Load) -> Option<Caveat> {
    let share = load.generator.cpu_max;
    let message = format!(
        "the busiest load thread used {} of a core in its busiest second: runner may be the limit, not the server",
        show_percentage(share)
    );
    (share > BUSY).then(|| caveat(message, "raise `load.threads`, or run the server on another core or machine"))?
}

fn not_torn_down(load: &Load) -> Option<Caveat> {
    let error = load.checks.as_ref()?.teardown_error.as_ref()?;
    caveat(format!("the script's teardown failed: {error}"), "look for what its setup made and left behind")
}

fn few_samples(load: &Load) -> Option<Caveat> {
    let quantiles = [("p99.9", 0.999), ("p99", 0.99), ("p90", 0.9)];
    // Rounding must not make ten a little less.
    let beyond = |q: f64| load.started as f64 * (1.0 - q) + 1e-9;
    let thin = quantiles.iter().filter(|(_, q)| beyond(*q) < SAMPLES_BEYOND).map(|(name, _)| *name);
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
    (!names.is_empty() && load.started > 0).then(|| caveat(message, advice))?
}

fn error_statuses(load: &Load) -> Option<Caveat> {
    let errors = load.errors.get("status").copied().filter(|count| *count > 0)?;
    let message = format!(
        "{} of {} responses have a status of 400 or above; latency counts them, throughput does not",
        show_count(errors),
        show_count(load.completed)
    );
    caveat(message, "a fast error flatters latency: look at the status table, and at the server's log for its cause")
}

fn never_answered(load: &Load) -> Option<Caveat> {
    let lost = load.failed + load.unanswered;
    let share = lost as f64 / (load.started as f64).max(1.0);
    if share < TELLING {
        return None;
    }
    let share_lost = show_percentage(share);
    let message = match load.latency_us.open().next() {
        None => format!(
            "{share_lost} of requests never got an answer; they rank as longer than all that did, so quantiles beyond {:.2} % are lower bounds",
            (1.0 - share) * 100.0
        ),
        Some(_) => format!(
            "{share_lost} of requests never got an answer, some of which had not waited as long as others were answered in; quantiles that this leaves open have an interval beside them"
        ),
    };
    caveat(message, "compare them only with a run that has the same `load.timeout` and `load.duration`")
}

/// Where a quantile was another in the second half, the answered say nothing of those that were cut off in the end.
fn drifted(load: &Load) -> Option<Caveat> {
    let by_bounds =
        |open: OpenMicros| open.estimate.is_none() && open.at_most.is_some_and(|most| most > open.at_least * APART);
    let message = "answers took another time in the second half of the load than in the first, so those that came tell nothing of those that did not: quantiles that this leaves open are bounds, without an estimate";
    load.latency_us.open().any(by_bounds).then(|| {
        caveat(
            message.to_owned(),
            "give the last requests more time (`drain`), so that they are answered, too; and see what changed meanwhile",
        )
    })?
}

fn not_connected(load: &Load) -> Option<Caveat> {
    let advice = "it must listen, and accept connections as fast as they come; `ulimit -n` and ports of this machine are limits, too";
    failed(load, Failure::Connect, "connections could not be made", advice)
}

fn no_handshake(load: &Load) -> Option<Caveat> {
    failed(load, Failure::Tls, "TLS handshakes failed", tls::ADVICE)
}

fn not_http(load: &Load) -> Option<Caveat> {
    let advice = "look at what the server sends there, as with `curl -v`; what runner could not read stands in quotes";
    failed(load, Failure::Protocol, "answers were not HTTP", advice)
}

fn cut_off(load: &Load) -> Option<Caveat> {
    let advice = "a server that crashes, is restarted or has reached a limit cuts off like that: look at its log";
    failed(load, Failure::Closed, "requests lost their connection", advice)
}

/// Requests that are safe to send twice are, where a connection that was used before ends without a byte of a response: most
/// likely the server had closed it while it was idle, but one that reads a request and drops it looks no different.
fn sent_again(load: &Load) -> Option<Caveat> {
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
    caveat(
        message,
        "let it keep idle connections for longer, or say `connection: close`; one that reads a request and drops it looks the \
         same: see its log, and judge with `retries.rate`",
    )
}

/// What came unasked before it could be seen was taken for an answer.
fn unsolicited(load: &Load) -> Option<Caveat> {
    let message = format!(
        "on {} something came that no request had asked for; they were closed. What came before it was seen was taken for the \
         answer to the next request, so that statuses, times and checks may be those of others' answers",
        counted(load.unsolicited, "connection")
    );
    (load.unsolicited > 0).then(|| caveat(message, ANSWERS_TOO_OFTEN))?
}

/// What to look for where something comes that no request has asked for.
const ANSWERS_TOO_OFTEN: &str =
    "look for a handler that answers twice, a body longer than its content-length, or one in the answer to a HEAD";

/// So many requests failed in one way, and why the first did.
fn failed(load: &Load, failure: Failure, what: &str, advice: &str) -> Option<Caveat> {
    let count = load.errors.get(failure.name()).copied().filter(|count| *count > 0)?;
    let sample = load.error_samples.get(failure.name())?;
    caveat(format!("{} {what}; the first: {sample}", show_count(count)), advice)
}

fn late_sends(load: &Load) -> Option<Caveat> {
    let open = load.open.as_ref().filter(|open| open.late_share > LATE_SHARE)?;
    let missed = match open.missed {
        0 => String::new(),
        count => format!(", {} of them too late to be sent at all", show_count(count)),
    };
    let message = format!(
        "{} of requests were sent more than 1 ms late, at worst by {}{missed}: the load threads were not there in time",
        show_percentage(open.late_share),
        show_time(open.late_max_us / 1e6)
    );
    caveat(
        message,
        "latency counts that, service time does not; give runner a core of its own, or raise `load.threads`",
    )
}

fn queued(load: &Load) -> Option<Caveat> {
    let open = load.open.as_ref().filter(|open| open.queued > 0)?;
    let never = match open.never_sent {
        0 => String::new(),
        count => format!(", and {} were never sent", show_count(count)),
    };
    let message = format!(
        "{} requests were due while all {}{} were busy{never}; latency counts the wait",
        show_count(open.queued),
        counted(load.concurrency.into(), "user"),
        if load.generator.threads > 1 { " of their load thread" } else { "" }
    );
    caveat(message, "the server does not keep up with the rate, or `load.max_concurrency` is too low for its latency")
}

/// By chance, arrivals vary by the square root of their number; three times that is not chance.
fn rate_not_met(load: &Load) -> Option<Caveat> {
    let open = load.open.as_ref()?;
    let asked = open.rate * load.duration_s;
    let chance = if open.spacing == "poisson" { 3.0 * asked.sqrt() } else { 1.0 };
    let sent = load.started.saturating_sub(open.never_sent + open.missed) as f64;
    let missed = load.planned_requests.is_none() && asked - sent > chance.max(asked * RATE_MISSED);
    let rate = |count: f64| show_rate(count / load.duration_s.max(1e-9));
    let message = format!("{} were sent where {} were asked for", rate(sent), rate(asked));
    missed.then(|| caveat(message, "these figures are those of the lower rate; look for what held the load up"))?
}

/// Little's law: requests in flight = rate x mean latency. Where it does not hold, time was spent elsewhere. It says
/// nothing of users who think or send in batches, or whose number changes, or where too many were never answered.
/// Source: J. D. C. Little (1961), "A proof for the queuing formula L = lambda W".
fn little(load: &Load) -> Option<Caveat> {
    // The few that were lost are in it with what they waited.
    let mean_us = load.latency_us.mean?.value();
    let rate = load.completed as f64 / load.duration_s.max(1e-9);
    let computed = rate * mean_us / 1e6;
    let lost = (load.failed + load.unanswered) as f64 / (load.started as f64).max(1.0);
    if lost >= TELLING {
        return None;
    }
    let (there, advice) = match &load.open {
        Some(open) => {
            (open.in_flight_mean, "requests piled up towards the end: the server never came to rest at this rate")
        }
        None if load.stages.is_empty() && !thinks(load) && load.pipeline <= 1 => (
            f64::from(load.concurrency),
            "the users were not always asking: runner or the machine was too busy, or the run too short",
        ),
        _ => return None,
    };
    // Nobody has more requests in flight than there are users: what more there seems to be was answered after the end.
    let too_many = load.open.is_none() && computed > there;
    let off = (computed - there).abs() > there * LITTLE && load.completed as f64 > 10.0 * there.max(100.0);
    let there = if there.fract() == 0.0 { format!("{there}") } else { format!("{there:.1}") };
    let message =
        format!("{} x the mean latency makes {computed:.1} users in flight, but there are {there}", show_rate(rate));
    (off && !too_many).then(|| caveat(message, advice))?
}

/// Whether users of the closed model think, by themselves or as their script says.
fn thinks(load: &Load) -> bool {
    load.pause_s > 0.0 || load.checks.as_ref().is_some_and(|script| script.thought_s > 0.0)
}

fn few_descriptors(load: &Load) -> Option<Caveat> {
    let needed = load.generator.descriptors_needed;
    let limit = load.generator.descriptors_limit.filter(|limit| *limit < needed)?;
    let message = format!(
        "this process may have {} descriptors open, and the load may need {}",
        show_count(limit),
        show_count(needed)
    );
    caveat(message, "raise the hard limit (`ulimit -Hn`): failures of the kind `connect` may be runner's own")
}

fn few_ports(load: &Load) -> Option<Caveat> {
    let (waiting, ports) = (load.generator.time_wait?, load.generator.ports?);
    let message = format!(
        "{} sockets of connections to the server are in TIME_WAIT, and such connections are made from {} ports",
        show_count(waiting),
        show_count(ports)
    );
    let used = load.generator.connections_opened as f64 > ports as f64 * (1.0 - PORTS_USED);
    let scarce = used && waiting as f64 > ports as f64 * PORTS_USED;
    scarce.then(|| caveat(message, "have the server keep connections alive, name more `load.source_addresses`, or widen net.ipv4.ip_local_port_range"))?
}

fn coarse_clock(load: &Load) -> Option<Caveat> {
    let Some(Micros::Exactly(median_us)) = load.latency_us.p50 else { return None };
    let grain_us = load.generator.clock_ns? as f64 / 1e3;
    let message = format!(
        "the clock ticks every {}, the median latency is {}",
        show_time(grain_us / 1e6),
        show_time(median_us / 1e6)
    );
    (median_us < grain_us * TICKS)
        .then(|| caveat(message, "short times are rounded to ticks; use a machine with a finer clock"))?
}

#[cfg(test)]
mod tests;
