//! Records of stories that went another way than hoped.

use std::collections::BTreeMap;

use runner::process_end::{EndedBy, ExitStatus, ProcessEnd, ServerProcess};
use runner::record::*;
use runner::stats::upper_bound_95;

use crate::fixtures::{
    async_load, async_sleep, clean_in_every_mode, dirty, limit, load, record, second, server, server_died, trigger,
    variant, verdict,
};

/// Ten seconds of a server that starts four workers, loses one, and starts another.
pub fn sampled_server() -> ServerRecord {
    let samples = (0..100u64)
        .map(|n| {
            let t = n as f64 / 10.0;
            let down = (45..60).contains(&n);
            ServerSample {
                t_s: t + 0.3,
                processes: if down { 4 } else { 5 },
                cpu: if n == 0 { 0.0 } else { 2.4 + (t * 1.7).sin() * 0.5 - if down { 0.6 } else { 0.0 } },
                rss_bytes: 60_000_000 + n * 240_000 - if down { 14_000_000 } else { 0 },
                threads: if down { 4 } else { 5 },
                descriptors: 40 + (n * 9).min(470) - if down { 90 } else { 0 },
                context_switches_per_s: 1_200.0,
            }
        })
        .collect();
    let events = vec![ended(4.8, 4712, ExitStatus::Signal(9)), ended(4.9, 4713, ExitStatus::Unknown)];
    ServerRecord { samples, events, ..server() }
}

/// The end of a process that runner had not asked for.
fn ended(t_s: f64, pid: u32, exit: ExitStatus) -> ServerEvent {
    let end = ProcessEnd { pid, process: ServerProcess::Child, exit, by: EndedBy::Outside, after_s: t_s };
    ServerEvent { t_s, what: Happening::ProcessEnded(end) }
}

/// The server of a load that lost a worker, and one of a dirty check that lost another.
fn sampled_servers() -> Vec<ServerRecord> {
    let events = vec![ended(1.2, 4720, ExitStatus::Unknown)];
    vec![sampled_server(), ServerRecord { part: ServerPart::DirtyCheck, events, ..server() }]
}

/// Most of what is asked is never answered: the load is ended early.
pub fn aborted() -> Record {
    let timeline = (0..3).map(|t| second(t, 10, 240)).collect();
    let load = load("GET /checkout", &[100_000; 30], &[2_000_000; 720], &[], timeline);
    let rule = "errors.rate > 50% for 2s".to_owned();
    let aborted =
        Aborted { rule: rule.clone(), limit: limit(&rule), after_s: 3.1, value: None, observed: "100 %".into() };
    let trial = Trial { load: Some(load), servers: sampled_servers(), aborted: Some(aborted), ..Trial::default() };
    let kind = VerdictKind::AbortWhen { limit: limit(&rule), after_s: 3.1 };
    let verdicts = vec![Verdict { kind, ..verdict(&rule, Status::Failed, "never", "100 % after 3.1 s") }];
    record("aborted", Status::Failed, vec![variant("aborted", "gunicorn, 4 workers", vec![trial], verdicts)])
}

/// Alone, the handler answers without its canary: nothing can be told.
pub fn broken_probe() -> Record {
    let problem = "request 2 was answered without its own canary";
    let reason = format!("the control run failed: {problem}");
    let check = DirtyRecord {
        expect: "clean".into(),
        control: ControlRecord { requests: 5, problems: vec![problem.into()], echoes: None },
        positive_control: None,
        triggers: BTreeMap::from([("overlap".into(), TriggerRecord { missing: 12, ..trigger(60, 40, 0, 4, 0) })]),
        exposures: 40,
        bound: upper_bound_95(0, 40),
        inconclusive: Some(reason.clone()),
        ..DirtyRecord::default()
    };
    let trial =
        Trial { dirty: Some(check), servers: vec![ServerRecord { cpu_s: 0.0, ..server() }], ..Trial::default() };
    let expected = "no response holds another request's data";
    let verdicts = vec![verdict("dirty.expect = \"clean\"", Status::Inconclusive, expected, &reason)];
    record("broken_probe", Status::Inconclusive, vec![variant("broken_probe", "gunicorn", vec![trial], verdicts)])
}

/// Clean in both modes, of which one cannot overlap.
pub fn serial() -> Record {
    let mut record = clean_in_every_mode();
    record.variants.truncate(2);
    record.variants[0].name = "server.mode=sync".into();
    for trigger in record.variants[0].trials[0].dirty.as_mut().unwrap().triggers.values_mut() {
        trigger.not_exercised = Some("the server handles one request at a time".into());
    }
    record
}

/// One of two servers cannot be started.
pub fn half_started() -> Record {
    let mut record = server_died();
    record.variants.insert(0, async_sleep().variants.remove(0));
    record
}

/// A leak where none was expected.
pub fn leaking() -> Record {
    let mut record = dirty();
    record.status = Status::Failed;
    let expected = "no response holds another request's data";
    let observed = "12 leaks in 161 exposures";
    record.variants[0].verdicts = vec![verdict("dirty.expect = \"clean\"", Status::Failed, expected, observed)];
    record
}

/// Ctrl-C in the first of three variants: the others had no turn.
pub fn interrupted_matrix() -> Record {
    let first = interrupted().variants.remove(0);
    let named = |mode: &str| (format!("server.mode={mode}"), format!("built-in {mode}, 1 worker"));
    let waiting = ["async_pool", "threaded"].map(|mode| {
        let (name, server) = named(mode);
        variant(&name, &server, Vec::new(), Vec::new())
    });
    let variants: Vec<_> = std::iter::once(VariantRecord { name: named("async").0, ..first }).chain(waiting).collect();
    record("interrupted_matrix", Record::status_of(&variants), variants)
}

pub fn interrupted() -> Record {
    let mut load = async_load();
    load.duration_s = 4.2;
    (load.started, load.completed) = (20_790, 20_790);
    load.timeline.truncate(5);
    let trial = Trial { load: Some(load), servers: vec![server()], interrupted: true, ..Trial::default() };
    let verdicts =
        vec![verdict("latency.p99 < 250ms", Status::Inconclusive, "< 250 ms", "109 ms, but the load was cut short")];
    record(
        "interrupted",
        Status::Interrupted,
        vec![variant("interrupted", "built-in async, 1 worker", vec![trial], verdicts)],
    )
}
