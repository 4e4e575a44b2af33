//! The leak as people meet it: two tabs of a real browser, one on a slow page, one that reloads a quick one.

use crate::chromium::Browser;
use crate::harness::shipped;
use crate::serve::Served;

/// Opens the slow page for `test` in one tab and the quick one for `dev` in another, again and again until the first is
/// there. What both show in the end, and how often the quick one was loaded.
fn two_tabs(served: &Served, handler: &str) -> (String, String, usize) {
    let browser = Browser::start();
    let (slow, quick) = (browser.tab(), browser.tab());
    let page = |sleep, email| format!("{}/{handler}/?sleep={sleep}&email={email}", served.origin());
    slow.open(&page("3", "test"));
    let mut reloads = 0;
    // The quick page goes on until the slow one is there, however long this machine takes.
    while !slow.has_loaded() {
        quick.open(&page("0.3", "dev"));
        quick.wait();
        reloads += 1;
    }
    (slow.text(), quick.text(), reloads)
}

fn serve(mode: &str) -> Served {
    let scenario = shipped("scenarios/dirty.toml");
    Served::start(&[scenario.to_str().unwrap(), "--set", &format!("server.mode={mode}")])
}

#[test]
fn the_slow_page_of_one_user_shows_the_email_of_another() {
    let served = serve("async");
    let (slow, quick, reloads) = two_tabs(&served, "dirty");
    assert_eq!((slow.as_str(), quick.as_str()), ("Hello, dev", "Hello, dev"), "after {reloads} quick pages");
    assert!(reloads > 1, "one of them ran beside the slow one");
}

#[test]
fn with_the_email_where_it_belongs_each_tab_shows_its_own() {
    let served = serve("async");
    let (slow, quick, reloads) = two_tabs(&served, "clean");
    assert_eq!((slow.as_str(), quick.as_str()), ("Hello, test", "Hello, dev"), "after {reloads} quick pages");
    assert!(reloads > 1);
}

#[test]
fn one_request_at_a_time_keeps_even_the_careless_handler_clean() {
    let served = serve("sync");
    let (slow, quick, _) = two_tabs(&served, "dirty");
    assert_eq!((slow.as_str(), quick.as_str()), ("Hello, test", "Hello, dev"));
}
