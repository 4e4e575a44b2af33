//! Running time and memory, by gauges that a test turns.

use std::cell::Cell;

use super::*;

thread_local! {
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static RESIDENT: Cell<usize> = const { Cell::new(0) };
}

/// A millisecond passes, and a megabyte is taken, with each look.
const GAUGES: Gauges = Gauges {
    clock: || {
        NOW.set(NOW.get() + Duration::from_millis(1));
        NOW.get()
    },
    resident: || {
        RESIDENT.set(RESIDENT.get() + 1_000_000);
        RESIDENT.get()
    },
};

fn measured(body: &str, limits: Limits) -> (Vec<HandlerStep>, Result<HandlerResponse, ScriptError>) {
    let program = Program::compile(&format!("fn handle(r) {{ {body} }}"), Path::new("."), limits).unwrap();
    let process = Process::measured(Duration::ZERO, None, GAUGES);
    drive(&mut HandlerCall::new(&program, &process, "handle", HandlerRequest::default()))
}

const NO_MEMORY_LIMIT: Limits = Limits { memory_bytes: usize::MAX, running: Duration::from_millis(50), ..LIMITS };

#[test]
fn a_call_may_not_run_longer_than_its_time() {
    let error = measured("loop { }", NO_MEMORY_LIMIT).1.unwrap_err();
    assert!(error.message.contains("it ran longer than 50ms, its sleeps not counted"), "{error}");
    let error = measured("try { loop { } } catch { } 200", NO_MEMORY_LIMIT).1.unwrap_err();
    assert!(error.message.contains("it ran longer"), "no script catches it: {error}");
}

#[test]
fn running_time_adds_up_over_suspensions_and_sleeping_does_not_count() {
    let (steps, result) = measured("loop { for i in 0..50 { let x = i; } yield_now(); }", NO_MEMORY_LIMIT);
    assert!(result.unwrap_err().message.contains("it ran longer"));
    assert!(steps.len() > 3, "{}", steps.len());
    let program =
        Program::compile("fn handle(r) { sleep(1); sleep(1); 200 }", Path::new("."), NO_MEMORY_LIMIT).unwrap();
    let process = Process::measured(Duration::ZERO, None, GAUGES);
    let mut call = HandlerCall::new(&program, &process, "handle", HandlerRequest::default());
    loop {
        match call.resume() {
            HandlerStep::Sleep(time) => NOW.set(NOW.get() + time),
            HandlerStep::Done(result) => return assert_eq!(result.unwrap().status, 200),
            step => panic!("{step:?}"),
        }
    }
}

#[test]
fn burning_and_blocking_count_before_they_begin() {
    let (steps, result) = measured("burn(\"20ms\"); block(\"20ms\"); burn(\"20ms\"); 200", NO_MEMORY_LIMIT);
    assert!(result.unwrap_err().message.contains("burn(20ms): a call may run, burn and block for 50ms in all"));
    assert_eq!(steps.len(), 2, "{steps:?}");
}

#[test]
fn a_call_may_not_drive_up_the_memory_of_its_process() {
    let limits = Limits { memory_bytes: 20_000_000, ..LIMITS };
    let error = measured("loop { }", limits).1.unwrap_err();
    assert!(error.message.contains("its process's memory grew by more than 20.0 MB"), "{error}");
    let error = measured("loop { for i in 0..200 { let x = i; } yield_now(); }", limits).1.unwrap_err();
    assert!(error.message.contains("grew by more"), "it adds up over suspensions: {error}");
}

#[test]
fn hooks_have_the_limits_of_handlers() {
    let asked = |limits| {
        let source = "fn request(user, seq) { loop { } }";
        let hooks =
            Hooks::compile(source, Path::new("."), limits, &crate::script::client::Setup::default(), || 0.0).unwrap();
        let user = crate::script::client::HookUser::new(0, std::iter::empty());
        hooks.measured(GAUGES).request(&user, 0).result.unwrap_err().message
    };
    let error = asked(NO_MEMORY_LIMIT);
    assert!(error.contains("it ran longer than 50ms"), "{error}");
    let error = asked(Limits { memory_bytes: 20_000_000, ..LIMITS });
    assert!(error.contains("its process's memory grew by more than 20.0 MB"), "{error}");
}

#[test]
fn a_call_that_is_over_does_not_go_on_where_rhai_swallows_its_error() {
    const NO_MEMORY: Gauges = Gauges { resident: || 0, ..GAUGES };
    let source = "fn handle(r) { let a = []; for i in 0..200 { a.push((i * 7919) % 200); }
                  a.sort(|x, y| { log(x); x - y }); 200 }";
    let limits = Limits { running: Duration::from_millis(400), ..NO_MEMORY_LIMIT };
    let program = Program::compile(source, Path::new("."), limits).unwrap();
    let process = Process::measured(Duration::ZERO, None, NO_MEMORY);
    let (steps, result) = drive(&mut HandlerCall::new(&program, &process, "handle", HandlerRequest::default()));
    assert!(result.unwrap_err().message.contains("it ran longer"));
    assert!((1..1_000).contains(&steps.len()), "200 numbers are in order after some 1,500: {}", steps.len());
}
