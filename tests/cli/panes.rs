//! Two panes in a real browser: the experiment that shows the leak, and who waits behind whom.

use std::time::Duration;

use crate::chromium::Browser;
use crate::harness::{Runner, shipped, wait_for};
use crate::serve::Served;

fn served(more: &[&str]) -> Served {
    let scenario = shipped("scenarios/two_panes.toml");
    Served::start(&[&[scenario.to_str().unwrap(), "--side-by-side"], more].concat())
}

#[test]
fn the_slow_page_shows_another_in_the_async_pane_and_its_own_in_the_sync_pane() {
    let served = served(&[]);
    let browser = Browser::start();
    let tab = browser.tab();
    tab.listen();
    tab.open(&served.origin());
    tab.wait();
    assert!(tab.text().contains("server.mode=sync") || tab.text().contains("mode=sync"), "{}", tab.text());
    // The slow page of `test` waits three seconds; `dev` reloads a quick one until it is there.
    let run = "(async () => { \
        document.getElementById('slow').value = 3; document.getElementById('quick').value = 0.05; \
        const out = []; \
        for (const pane of [1, 0]) { \
          const slow = ask(pane, 'test', 'slow'); const quick = []; let done = false; slow.then(() => (done = true)); \
          while (!done && quick.length < (pane === 1 ? 200 : 1)) { await pause(100); quick.push(await ask(pane, 'dev', 'quick')); } \
          out.push([await slow, quick[0]]); \
        } \
        return JSON.stringify(out); })()";
    let out: serde_json::Value = serde_json::from_str(tab.evaluate(run).as_str().unwrap()).unwrap();
    let (slow_async, slow_sync, quick_sync) = (&out[0][0], &out[1][0], &out[1][1]);
    assert_eq!((slow_async["body"].as_str(), slow_async["leaks"].as_bool()), (Some("Hello, dev"), Some(true)), "{out}");
    assert_eq!((slow_sync["body"].as_str(), slow_sync["leaks"].as_bool()), (Some("Hello, test"), Some(false)), "{out}");
    assert!(quick_sync["ms"].as_f64() > Some(1000.0), "the quick one waited behind the slow one: {out}");
    let text = tab.text();
    assert!(text.contains("test sees dev: while this page waited, dev asked"), "{text}");
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[test]
fn others_ask_all_the_time_until_they_are_stopped() {
    let served = served(&["--set", "load.sleep=10ms"]);
    let browser = Browser::start();
    let tab = browser.tab();
    tab.open(&served.origin());
    tab.wait();
    tab.evaluate(
        "document.getElementById('slow').value = 0.01; document.getElementById('users').value = 50; users(); ''",
    );
    let answers = |least: f64| {
        wait_for("answers to the others", || {
            let state = tab.evaluate("(async () => JSON.stringify(await (await fetch('/state')).json()))()");
            let state: serde_json::Value = serde_json::from_str(state.as_str().unwrap()).unwrap();
            let well = |pane: &serde_json::Value| pane["users"] == 50 && pane["completed"].as_f64() > Some(least);
            std::thread::sleep(Duration::from_millis(50));
            state.as_array().unwrap().iter().all(well).then_some(())
        });
    };
    answers(20.0);
    tab.evaluate("document.getElementById('users').value = 0; users(); ''");
}

#[test]
fn what_cannot_be_shown_is_said() {
    let one = "[server]\nmode = 'async'\n[load]\npath = '/health'\nconcurrency = 1\nduration = '1s'\n";
    let came = Runner::new(&["serve", "one.toml", "--side-by-side"]).file("one.toml", one).run();
    came.exit(2).stderr_has("two panes need two").stderr_has("[matrix]");
    Runner::new(&["serve", "one.toml", "--beside", "x"]).file("one.toml", one).run().exit(2);
}
