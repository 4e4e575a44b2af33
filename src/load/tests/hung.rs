//! A hook that does not come back.

use super::*;
use crate::load::client_script::ClientScript;

fn answers(listener: TcpListener) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        std::thread::spawn(move || while hear(&mut stream) && stream.write_all(OK).is_ok() {});
    }
}

fn scripted(source: &str) -> ClientScript {
    let script = crate::scenario::ScriptSpec { path: "hung.rhai".into(), source: source.to_owned() };
    ClientScript::begin(Arc::new(script), Arc::default()).result.unwrap()
}

// fault: endless: a hook does not come back -> the run ends with a report, and says what is lost
#[test]
fn a_hook_that_hangs_loses_what_its_thread_measured_and_no_more() {
    // One of two users hangs at once; the other goes on until it is ended for it.
    let client = scripted("fn check(exchange) { if exchange.user.number == 1 { hang(); } true }");
    let lasting = Duration::from_secs(3600);
    let levels = vec![Level { from: 2.0, to: 2.0, lasting }];
    let load = LoadSpec { levels, duration: lasting, threads: Some(2), ..plan() };
    let (live, cancel) = (Arc::new(LiveCounters::new(2)), CancellationToken::new());
    let asks = (Arc::clone(&live), cancel.clone());
    std::thread::spawn(move || {
        while asks.0.progress().completed < 100 {
            std::thread::sleep(Duration::from_millis(1));
        }
        asks.1.cancel();
    });
    let results = run(&load, Some(&client), &[], &Target::tcp(server(answers), None), 1, &cancel, &live).unwrap();
    let hung = results.hung.unwrap().to_string();
    assert!(hung.contains("the hook `check` did not come back within 2s after the end was asked for"), "{hung}");
    assert!(hung.ends_with("; what its load thread measured, 1 response, is lost"), "{hung}");
    assert!(results.measured.whole.completed >= 90, "{}", results.measured.whole.completed);
}

#[test]
fn a_hook_that_panics_fails_its_check_and_nothing_else() {
    let client = scripted("fn check(exchange) { panics(); true }");
    let load = LoadSpec { requests: Some(3), ..plan() };
    let live = Arc::new(LiveCounters::new(1));
    let target = Target::tcp(server(answers), None);
    let results = run(&load, Some(&client), &[], &target, 1, &CancellationToken::new(), &live).unwrap();
    let findings = results.measured.findings.unwrap();
    assert!(findings.failed >= 1 && findings.samples[0].said.contains("the hook panicked: on purpose"), "{findings:?}");
}
