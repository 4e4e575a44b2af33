//! Records made by hand, one for each story that a report tells.

use std::collections::BTreeMap;

use runner::analysis::pooled::pooled;
use runner::dirty::recipe::{Line, Recipe, RecipeRequest, Start};
use runner::measured_value::Comparison;
use runner::process_end::ServerEnd;
use runner::record::*;
use runner::rule::Rule;
use runner::scenario::Expect;
use runner::stats::{Half, Latencies, interval_95, upper_bound_95};

pub fn record(name: &str, status: Status, variants: Vec<VariantRecord>) -> Record {
    Record {
        format: FORMAT,
        runner: Runner { version: "0.1.0".into() },
        started: "2026-03-01T02:30:00Z".into(),
        seed: 42,
        status,
        scenario: ScenarioRecord {
            name: name.into(),
            about: Some(format!("What {name} is about")),
            file: format!("scenarios/{name}.toml"),
            overrides: Vec::new(),
            effective: String::new(),
            allowed_hosts: Vec::new(),
            secrets: Vec::new(),
            withheld: Default::default(),
        },
        total_s: 12.5,
        scaling: Vec::new(),
        environment: Environment {
            os: "Debian GNU/Linux 12".into(),
            kernel: "Linux 6.1.0".into(),
            cpu: "AMD EPYC 7B13".into(),
            cpus: 2,
            memory_bytes: 8_000_000_000,
        },
        comparison: runner::analysis::comparison::compare(&variants),
        resumed: None,
        rounds: None,
        merged: Vec::new(),
        variants,
    }
}

pub fn variant(name: &str, server: &str, trials: Vec<Trial>, verdicts: Vec<Verdict>) -> VariantRecord {
    let settings =
        name.split(' ').filter_map(|part| part.split_once('=')).map(|(key, value)| (key.to_owned(), value.into()));
    VariantRecord {
        name: name.into(),
        settings: settings.collect(),
        server: server.into(),
        planned_trials: 1,
        pooled: pooled(&trials),
        trials,
        verdicts,
        caveats: Vec::new(),
    }
}

pub fn verdict(rule: &str, status: Status, expected: &str, observed: &str) -> Verdict {
    let kind = match rule {
        "dirty.expect = \"clean\"" => VerdictKind::DirtyCheck { expect: Expect::Clean },
        "dirty.expect = \"dirty\"" => VerdictKind::DirtyCheck { expect: Expect::Dirty },
        rule => VerdictKind::Rule(limit(rule)),
    };
    let (rule, expected, observed) = (rule.into(), expected.into(), observed.into());
    Verdict { kind, rule, status, expected, observed, value: None, evidence: None }
}

/// The limit of a rule; of a text that is none, one without a meaning.
pub fn limit(rule: &str) -> RuleLimit {
    Rule::parse(rule).map(|rule| runner::verdict::limit(&rule)).unwrap_or_else(|_| RuleLimit {
        metric: rule.into(),
        comparison: Comparison::Equal,
        value: 0.0,
        for_s: None,
    })
}

pub fn server() -> ServerRecord {
    ServerRecord {
        part: ServerPart::Load,
        ready_ms: 12.0,
        cpu_s: 3.2,
        cpu_mean: 0.31,
        rss_peak_bytes: 24_500_000,
        threads_max: 3,
        address: "127.0.0.1:40123".into(),
        end: ServerEnd::Stopped,
        samples: vec![ServerSample::default(); 2],
        unmeasured: None,
        events: Vec::new(),
    }
}

/// Latencies in microseconds; those of the unanswered are how long was waited.
pub fn load(
    request: &str,
    answered: &[u64],
    timeouts: &[u64],
    unanswered: &[u64],
    timeline: Vec<Second>,
) -> LoadRecord {
    let mut latencies = Latencies::default();
    answered.iter().for_each(|us| latencies.answered(Half::First, us * 1000));
    timeouts.iter().chain(unanswered).for_each(|us| latencies.cut(Half::First, us * 1000));
    let quantiles = Quantiles::of(&latencies);
    let (completed, failed) = (answered.len() as u64, timeouts.len() as u64);
    let failures = (failed > 0).then(|| ("timeout".to_owned(), failed));
    LoadRecord {
        model: "closed".into(),
        concurrency: 500,
        request: request.into(),
        timeout_s: 2.0,
        planned_duration_s: Some(10.0),
        started: completed + failed + unanswered.len() as u64,
        completed,
        failed,
        unanswered: unanswered.len() as u64,
        duration_s: 10.0,
        throughput: completed as f64 / 10.0,
        latency_us: quantiles.clone(),
        service_time_us: quantiles,
        status: [("200".to_owned(), completed)].into(),
        errors: failures.into_iter().collect(),
        bytes_received: completed * 150,
        timeline,
        histogram: Histograms::of(&latencies, &latencies),
        generator: Generator {
            threads: 1,
            cpu_max: 0.12,
            cpu_s: 1.2,
            connections_opened: 2500,
            ..Generator::default()
        },
        ..LoadRecord::default()
    }
}

pub fn second(t: u64, completed: u64, failed: u64) -> Second {
    let latency = (completed > 0).then_some(105_000.0);
    Second {
        t_s: t as f64,
        length_s: 1.0,
        started: completed + failed,
        completed,
        failed,
        error_status: 0,
        latency_mean_us: latency,
        latency_max_us: latency,
    }
}

/// 500 users on one blocking worker: 20 are answered in the first two seconds, then nearly everyone times out.
pub fn sync_sleep() -> Record {
    let answered: Vec<u64> = (1..=20).map(|n| n * 100_000).collect();
    let timeline = (0..10).map(|t| if t < 2 { second(t, 10, 0) } else { second(t, 0, 250) }).collect();
    let load = load("GET /sync_sleep/?sleep=100ms", &answered, &[2_000_000; 2000], &[1_900_000; 480], timeline);
    let trial = Trial { load: Some(load), servers: vec![server()], ..Trial::default() };
    let verdicts = vec![
        verdict("throughput < 11/s", Status::Passed, "< 11.0/s", "2.00/s"),
        verdict("latency.p50 > 2s", Status::Passed, "> 2.00 s", "> 2.00 s"),
    ];
    let mut variant = variant("sync_sleep", "built-in sync, 1 worker", vec![trial], verdicts);
    variant.caveats.push(Caveat::new("p99.9 of the answered rests on 20 answers", "load for longer, or read p90"));
    record("sync_sleep", Status::Passed, vec![variant])
}

/// The same load on an event loop: 49,500 answers between 100 and 110 ms, a few slower.
pub fn async_load() -> LoadRecord {
    let waits: Vec<u64> = (0..49_500u64)
        .map(|n| {
            let u = (n as f64 + 0.5) / 49_500.0;
            100_400 + (-(1.0 - u).ln() * 1_900.0) as u64 + if n > 49_450 { (n - 49_450) * 400 } else { 0 }
        })
        .collect();
    let timeline = (0..10).map(|t| second(t, 4_950 + (t * 7) % 13, 0)).collect();
    let mut load = load("GET /async_sleep/?sleep=100ms", &waits, &[], &[], timeline);
    let mut service = Latencies::default();
    waits.iter().for_each(|us| service.answered(Half::First, (us - 200 - us % 97) * 1000));
    load.service_time_us = Quantiles::of(&service);
    let latencies = load.histogram.latencies().unwrap();
    load.histogram = Histograms::of(&latencies, &service);
    load
}

pub fn async_sleep() -> Record {
    let trial = Trial { load: Some(async_load()), servers: vec![server()], ..Trial::default() };
    let verdicts = vec![
        verdict("throughput > 4500/s", Status::Passed, "> 4,500/s", "4,950/s"),
        verdict("latency.p99 < 250ms", Status::Passed, "< 250 ms", "109 ms"),
        verdict("errors.count == 0", Status::Passed, "== 0", "0"),
    ];
    record(
        "async_sleep",
        Status::Passed,
        vec![variant("async_sleep", "built-in async, 1 worker", vec![trial], verdicts)],
    )
}

/// A minute in which a server stumbles: slow answers, refusals, and one request in twenty-five never answered.
pub fn stumbling() -> Record {
    let waits: Vec<u64> = (0..9_600u64).map(|n| 5_000 + (n * n * n) / 1_200_000 + (n % 7) * 900).collect();
    let timeline = (0..60)
        .map(|t| match t {
            30..=36 => Second { error_status: 40, ..second(t, 60, 55) },
            _ => second(t, 165 + (t * 31) % 17, 0),
        })
        .collect();
    let mut load = load("GET /checkout", &waits, &[2_000_000; 385], &[350_000; 15], timeline);
    load.errors.insert("status".into(), 280);
    load.status = [("200".to_owned(), 9_320), ("503".to_owned(), 280)].into();
    (load.planned_duration_s, load.duration_s, load.throughput) = (Some(60.0), 60.0, 155.0);
    let trial = Trial { load: Some(load), servers: vec![server()], ..Trial::default() };
    let verdicts = vec![
        verdict("latency.p99 < 250ms", Status::Failed, "< 250 ms", "> 2.00 s"),
        verdict("errors.rate < 1%", Status::Failed, "< 1.00 %", "6.80 %"),
        verdict("server.rss.max < 200MB", Status::Passed, "< 200 MB", "24.5 MB"),
    ];
    record("stumbling", Status::Failed, vec![variant("stumbling", "gunicorn, 4 workers", vec![trial], verdicts)])
}

/// Three modes by four sleeps, three trials each.
pub fn crossover() -> Record {
    let mut variants = Vec::new();
    for (mode, scale) in [("sync", 1u64), ("threaded", 8), ("async", 60)] {
        for sleep in [0u64, 1, 10, 100] {
            let per_second = scale * 1000 / (sleep + 1);
            let trial = |drift: u64| {
                let waits: Vec<u64> = (0..500).map(|n| (sleep + 1) * 1000 * 64 / scale + n * drift).collect();
                let timeline = (0..3).map(|t| second(t, per_second, 0)).collect();
                let mut load = load("GET /sync_sleep/", &waits, &[], &[], timeline);
                load.throughput = (per_second + drift) as f64;
                Trial { load: Some(load), servers: vec![server()], ..Trial::default() }
            };
            let name = format!("server.mode={mode} load.sleep={sleep}ms");
            variants.push(variant(
                &name,
                &format!("built-in {mode}, 1 worker"),
                vec![trial(3), trial(9), trial(5)],
                vec![],
            ));
        }
    }
    record("crossover", Status::Passed, variants)
}

pub fn witness(request: u64, role: &str, connection: u64, sleep: f64, sent: f64, took: f64) -> Witness {
    let canary = format!("cn{request:06}x7Qm2vKd9{}", "Zt4".repeat(request as usize % 3 + 1));
    Witness {
        request,
        line: format!("GET /dirty/?sleep={sleep}ms&email={canary}"),
        canary,
        role: role.into(),
        connection,
        worker: Some("4711".into()),
        sleep_ms: Some(sleep),
        sent_ms: sent,
        first_byte_ms: Some(sent + took - 0.4),
        done_ms: sent + took,
        status: Some(200),
        response_bytes: Some(180),
        operation: None,
        trace_id: None,
    }
}

/// Two at once, ten of ten.
pub fn shrunk_pair() -> ShrunkRecord {
    let asked = |line: usize, part: &str| {
        let witness = witness(101 + line as u64, "short", 1 + line as u64, 30.0, 0.0, 30.0);
        RequestRecord {
            line,
            shot: 0,
            part: Some(part.into()),
            method: "GET".into(),
            target: witness.line.replace("GET ", ""),
            headers: vec![("authorization".into(), "$AUTHORIZATION".into()), ("x-tenant".into(), "it's ours".into())],
            body: None,
            cut: false,
            status: Some(200),
        }
    };
    let (rate_at_least, rate_at_most) = interval_95(10, 10);
    ShrunkRecord {
        recipe: Recipe::of(vec![
            Line::of(vec![RecipeRequest::plain()]),
            Line::of(vec![RecipeRequest::plain()]).starting(Start::At(9.6)),
        ]),
        shown: 10,
        tries: 10,
        rate_at_least,
        rate_at_most,
        place: "body".into(),
        requests: vec![asked(0, "victim"), asked(1, "source")],
        tls: None,
        follow: false,
    }
}

pub fn overlap_leak() -> LeakRecord {
    let source = witness(19, "short", 3, 30.0, 200.0, 30.6);
    LeakRecord {
        class: LeakClass::SharedSlot,
        alternatives: vec![],
        oracle: LeakOracle::Canary,
        overlapped: true,
        recipe: Recipe::default(),
        shrunk: Some(shrunk_pair()),
        located: None,
        trigger: "overlap".into(),
        round: 3,
        victim: witness(17, "long", 2, 700.0, 0.0, 701.2),
        place: "body".into(),
        excerpt: format!("<p>Signed in as {}, not you?</p>", source.canary),
        own_present: false,
        round_requests: 12,
        bystanders: (0..10)
            .map(|n| witness(18 + n + u64::from(n > 0), "short", 3 + n % 2, 30.0, 60.0 * n as f64 + 20.0, 31.0))
            .collect(),
        source: Some(source),
    }
}

pub fn stale_leak() -> LeakRecord {
    let source = witness(12, "short", 3, 30.0, 10.0, 30.0);
    let victim = witness(31, "short", 3, 30.0, 90.0, 31.0);
    LeakRecord {
        class: LeakClass::StaleState,
        alternatives: vec![LeakClass::StickyFirst],
        oracle: LeakOracle::Canary,
        overlapped: false,
        recipe: Recipe::default(),
        shrunk: None,
        located: None,
        trigger: "overlap".into(),
        round: 5,
        place: "header x-user".into(),
        excerpt: format!("x-user: {}; previous={}", victim.canary, source.canary),
        own_present: true,
        round_requests: 2,
        bystanders: Vec::new(),
        source: Some(source),
        victim,
    }
}

pub fn trigger(requests: u64, exposures: u64, leaks: u64, rounds: u64, rounds_with_leak: u64) -> TriggerRecord {
    TriggerRecord { requests, exposures, leaks, rounds, rounds_with_leak, failed: 0, missing: 0, not_exercised: None }
}

pub fn dirty() -> Record {
    let check = DirtyRecord {
        sweep: None,
        alike: Vec::new(),
        samples: Vec::new(),
        limit: None,
        starts: None,
        cut: 0,
        unsolicited: 0,
        undecoded: None,
        expect: "dirty".into(),
        exposures: 161,
        leaks: 12,
        bound: upper_bound_95(12, 161),
        duration_s: 9.9,
        first_proof_s: Some(0.8),
        control: ControlRecord { requests: 5, problems: vec![], echoes: None },
        positive_control: Some(PositiveControlRecord { requests: 2, found: true }),
        triggers: BTreeMap::from([("overlap".into(), trigger(168, 161, 12, 14, 12))]),
        evidence: vec![overlap_leak(), stale_leak()],
        inconclusive: None,
    };
    let trial = Trial { dirty: Some(check), servers: vec![server()], ..Trial::default() };
    let verdicts = vec![verdict("dirty.expect = \"dirty\"", Status::Passed, "a leak", "12 leaks in 161 exposures")];
    record(
        "dirty",
        Status::Passed,
        vec![variant("dirty", "built-in async, 1 worker, handlers/dirty.rhai", vec![trial], verdicts)],
    )
}

pub fn clean_in_every_mode() -> Record {
    let variants = ["threaded", "async", "async_pool"].map(|mode| {
        let check = DirtyRecord {
            sweep: None,
            alike: Vec::new(),
            samples: Vec::new(),
            limit: None,
            starts: None,
            cut: 0,
            unsolicited: 0,
            undecoded: None,
            expect: "clean".into(),
            exposures: 3_000,
            bound: upper_bound_95(0, 3_000),
            duration_s: 7.25,
            control: ControlRecord { requests: 5, problems: vec![], echoes: None },
            positive_control: Some(PositiveControlRecord { requests: 2, found: true }),
            triggers: BTreeMap::from([("overlap".into(), trigger(3_250, 3_000, 0, 250, 0))]),
            ..DirtyRecord::default()
        };
        let trial = Trial { dirty: Some(check), servers: vec![server()], ..Trial::default() };
        let verdicts = vec![
            verdict("dirty.expect = \"clean\"", Status::Passed, "no leak", "no leak in 3,000 exposures"),
            verdict("dirty.leaks == 0", Status::Passed, "== 0", "0"),
            verdict("dirty.bound <= 0.1%", Status::Passed, "<= 0.1 %", "0.0998 %"),
        ];
        variant(
            &format!("server.mode={mode}"),
            &format!("built-in {mode}, 1 worker, handlers/dirty.rhai"),
            vec![trial],
            verdicts,
        )
    });
    let mut record = record("clean_in_every_mode", Status::Passed, variants.into());
    record.scenario.overrides = vec!["dirty.time=60s".into()];
    record
}

pub fn server_died() -> Record {
    let failure = TrialFailure {
        message: "worker 4711 was killed by signal 9 while 12 requests were in flight".into(),
        advice:
            "look for the kernel's out-of-memory killer with `dmesg | grep -i oom`, or give the server fewer workers"
                .into(),
        log_tail: vec![
            "starting".into(),
            "listening on 127.0.0.1:40123".into(),
            "\u{1b}[31mMemoryError\u{1b}[0m".into(),
        ],
        log_of: LogOf::Server,
    };
    let trial = Trial { failure: Some(failure), servers: vec![server()], ..Trial::default() };
    record("server_died", Status::CouldNotRun, vec![variant("server_died", "gunicorn, 4 workers", vec![trial], vec![])])
}

pub fn empty() -> Record {
    record("empty", Status::Inconclusive, vec![])
}

/// A record in which everything that comes from outside is `text`, and something of everything is there.
pub fn hostile(text: &str) -> Record {
    let mut load = load(text, &[1_000, 2_000], &[3_000; 3], &[4_000], vec![second(0, 2, 3)]);
    load.model = text.into();
    load.status.insert(text.into(), 1);
    load.errors.insert(text.into(), 2);
    let hurt = |mut leak: LeakRecord| {
        for witness in [&mut leak.victim].into_iter().chain(&mut leak.source).chain(&mut leak.bystanders) {
            (witness.canary, witness.role, witness.worker) = (text.into(), text.into(), Some(text.into()));
            witness.line = format!("GET /{text}");
        }
        for asked in leak.shrunk.iter_mut().flat_map(|shrunk| &mut shrunk.requests) {
            asked.target = format!("/{text}");
            asked.headers = vec![(text.into(), text.into())];
        }
        leak.located = Some(crate::located::hostile(text));
        (leak.trigger, leak.place, leak.excerpt) = (text.into(), text.into(), format!("{text} x {text}"));
        leak
    };
    let check = DirtyRecord {
        sweep: None,
        alike: Vec::new(),
        samples: Vec::new(),
        limit: None,
        starts: None,
        cut: 0,
        unsolicited: 0,
        undecoded: None,
        expect: text.into(),
        exposures: 10,
        leaks: 2,
        bound: 0.5,
        control: ControlRecord { requests: 3, problems: vec![text.into(), text.into()], echoes: None },
        positive_control: Some(PositiveControlRecord { requests: 2, found: false }),
        triggers: BTreeMap::from([(
            text.to_owned(),
            TriggerRecord { not_exercised: Some(text.into()), ..trigger(1, 1, 1, 1, 1) },
        )]),
        evidence: vec![hurt(overlap_leak()), hurt(stale_leak())],
        inconclusive: Some(text.into()),
        duration_s: 1.0,
        first_proof_s: Some(0.5),
    };
    let failure = TrialFailure {
        message: text.into(),
        advice: text.into(),
        log_tail: vec![text.into(), text.into()],
        log_of: LogOf::Script,
    };
    let end = ServerEnd::Told { text: text.into() };
    let unmeasured = Some(Unmeasured { why: text.into(), remedy: text.into() });
    let mut server = ServerRecord { address: text.into(), end, unmeasured, ..crate::more_fixtures::sampled_server() };
    server.events.iter_mut().for_each(|event| event.what = Happening::Told { text: text.into() });
    let trial = Trial {
        capacity: Some(crate::capacity::hostile(text)),
        inspection: Some(crate::inspection::hostile(text)),
        load: Some(load),
        dirty: Some(check),
        servers: vec![server],
        failure: Some(failure),
        interrupted: true,
        aborted: None,
        ..Trial::default()
    };
    let all = [Status::Passed, Status::Failed, Status::Inconclusive];
    let verdicts = all.map(|status| Verdict { evidence: Some(text.into()), ..verdict(text, status, text, text) });
    let mut variant = variant(text, text, vec![trial.clone(), trial], verdicts.into());
    variant.caveats.push(Caveat::new(text, text));
    let mut record = record(text, Status::Failed, vec![variant.clone(), variant]);
    record.scenario.file = text.into();
    record.scenario.overrides = vec![text.into()];
    record.started = text.into();
    record.runner.version = text.into();
    record.environment.cpu = text.into();
    record.environment.os = text.into();
    record
}
