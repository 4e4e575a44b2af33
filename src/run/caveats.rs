//! Reasons to trust a number less, computed from the figures themselves.

use crate::exchange::Failure;
use crate::record::{Caveat, Dirty, Load, Micros, Trial};
use crate::server::tls;
use crate::units::{counted, show_count, show_percentage, show_rate, show_time};

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
/// How far users in flight, by Little's law, may be from the users there are.
const LITTLE: f64 = 0.1;

/// The caveats of a variant, each once, from whichever trial shows it first.
pub(super) fn of(trials: &[Trial]) -> Vec<Caveat> {
    let mut caveats: Vec<Caveat> = Vec::new();
    let rules: [fn(&Load) -> Option<Caveat>; 17] = [
        fell_silent,
        busy_generator,
        late_sends,
        queued,
        rate_not_met,
        few_samples,
        error_statuses,
        never_answered,
        not_connected,
        no_handshake,
        not_http,
        cut_off,
        little,
        few_descriptors,
        few_ports,
        coarse_clock,
        not_torn_down,
    ];
    for rule in rules {
        caveats.extend(trials.iter().filter_map(|trial| trial.load.as_ref()).find_map(rule));
    }
    caveats.extend(trials.iter().filter_map(|trial| trial.dirty.as_ref()).find_map(not_searched));
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

/// A server that answered, and then no longer: for a second at least, and for longer than any answer had taken.
fn fell_silent(load: &Load) -> Option<Caveat> {
    let last = load.timeline.iter().rposition(|second| second.completed > 0)?;
    let silent = &load.timeline[last + 1..];
    let lasting: f64 = silent.iter().map(|second| second.length_s).sum();
    let longest = load.timeline.iter().filter_map(|second| second.latency_max_us).fold(0.0, f64::max) / 1e6;
    let asked = silent.iter().any(|second| second.started > 0) || load.unanswered > 0;
    if !asked || lasting < 1.0 || lasting <= longest {
        return None;
    }
    let message = format!(
        "nothing was answered in the last {} of {}: the server had stopped, or hung; what is said of the load is of both times",
        show_time(lasting),
        show_time(load.duration_s)
    );
    caveat(message, "look for what happened to it then, and judge only loads in which it lived")
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
    let thin =
        quantiles.iter().filter(|(_, q)| (load.started as f64) * (1.0 - q) < SAMPLES_BEYOND).map(|(name, _)| *name);
    let names: Vec<&str> = thin.collect();
    let message = format!(
        "{} rest{} on fewer than 10 requests beyond, of {} in all",
        names.join(", "),
        if names.len() == 1 { "s" } else { "" },
        show_count(load.started)
    );
    let advice = match load.planned_requests {
        Some(_) => "more of `load.requests` steady them",
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
    let message = format!(
        "{} of requests never got an answer; they rank as longer than all that did, so quantiles beyond {:.2} % are lower bounds",
        show_percentage(share),
        (1.0 - share) * 100.0
    );
    caveat(message, "compare them only with a run that has the same `load.timeout` and `load.duration`")
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
        "{} requests were due while all {} were busy{never}; latency counts the wait",
        show_count(open.queued),
        counted(load.concurrency.into(), "user")
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
    let (Micros::Exactly(mean_us) | Micros::AtLeast(mean_us)) = load.latency_us.mean?;
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
    let off = (computed - there).abs() > there * LITTLE && load.completed as f64 > 10.0 * there.max(100.0);
    let there = if there.fract() == 0.0 { format!("{there}") } else { format!("{there:.1}") };
    let message =
        format!("{} x the mean latency makes {computed:.1} users in flight, but there are {there}", show_rate(rate));
    off.then(|| caveat(message, advice))?
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
        "{} sockets are in TIME_WAIT, and connections to one address are made from {} ports",
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
mod tests {
    use super::*;
    use crate::record::{Checks, Generator, Open, Second};

    #[test]
    fn a_few_lost_requests_of_many_are_no_caveat() {
        let load = |failed| Load { started: 100_000, failed, ..Load::default() };
        assert!(never_answered(&load(99)).is_none() && never_answered(&Load::default()).is_none());
        let message = never_answered(&load(123)).map(|caveat| caveat.message).unwrap_or_default();
        assert!(message.starts_with("0.12 % of requests") && message.contains("beyond 99.88 % are"), "{message}");
    }

    /// 1,000/s for 10 s at 20 ms.
    fn steady() -> Load {
        let open = Open { rate: 1000.0, spacing: "uniform".to_owned(), in_flight_mean: 20.0, ..Open::default() };
        let mut load =
            Load { started: 10_000, completed: 10_000, duration_s: 10.0, open: Some(open), ..Load::default() };
        (load.latency_us.mean, load.latency_us.p50) = (Some(Micros::Exactly(2e4)), Some(Micros::Exactly(2e4)));
        load.generator = Generator {
            descriptors_needed: 1064,
            descriptors_limit: Some(1064),
            connections_opened: 10_000,
            time_wait: Some(10_000),
            ports: Some(28_000),
            clock_ns: Some(1),
            ..Generator::default()
        };
        load
    }

    #[test]
    fn each_flaw_of_a_load_has_a_caveat_and_a_load_without_one_has_none() {
        let trial = |load| [Trial { load: Some(load), ..Trial::default() }];
        let found = |load| of(&trial(load)).into_iter().map(|caveat| caveat.message).collect::<Vec<_>>().join("; ");
        assert_eq!(found(steady()), "");
        type Flaw = fn(&mut Load, &mut Open);
        let flaws: [(Flaw, &str); 9] = [
            (
                |_, open| (open.late_share, open.late_max_us, open.missed) = (0.5, 5e5, 4000),
                "at worst by 500 ms, 4,000 of them too late to be sent at all: the load threads were not there",
            ),
            (
                |_, open| (open.late_share, open.late_max_us) = (0.02, 5e3),
                "2.00 % of requests were sent more than 1 ms late, at worst by 5.00 ms",
            ),
            (|_, open| open.queued = 7, "7 requests were due while all"),
            (|_, open| open.rate = 1020.0, "1,000/s were sent where 1,020/s were asked for"),
            (|_, open| open.in_flight_mean = 40.0, "makes 20.0 users in flight, but there are 40"),
            (|load, _| load.generator.descriptors_limit = Some(1024), "may have 1,024 descriptors open"),
            (|load, _| load.generator.time_wait = Some(27_000), "27,000 sockets are in TIME_WAIT"),
            (|load, _| load.generator.clock_ns = Some(1_000_000), "the clock ticks every 1.00 ms"),
            (|load, _| load.generator.cpu_max = 0.9, "used 90.0 % of a core"),
        ];
        for (flaw, said) in flaws {
            let mut load = steady();
            let mut open = load.open.take().unwrap();
            flaw(&mut load, &mut open);
            load.open = Some(open);
            let found = found(load);
            assert!(found.contains(said), "{said:?} is not in {found:?}");
        }
    }

    #[test]
    fn a_server_that_falls_silent_is_told_from_one_that_is_slow() {
        // A row a second: how many were answered, and the longest latency, in microseconds.
        let message = |rows: &[(u64, f64)]| {
            let row = |(index, (completed, longest)): (usize, &(u64, f64))| Second {
                t_s: index as f64,
                length_s: 1.0,
                started: 10,
                completed: *completed,
                latency_max_us: (*completed > 0).then_some(*longest),
                ..Second::default()
            };
            let timeline = rows.iter().enumerate().map(row).collect();
            fell_silent(&Load { timeline, duration_s: rows.len() as f64, ..Load::default() })
                .map(|caveat| caveat.message)
        };
        let silent = message(&[(100, 1e3), (60, 1e3), (0, 0.0), (0, 0.0)]).unwrap();
        assert!(silent.starts_with("nothing was answered in the last 2.00 s of 4.00 s"), "{silent}");
        assert_eq!(message(&[(100, 1e3), (60, 1e3)]), None);
        assert_eq!(message(&[(0, 0.0), (0, 0.0), (1, 2.9e6), (0, 0.0), (0, 0.0)]), None, "each answer takes as long");
        assert_eq!(message(&[(0, 0.0), (0, 0.0)]), None, "it never answered: that is told elsewhere");
    }

    /// 10 users for 10 s: 1 ms an answer, and so much more from one answer to the next request.
    fn users_who_also_wait(wait_s: f64) -> Load {
        let started = (10.0 * 10.0 / (0.001 + wait_s)) as u64;
        let mut load = Load { started, completed: started, concurrency: 10, duration_s: 10.0, ..Load::default() };
        load.latency_us.mean = Some(Micros::Exactly(1e3));
        load
    }

    #[test]
    fn one_lost_request_in_many_does_not_silence_littles_law() {
        assert!(little(&users_who_also_wait(0.0)).is_none());
        let load = |failed| {
            let mut load = users_who_also_wait(0.001);
            load.latency_us.mean = Some(Micros::AtLeast(1e3));
            Load { failed, completed: load.started - failed, ..load }
        };
        assert!(little(&load(1)).is_some() && little(&load(load(0).started / 1000 + 1)).is_none());
        let mut load = Load { failed: 1, completed: 9_999, ..steady() };
        load.latency_us.mean = Some(Micros::AtLeast(2e4));
        load.open = load.open.map(|open| Open { in_flight_mean: 40.0, ..open });
        assert!(little(&load).is_some());
    }

    #[test]
    fn users_who_think_break_no_law() {
        let idle = users_who_also_wait(0.02);
        assert!(little(&idle).is_some());
        let of_script = |thought_s| Load { checks: Some(Checks { thought_s, ..Checks::default() }), ..idle.clone() };
        assert!(little(&of_script(0.0)).is_some() && little(&of_script(95.0)).is_none());
        assert!(little(&Load { pause_s: 0.02, ..idle }).is_none());
    }

    #[test]
    fn a_check_that_did_not_search_all_of_a_response_says_so() {
        let trial = |cut| [Trial { dirty: Some(Dirty { cut, ..Dirty::default() }), ..Trial::default() }];
        assert!(of(&trial(0)).is_empty());
        let caveats = of(&trial(3));
        assert!(caveats[0].message.starts_with("the end of 3 responses was not searched"), "{}", caveats[0].message);
    }

    #[test]
    fn arrivals_by_chance_may_be_fewer_by_chance() {
        let mut load = steady();
        load.open = load.open.map(|open| Open { rate: 1015.0, spacing: "poisson".to_owned(), ..open });
        assert!(rate_not_met(&load).is_none());
        load.open = load.open.map(|open| Open { rate: 1050.0, ..open });
        assert!(rate_not_met(&load).is_some());
    }
}
