//! Searches for the capacity, one for each number of workers.

use runner::analysis::scalability::scaling;
use runner::measured_value::MeasuredValue;
use runner::record::{
    BrokenBy, CapacityRecord, LimitingResource, ProbeRecord, Record, SaturationRecord, ServerPart, ServerRecord,
    Status, Trial,
};

use crate::fixtures::{async_load, record, server, variant, verdict};

/// A try of a blocking server that carries `most` requests of 50 ms a second.
fn probe(t_s: f64, rate: f64, most: f64) -> ProbeRecord {
    let growth = (rate / most - 1.0).max(0.0);
    let p50 = 51_000.0 + growth * 1.28e6;
    ProbeRecord {
        t_s,
        rate,
        duration_s: 2.56,
        achieved: rate.min(most),
        broken: (growth > 0.0).then_some(BrokenBy::GrowingQueue),
        p50_us: Some(MeasuredValue::Exactly(p50)),
        p99_us: Some(MeasuredValue::Exactly(p50 * 1.3)),
        max_us: Some(MeasuredValue::Exactly(p50 * 1.4)),
        growth: Some(growth),
        in_flight_mean: rate * p50 / 1e6,
        generator_cores: 0.01,
        cpu_s: Some(0.03),
        cores: Some(0.01),
        rss_bytes: Some(9_500_000),
        ..ProbeRecord::default()
    }
}

fn search(workers: f64) -> CapacityRecord {
    let most = 19.8 * workers;
    let (low, high) = (most * 0.99, most * 1.01);
    let mut probes =
        vec![probe(3.1, low, most), probe(6.4, high, most), probe(10.0, low, most), probe(13.3, high, most)];
    // Of the first try of all the machine had no time.
    let p99 = Some(MeasuredValue::Exactly(0.4));
    let broken = [BrokenBy::Disturbed, BrokenBy::Rule { rule: "latency.p99 < 250ms".into(), observed: p99 }];
    for (broken, t_s) in broken.into_iter().zip([2.0, 2.5]) {
        probes.insert(0, ProbeRecord { broken: Some(broken), growth: None, ..probe(t_s, most * 2.0, most) });
    }
    CapacityRecord {
        rules: vec!["latency.p99 < 250ms".into(), "errors.rate < 0.1%".into()],
        precision: 0.03,
        spacing: "uniform".into(),
        rate: Some(low),
        high: Some(high),
        confirmed: true,
        took_s: 17.0,
        alone_us: Some(50_400.0),
        saturation: vec![SaturationRecord { users: 4, throughput: most, p50_us: Some(202_000.0) }],
        probes,
        limiting: Some(LimitingResource::Pool),
        at_once: Some(low * 0.0504),
        cpu_s_per_1000: Some(0.51),
        rss_bytes: Some(9_500_000),
    }
}

/// With this text wherever one stands.
pub fn hostile(text: &str) -> CapacityRecord {
    let broken = Some(BrokenBy::Rule { rule: text.into(), observed: None });
    let probes = vec![ProbeRecord { broken, ..probe(0.0, 1.0, 1.0) }];
    CapacityRecord { rules: vec![text.into(); 2], spacing: text.into(), probes, ..search(1.0) }
}

/// One, two and four workers; the last search ran out of time.
pub fn capacity() -> Record {
    let of = |workers: u32| {
        let search = match workers {
            4 => CapacityRecord { confirmed: false, limiting: None, ..search(3.7) },
            workers => search(workers.into()),
        };
        let found = format!("{:.1}/s", search.rate.unwrap());
        let servers = vec![server(), ServerRecord { part: ServerPart::Capacity, ..server() }];
        let trial = Trial { load: Some(async_load()), capacity: Some(search), servers, ..Trial::default() };
        let verdicts = vec![verdict("capacity.rate > 15/s", Status::Passed, "> 15.0/s", &found)];
        let name = format!("server.workers={workers}");
        let mut variant = variant(&name, "built-in sync", vec![trial], verdicts);
        variant.settings = [("server.workers".to_owned(), workers.into())].into();
        variant
    };
    let variants: Vec<_> = [1, 2, 4].map(of).into();
    let scaling = scaling(&variants);
    Record { scaling, ..record("capacity", Status::Passed, variants) }
}
