//! How busy load threads are said to be.

use std::rc::Rc;
use std::time::Instant;

use tokio::task::LocalSet;

use super::*;
use crate::load::open::awake_until;
use crate::load::requests_from::RequestsFrom;
use crate::load::thread_plan::ThreadPlan;
use crate::load::thread_state::ThreadState;
use crate::load::thread_state::noticed;

/// Answers on every connection but the first, which it holds.
fn holds_the_first(listener: TcpListener) {
    let mut streams = listener.incoming();
    let _held = streams.next();
    for stream in streams {
        let mut stream = stream.unwrap();
        std::thread::spawn(move || {
            while hear(&mut stream) {
                stream.write_all(OK).unwrap();
            }
        });
    }
}

#[test]
fn a_request_that_hangs_does_not_make_a_busy_thread_look_idle() {
    // Work for the load thread: some milliseconds a request.
    let source = "fn request(user, seq) { let n = 0; while n < 5000 { n += 1; } () }".to_owned();
    let script = crate::scenario::ScriptSpec { path: "work.rhai".into(), source };
    let lasting = Duration::from_secs(1);
    let levels = vec![Level { from: 2.0, to: 2.0, lasting }];
    let load = LoadSpec { levels, duration: lasting, drain: lasting, threads: Some(1), ..plan() };
    let client = ClientScript::begin(Arc::new(script), Arc::default()).result.unwrap();
    let live = Arc::new(LiveCounters::new(1));
    let target = Target::tcp(server(holds_the_first), None);
    let began = Instant::now();
    let results = run(&load, Some(&client), &[], &target, 1, &CancellationToken::new(), &live).unwrap();
    assert!(results.measured.whole.unanswered >= 1 && began.elapsed() >= 2 * lasting);
    let on_average = results.measured.generator.cpu.as_secs_f64() / began.elapsed().as_secs_f64();
    assert!(
        results.measured.generator.busiest > 1.6 * on_average,
        "{} {on_average}",
        results.measured.generator.busiest
    );
}

#[test]
fn a_load_of_a_moment_has_a_busiest_thread_too() {
    let results = execute(server(closes_idle_connections), &plan());
    assert!(
        results.measured.generator.busiest > 0.0 && results.measured.generator.busiest <= 1.0,
        "{}",
        results.measured.generator.busiest
    );
}

/// Works for so long.
fn work(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {}
}

#[tokio::test]
async fn what_users_do_while_an_arrival_is_waited_for_is_work() {
    const TIMES: u32 = 100;
    let (each, most) = (Duration::from_micros(20), Duration::from_millis(6));
    let target = Target::tcp("127.0.0.1:9".parse().unwrap(), None);
    let thread = Rc::new(ThreadState::new(
        &plan(),
        ThreadPlan::new(&plan(), &target, (0, 1), 1),
        RequestsFrom::of(None),
        Arc::new(LiveCounters::new(1)),
    ));
    let clock = thread.plan.clock;
    let tasks = LocalSet::new();
    tasks.spawn_local(noticed(Rc::clone(&thread), async move {
        for _ in 0..TIMES {
            work(each);
            tokio::task::yield_now().await;
        }
    }));
    let waits = Rc::clone(&thread);
    let waited = tasks.run_until(async move {
        let began = clock.now();
        awake_until(&waits, began + most).await - began
    });
    let waited = waited.await;
    // Fewer where other processes have the machine.
    let times = u32::try_from(thread.cpu_meter.polled.get()).unwrap().min(TIMES);
    let spun = thread.cpu_meter.spun.get();
    assert!(times > 0 && spun + times * each <= waited, "{spun:?} of {waited:?}, and {times} times work");
}

#[tokio::test]
async fn waiting_awake_is_no_work() {
    let target = Target::tcp("127.0.0.1:9".parse().unwrap(), None);
    let thread = ThreadState::new(
        &plan(),
        ThreadPlan::new(&plan(), &target, (0, 1), 1),
        RequestsFrom::of(None),
        Arc::new(LiveCounters::new(1)),
    );
    let clock = thread.plan.clock;
    // Other processes may have the machine for a while, but not always.
    for _ in 0..50 {
        let due = clock.now() + Duration::from_millis(2);
        thread.cpu_meter.spun.take();
        let began = clock.now();
        let waited = awake_until(&thread, due).await - began;
        if thread.cpu_meter.spun.get() > waited / 2 {
            return;
        }
    }
    panic!("{:?}", thread.cpu_meter.spun.get());
}
