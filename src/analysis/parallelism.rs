//! Effective parallelism: how many requests a server works on at once, from closed loads with more and more users, and from
//! bursts.
//!
//! By Little's law (Little 1961, "A proof for the queuing formula L = λW") the requests that are worked on are the throughput
//! times the time that each is worked on: that of a request that is alone. Users beyond that number wait, and add nothing.

use crate::record::{BurstRecord, ConcurrencyStep, InspectionRecord, Parallelism, ResponseBatch};

/// A step whose parallelism is at most this much above the most before it has added nothing.
const GROWTH: f64 = 1.15;
/// So many times the parallelism must have been tried for a limit to be certain, and so many users for each worker: which
/// worker takes a connection is chance.
const BEYOND: f64 = 3.0;
const USERS_PER_WORKER: u32 = 8;
/// Several workers need so many times the users: up to some tens of connections may all lie on one of them.
const SPREAD: f64 = 2.0;
/// A worker with fewer connections than this share of what each is thought to work on has too few.
const FEWER: f64 = 0.95;
/// Where a user more adds less than this share of a request, users wait.
const WAITING: f64 = 0.75;
/// A step that comes to less than this share of one before did worse.
const WORSE: f64 = 0.9;
/// A request that waits takes so many times its own time, or more.
const QUEUED: f64 = 1.2;
/// Users for each request that is worked on, from which on those whose requests do not wait are served before others.
const UNFAIR: f64 = 2.5;
/// Of the plateau are the steps that come this close to the most.
const OF_PLATEAU: f64 = 0.85;
/// A request that takes longer is slow.
const SLOW_S: f64 = 0.3;
/// Users among whom a request's own time is looked for, and how many responses tell it: the mean of a few may be short by
/// chance.
const FEW: u32 = 8;
const ENOUGH: u64 = 12;
/// A step of which a larger share failed says nothing more.
const FAILED: f64 = 0.1;
/// A longer pause than this share of a request's time lies between two batches.
const PAUSE: f64 = 0.35;
/// How far the time between two batches may be from that of a request.
const PERIOD: std::ops::Range<f64> = 0.6..1.6;
/// A response that comes before this share of a request's time was to a shorter one.
const ALIKE: f64 = 0.9;
/// So many bursts must agree; one is enough that comes so near to what the throughput tells.
const AGREE: usize = 2;
const NEAR: f64 = 1.04;
/// By then, in times of a request, a second batch cannot have come.
const TOGETHER: f64 = 1.8;
/// Where so many times as much came together, the plateau is none.
const MORE: f64 = 1.5;
/// How far a number of batches may be from what the throughput tells.
const MARGIN: f64 = 1.25;
/// A wave of so many may have one straggler.
const LARGE: u32 = 16;

/// How long a request is worked on, on average: the mean of those that were alone, or that of a step with few users where it
/// is less, as to wait, for others or for a machine that is busy, only makes it longer. `None` if none was answered.
pub fn work_s(steps: &[ConcurrencyStep]) -> Option<f64> {
    let tells =
        |(index, step): &(usize, &ConcurrencyStep)| *index == 0 || (step.concurrency <= FEW && step.good >= ENOUGH);
    let means = steps.iter().enumerate().filter(tells).filter_map(|(_, step)| step.service_time_mean_us);
    means.min_by(f64::total_cmp).map(|us| us / 1e6)
}

/// Requests that were worked on at once in a step, where each takes `work_s`.
pub fn at_once(step: &ConcurrencyStep, work_s: f64) -> f64 {
    step.throughput * work_s
}

/// The most requests that were worked on at once in any step.
pub fn most_at_once(steps: &[ConcurrencyStep]) -> f64 {
    let work_s = work_s(steps).unwrap_or(0.0);
    steps.iter().map(|step| at_once(step, work_s)).fold(0.0, f64::max)
}

/// Whether so many requests of a step failed, or were answered with errors, that a larger one would tell nothing.
pub fn breaks_down(step: &ConcurrencyStep) -> bool {
    let bad = (step.failed + step.error_status) as f64;
    bad > FAILED * (bad + step.good as f64)
}

/// Whether a worker had fewer connections than it works on, while others had more: what the step came to is less than the server
/// can. Which worker takes a connection is chance; where all wait for one, one of them may take nearly all.
fn is_uneven(step: &ConcurrencyStep, work_s: f64) -> bool {
    let each = at_once(step, work_s) / step.connections.len().max(1) as f64;
    step.connections.len() > 1 && step.connections.iter().any(|open| f64::from(*open) < FEWER * each)
}

/// What an uneven step would have come to with enough connections for each worker, if workers are alike: those that had enough show
/// what one works on.
fn evened(step: &ConcurrencyStep, work_s: f64) -> f64 {
    let mut open: Vec<f64> = step.connections.iter().map(|open| f64::from(*open)).collect();
    open.sort_unstable_by(f64::total_cmp);
    let (mut left, mut workers) = (at_once(step, work_s), open.len() as f64);
    for open in &open {
        let each = left / workers;
        if *open >= FEWER * each {
            return each * step.connections.len() as f64;
        }
        left -= open;
        workers -= 1.0;
    }
    at_once(step, work_s)
}

/// Of the steps whose requests waited, that in which connections lay the most unevenly over workers, so that one of them had too
/// few; `None` where each had enough.
pub fn most_uneven(steps: &[ConcurrencyStep]) -> Option<&ConcurrencyStep> {
    let work_s = work_s(steps)?;
    let least = |step: &&ConcurrencyStep| step.connections.iter().min().copied();
    steps.iter().filter(|step| waited(step, work_s) && is_uneven(step, work_s)).min_by_key(least)
}

/// Whether the last step should be measured once more: it is the first whose requests waited, does worse than one before, or a
/// worker had nothing to do. On a machine that is busy with something else a step may do worse than the server can, and never
/// better.
pub fn is_doubtful(steps: &[ConcurrencyStep]) -> bool {
    let [before @ .., last] = steps else { return false };
    let Some(work_s) = work_s(steps) else { return false };
    let so_far = before.iter().map(|step| at_once(step, work_s)).fold(0.0, f64::max);
    let waits = |step: &ConcurrencyStep| at_once(step, work_s) < WAITING * f64::from(step.concurrency);
    let is_first = !before.iter().any(waits);
    !breaks_down(last) && waits(last) && (is_first || at_once(last, work_s) < WORSE * so_far || is_uneven(last, work_s))
}

/// The users of the next step, at most `most`; `None` where enough is known.
pub fn next_concurrency(steps: &[ConcurrencyStep], workers: u32, most: u32) -> Option<u32> {
    let last = steps.last()?;
    if last.concurrency >= most || breaks_down(last) || is_flat(steps, workers, most) {
        return None;
    }
    // Slow requests leave no time for many steps.
    let factor = if work_s(steps)? > SLOW_S { 4 } else { 2 };
    Some((last.concurrency * factor).min(most))
}

/// The last two steps had many more users than the server takes, and the last added nothing.
fn is_flat(steps: &[ConcurrencyStep], workers: u32, most: u32) -> bool {
    let [before @ .., last] = steps else { return false };
    let (Some(previous), Some(work_s)) = (before.last(), work_s(steps)) else { return false };
    let so_far = before.iter().map(|step| at_once(step, work_s)).fold(0.0, f64::max);
    let now = at_once(last, work_s);
    let users = f64::from(last.concurrency);
    let spread = if workers > 1 { SPREAD } else { 1.0 };
    let adds_nothing = now <= GROWTH * so_far;
    adds_nothing
        && ![previous, last].iter().any(|step| is_uneven(step, work_s))
        && waited(previous, work_s)
        && waited(last, work_s)
        && users >= (BEYOND * spread * so_far.max(now)).min(f64::from(most))
        && last.concurrency >= workers.saturating_mul(USERS_PER_WORKER).min(most)
}

/// Whether more users came than were worked on, and most of their requests waited for it. Where only some took longer, they
/// did so for another reason, as on a machine that is busy with something else; unless these are so long that the server serves
/// some users first.
fn waited(step: &ConcurrencyStep, work_s: f64) -> bool {
    let most_waited = step.service_time_p50_us.is_none_or(|us| us / 1e6 >= QUEUED * work_s);
    let users_for_each = f64::from(step.concurrency) / at_once(step, work_s).max(1e-9);
    users_for_each > 1.0 / WAITING && (most_waited || users_for_each >= UNFAIR)
}

/// The least, the mean and the most at once over the steps that had more users than the server takes; `None` if it took
/// them all.
fn plateau(steps: &[ConcurrencyStep]) -> Option<(f64, f64, f64)> {
    let (most, work_s) = (most_at_once(steps), work_s(steps)?);
    if steps.len() < 2 || !waited(steps.last()?, work_s) {
        return None;
    }
    let full = || steps.iter().filter(|step| waited(step, work_s));
    if full().all(|step| is_uneven(step, work_s)) {
        let mut evened: Vec<f64> = full().map(|step| evened(step, work_s)).collect();
        evened.sort_unstable_by(f64::total_cmp);
        return Some((most, evened[evened.len() / 2], evened.last().copied()?));
    }
    let is_on_it = |step: &&ConcurrencyStep| {
        if is_uneven(step, work_s) {
            return false;
        }
        let seen = at_once(step, work_s);
        seen >= OF_PLATEAU * most && (f64::from(step.concurrency) > most / WAITING || seen >= most)
    };
    let on_it: Vec<f64> = steps.iter().filter(is_on_it).map(|step| at_once(step, work_s)).collect();
    let least = on_it.iter().copied().fold(most, f64::min);
    Some((least, on_it.iter().sum::<f64>() / on_it.len() as f64, most))
}

/// Responses in batches: each begins after a pause. `times_ms` are those of the responses of a burst, in order.
pub fn batches(times_ms: &[f64], alone_ms: f64) -> Vec<ResponseBatch> {
    let mut batches: Vec<ResponseBatch> = Vec::new();
    for time in times_ms {
        match batches.last_mut() {
            Some(batch) if time - batch.last_ms <= PAUSE * alone_ms => {
                batch.last_ms = *time;
                batch.responses += 1;
            }
            _ => batches.push(ResponseBatch { first_ms: *time, last_ms: *time, responses: 1 }),
        }
    }
    batches
}

/// The batches of a burst that all have the size of a pool, but for the last ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FullBatches {
    pub size: u32,
    /// From one to the next, in milliseconds: for so long a request is worked on. It may take a client longer.
    pub apart_ms: f64,
}

/// The batches of a burst, if a request's time after the first another one comes, and none is larger.
///
/// Later ones may be smaller than the pool: connections may lie unevenly over its workers.
pub fn full_batches(burst: &BurstRecord, alone_ms: f64) -> Option<FullBatches> {
    let [first, others @ ..] = burst.batches.as_slice() else { return None };
    let apart_ms = others.first()?.first_ms - first.first_ms;
    let in_step = [first.first_ms, apart_ms].iter().all(|ms| PERIOD.contains(&(ms / alone_ms)));
    let slack = u32::from(first.responses >= LARGE);
    let largest = others.iter().all(|batch| batch.responses <= first.responses + slack);
    (in_step && largest).then_some(FullBatches { size: first.responses, apart_ms })
}

/// The most responses of a burst that came before a second batch could: so many were worked on at once, for certain. It says
/// nothing where some requests take less time than others.
fn together(burst: &BurstRecord, alone_ms: f64) -> u32 {
    if burst.batches.first().is_none_or(|first| first.first_ms < ALIKE * alone_ms) {
        return 0;
    }
    let first = |batch: &&ResponseBatch| batch.last_ms < TOGETHER * alone_ms;
    burst.batches.iter().filter(first).map(|batch| batch.responses).sum()
}

/// The size of batches on which bursts agree, of those that do not contradict the throughput: the one that comes nearest to what
/// that tells. Where connections lie unevenly over workers, a batch is smaller than all that they take, so that most may be.
fn counted(record: &InspectionRecord, alone_ms: f64, throughput: f64) -> Option<f64> {
    let off = |batches: &FullBatches| {
        let about = throughput * batches.apart_ms / 1e3;
        (f64::from(batches.size) / about).max(about / f64::from(batches.size))
    };
    let bursts = record.bursts.iter().filter_map(|burst| full_batches(burst, alone_ms));
    let sizes: Vec<(u32, f64)> = bursts.map(|batches| (batches.size, off(&batches))).collect();
    let sizes: Vec<(u32, f64)> = sizes.into_iter().filter(|(_, off)| *off <= MARGIN).collect();
    let votes = |size: u32| sizes.iter().filter(|(other, _)| *other == size).count();
    let only = record.bursts.len() == 1;
    let certain = |(size, off): &&(u32, f64)| only || votes(*size) >= AGREE || *off <= NEAR;
    let nearest = sizes.iter().filter(certain).min_by(|(_, one), (_, other)| one.total_cmp(other));
    nearest.map(|(size, _)| f64::from(*size))
}

/// How many requests the server of an inspection works on at once; `None` if too little was measured.
pub fn parallelism(record: &InspectionRecord) -> Option<Parallelism> {
    let alone_s = record.alone_us? / 1e6;
    let each = |value: f64| record.workers.map(|workers| value / f64::from(workers.max(1)));
    let at_least =
        |value: f64| Some(Parallelism { value, low: value, high: None, counted: false, per_worker: each(value) });
    let Some((low, value, high)) = plateau(&record.steps) else {
        let last = f64::from(record.steps.last()?.concurrency);
        return at_least(most_at_once(&record.steps).min(last));
    };
    let together = record.bursts.iter().map(|burst| together(burst, alone_s * 1e3)).max().unwrap_or(0);
    if f64::from(together) > MORE * value && f64::from(together) > value + 1.0 {
        // Connections that lie unevenly over workers make the throughput too low; batches that follow show the limit even so.
        let sizes: Vec<u32> =
            record.bursts.iter().filter_map(|burst| full_batches(burst, alone_s * 1e3)).map(|of| of.size).collect();
        let agree = sizes.iter().filter(|size| **size == together).count() >= AGREE;
        let size = f64::from(together);
        return match agree {
            true => {
                Some(Parallelism { value: size, low: size, high: Some(size), counted: true, per_worker: each(size) })
            }
            false => at_least(size),
        };
    }
    let throughput = value / work_s(&record.steps)?;
    match counted(record, alone_s * 1e3, throughput) {
        Some(size) => {
            Some(Parallelism { value: size, low: size, high: Some(size), counted: true, per_worker: each(size) })
        }
        None => Some(Parallelism { value, low, high: Some(high), counted: false, per_worker: each(value) }),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Steps of a server that takes `limit` requests of 100 ms at once.
    pub(in crate::analysis) fn steps(limit: f64, users: &[u32]) -> Vec<ConcurrencyStep> {
        let step = |users: &u32| {
            let throughput = f64::from(*users).min(limit) / 0.1;
            let good = throughput as u64;
            let service_time_mean_us = Some(f64::from(*users) / throughput * 1e6);
            let (concurrency, duration_s) = (*users, 1.0);
            ConcurrencyStep {
                concurrency,
                duration_s,
                good,
                throughput,
                service_time_mean_us,
                ..ConcurrencyStep::default()
            }
        };
        users.iter().map(step).collect()
    }

    fn sweep(limit: f64, workers: u32) -> Vec<u32> {
        let mut users = vec![1];
        while let Some(next) = next_concurrency(&steps(limit, &users), workers, 512) {
            users.push(next);
        }
        users
    }

    #[test]
    fn a_sweep_ends_soon_after_the_plateau_is_certain() {
        assert_eq!(sweep(1.0, 1), [1, 2, 4, 8]);
        assert_eq!(sweep(2.0, 2), [1, 2, 4, 8, 16]);
        assert_eq!(sweep(8.0, 1), [1, 2, 4, 8, 16, 32]);
        assert_eq!(sweep(8.0, 2).last(), Some(&64), "all of 32 may lie on one worker");
        assert_eq!(sweep(40.0, 1), [1, 2, 4, 8, 16, 32, 64, 128]);
        assert_eq!(sweep(1e9, 1).last(), Some(&512));
        assert_eq!(sweep(250.0, 1).last(), Some(&512), "it may rise still");
    }

    #[test]
    fn a_step_that_fails_is_the_last() {
        let mut broken = steps(40.0, &[1, 2]);
        broken[1].error_status = broken[1].good;
        assert_eq!(next_concurrency(&broken, 1, 512), None);
    }

    #[test]
    fn what_a_request_takes_is_looked_for_where_none_waits() {
        assert!((work_s(&steps(2.0, &[1, 2, 4, 8])).unwrap() - 0.1).abs() < 1e-9);
        let mut varies = steps(100.0, &[1, 2, 4, 8, 16]);
        for (step, mean) in varies.iter_mut().zip([1.2e5, 9e4, 1e5, 2e5, 8e4]) {
            step.service_time_mean_us = Some(mean);
        }
        varies[1].good = 5;
        assert_eq!(work_s(&varies), Some(0.1), "neither the mean of five, nor that of many users");
        varies[0].service_time_mean_us = Some(7e4);
        assert_eq!(work_s(&varies), Some(0.07), "alone nobody waits");
        assert_eq!(work_s(&[ConcurrencyStep::default()]), None);
    }

    #[test]
    fn a_step_is_measured_again_where_it_is_the_first_to_wait_or_does_worse() {
        let doubtful = |limit, users: &[u32]| is_doubtful(&steps(limit, users));
        assert!(!doubtful(8.0, &[1, 2, 4, 8]) && doubtful(8.0, &[1, 2, 4, 8, 16]));
        assert!(!doubtful(8.0, &[1, 2, 4, 8, 16, 32]), "it does as well as the one before");
        let mut worse = steps(8.0, &[1, 2, 4, 8, 16, 32]);
        worse[5].throughput = 60.0;
        assert!(is_doubtful(&worse));
        assert!(!doubtful(1.0, &[1]));
    }

    /// A step of two workers that have so many connections, and take `each` requests at once.
    fn over_two(connections: [u32; 2], each: f64) -> ConcurrencyStep {
        let limit: f64 = connections.iter().map(|open| f64::from(*open).min(each)).sum();
        let step = steps(limit, &[connections.iter().sum()]).remove(0);
        ConcurrencyStep { connections: connections.to_vec(), ..step }
    }

    #[test]
    fn a_step_in_which_a_worker_has_too_few_connections_is_no_limit() {
        let uneven = |connections| is_uneven(&over_two(connections, 4.0), 0.1);
        assert!(uneven([64, 0]) && uneven([61, 3]) && !uneven([60, 4]) && !uneven([32, 32]));
        assert!(!uneven([1, 1]) && !is_uneven(&steps(8.0, &[64])[0], 0.1), "nobody sees who has them");

        let mut measured = steps(8.0, &[1, 2, 4, 8]);
        measured[0].connections = vec![1, 0];
        assert!(most_uneven(&measured).is_none(), "one user cannot keep two workers busy");
        measured.extend([[16, 0], [29, 3], [63, 1]].map(|connections| over_two(connections, 4.0)));
        assert!(is_doubtful(&measured));
        assert_eq!(next_concurrency(&measured, 2, 512), Some(128), "more may reach both");
        measured.push(over_two([100, 28], 4.0));
        assert_eq!(next_concurrency(&measured, 2, 512), Some(256), "the one before was uneven");
        measured.push(over_two([200, 56], 4.0));
        assert_eq!(next_concurrency(&measured, 2, 512), None);
        assert_eq!(most_uneven(&measured).map(|step| step.concurrency), Some(16));
        // All that waited were uneven: what the worker with enough works on, twice.
        let uneven = InspectionRecord { workers: Some(2), steps: measured[..7].to_vec(), ..inspected(8.0, Vec::new()) };
        let seen = parallelism(&uneven).unwrap();
        assert_eq!((seen.low.round(), seen.value.round(), seen.high.map(f64::round)), (8.0, 8.0, Some(8.0)));
        assert_eq!(evened(&over_two([62, 2], 4.0), 0.1).round(), 8.0);
        let three = ConcurrencyStep { connections: vec![1, 60, 3], ..steps(8.0, &[64]).remove(0) };
        assert_eq!(evened(&three, 0.1).round(), 12.0, "1 + 4 + 3");

        let record = InspectionRecord { workers: Some(2), steps: measured, ..inspected(8.0, Vec::new()) };
        let seen = parallelism(&record).unwrap();
        assert_eq!((seen.low.round(), seen.value.round(), seen.high.map(f64::round)), (8.0, 8.0, Some(8.0)));
    }

    #[test]
    fn what_came_together_was_worked_on_together_whatever_the_throughput_was() {
        let seen = parallelism(&inspected(8.0, vec![burst(20, 20, 1.0)])).unwrap();
        assert_eq!((seen.value, seen.high), (20.0, None));
        let mut varies = burst(20, 20, 1.0);
        varies.batches[0].first_ms = 60.0;
        assert!(parallelism(&inspected(8.0, vec![varies])).unwrap().high.is_some(), "of 50 to 150 ms");
        let seen = parallelism(&inspected(1.0, vec![burst(4, 2, 1.0)])).unwrap();
        assert!(seen.high.is_some(), "one more may be chance: {seen:?}");
        let seen = parallelism(&inspected(8.0, vec![burst(40, 16, 1.0), burst(48, 16, 1.0)])).unwrap();
        assert_eq!(
            (seen.value, seen.high),
            (16.0, Some(16.0)),
            "more came behind them: they are a pool of two workers"
        );
    }

    fn inspected(limit: f64, bursts: Vec<BurstRecord>) -> InspectionRecord {
        let (steps, workers) = (steps(limit, &sweep(limit, 1)), Some(1));
        InspectionRecord { alone_us: Some(1e5), steps, bursts, workers, ..InspectionRecord::default() }
    }

    /// A burst on a server that takes `limit` at once, whose responses are spread over so many milliseconds.
    fn burst(size: u32, limit: u32, spread: f64) -> BurstRecord {
        let time = |index: u32| {
            let (batch, place) = (index / limit, index % limit);
            f64::from(batch + 1) * (100.0 + spread / 10.0) + f64::from(place) / f64::from(limit) * spread
        };
        let times: Vec<f64> = (0..size).map(time).collect();
        BurstRecord { size, batches: batches(&times, 100.0) }
    }

    #[test]
    fn without_a_plateau_only_a_lower_bound_is_known() {
        let seen = parallelism(&inspected(1e9, Vec::new())).unwrap();
        assert_eq!((seen.value.round(), seen.high), (512.0, None));
    }

    #[test]
    fn batches_count_what_the_throughput_only_estimates() {
        let mut record = inspected(38.4, vec![burst(100, 40, 1.0), burst(100, 40, 40.0), burst(100, 40, 200.0)]);
        let seen = parallelism(&record).unwrap();
        assert_eq!((seen.value, seen.low, seen.high, seen.counted), (40.0, 40.0, Some(40.0), true));
        record.bursts.remove(0);
        let seen = parallelism(&record).unwrap();
        assert_eq!((seen.value, seen.counted), (40.0, true), "one that comes near to what the throughput tells");
        let far = inspected(36.0, record.bursts);
        let seen = parallelism(&far).unwrap();
        assert!(!seen.counted && (seen.value - 36.0).abs() < 1e-9, "one that agrees with nothing: {seen:?}");
    }

    #[test]
    fn batches_that_contradict_the_throughput_are_not_believed() {
        let record = inspected(2.0, vec![burst(5, 1, 1.0); 3]);
        let seen = parallelism(&record).unwrap();
        assert_eq!((seen.value.round(), seen.counted), (2.0, false), "one worker took the whole burst");
    }

    #[test]
    fn a_burst_falls_into_batches_as_large_as_the_pool() {
        let size = |burst: &BurstRecord, alone_ms| full_batches(burst, alone_ms).map(|batches| batches.size);
        let whole = burst(64, 40, 1.0);
        assert_eq!(whole.batches.iter().map(|batch| batch.responses).collect::<Vec<_>>(), [40, 24]);
        assert_eq!(size(&whole, 100.0), Some(40));
        assert_eq!(size(&burst(40, 40, 1.0), 100.0), None, "the pool may be larger");
        assert_eq!(size(&burst(100, 40, 30.0), 100.0), Some(40));
        assert_eq!(size(&burst(4, 1, 1.0), 100.0), Some(1));
        assert_eq!(size(&burst(100, 40, 300.0), 100.0), None, "the batches run into each other");
        assert_eq!(size(&burst(100, 40, 1.0), 30.0), None, "a request takes 30 ms");
        let mut uneven = burst(100, 40, 1.0);
        uneven.batches[1].responses = 41;
        assert_eq!(size(&uneven, 100.0), Some(40), "one that came late");
        uneven.batches[1].responses = 44;
        assert_eq!(size(&uneven, 100.0), None);
        uneven.batches[1].responses = 20;
        assert_eq!(size(&uneven, 100.0), Some(40), "one of two workers has no more to do");
    }

    #[test]
    fn a_request_that_takes_the_client_longer_than_the_server_is_counted_by_its_batches() {
        // 100 ms of work, 145 ms until the client has it (Nagle's algorithm and an acknowledgement that is delayed).
        let times: Vec<f64> = (0..18).map(|index| 145.0 + f64::from(index / 7) * 100.0).collect();
        let bursts = vec![BurstRecord { size: 18, batches: batches(&times, 145.0) }];
        let mut record = InspectionRecord { alone_us: Some(1.45e5), ..inspected(7.0, bursts) };
        record
            .steps
            .iter_mut()
            .for_each(|step| step.service_time_mean_us = step.service_time_mean_us.map(|us| us + 4.5e4));
        let seen = parallelism(&record).unwrap();
        assert_eq!((seen.value, seen.counted), (7.0, true));
    }
}
