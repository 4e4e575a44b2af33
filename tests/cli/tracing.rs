//! Events on the screen and in `run.log`, spans at a collector, trace ids in requests and in evidence.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::harness::{Outcome, Runner};

const DIRTY: &str = r#"
[server]
mode = "async"
[dirty]
path = "/dirty/?sleep={sleep}&email={canary}"
sleep = { long = "150ms", short = "10ms" }
expect = "dirty"
"#;

const LOAD: &str = r#"
[server]
mode = "async"
[load]
path = "/health"
concurrency = 2
duration = "200ms"
"#;

/// The events of a text, a line of JSON each.
fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn run_log(outcome: &Outcome) -> Vec<Value> {
    events(&fs::read_to_string(outcome.latest("scenario").join("run.log")).unwrap())
}

fn says(event: &Value, text: &str) -> bool {
    event["message"].as_str().unwrap().contains(text)
}

#[test]
fn the_log_of_a_run_holds_its_parts_in_order_with_the_spans_around_them() {
    let outcome = Runner::with(LOAD).run().exit(0);
    assert!(!outcome.stderr.contains("run begins"), "nothing asked for it on the screen: {}", outcome.stderr);
    let events = run_log(&outcome);
    let at = |text: &str| events.iter().position(|event| says(event, text)).unwrap_or_else(|| panic!("no `{text}`"));
    let order = ["run begins", "trial begins", "server ready", "load begins", "load ended", "run ended"].map(at);
    assert!(order.is_sorted(), "{order:?}");
    let ended = &events[at("load ended")];
    let spans: Vec<&str> =
        ended["spans"].as_array().unwrap().iter().map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(spans, ["run", "trial", "server", "load"]);
    assert!(ended["fields"]["completed"].as_u64().unwrap() > 0, "{ended}");
    assert!(events.iter().all(|event| ["info", "warn", "error"].contains(&event["level"].as_str().unwrap())));
    assert!(events.len() < 60, "a nightly keeps it: {} lines", events.len());
}

#[test]
fn at_level_debug_a_dirty_check_tells_its_story() {
    let outcome = Runner::with(DIRTY).env("RUNNER_LOG", "debug").run().exit(0);
    let told = |text: &str| assert!(outcome.stderr.contains(text), "no `{text}` in\n{}", outcome.stderr);
    for text in
        ["dirty check begins", "phase begins", "round ended", "trigger=overlap", "leak found", "dirty check ended"]
    {
        told(text);
    }
    let own = |line: &str| line.starts_with('[') && line.contains(" ms] ");
    let foreign = outcome.stderr.lines().filter(|line| own(line) && line.contains("] debug h2")).count();
    assert_eq!(foreign, 0, "only runner's own events:\n{}", outcome.stderr);
}

#[test]
fn events_as_json_are_all_that_is_on_standard_error() {
    let outcome = Runner::with(LOAD).arguments(&["-v", "--log-format", "json"]).run().exit(0);
    let events = events(&outcome.stderr);
    assert!(events.iter().any(|event| says(event, "report written")), "{}", outcome.stderr);
}

#[test]
fn what_is_no_filter_is_told_with_the_remedy() {
    let outcome = Runner::with(LOAD).env("RUNNER_LOG", "runner=loud=er").run().exit(2).no_report();
    outcome
        .stderr_has("error: RUNNER_LOG: `runner=loud=er` is not a filter of events")
        .stderr_has("help: name a level");
}

/// What a collector received: the head and the body of each request.
type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A collector that keeps what it is sent: the head and the body of each request.
fn collector() -> (String, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            keep.lock().unwrap().push(take(stream));
        }
    });
    (endpoint, kept)
}

/// Reads one request and answers it.
fn take(stream: TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "cut off: {head}");
    }
    let length = head.to_lowercase().split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse();
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).unwrap();
    (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
    (head, body)
}

/// The spans of what came as JSON.
fn spans(kept: &[(String, Vec<u8>)]) -> Vec<Value> {
    let bodies = kept.iter().map(|(_, body)| serde_json::from_slice::<Value>(body).unwrap());
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let scopes = bodies.flat_map(|body| list(&body, "resourceSpans")).flat_map(move |of| list(&of, "scopeSpans"));
    scopes.flat_map(|of| of["spans"].as_array().cloned().unwrap_or_default()).collect()
}

#[test]
fn spans_arrive_at_a_collector_below_that_of_their_run() {
    let (endpoint, kept) = collector();
    let runner = Runner::with(DIRTY).env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    runner.env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json").run().exit(0);
    let kept = kept.lock().unwrap();
    assert!(kept[0].0.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{}", kept[0].0);
    let spans = spans(&kept);
    let named = |name: &str| spans.iter().filter(move |span| span["name"] == name).collect::<Vec<_>>();
    let [run] = named("run")[..] else { panic!("not one run: {spans:?}") };
    for name in ["trial", "server", "dirty", "phase", "round", "report"] {
        assert!(!named(name).is_empty(), "no span `{name}`");
    }
    assert!(spans.iter().all(|span| span["traceId"] == run["traceId"]), "all are of one trace");
    assert_eq!(named("trial")[0]["parentSpanId"], run["spanId"]);
    let service = String::from_utf8_lossy(&kept[0].1).into_owned();
    assert!(service.contains("\"service.name\"") && service.contains("\"runner\""), "{service}");
}

#[test]
fn spans_hold_no_secret_and_are_written_as_protobuf_unless_asked_otherwise() {
    let (endpoint, kept) = collector();
    let scenario = LOAD.replace("/health", "/health?key=${API_KEY}");
    let runner = Runner::with(&scenario).env("API_KEY", "s3cret-s3cret").env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    runner.run().exit(0);
    let kept = kept.lock().unwrap();
    assert!(kept[0].0.to_lowercase().contains("content-type: application/x-protobuf"), "{}", kept[0].0);
    let bytes: Vec<u8> = kept.iter().flat_map(|(_, body)| body.clone()).collect();
    let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(has("load begins") && has("key=${API_KEY}") && !has("s3cret"));
}

#[test]
fn a_collector_that_is_not_there_is_one_warning() {
    // A port that nobody listens on: it was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = Runner::with(LOAD).env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{free}")).run().exit(0);
    assert_eq!(outcome.stderr.matches("warning: spans do not arrive").count(), 1, "{}", outcome.stderr);
    assert_eq!(outcome.stderr.matches("help: start a collector").count(), 1);
}

#[test]
fn a_collector_that_never_answers_does_not_hold_up_the_end() {
    // It takes connections, and nothing more. Were it waited for, the run would not end before the test's own patience does.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let outcome = Runner::with(LOAD).env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint).arguments(&["--json"]).run().exit(0);
    assert!(outcome.stdout.starts_with('{'));
    drop(listener);
}

#[test]
fn evidence_names_the_traces_of_victim_and_source_and_the_server_was_told_of_them() {
    let script = "fn dirty(request) { process.last = request.query.email; sleep(request.query.sleep); \
                  log(request.headers.traceparent); respond(200, process.last) }";
    let scenario = DIRTY.replace("mode = \"async\"", "mode = \"async\"\nscript = \"leaks.rhai\"");
    let scenario = scenario.replace("expect =", "traceparent = true\nexpect =");
    let outcome = Runner::with(&scenario).file("leaks.rhai", script).set("seed=7").run().exit(0);
    let leak = outcome.record("scenario")["variants"][0]["trials"][0]["dirty"]["evidence"][0].clone();
    let ids = ["victim", "source"].map(|part| leak[part]["trace_id"].as_str().unwrap().to_owned());
    assert_ne!(ids[0], ids[1]);
    let (report, log) = (outcome.report("scenario"), outcome.latest("scenario").join("server.log"));
    let log = fs::read_to_string(log).unwrap();
    for id in &ids {
        assert_eq!(id.len(), 32);
        assert!(report.contains(id.as_str()), "{id} is not in the report");
        assert!(log.contains(&format!("00-{id}-")), "the server was not told of {id}");
    }
    assert!(outcome.stdout.contains(&format!("victim {}", ids[0])), "{}", outcome.stdout);
}

#[test]
fn each_request_of_a_load_has_a_trace_of_its_own() {
    let scenario = LOAD.replace("path = \"/health\"", "path = \"/told/\"\ntraceparent = true\nrequests = 50");
    let scenario =
        scenario.replace("duration = \"200ms\"\n", "").replace("\"async\"", "\"async\"\nscript = \"told.rhai\"");
    let script = "fn told(request) { log(request.headers.traceparent); \"\" }";
    let outcome = Runner::with(&scenario).file("told.rhai", script).run().exit(0);
    let log = fs::read_to_string(outcome.latest("scenario").join("server.log")).unwrap();
    let mut ids: Vec<&str> = log.lines().filter_map(|line| line.split_once("00-")).map(|(_, id)| &id[..32]).collect();
    assert!(ids.len() >= 50, "{log}");
    ids.sort_unstable();
    ids.dedup();
    let all = log.lines().filter(|line| line.contains("00-")).count();
    assert_eq!(ids.len(), all, "an id came twice");
}

#[test]
fn the_slowest_requests_of_a_load_are_named_by_their_trace_ids() {
    let scenario = "[server]\nmode = \"async\"\n\
                    [load]\npath = \"/async_sleep/?sleep=0.0{random(1,4)}\"\nconcurrency = 4\nrequests = 60\ntraceparent = true\n";
    let outcome = Runner::with(scenario).run().exit(0);
    let record = outcome.record("scenario");
    let slowest = record["variants"][0]["trials"][0]["load"]["slowest"].as_array().unwrap();
    let latencies: Vec<f64> = slowest.iter().map(|slow| slow["latency_us"].as_f64().unwrap()).collect();
    assert!(latencies.len() == 5 && latencies.is_sorted_by(|a, b| a >= b), "{latencies:?}");
    let ids: std::collections::BTreeSet<&str> = slowest.iter().map(|slow| slow["trace_id"].as_str().unwrap()).collect();
    assert!(ids.len() == 5 && ids.iter().all(|id| id.len() == 32), "{ids:?}");
    assert!(slowest[0]["request"].as_str().unwrap().starts_with("GET /async_sleep/?sleep=0.0"), "{slowest:?}");
    assert!(outcome.report("scenario").contains(ids.first().unwrap()), "the report names them too");
    let plain = Runner::with(&scenario.replace("traceparent = true", "")).run().exit(0).record("scenario");
    assert!(plain["variants"][0]["trials"][0]["load"].get("slowest").is_none(), "none carried an id");
}

#[test]
fn an_error_of_a_script_is_an_event_once_with_its_function_and_line() {
    let scenario = "[server]\nmode = \"async\"\n\
                    [load]\npath = \"/health\"\nscript = \"s.rhai\"\nconcurrency = 1\nrequests = 5\n";
    let script = "fn check(exchange) {\n  helper(exchange)\n}\nfn helper(exchange) {\n  throw `no luck with ${exchange.seq}`\n}\n";
    let outcome = Runner::with(scenario).file("s.rhai", script).run();
    let events = run_log(&outcome);
    let failed: Vec<&Value> = events.iter().filter(|event| says(event, "a script failed here")).collect();
    assert_eq!(failed.len(), 1, "five requests, one place: {failed:?}");
    let fields = &failed[0]["fields"];
    assert_eq!((&fields["hook"], &fields["function"], &fields["line"]), (&"check".into(), &"helper".into(), &5.into()));
}

#[test]
fn the_figures_of_a_night_arrive_at_a_collector() {
    let (endpoint, kept) = collector();
    let runner = Runner::new(&["scn/"]).file("scn/shop.toml", LOAD).env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    runner.env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json").run().exit(0);
    let kept = kept.lock().unwrap();
    let (_, body) = kept.iter().find(|(head, _)| head.starts_with("POST /v1/metrics")).expect("no metrics came");
    let body = String::from_utf8_lossy(body);
    for expected in ["runner.throughput", "runner.latency.p99", "runner.scenario.ok", "\"shop\""] {
        assert!(body.contains(expected), "{expected} in {body}");
    }
}
