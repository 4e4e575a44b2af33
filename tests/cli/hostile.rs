//! Scripts that try to end, stall or bloat their worker: each gets a 500 that says where and why, the worker lives on,
//! and the next request is answered. There is no case of a regular expression that backtracks: scripts have none.

use std::fs;

use crate::harness::Runner;
use crate::serving::Serving;

/// It ran out of operations or of time, whichever came first.
const ENDLESS: &str = "is there an endless loop?";

/// What a handler does, and what the response says of it.
const CASES: &[(&str, &str)] = &[
    // Endless.
    ("let x = 0; loop { x += 1; }", ENDLESS),
    ("loop { yield_now(); }", ENDLESS),
    ("down(1)", "calls nest more than 64 deep"),
    ("let f = |f, g| g.call(g, f); f.call(f, f)", "calls nest more than 64 deep"),
    ("ping(|n| n)", "calls nest more than 64 deep"),
    ("[1].map(|x| down(x))", "calls nest more than 64 deep"),
    ("sleep(1e308)", "write seconds from 0 to 86400"),
    ("sleep(-1)", "write seconds from 0 to 86400"),
    ("sleep(0.0 / 0.0)", "write seconds from 0 to 86400"),
    ("burn(86400)", "a call may run, burn and block for 30s in all"),
    ("block(\"31s\")", "a call may run, burn and block for 30s in all"),
    // Huge.
    ("let s = \"x\"; loop { s += s; }", "a string grew longer than 1.00 MB"),
    ("let s = \"x\"; s.pad(1000000000, 'x'); s", "a string grew longer than 1.00 MB"),
    ("let s = big(); s.replace(\"x\", s); s", "a string grew longer than 1.00 MB"),
    ("let s = big(); s.replace('x', s); s", "a string grew longer than 1.00 MB"),
    // rhai prints all of it before its size is looked at. What is larger ends the worker, see below.
    ("let a = many(some()); `${a}`", "a string grew longer than 1.00 MB"),
    ("let a = many(big()); a.to_string().len", "a string grew longer than 1.00 MB"),
    ("let a = many(big()); #{a: a}.to_json()", "a string grew longer than 1.00 MB"),
    ("many(big())", "of JSON"),
    ("let s = big(); s.index_of(s + \"y\"); throw \"not found\"", "not found"),
    ("let a = [1]; loop { a += a; }", "an array grew to more than 10,000 items"),
    ("let a = []; loop { a = [a, a]; }", "an array grew to more than 10,000 items"),
    ("let a = []; loop { a = [a]; }", "an array grew to more than 10,000 items"),
    ("let m = #{}; loop { m = #{m: m}; }", "a map grew to more than 10,000 entries"),
    ("let m = #{}; let i = 0; loop { m.set(`${i}`, i); i += 1; }", "a map grew to more than 10,000 entries"),
    ("let row = many(1); let a = many(0); for i in 0..10000 { a[i] = row; } 1", "memory grew by more than 256 MB"),
    ("let b = blob(9223372036854775807, 0); b", "an array grew to more than 10,000 items"),
    ("let b = many(0); loop { process[`${b.len}`] = b; b.push(b.len); }", "an array grew to more than 10,000 items"),
    ("let i = 0; loop { process[`k${i}`] = i; i += 1; }", "cannot hold more than 10000 values"),
    // Wrong.
    ("panic()", "unknown function `panic()`"),
    ("9223372036854775807 + 1", "overflow"),
    ("-9223372036854775808 / -1", "overflow"),
    ("1 / 0", "division by zero"),
    ("[1][7]", "array index 7 out of bounds"),
    ("throw ()", "an error without a message"),
    ("throw #{a: [1, 2]}", "#{\"a\": [1, 2]}"),
    ("throw |x| x", "Fn"),
    ("throw many(big())", "[\"xxxx"),
    // Answers that are none.
    ("|x| x", "a closure is not a response"),
    ("request", "a request is not a response"),
    ("1.5", "a float is not a response"),
    ("99", "99 is not the status of a response"),
    ("respond(1000)", "1000 is not the status of a response"),
    ("respond(\"abc\")", "unknown function `respond(string)`"),
    ("respond(204, \"body\")", "has no body"),
    ("respond(respond(200))", "unknown function `respond(response)`"),
    ("respond(200, respond(200))", "a response is not a response"),
    ("respond(200).header(\"a b\", \"c\")", "is not a header's name"),
    ("respond(200).header(\"\", \"c\")", "is not a header's name"),
    ("respond(200).header(\"a\", \"b\\r\\nset-cookie: c=d\")", "line break or control character"),
    ("respond(200).header(\"a\", \"b\\x00c\")", "line break or control character"),
    ("respond(200).header(\"content-length\", \"5\")", "is the server's to write"),
    ("respond(200).cookie(\"a=b\", \"c\")", "is not a cookie's name"),
    ("respond(200).cookie(\"a\", \"b; domain=evil\")", "cookies cannot hold"),
    // Elsewhere.
    ("fetch(\"http://192.0.2.1/\")", "192.0.2.1:80 is no loopback address"),
    ("fetch(\"file:///etc/passwd\")", "http://"),
    ("fetch(\"http://127.0.0.1:1/\")", "cannot connect"),
];

const HELPERS: &str = "
fn down(n) { down(n + 1) }
fn ping(f) { pong(|n| f.call(n)) }
fn pong(f) { ping(|n| f.call(n)) }
fn big() { let s = \"x\"; for i in 0..19 { s += s; } s }
fn some() { let s = \"x\"; for i in 0..9 { s += s; } s }
fn many(value) { let a = []; a.pad(10000, 0); for i in 0..10000 { a[i] = value; } a }
fn good(request) { \"good\" }
";

/// Each case on a line of its own, so that the line says which it was.
fn script() -> String {
    let handlers = CASES.iter().enumerate().map(|(index, (body, _))| format!("fn bad_{index}(request) {{ {body} }}\n"));
    handlers.collect::<String>() + HELPERS
}

// fault: endless: a handler loops, recurses or takes memory without end -> a 500 with its line; the worker lives on
#[test]
fn a_hostile_script_gets_a_500_and_its_worker_lives_on() {
    let serving = Serving::start("mode = \"async\"", &script());
    let worker = serving.get("/good").worker();
    for (index, (body, expected)) in CASES.iter().enumerate() {
        let answer = serving.get(&format!("/bad_{index}"));
        let line = index + 1;
        assert_eq!(answer.status, 500, "{body}: {answer:?}");
        // On a slow machine what takes long may run into the limit of time first.
        let by_time = answer.body.contains("it ran longer than 30s");
        assert!(answer.body.contains(expected) || by_time, "{body}: {}", answer.body);
        assert!(answer.body.contains(&format!("line {line}, column ")), "{body}: {}", answer.body);
        assert!(answer.body.contains(&format!("bad_{index}")), "{body}: {}", answer.body);
        assert!(answer.body.contains(&format!("--> handlers.rhai:{line}:")), "{body}: {}", answer.body);
        assert!(answer.body.len() < 4_000, "{body}: {}", answer.body.len());
        let good = serving.get("/good");
        assert_eq!((good.status, good.body.as_str(), good.worker()), (200, "good", worker), "after {body}");
    }
    let outcome = serving.stop();
    let log = fs::read_to_string(outcome.latest("scenario").join("server.log")).unwrap();
    assert!(log.contains("500: in bad_0, line 1, column ") && log.contains("fn bad_0(request)"), "{log}");
}

/// rhai prints all of such an array, 5 GB, before it looks at the size: 15 GB at the peak, without a watchdog.
const BLOAT: &str = "
fn big() { let s = \"x\"; for i in 0..19 { s += s; } s }
fn bloat() { let text = big(); let a = []; a.pad(10000, 0); for i in 0..10000 { a[i] = text; } `${a}` }
";
/// What is beyond the bound is what was allocated between two looks, and while the process ends.
const PEAK: u64 = 5 << 30;

// fault: endless: one step of a handler takes the memory of the machine -> its worker ends, with a line that names it
#[test]
fn a_handler_that_takes_the_memory_of_the_machine_in_one_step_ends_its_worker() {
    let scenario = "[server]\nmode = \"async\"\nscript = \"s.rhai\"\n\
                    [load]\npath = \"/page\"\nconcurrency = 1\nduration = \"50s\"\n";
    let script = format!("{BLOAT}fn page(request) {{ bloat() }}");
    let outcome = Runner::with(scenario).file("s.rhai", &script).run().exit(3);
    let log = fs::read_to_string(outcome.latest("scenario").join("server.log")).unwrap();
    assert!(log.contains("GET /page: the handler took more than 1.07 GB in one step; the worker ends"), "{log}");
    let peak = outcome.record("scenario")["variants"][0]["trials"][0]["servers"][0]["rss_peak_bytes"].as_u64().unwrap();
    assert!(peak < PEAK, "{peak}");
}

// fault: endless: one step of a hook takes the memory of the machine -> the run ends with a report that names the hook
#[test]
fn a_hook_that_takes_the_memory_of_the_machine_in_one_step_ends_the_run() {
    let scenario = "[server]\nmode = \"async\"\n\
                    [load]\npath = \"/health\"\nscript = \"s.rhai\"\nconcurrency = 1\nduration = \"50s\"\n";
    let script = format!("{BLOAT}fn check(exchange) {{ bloat() }}");
    let outcome = Runner::with(scenario).file("s.rhai", &script).run().exit(3);
    let why = "the hook `check` took more than 1.07 GB in one step";
    assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
    assert!(outcome.report("scenario").contains(why));
}

#[test]
fn a_script_that_floods_the_log_fills_16_mib_of_it() {
    let script =
        "fn flood(request) { let s = \"x\"; for i in 0..19 { s += s; } for i in 0..60 { log(s); } \"flooded\" }
                  fn good(request) { log(\"more\"); \"good\" }";
    let serving = Serving::start("mode = \"async\"", script);
    assert_eq!(serving.get("/flood").body, "flooded");
    assert_eq!(serving.get("/good").body, "good");
    let outcome = serving.stop();
    let log = fs::read_to_string(outcome.latest("scenario").join("server.log")).unwrap();
    assert!(log.len() < 17 << 20 && log.len() > 14 << 20, "{}", log.len());
    assert!(log.contains("the rest is not kept") && !log.contains("more"));
}

/// Scripts that are refused before anything starts.
#[test]
fn a_script_that_reaches_out_or_nests_too_deeply_does_not_load() {
    let scenario =
        "[server]\nmode = \"async\"\nscript = \"s.rhai\"\n[load]\npath = \"/\"\nconcurrency = 1\nduration = \"1s\"\n";
    let deep = format!("fn handle(r) {{ {}1{} }}", "(".repeat(5_000), ")".repeat(5_000));
    let operators = format!("fn handle(r) {{ {} }}", vec!["1"; 5_000].join(" + "));
    for (script, expected) in [
        ("import \"/etc/passwd\" as p;\nfn handle(r) { 1 }", "cannot be imported"),
        ("import \"../x\" as x;\nfn handle(r) { 1 }", "cannot be imported"),
        ("fn handle(r) { import \"../../etc/passwd\" as p; 1 }", "cannot be imported"),
        ("import \"s\" as s;\nfn handle(r) { 1 }", "imports itself"),
        ("fn handle(r) { eval(\"1\") }", "`eval` is switched off"),
        ("fn handle(r) { let f = |x| x; loop { f = f.curry(f); } }", "curry"),
        ("fn handle(r) { 1", "expecting"),
        (deep.as_str(), "nest"),
        (operators.as_str(), "nest"),
    ] {
        let outcome = Runner::with(scenario).file("s.rhai", script).run();
        let stderr: String = outcome.stderr.chars().take(2_000).collect();
        assert_eq!(outcome.code, Some(2), "{script}: {stderr}");
        assert!(
            stderr.contains(expected) && stderr.contains("s.rhai:"),
            "{}: {stderr}",
            &script[..script.len().min(80)]
        );
    }
}
