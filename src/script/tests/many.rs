//! Many calls on one thread: interleaved, dropped, panicking; and what they cost.

use std::time::Instant;

use super::*;

const NAP: &str = "fn handle(r) { let mine = r.query.id; context.id = mine; sleep(1); helper(mine) } fn helper(mine) { sleep(1); `${mine} ${context.id}` }";

#[test]
fn a_thousand_calls_interleave_and_each_keeps_its_own() {
    let (program, process) = (program(NAP), Process::default());
    let mut calls: Vec<HandlerCall> = (0..1_000)
        .map(|id| HandlerCall::new(&program, &process, "handle", with_query(&[("id", &id.to_string())])))
        .collect();
    for call in &mut calls {
        assert!(matches!(call.resume(), HandlerStep::Sleep(_)));
    }
    for call in calls.iter_mut().rev() {
        assert!(matches!(call.resume(), HandlerStep::Sleep(_)));
    }
    for (id, call) in calls.iter_mut().enumerate() {
        assert_eq!(body_of(call.resume()), format!("{id} {id}"));
    }
}

#[test]
fn a_call_may_be_dropped_at_any_time() {
    let (program, process) = (program(NAP), Process::default());
    let call = || HandlerCall::new(&program, &process, "handle", with_query(&[("id", "1")]));
    drop(call());
    for resumes in 1..=3 {
        let mut call = call();
        for _ in 0..resumes {
            call.resume();
        }
    }
    assert_eq!(Arc::strong_count(&program), 1, "what a dropped call held is free");
    assert_eq!(drive(&mut call()).1.unwrap().body, b"1 1");
}

#[test]
fn a_call_that_is_dropped_within_closures_unwinds() {
    let source = "fn handle(r) { let n = 0; [1, 2].for_each(|x| { n += 1; [3].map(|y| { sleep(1); n }) }); `${n}` }";
    let (program, process) = (program(source), Process::default());
    let mut suspended: Vec<HandlerCall> =
        (0..10).map(|_| HandlerCall::new(&program, &process, "handle", HandlerRequest::default())).collect();
    suspended.iter_mut().for_each(|call| drop(call.resume()));
    drop(suspended);
    assert_eq!(Arc::strong_count(&program), 1);
    assert_eq!(
        drive(&mut HandlerCall::new(&program, &process, "handle", HandlerRequest::default())).1.unwrap().body,
        b"2"
    );
}

#[test]
fn a_panic_ends_its_call_and_nothing_else() {
    let program = program("fn handle(r) { sleep(0); `${now()}` } fn fine(r) { \"fine\" }");
    let process = Process::new(Duration::ZERO, Some(|| panic!("the clock fell down")));
    let mut other = HandlerCall::new(&program, &process, "fine", HandlerRequest::default());
    let error = drive(&mut HandlerCall::new(&program, &process, "handle", HandlerRequest::default())).1.unwrap_err();
    assert!(error.message.contains("the clock fell down"), "{error}");
    assert_eq!(body_of(other.resume()), "fine");
    assert_eq!(Arc::strong_count(&program), 1);
}

#[test]
fn programs_cross_threads_and_calls_cannot_be_taken_along() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Program>();
    crosses::<Process>();
    crosses::<ScriptError>();
    assert_eq!(
        body_of(
            HandlerCall::new(
                &program("fn handle(r) { exit(\"out\") }"),
                &Process::default(),
                "handle",
                HandlerRequest::default()
            )
            .resume()
        ),
        "out"
    );
}

#[test]
fn functions_of_a_call_are_refused_outside_of_one() {
    assert!(current_call::suspend(HandlerStep::Yield).is_err());
    let program = program("fn handle(r) { sleep(1) }");
    let mut call = HandlerCall::new(&program, &Process::default(), "handle", HandlerRequest::default());
    call.resume();
    assert!(current_call::suspend(HandlerStep::Yield).is_err(), "a suspended call is not the current one");
}

/// Resident pages of this process, in bytes.
pub(super) fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
#[ignore = "a measurement: run it in release, alone"]
fn memory_of_ten_thousand_suspended_calls() {
    let program = program(include_str!("../../../scenarios/handlers/dirty.rhai"));
    let process = Process::default();
    let before = resident();
    let started = Instant::now();
    let mut calls: Vec<HandlerCall> = (0..10_000)
        .map(|_| {
            HandlerCall::new(&program, &process, "dirty", with_query(&[("email", "ann@example.org"), ("sleep", "1")]))
        })
        .collect();
    calls.iter_mut().for_each(|call| assert!(matches!(call.resume(), HandlerStep::Sleep(_))));
    let took = started.elapsed();
    let after = resident();
    println!("10,000 suspended calls: {} in {took:?}", crate::units::show_size((after - before) as u64));
    drop(calls);
    println!("after dropping them: {}", crate::units::show_size(resident().saturating_sub(before) as u64));
}

#[test]
#[ignore = "a measurement: run it in release, alone"]
fn calls_a_second() {
    let source = include_str!("../../../scenarios/handlers/dirty.rhai");
    for (name, source, handler) in [
        ("dirty, no sleep", source.replace("sleep(request.query.sleep);", ""), "dirty"),
        ("dirty, suspended once", source.to_owned(), "dirty"),
        ("clean, no sleep", source.replace("sleep(request.query.sleep);", ""), "clean"),
        ("fn handle(r) { \"x\" }", "fn handle(r) { \"x\" }".to_owned(), "handle"),
        ("loop of 1,000", "fn handle(r) { let n = 0; for i in 0..1000 { n += i; } `${n}` }".to_owned(), "handle"),
        ("helper x 10", "fn handle(r) { for i in 0..10 { add(i) } () } fn add(i) { i + 1 }".to_owned(), "handle"),
    ] {
        let (program, process) = (program(&source), Process::default());
        let count = if name.starts_with("loop") { 5_000 } else { 200_000 };
        let request = HandlerRequest {
            headers: pairs(&[("host", "127.0.0.1:8000"), ("user-agent", "runner"), ("accept", "*/*")]),
            ..with_query(&[("email", "ann@example.org"), ("sleep", "0.1")])
        };
        let started = Instant::now();
        for _ in 0..count {
            drive(&mut HandlerCall::new(&program, &process, handler, request.clone())).1.unwrap();
        }
        let took = started.elapsed().as_secs_f64();
        println!("{name}: {:.0} calls/s, {:.2} us each", f64::from(count) / took, took / f64::from(count) * 1e6);
    }
}
