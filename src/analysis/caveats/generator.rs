//! Reasons to trust a load less that lie with runner, its threads and its machine.

use crate::measured_value::MeasuredValue;
use crate::record::{Caveat, LoadRecord};
use crate::units::{counted, show_count, show_percentage, show_rate, show_time};

use super::limits::TELLING;

/// A load thread that is busier than this may itself be the limit.
const BUSY: f64 = 0.85;
/// A larger share of late sends shows in the quantiles that people look at.
const LATE_SHARE: f64 = 0.01;
/// A larger share of the asked rate that is missing is no chance.
const RATE_MISSED: f64 = 0.01;
/// Ports nearly used up: connecting gets slow, then fails.
const PORTS_USED: f64 = 0.8;
/// A clock is too coarse for a median of fewer of its ticks.
const TICKS: f64 = 100.0;
/// A larger share of the time that runner stood still shows in its figures.
const STOOD_STILL: f64 = 0.01;
/// How far users in flight, by Little's law, may be from the users there are.
const LITTLE: f64 = 0.1;

/// Runner as a whole was stopped, or the machine was: neither the server nor the load threads are to blame.
pub(super) fn stood_still(load: &LoadRecord) -> Option<Caveat> {
    let stopped = load.generator.stopped_s;
    let message = format!(
        "runner itself stood still for {} of {}: it was stopped, or had no core; the throughput is lower for it, and what was under way then seems longer",
        show_time(stopped),
        show_time(load.duration_s)
    );
    (stopped > STOOD_STILL * load.duration_s)
        .then(|| Caveat::new(message, "run it again where nothing stops it, and with a core of its own"))
}

pub(super) fn busy_generator(load: &LoadRecord) -> Option<Caveat> {
    let share = load.generator.cpu_max;
    let message = format!(
        "the busiest load thread used {} of a core in its busiest second: runner may be the limit, not the server",
        show_percentage(share)
    );
    (share > BUSY).then(|| Caveat::new(message, "raise `load.threads`, or run the server on another core or machine"))
}

pub(super) fn late_sends(load: &LoadRecord) -> Option<Caveat> {
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
    Some(Caveat::new(
        message,
        "latency counts that, service time does not; give runner a core of its own, or raise `load.threads`",
    ))
}

pub(super) fn queued(load: &LoadRecord) -> Option<Caveat> {
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
    Some(Caveat::new(
        message,
        "the server does not keep up with the rate, or `load.max_concurrency` is too low for its latency",
    ))
}

/// By chance, arrivals vary by the square root of their number; three times that is not chance.
pub(super) fn rate_not_met(load: &LoadRecord) -> Option<Caveat> {
    let open = load.open.as_ref()?;
    let asked = open.rate * load.duration_s;
    let chance = if open.spacing == "poisson" { 3.0 * asked.sqrt() } else { 1.0 };
    let sent = load.started.saturating_sub(open.never_sent + open.missed) as f64;
    let missed = load.planned_requests.is_none() && asked - sent > chance.max(asked * RATE_MISSED);
    let rate = |count: f64| show_rate(count / load.duration_s.max(1e-9));
    let message = format!("{} were sent where {} were asked for", rate(sent), rate(asked));
    missed.then(|| Caveat::new(message, "these figures are those of the lower rate; look for what held the load up"))
}

/// Little's law: requests in flight = rate x mean latency. Where it does not hold, time was spent elsewhere. It says
/// nothing of users who think or send in batches, or whose number changes, or where too many were never answered.
/// Source: J. D. C. Little (1961), "A proof for the queuing formula L = lambda W".
pub(super) fn littles_law(load: &LoadRecord) -> Option<Caveat> {
    // The few that were lost are in it with what they waited.
    let mean_us = load.latency_us.mean?.likely();
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
    (off && !too_many).then(|| Caveat::new(message, advice))
}

/// Whether users of the closed model think, by themselves or as their script says.
fn thinks(load: &LoadRecord) -> bool {
    load.pause_s > 0.0 || load.checks.as_ref().is_some_and(|script| script.thought_s > 0.0)
}

pub(super) fn few_descriptors(load: &LoadRecord) -> Option<Caveat> {
    let needed = load.generator.descriptors_needed;
    let limit = load.generator.descriptors_limit.filter(|limit| *limit < needed)?;
    let message = format!(
        "this process may have {} descriptors open, and the load may need {}",
        show_count(limit),
        show_count(needed)
    );
    Some(Caveat::new(
        message,
        "raise the hard limit (`ulimit -Hn`): failures of the kind `connect` may be runner's own",
    ))
}

pub(super) fn few_ports(load: &LoadRecord) -> Option<Caveat> {
    let (waiting, ports) = (load.generator.time_wait?, load.generator.ports?);
    let message = format!(
        "{} sockets of connections to the server are in TIME_WAIT, and such connections are made from {} ports",
        show_count(waiting),
        show_count(ports)
    );
    let used = load.generator.connections_opened as f64 > ports as f64 * (1.0 - PORTS_USED);
    let scarce = used && waiting as f64 > ports as f64 * PORTS_USED;
    scarce.then(|| Caveat::new(message, "have the server keep connections alive, name more `load.source_addresses`, or widen net.ipv4.ip_local_port_range"))
}

pub(super) fn coarse_clock(load: &LoadRecord) -> Option<Caveat> {
    let Some(MeasuredValue::Exactly(median_us)) = load.latency_us.p50 else { return None };
    let grain_us = load.generator.clock_ns? as f64 / 1e3;
    let message = format!(
        "the clock ticks every {}, the median latency is {}",
        show_time(grain_us / 1e6),
        show_time(median_us / 1e6)
    );
    (median_us < grain_us * TICKS)
        .then(|| Caveat::new(message, "short times are rounded to ticks; use a machine with a finer clock"))
}
