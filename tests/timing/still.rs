//! Whoever stands still, the server or runner itself, is named; and figures that count other requests say so.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::harness::raw_server::{RawServer, Response};
use crate::harness::{Outcome, Runner, alone};

/// A server that responds after 2 ms, but from its request number `after` on stands still for so long, once.
struct Freezing {
    raw: RawServer,
}

impl Freezing {
    fn start(after: u64, lasting: Duration) -> Self {
        let (came, froze, everybody) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(()));
        let raw = RawServer::start(move |_| {
            std::thread::sleep(Duration::from_millis(2));
            // Everybody passes this lock, and so stands still with the one that holds it.
            let still = everybody.lock().unwrap();
            if came.fetch_add(1, Ordering::SeqCst) >= after && !froze.swap(true, Ordering::SeqCst) {
                std::thread::sleep(lasting);
            }
            drop(still);
            Response::ok("ok")
        });
        Freezing { raw }
    }

    fn scenario(&self, lines: &str) -> Runner {
        Runner::with(&format!("[server]\nurl = \"http://{}\"\n[load]\npath = \"/\"\n{lines}", self.raw.address))
    }
}

fn caveats(outcome: &Outcome) -> String {
    let record = outcome.record("scenario");
    let all = record["variants"][0]["caveats"].as_array().unwrap().iter();
    all.map(|caveat| caveat["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("\n")
}

fn load(outcome: &Outcome) -> Value {
    outcome.record("scenario")["variants"][0]["trials"][0]["load"].clone()
}

// fault: quantiles: a closed load hides that its server stood still -> a caveat names the gap
#[test]
fn a_server_that_stands_still_for_a_second_of_a_closed_load_is_named() {
    let _alone = alone();
    let server = Freezing::start(200, Duration::from_secs(1));
    let outcome = server.scenario("concurrency = 10\nduration = '4s'").run().exit(0);
    let (load, caveats) = (load(&outcome), caveats(&outcome));
    let length = load["silence"]["length_s"].as_f64().unwrap();
    assert!(length > 0.8, "{}", load["silence"]);
    assert!(caveats.contains("nothing was answered for") && caveats.contains("10 requests waited"), "{caveats}");
}

// fault: quantiles: runner itself is stopped for a while -> a caveat says so, and the server is not blamed
#[test]
fn a_runner_that_was_stopped_says_so_and_does_not_blame_the_server() {
    let _alone = alone();
    let server = Freezing::start(u64::MAX, Duration::ZERO);
    let running = server.scenario("concurrency = 4\nduration = '4s'").start();
    crate::harness::wait_for("answers", || (server.raw.requests() > 50).then_some(()));
    running.signal("STOP");
    std::thread::sleep(Duration::from_millis(1500));
    running.signal("CONT");
    let outcome = running.wait().exit(0);
    let (load, caveats) = (load(&outcome), caveats(&outcome));
    assert!(load["generator"]["stopped_s"].as_f64().unwrap() > 1.2, "{}", load["generator"]);
    assert!(caveats.contains("runner itself stood still for"), "{caveats}");
    assert!(!caveats.contains("nothing was answered for"), "{caveats}");
}

// fault: quantiles: answers to the warm-up, or after the end -> told beside the throughput
#[test]
fn answers_to_the_warm_up_and_after_the_end_are_told_beside_the_throughput() {
    let _alone = alone();
    // What the warm-up asks is answered in the measured part, and what that asks after its end.
    let scenario = "[server]\nmode = \"async\"\n[load]\npath = \"/async_sleep/?sleep=0.8\"\nconcurrency = 10\nwarmup = \"500ms\"\n\
                    duration = \"700ms\"\ndrain = \"5s\"";
    let outcome = Runner::with(scenario).run().exit(0);
    let load = load(&outcome);
    assert_eq!((load["answers_to_warmup"].as_u64(), load["completed"].as_u64()), (Some(10), Some(10)), "{load}");
    let said =
        "10 of 10 responses in time were to requests of the warm-up and 10 of 10 responses came after the time was up";
    let one_line = outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(one_line.contains(said) && outcome.report("scenario").contains(said), "{}", outcome.stdout);
}
