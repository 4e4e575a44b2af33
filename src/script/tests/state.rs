//! `process`, `thread` and `context`, and who sees them.

use super::*;

/// Two calls of a handler of the example, each suspended in its sleep before the first goes on.
fn interleaved(handler: &str) -> [String; 2] {
    let program = program(include_str!("../../../scenarios/handlers/dirty.rhai"));
    let process = Process::default();
    let call = |email| HandlerCall::new(&program, &process, handler, with_query(&[("email", email), ("sleep", "1")]));
    let (mut ann, mut bob) = (call("ann"), call("bob"));
    assert!(matches!(ann.resume(), HandlerStep::Sleep(_)));
    assert!(matches!(bob.resume(), HandlerStep::Sleep(_)));
    [body_of(ann.resume()), body_of(bob.resume())]
}

#[test]
fn the_leak_shows_when_two_calls_interleave() {
    assert_eq!(interleaved("dirty"), ["<p>Hello, bob</p>", "<p>Hello, bob</p>"]);
}

#[test]
fn the_clean_handler_does_not_leak() {
    assert_eq!(interleaved("clean"), ["<p>Hello, ann</p>", "<p>Hello, bob</p>"]);
}

/// What two interleaved calls read back from an object that each has written to.
fn read_back(object: &str) -> [String; 2] {
    let source = format!("fn handle(r) {{ {object}.x = r.query.x; yield_now(); {object}.x }}");
    let (program, process) = (program(&source), Process::default());
    let call = |x| HandlerCall::new(&program, &process, "handle", with_query(&[("x", x)]));
    let (mut a, mut b) = (call("a"), call("b"));
    a.resume();
    b.resume();
    [body_of(a.resume()), body_of(b.resume())]
}

#[test]
fn process_and_thread_are_shared_and_context_is_not() {
    assert_eq!(read_back("process"), ["b", "b"]);
    assert_eq!(read_back("thread"), ["b", "b"]);
    assert_eq!(read_back("context"), ["a", "b"]);
}

#[test]
fn process_is_seen_by_other_threads_and_thread_is_not() {
    let program = program("fn set(r) { process.x = 1; thread.x = 1 } fn get(r) { `${process.x} ${thread.x}` }");
    let process = Process::default();
    drive(&mut HandlerCall::new(&program, &process, "set", HandlerRequest::default())).1.unwrap();
    let get = move || body_of(HandlerCall::new(&program, &process, "get", HandlerRequest::default()).resume());
    assert_eq!(get(), "1 1");
    assert_eq!(std::thread::spawn(get).join().unwrap(), "1 ");
}

#[test]
fn processes_are_apart() {
    let program = program("fn handle(r) { process.n = (process.n ?? 0) + 1; `${process.n}` }");
    let (one, two) = (Process::default(), Process::default());
    let count = |process| body_of(HandlerCall::new(&program, process, "handle", HandlerRequest::default()).resume());
    assert_eq!([count(&one), count(&one), count(&two), count(&one.clone())], ["1", "2", "1", "3"]);
}

#[test]
fn values_are_read_written_and_changed_in_place() {
    for (body, expected) in [
        ("process.a == ()", "true"),
        ("process.a = 1; process.a += 2; process.a", "3"),
        ("process[\"a b\"] = 1; process[\"a b\"] += 1; process[\"a b\"]", "2"),
        ("let name = \"k\"; process[name] = 5; process.k", "5"),
        ("process.user = #{}; process.user.name = \"ann\"; process.user.name += \"!\"; process.user.name", "ann!"),
        (
            "process.user = #{a: #{b: [1, 2]}}; process.user.a.b[1] = 7; process.user.a.b.push(3); `${process.user.a.b}`",
            "[1, 7, 3]",
        ),
        ("process.items = []; process.items.push(1); process.items.push(2); process.items.len", "2"),
        ("process[\"items\"] = []; process[\"items\"].push(1); process[\"items\"].len()", "1"),
        ("process.a = 1; process.a = (); process.contains(\"a\")", "false"),
        ("process.a = 1; process.b = 2; process.remove(\"a\"); `${process.keys()}`", "[\"b\"]"),
        ("process.a = 1; \"a\" in process", "true"),
        ("process.tag = \"x\"; process.tag", "x"),
        (
            "process.len = 1; process.keys = 2; process.is_empty = 3; `${process.len}${process.keys}${process.is_empty}`",
            "123",
        ),
        ("let copy = process.list ?? []; copy.push(1); process.list == ()", "true"),
        ("fn_of_process(); process.from", "fn"),
        ("let p = process; p.alias = 1; process.alias", "1"),
        ("context.r = request; context.r.method", ""),
        (
            "let x = [1]; let f = || x.push(2); f.call(); context.x = x; context.x.push(3); `${context.x} ${x}`",
            "[1, 2, 3] [1, 2]",
        ),
    ] {
        for object in ["process", "thread", "context"] {
            let body = body.replace("process", object);
            let source = format!(
                "fn fn_of_{object}() {{ {object}.from = \"fn\" }} fn handle(request) {{ `${{run(request)}}` }} fn run(request) {{ {body} }}"
            );
            let answer = std::thread::spawn(move || respond_to(&source, HandlerRequest::default())).join().unwrap();
            let answer = answer.unwrap_or_else(|error| panic!("{body}: {error}"));
            assert_eq!(String::from_utf8(answer.body).unwrap(), expected, "{body}");
        }
    }
}

#[test]
fn what_outlives_a_call_has_no_tie_to_it() {
    let error = failure("let x = 1; let f = || x; f.call(); process.f = f");
    assert!(error.message.contains("keep the values"), "{error}");
    let error = failure("let a = []; for i in 0..100 { a = [a]; } process.a = a;");
    assert!(error.message.contains("64 levels"), "{error}");
    assert_eq!(text("process.f = |x| x + 1; `${process.f.call(1)}`"), "2");
}

#[test]
fn a_change_that_sleeps_does_not_undo_what_others_wrote() {
    let source = r#"
        fn handle(r) { process.items = [1]; process.items.for_each(|| yield_now()); `${process.items}` }
        fn other(r) { process.items = [2]; }
    "#;
    let (program, process) = (program(source), Process::default());
    let mut reader = HandlerCall::new(&program, &process, "handle", HandlerRequest::default());
    assert!(matches!(reader.resume(), HandlerStep::Yield));
    drive(&mut HandlerCall::new(&program, &process, "other", HandlerRequest::default())).1.unwrap();
    assert_eq!(body_of(reader.resume()), "[2]");
}

#[test]
fn state_is_bounded() {
    let error = failure("for i in 0..20000 { process[`k${i}`] = i; }");
    assert!(error.message.contains("more than 10000 values"), "{error}");
}

#[test]
fn threads_share_a_process_without_tearing_or_stalling() {
    let program = program(
        "const STEP = 1; fn handle(r) { process.n = (process.n ?? 0) + STEP; process.text = `${process.n}`; process.text }",
    );
    let process = Process::default();
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (program, process) = (program.clone(), process.clone());
            std::thread::spawn(move || {
                for _ in 0..2_000 {
                    drive(&mut HandlerCall::new(&program, &process, "handle", HandlerRequest::default())).1.unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
}
