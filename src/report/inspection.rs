//! What an inspection found, in words: how many requests at once, of what kind the server is, why that is known, and what to
//! do about it.

use crate::analysis::parallelism::{full_batches, most_uneven};
use crate::analysis::signature::accepts_meanwhile;
use crate::record::{BurstRecord, BusyRecord, ConcurrencyStep, InspectionRecord, Parallelism, Signature};
use crate::units::{counted, show_count, show_rate, show_time};

use super::format::{list, millis};

/// The most batches of a burst that are told.
const BATCHES: usize = 4;

/// The answer in a sentence: `a pool of 40: ...`, without a full stop.
pub(crate) fn answer(inspection: &InspectionRecord) -> String {
    let (Some(signature), Some(seen)) = (inspection.signature, &inspection.parallelism) else {
        let why = inspection.inconclusive.as_deref().unwrap_or("too little was measured");
        return format!("how many requests it works on at once is not known: {why}");
    };
    let (each, at_once) = (for_each(inspection, seen), at_once(seen));
    match signature {
        Signature::OneAtATime => format!("one at a time{each}: {at_once}"),
        Signature::Pool => format!("a pool of {}{each}", at_once.trim_end_matches(" at once")),
        Signature::Suspends => format!("a loop that suspends: {}, as those that wait let others run", at_least(seen)),
        Signature::ThreadPerRequest => {
            format!("a thread for each request: {}, as those that wait let others run", at_least(seen))
        }
        Signature::BlockedLoop => format!("a loop that something blocks{each}: {at_once}"),
        Signature::CpuBound => format!("CPU-bound: {at_once}, as requests wait for nothing but a core"),
    }
}

/// The share of each worker, where there are several and the whole is known to fall into equal parts.
fn for_each(inspection: &InspectionRecord, seen: &Parallelism) -> String {
    let workers = inspection.workers.unwrap_or(1);
    let each = seen.value / f64::from(workers.max(1));
    if workers < 2 || each < 0.75 || (seen.counted && each.fract() != 0.0) {
        return String::new();
    }
    let of = counted(workers.into(), "worker");
    match inspection.signature {
        Some(Signature::Pool) => format!(" ({} in each of {of})", number(each, seen.counted)),
        _ => format!(" in each of {of}"),
    }
}

/// How many requests at once, with the interval.
fn at_once(seen: &Parallelism) -> String {
    let value = number(seen.value, seen.counted);
    let (low, high) = (number(seen.low, false), seen.high.map(|high| number(high, false)));
    match high {
        None => format!("at least {value} at once"),
        Some(_) if seen.counted => format!("{value} at once"),
        Some(high) if low == high => format!("about {value} at once"),
        Some(high) => format!("about {value} ({low} to {high}) at once"),
    }
}

/// The most that was seen: where only the CPU was a limit, it says nothing of how many a server would work on.
fn at_least(seen: &Parallelism) -> String {
    let until = if seen.high.is_some() { ", until the CPU is full" } else { "" };
    format!("at least {} at once{until}", number(seen.value, false))
}

/// Whole numbers where there are many, or where they were counted.
fn number(value: f64, counted: bool) -> String {
    if counted || value >= 9.5 || (value - value.round()).abs() < 0.05 {
        show_count(value.round() as u64)
    } else {
        format!("{value:.1}")
    }
}

/// Why that is known, a sentence each, without full stops.
pub(crate) fn evidence(inspection: &InspectionRecord) -> Vec<String> {
    let Some(alone_us) = inspection.alone_us else { return Vec::new() };
    let mut all = vec![format!("a request alone takes {}", show_time(alone_us / 1e6))];
    all.extend(throughput(inspection));
    all.extend(most_uneven(&inspection.steps).map(uneven));
    let clean = |burst: &&BurstRecord| full_batches(burst, alone_us / 1e3).is_some();
    all.extend(inspection.bursts.iter().rfind(clean).map(burst));
    all.extend(inspection.busy.iter().flat_map(while_busy));
    all.extend(cpu(inspection));
    all.extend(growth(inspection));
    all
}

/// What the steps came to.
fn throughput(inspection: &InspectionRecord) -> Option<String> {
    let [first, .., last] = inspection.steps.as_slice() else { return None };
    let users = counted(last.concurrency.into(), "user");
    let times = last.throughput / first.throughput.max(1e-9);
    Some(format!("{users} get {}, {times:.1} times as much as one", show_rate(last.throughput)))
}

/// Over which workers connections lay, where one had too few.
fn uneven(step: &ConcurrencyStep) -> String {
    let users = counted(step.concurrency.into(), "user");
    let open: Vec<String> = step.connections.iter().map(|open| show_count((*open).into())).collect();
    format!("the connections of {users} lay unevenly over the workers, {}: one had too few to be busy", list(&open))
}

/// `of 100 requests sent at once, 40 came after 101 ms, 40 after 202 ms and 20 after 303 ms`.
fn burst(burst: &BurstRecord) -> String {
    let batch = |(index, batch): (usize, &crate::record::ResponseBatch)| {
        let came = if index == 0 { "came after" } else { "after" };
        format!("{} {came} {}", show_count(batch.responses.into()), millis(batch.first_ms.round()))
    };
    let mut batches: Vec<String> = burst.batches.iter().enumerate().map(batch).take(BATCHES).collect();
    let rest: u32 = burst.batches.iter().skip(BATCHES).map(|batch| batch.responses).sum();
    if rest > 0 {
        batches.push(format!("{} later", show_count(rest.into())));
    }
    format!("of {} sent at once, {}", counted(burst.size.into(), "request"), list(&batches))
}

/// Who was accepted, and who answered, while the server was at work.
fn while_busy(busy: &BusyRecord) -> Vec<String> {
    let work = match busy.occupied {
        1 => "a request was handled".to_owned(),
        n => format!("{} were handled", counted(n.into(), "request")),
    };
    let mut all = Vec::new();
    if let (Some(first), Some(next)) = (busy.not_accepted_first, busy.not_accepted_next) {
        let waited = |count: u32| if count == 0 { "none".to_owned() } else { show_count(count.into()) };
        let later = counted(busy.later.into(), "connection");
        all.push(format!(
            "of {later} that came while {work}, {} had to wait to be accepted, and {} still while the next were handled",
            waited(first),
            waited(next)
        ));
    }
    if busy.malformed_sent {
        let within = |ms: f64| millis(ms.max(1.0).round());
        all.push(match busy.malformed_answered_ms {
            Some(ms) => format!("a line that is no request was answered meanwhile, within {}", within(ms)),
            None => "a line that is no request was not answered meanwhile".to_owned(),
        });
    }
    all
}

/// What the CPU did in the last step.
fn cpu(inspection: &InspectionRecord) -> Option<String> {
    let last = inspection.steps.last()?;
    let cpu = last.cpu?;
    Some(format!(
        "with {}, {:.2} cores were in use, by {}",
        counted(last.concurrency.into(), "user"),
        cpu.cores,
        counted(cpu.threads.into(), "thread")
    ))
}

/// Whether it keeps up with the arrivals of the scenario.
fn growth(inspection: &InspectionRecord) -> Option<String> {
    let arrivals = inspection.arrivals.as_ref()?;
    let rate = show_rate(arrivals.rate);
    Some(match arrivals.growth_per_s {
        Some(growth) => {
            format!("at {rate}, a queue grows without end: {growth:.0} more requests wait with each second")
        }
        None => format!("at {rate}, no queue grows: {} in flight at the end", show_count(arrivals.in_flight)),
    })
}

/// What to do, a sentence without a full stop; `None` where nothing is known.
pub(crate) fn advice(inspection: &InspectionRecord) -> Option<String> {
    let text = match inspection.signature? {
        Signature::OneAtATime if inspection.busy.as_ref().is_some_and(accepts_meanwhile) => {
            "the server takes requests at any time, and works on one: look for a lock or a pool of one thread (as \
             `thread_sensitive` in Django), and for a synchronous handler under an async server"
        }
        Signature::OneAtATime => {
            "a request that waits keeps its worker from all others: more workers or threads help, or an async server with a \
             handler that awaits"
        }
        Signature::Pool => {
            "requests beyond the pool wait: if the CPU is idle then, a larger pool carries more, up to what stands behind it \
             (connections of a database)"
        }
        Signature::Suspends => {
            "waiting costs it little, so workers beyond the number of cores bring nothing: keep anything that blocks out of the \
             loop, and bound what is in flight towards databases"
        }
        Signature::ThreadPerRequest => {
            "each request in flight costs a thread and its memory, without a limit: bound it, by a pool or a proxy in front"
        }
        Signature::BlockedLoop => {
            "requests wait behind each other although the server is async: look for blocking calls in `async def` (a \
             synchronous database driver, `requests`, `time.sleep`), and await them or hand them to a thread"
        }
        Signature::CpuBound => {
            "requests compute rather than wait: neither threads nor async help, but workers do, up to the number of cores, and \
             less work per request"
        }
    };
    let grows = inspection.arrivals.as_ref().is_some_and(|arrivals| arrivals.growth_per_s.is_some());
    let queue = if grows { "; more comes than it can take: limit what is accepted, or add capacity" } else { "" };
    Some(format!("{text}{queue}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ResponseBatch;

    fn seen(value: f64, low: f64, high: Option<f64>, counted: bool) -> Parallelism {
        Parallelism { value, low, high, counted, per_worker: Some(value) }
    }

    #[test]
    fn a_number_at_once_comes_with_what_is_known_of_it() {
        assert_eq!(at_once(&seen(40.0, 40.0, Some(40.0), true)), "40 at once");
        assert_eq!(at_once(&seen(7.62, 7.4, Some(8.1), false)), "about 7.6 (7.4 to 8.1) at once");
        assert_eq!(at_once(&seen(38.4, 38.2, Some(38.4), false)), "about 38 at once");
        assert_eq!(at_once(&seen(509.6, 509.6, None, false)), "at least 510 at once");
    }

    #[test]
    fn a_burst_is_told_by_its_batches() {
        let batch = |ms: f64, responses| ResponseBatch { first_ms: ms, last_ms: ms, responses };
        let one = BurstRecord { size: 64, batches: vec![batch(101.2, 40), batch(202.4, 24)] };
        assert_eq!(burst(&one), "of 64 requests sent at once, 40 came after 101 ms and 24 after 202 ms");
        let six = (1..=6).map(|n| batch(100.0 * f64::from(n), 1)).collect();
        let text = burst(&BurstRecord { size: 6, batches: six });
        assert!(text.ends_with("1 after 400 ms and 2 later"), "{text}");
    }

    #[test]
    fn every_signature_has_an_answer_and_advice() {
        for signature in [
            Signature::OneAtATime,
            Signature::Pool,
            Signature::Suspends,
            Signature::ThreadPerRequest,
            Signature::BlockedLoop,
            Signature::CpuBound,
        ] {
            let parallelism = Some(seen(2.0, 2.0, Some(2.0), true));
            let record = InspectionRecord { signature: Some(signature), parallelism, ..InspectionRecord::default() };
            assert!(answer(&record).contains(" 2") && advice(&record).is_some(), "{}", answer(&record));
        }
        let none = InspectionRecord { inconclusive: Some("no request was answered".to_owned()), ..Default::default() };
        assert!(answer(&none).ends_with("is not known: no request was answered") && advice(&none).is_none());
    }
}
