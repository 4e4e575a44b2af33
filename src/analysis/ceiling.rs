//! Ceilings: what a model of concurrency allows at most. Requests that each wait so long, so many at once, are answered at
//! `at_once / wait` a second (Little's law), whatever else a server can do.

use super::parallelism::work_s;
use crate::mode::Handlers;
use crate::record::{CeilingReason, CeilingRecord, InspectionRecord, LoadRecord, Signature};

/// With a shorter wait the time of the network and of the CPU counts more than the wait.
const SHORTEST_S: f64 = 0.000_5;

/// The ceiling of a server whose model is known: so many workers, each of which works on so many requests at once, for so long.
pub fn of_model(
    load: &LoadRecord,
    workers: u32,
    handlers: Handlers,
    threads: Option<u32>,
    wait_s: f64,
) -> Option<CeilingRecord> {
    let each = match handlers {
        Handlers::One => Some((1, CeilingReason::Workers)),
        Handlers::Threads(usual) => Some((threads.unwrap_or(usual), CeilingReason::Threads)),
        Handlers::Unbounded => None,
    };
    let at_once = each.map(|(each, because)| (f64::from(each) * f64::from(workers), because));
    ceiling(load, at_once, wait_s)
}

/// The same from what an inspection found.
pub fn of_inspection(load: &LoadRecord, inspection: &InspectionRecord) -> Option<CeilingRecord> {
    let found = inspection.parallelism?;
    let wait_s = work_s(&inspection.steps)?;
    let at_once = match (inspection.signature?, found.high) {
        // Where no limit but the CPU was found, only users are one.
        (Signature::Suspends | Signature::ThreadPerRequest, _) | (_, None) => None,
        // What it computes for is no wait.
        (Signature::CpuBound, _) => return None,
        (_, Some(_)) => Some((found.value, CeilingReason::Inspection)),
    };
    ceiling(load, at_once, wait_s)
}

/// Users of the closed model are a limit too; so are, in the open one, the most that may be in flight.
fn ceiling(load: &LoadRecord, at_once: Option<(f64, CeilingReason)>, wait_s: f64) -> Option<CeilingRecord> {
    let users = f64::from(load.concurrency);
    let (at_once, because) = at_once.filter(|(most, _)| *most < users).unwrap_or((users, CeilingReason::Users));
    let is_one_by_one = load.pause_s == 0.0 && load.pipeline <= 1 && load.stages.is_empty() && load.checks.is_none();
    if wait_s < SHORTEST_S || !is_one_by_one || (load.open.is_some() && because == CeilingReason::Users) {
        return None;
    }
    let throughput = at_once / wait_s;
    Some(CeilingRecord { throughput, at_once, wait_s, because, measured_share: load.throughput / throughput })
}

#[cfg(test)]
mod tests {
    use super::super::parallelism::tests::steps;
    use super::*;
    use crate::record::{OpenLoadRecord, Parallelism};

    fn users(concurrency: u32, throughput: f64) -> LoadRecord {
        LoadRecord { concurrency, throughput, pipeline: 1, ..LoadRecord::default() }
    }

    #[test]
    fn workers_threads_or_users_are_the_limit_whichever_is_least() {
        let of = |load: &LoadRecord, handlers, threads| {
            let ceiling = of_model(load, 2, handlers, threads, 0.1).unwrap();
            (ceiling.throughput.round(), ceiling.at_once, ceiling.because)
        };
        let load = users(50, 10.0);
        assert_eq!(of(&load, Handlers::One, None), (20.0, 2.0, CeilingReason::Workers));
        assert_eq!(of(&load, Handlers::Threads(8), None), (160.0, 16.0, CeilingReason::Threads));
        assert_eq!(of(&load, Handlers::Threads(8), Some(4)), (80.0, 8.0, CeilingReason::Threads));
        assert_eq!(of(&load, Handlers::Threads(40), None), (500.0, 50.0, CeilingReason::Users));
        assert_eq!(of(&load, Handlers::Unbounded, None), (500.0, 50.0, CeilingReason::Users));
        assert_eq!(of_model(&load, 1, Handlers::One, None, 0.1).map(|ceiling| ceiling.measured_share), Some(1.0));
    }

    #[test]
    fn without_a_wait_or_with_users_who_think_there_is_none() {
        let load = users(50, 10.0);
        assert_eq!(of_model(&load, 1, Handlers::One, None, 0.0), None);
        assert_eq!(of_model(&LoadRecord { pause_s: 1.0, ..load.clone() }, 1, Handlers::One, None, 0.1), None);
        let open = LoadRecord { open: Some(OpenLoadRecord::default()), ..load };
        assert_eq!(of_model(&open, 1, Handlers::Unbounded, None, 0.1), None, "nobody waits for a turn");
        assert!(of_model(&open, 1, Handlers::One, None, 0.1).is_some());
    }

    #[test]
    fn what_cannot_be_asked_an_inspection_tells() {
        let parallelism = |value, high| Parallelism { value, low: value, high, counted: true, per_worker: None };
        let inspection = |signature, parallelism| InspectionRecord {
            steps: steps(8.0, &[1, 2, 4]),
            signature: Some(signature),
            parallelism: Some(parallelism),
            ..InspectionRecord::default()
        };
        let load = users(50, 76.0);
        let pool = of_inspection(&load, &inspection(Signature::Pool, parallelism(8.0, Some(8.0)))).unwrap();
        assert_eq!((pool.throughput.round(), pool.because), (80.0, CeilingReason::Inspection));
        assert!((pool.measured_share - 0.95).abs() < 1e-9);
        let suspends = inspection(Signature::Suspends, parallelism(300.0, Some(300.0)));
        assert_eq!(of_inspection(&load, &suspends).unwrap().because, CeilingReason::Users);
        assert_eq!(of_inspection(&load, &inspection(Signature::CpuBound, parallelism(1.0, Some(1.0)))), None);
    }
}
