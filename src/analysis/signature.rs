//! What an inspection tells of how a server is built. Only what was seen from outside counts, and nothing that the scenario
//! says of the server.

use super::parallelism::at_once;
use crate::record::{BusyRecord, ConcurrencyStep, CpuRecord, InspectionRecord, Parallelism, Signature};

/// A request that keeps a core busy for a larger share of its time is bound by the CPU.
const BUSY: f64 = 0.5;
/// A request that is thought to do so keeps a core busy for this share of its time at least; others may wait for a core, too.
const SOME: f64 = 0.1;
/// Cores in use for each worker, or the share of a thread's time in which it ran or waited to run, from which on the CPU is the
/// limit.
const FULL: f64 = 0.75;
/// A request that takes less has nothing to wait for.
const SHORT_S: f64 = 0.002;
/// Fewer than this for each worker is one.
const SEVERAL: f64 = 1.5;
/// Where so large a share of the users that were added brought a thread, each request has its own.
const THREAD_EACH: f64 = 0.5;
/// The same where there are more users than are worked on.
const ADDED: f64 = 0.3;
/// Users of whom this share is worked on at once are taken.
const TAKEN: f64 = 0.75;
/// Numbers of threads that differ by this share are the same.
const STEADY: f64 = 0.05;

/// The kind of server that an inspection shows; `None` where too little was measured.
pub fn signature(record: &InspectionRecord, parallelism: &Parallelism) -> Option<Signature> {
    let alone_s = record.alone_us? / 1e6;
    let (first, last) = (record.steps.first()?, record.steps.last()?);
    if first.cpu.is_some_and(|cpu| cpu.cores >= BUSY || (cpu.busiest >= BUSY && cpu.cores >= SOME)) {
        return Some(Signature::CpuBound);
    }
    let unlimited = || match has_a_thread_each(&record.steps, alone_s) {
        true => Signature::ThreadPerRequest,
        false => Signature::Suspends,
    };
    if parallelism.high.is_none() {
        return Some(unlimited());
    }
    let workers = workers(record, parallelism);
    if !parallelism.counted && is_full(&record.steps, alone_s, workers) {
        let of_cpu = last.cpu.map_or(0.0, |cpu| cpu.cores / last.throughput.max(1e-9));
        if of_cpu >= BUSY * alone_s || alone_s < SHORT_S {
            return Some(Signature::CpuBound);
        }
        if !has_threads(record, parallelism) || !has_steady_threads(&record.steps) {
            return Some(unlimited());
        }
    }
    if !parallelism.counted && adds_threads(&record.steps) {
        return Some(Signature::ThreadPerRequest);
    }
    Some(limited(record, parallelism, f64::from(workers)))
}

/// Whether a step whose requests waited had as much CPU as there is: of the server, or of runner itself, whose threads are
/// each one's own.
fn is_full(steps: &[ConcurrencyStep], alone_s: f64, workers: u32) -> bool {
    let waits = |step: &&ConcurrencyStep| at_once(step, alone_s) < TAKEN * f64::from(step.concurrency);
    steps.iter().filter(waits).any(|step| {
        let by_server = |cpu: CpuRecord| cpu.cores >= FULL * f64::from(workers) || cpu.busiest >= FULL;
        step.cpu.is_some_and(by_server) || step.generator.is_some_and(|cpu| cpu.busiest >= FULL)
    })
}

/// A server with a limit that is not the CPU.
fn limited(record: &InspectionRecord, parallelism: &Parallelism, workers: f64) -> Signature {
    let busy = record.busy.as_ref();
    let accepting = busy.and_then(accepting);
    let several = parallelism.value >= SEVERAL;
    match accepting {
        // Whoever accepts meanwhile is no worker that is at work.
        Some(Accepting::AtOnce) if several => Signature::Pool,
        Some(Accepting::AtOnce) => Signature::OneAtATime,
        // One thread cannot wait for several: a handler that blocks it for a part of its time lets some others run.
        Some(_) if several && !has_threads(record, parallelism) => Signature::BlockedLoop,
        Some(Accepting::BetweenRequests) if parallelism.value / workers < SEVERAL => Signature::BlockedLoop,
        Some(_) | None if parallelism.value / workers >= SEVERAL => Signature::Pool,
        Some(_) => Signature::OneAtATime,
        // Nothing shows who accepts: whether connections are kept is all there is.
        None if busy.is_some() && !record.closes => Signature::BlockedLoop,
        None => Signature::OneAtATime,
    }
}

/// The workers that share the work, as far as they are known: never more than requests are worked on at once.
fn workers(record: &InspectionRecord, parallelism: &Parallelism) -> u32 {
    record.workers.unwrap_or(1).clamp(1, (parallelism.value.round() as u32).max(1))
}

/// Whether the users that a server took, the most of them, brought a thread each.
fn has_a_thread_each(steps: &[ConcurrencyStep], alone_s: f64) -> bool {
    let threads = |step: &ConcurrencyStep| step.cpu.map(|cpu| cpu.threads);
    let taken = |step: &&ConcurrencyStep| at_once(step, alone_s) >= TAKEN * f64::from(step.concurrency);
    let (Some(first), Some(last)) = (steps.first(), steps.iter().rfind(taken)) else { return false };
    let (Some(one), Some(many)) = (threads(first), threads(last)) else { return false };
    let added = last.concurrency.saturating_sub(first.concurrency);
    added > 0 && f64::from(many.saturating_sub(one)) >= THREAD_EACH * f64::from(added)
}

/// Whether users still brought threads when they brought no throughput any more.
fn adds_threads(steps: &[ConcurrencyStep]) -> bool {
    let [.., before, last] = steps else { return false };
    let (Some(few), Some(many)) = (before.cpu, last.cpu) else { return false };
    let users = last.concurrency.saturating_sub(before.concurrency);
    f64::from(many.threads.saturating_sub(few.threads)) >= ADDED * f64::from(users).max(1.0)
}

/// Whether the threads of the last two steps are the same: those of a pool are.
fn has_steady_threads(steps: &[ConcurrencyStep]) -> bool {
    let [.., Some(before), Some(last)] = steps.iter().map(|step| step.cpu).collect::<Vec<_>>()[..] else { return true };
    f64::from(before.threads.abs_diff(last.threads)) <= 1.0 + STEADY * f64::from(before.threads)
}

/// Whether there are as many threads as requests at once, so that they may be the limit. Where nobody can see them there may be.
fn has_threads(record: &InspectionRecord, parallelism: &Parallelism) -> bool {
    let last = record.steps.last().and_then(|step| step.cpu);
    last.is_none_or(|cpu| f64::from(cpu.threads) >= parallelism.value)
}

/// When a server accepts connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accepting {
    /// Also while it is at work.
    AtOnce,
    /// Whoever has come, but only between two requests.
    BetweenRequests,
    /// As many as it works on.
    ToWorkOn,
}

/// Whether a server accepts connections while it is at work.
pub fn accepts_meanwhile(busy: &BusyRecord) -> bool {
    accepting(busy) == Some(Accepting::AtOnce)
}

fn accepting(busy: &BusyRecord) -> Option<Accepting> {
    match (busy.not_accepted_first, busy.not_accepted_next) {
        (Some(first), _) if first.saturating_mul(2) <= busy.later => Some(Accepting::AtOnce),
        // More than are worked on: some loops accept all at once, others one ahead.
        (Some(_), Some(next)) if next.saturating_add(busy.occupied) < busy.later => Some(Accepting::BetweenRequests),
        (Some(_), _) => Some(Accepting::ToWorkOn),
        // The system shows no queue; an answer to what is no request does as well.
        (None, _) => busy.malformed_answered_ms.map(|_| Accepting::AtOnce),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parallelism::{parallelism, tests::steps};
    use super::*;

    fn cpu(cores: f64, threads: u32) -> Option<CpuRecord> {
        Some(CpuRecord { cores, busiest: 0.0, threads })
    }

    /// A server that takes `limit` requests of 100 ms at once, with so much CPU for each and so many threads.
    fn seen(limit: f64, cpu_s: f64, threads: impl Fn(u32) -> u32, busy: Option<BusyRecord>) -> Option<Signature> {
        of(limit, 1, cpu_s, threads, busy)
    }

    fn of(
        limit: f64,
        workers: u32,
        cpu_s: f64,
        threads: impl Fn(u32) -> u32,
        busy: Option<BusyRecord>,
    ) -> Option<Signature> {
        let mut steps = steps(limit, &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
        for step in &mut steps {
            step.cpu = cpu(step.throughput * cpu_s, threads(step.concurrency));
        }
        let workers = Some(workers);
        let record = InspectionRecord { alone_us: Some(1e5), steps, busy, workers, ..InspectionRecord::default() };
        signature(&record, &parallelism(&record).unwrap())
    }

    fn busy(first: u32, next: u32) -> Option<BusyRecord> {
        let (not_accepted_first, not_accepted_next) = (Some(first), Some(next));
        Some(BusyRecord { occupied: 1, later: 4, not_accepted_first, not_accepted_next, ..BusyRecord::default() })
    }

    #[test]
    fn a_server_that_takes_all_suspends_or_has_a_thread_for_each() {
        assert_eq!(seen(1e9, 1e-4, |_| 1, None), Some(Signature::Suspends));
        assert_eq!(seen(1e9, 1e-4, |users| 2 + users, None), Some(Signature::ThreadPerRequest));
        assert_eq!(seen(1e9, 1e-4, |users| users.min(40), None), Some(Signature::Suspends));
    }

    #[test]
    fn a_plateau_with_a_full_core_is_no_pool() {
        // 0.4 ms of CPU for each request: a core is full at 250 at once.
        assert_eq!(seen(250.0, 4e-4, |_| 1, None), Some(Signature::Suspends));
        assert_eq!(seen(250.0, 1e-4, |_| 1, None), Some(Signature::Pool), "the core is idle");
        assert_eq!(seen(250.0, 4e-4, |_| 300, None), Some(Signature::Pool), "as many threads");
        assert_eq!(seen(100.0, 9e-4, |users| users.min(110), None), Some(Signature::Pool));
        assert_eq!(seen(100.0, 9e-4, |users| 2 + users.min(128) - users / 16, None), Some(Signature::ThreadPerRequest));
        assert_eq!(of(250.0, 2, 4e-4, |_| 1, None), Some(Signature::Pool), "one of two cores is idle");
    }

    #[test]
    fn a_request_that_keeps_a_core_busy_is_bound_by_it() {
        assert_eq!(seen(1.0, 0.09, |_| 1, busy(4, 0)), Some(Signature::CpuBound));
        assert_eq!(seen(2.0, 0.09, |_| 1, busy(4, 0)), Some(Signature::CpuBound), "two cores");
    }

    #[test]
    fn one_at_a_time_is_told_by_who_accepts_meanwhile() {
        assert_eq!(seen(1.0, 1e-3, |_| 1, busy(4, 3)), Some(Signature::OneAtATime));
        assert_eq!(seen(1.0, 1e-3, |_| 1, busy(4, 0)), Some(Signature::BlockedLoop));
        assert_eq!(seen(1.0, 1e-3, |_| 1, busy(4, 2)), Some(Signature::BlockedLoop), "it accepts one ahead");
        assert_eq!(seen(1.0, 1e-3, |_| 1, busy(0, 0)), Some(Signature::OneAtATime), "a lock, or a pool of one");
        assert_eq!(of(2.0, 2, 1e-3, |_| 2, busy(4, 3)), Some(Signature::OneAtATime), "one for each worker");
        assert_eq!(of(2.0, 2, 1e-3, |_| 2, busy(4, 0)), Some(Signature::BlockedLoop), "one for each worker");
        assert_eq!(of(1.0, 8, 1e-3, |_| 18, busy(4, 3)), Some(Signature::OneAtATime), "seven do nothing");
    }

    #[test]
    fn several_at_once_are_a_pool_unless_one_thread_does_it_and_blocks() {
        assert_eq!(of(16.0, 2, 1e-3, |_| 18, busy(4, 3)), Some(Signature::Pool));
        assert_eq!(of(5.0, 2, 1e-3, |_| 2, busy(0, 0)), Some(Signature::Pool), "a proxy, or a semaphore");
        assert_eq!(of(5.0, 4, 1e-3, |_| 4, busy(0, 0)), Some(Signature::Pool), "a proxy with workers of its own");
        assert_eq!(of(10.0, 1, 1e-3, |_| 1, busy(4, 0)), Some(Signature::BlockedLoop), "for a tenth of its time");
        assert_eq!(of(10.0, 1, 1e-3, |_| 1, busy(4, 3)), Some(Signature::BlockedLoop), "it accepts one at a time");
        assert_eq!(of(10.0, 1, 1e-3, |_| 12, busy(4, 0)), Some(Signature::Pool), "as many threads");
        assert_eq!(
            of(10.0, 1, 1e-3, |users| users, busy(0, 0)),
            Some(Signature::ThreadPerRequest),
            "all have a thread"
        );
    }

    #[test]
    fn without_a_queue_that_is_shown_it_counts_who_answers() {
        let unseen = |malformed_answered_ms| BusyRecord { malformed_answered_ms, ..BusyRecord::default() };
        assert_eq!(seen(1.0, 1e-3, |_| 1, Some(unseen(Some(1.0)))), Some(Signature::OneAtATime));
        assert_eq!(seen(1.0, 1e-3, |_| 1, Some(unseen(None))), Some(Signature::BlockedLoop), "connections are kept");
        assert_eq!(seen(5.0, 1e-3, |_| 9, Some(unseen(None))), Some(Signature::Pool));
    }
}
