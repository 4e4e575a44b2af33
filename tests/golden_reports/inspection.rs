//! Inspections: a pool, a loop that something blocks, and one that found nothing out.

use runner::analysis::parallelism::parallelism;
use runner::analysis::signature::signature;
use runner::record::{
    ArrivalsRecord, BurstRecord, BusyRecord, CeilingReason, CeilingRecord, ConcurrencyStep, CpuRecord,
    InspectionRecord, Record, ResponseBatch, ServerPart, ServerRecord, Status, Trial,
};

use crate::fixtures::{async_load, record, server, variant};

/// Steps of a server that works on `limit` requests of 101 ms at once, by so many threads.
fn steps(limit: u32, threads: u32, most: u32) -> Vec<ConcurrencyStep> {
    let users = std::iter::successors(Some(1), |users| Some(users * 2)).take_while(|users| *users <= most);
    let step = |users: u32| {
        let throughput = f64::from(users.min(limit)) / 0.101;
        let waited = f64::from(users) / throughput * 1e6;
        ConcurrencyStep {
            concurrency: users,
            duration_s: 0.404,
            good: (throughput * 0.404) as u64,
            throughput,
            service_time_p50_us: Some(waited),
            service_time_mean_us: Some(waited),
            cpu: Some(CpuRecord { cores: throughput * 2e-4, busiest: 0.02, threads }),
            ..ConcurrencyStep::default()
        }
    };
    users.map(step).collect()
}

fn burst(batches: &[u32]) -> BurstRecord {
    let batch = |(index, responses): (usize, &u32)| {
        let first_ms = 101.0 * (index + 1) as f64;
        ResponseBatch { first_ms, last_ms: first_ms + 1.0, responses: *responses }
    };
    BurstRecord { size: batches.iter().sum(), batches: batches.iter().enumerate().map(batch).collect() }
}

/// With what it comes to.
fn concluded(mut record: InspectionRecord) -> InspectionRecord {
    record.parallelism = parallelism(&record);
    record.signature = record.parallelism.as_ref().and_then(|found| signature(&record, found));
    record
}

fn pool() -> InspectionRecord {
    concluded(InspectionRecord {
        request: "GET /sync_sleep/?sleep=0.1".into(),
        alone_us: Some(101_000.0),
        steps: steps(16, 18, 64),
        bursts: vec![burst(&[16, 16, 8]); 3],
        busy: Some(BusyRecord {
            occupied: 16,
            later: 48,
            not_accepted_first: Some(0),
            not_accepted_next: Some(0),
            malformed_sent: true,
            malformed_answered_ms: Some(0.6),
            malformed_share: Some(0.006),
        }),
        workers: Some(2),
        max_concurrency: 512,
        ..InspectionRecord::default()
    })
}

fn blocked() -> InspectionRecord {
    concluded(InspectionRecord {
        steps: steps(1, 1, 8),
        bursts: vec![burst(&[1, 1, 1, 1]); 3],
        busy: Some(BusyRecord {
            occupied: 1,
            later: 4,
            not_accepted_first: Some(4),
            not_accepted_next: Some(0),
            malformed_sent: true,
            malformed_answered_ms: None,
            malformed_share: None,
        }),
        arrivals: Some(ArrivalsRecord {
            rate: 50.0,
            duration_s: 3.0,
            completed: 29,
            growth_per_s: Some(40.2),
            in_flight: 121,
        }),
        workers: Some(1),
        ..pool()
    })
}

/// With this text wherever one stands.
pub fn hostile(text: &str) -> InspectionRecord {
    InspectionRecord { request: text.into(), inconclusive: Some(text.into()), signature: None, ..blocked() }
}

/// A pool, a blocked loop, and a server that had only errors.
pub fn inspection() -> Record {
    let none = InspectionRecord {
        request: "GET /nowhere/".into(),
        inconclusive: Some("not one response has a status below 400: 404".into()),
        ..InspectionRecord::default()
    };
    let of = |name: &str, found: InspectionRecord| {
        let servers = vec![ServerRecord { part: ServerPart::Inspection, ..server() }];
        let trial = Trial { inspection: Some(found), servers, ..Trial::default() };
        variant(name, "http://127.0.0.1:8000", vec![trial], Vec::new())
    };
    let variants = vec![of("server=pool", pool()), of("server=blocked", blocked()), of("server=none", none)];
    record("inspection", Status::Inconclusive, variants)
}

/// A load on a server that was inspected, too.
pub fn load_and_inspection() -> Record {
    let mut record = inspection();
    record.variants.truncate(1);
    record.status = Status::Passed;
    let trial = &mut record.variants[0].trials[0];
    trial.load = Some(async_load());
    trial.ceiling = Some(CeilingRecord {
        throughput: 10_000.0,
        at_once: 500.0,
        wait_s: 0.05,
        because: CeilingReason::Inspection,
        measured_share: 0.495,
    });
    record
}
