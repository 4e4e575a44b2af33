//! Servers that answer more often than they are asked, or drop what they were asked: which response is which request's.

use serde_json::Value;

use crate::harness::raw_server::{RawServer, Request, Response};
use crate::harness::{Outcome, Runner};

/// A server that is given what it hears and the number of the request on its connection; without a response it closes it.
fn start(respond: fn(&str, usize) -> Option<String>) -> String {
    let response =
        move |request: &Request| respond(request.head, request.number).map_or(Response::none(), Response::raw);
    RawServer::start(response).origin()
}

fn page(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn record(outcome: &Outcome) -> Value {
    outcome.record("scenario")["variants"][0].clone()
}

fn caveats(variant: &Value) -> String {
    variant["caveats"].to_string()
}

/// A load on a server that is up, judged by these rules, which it breaks.
fn judged(url: &str, concurrency: u32, requests: u32, rules: &str) -> Outcome {
    let scenario = format!(
        "[server]\nurl = \"{url}\"\n[load]\npath = \"/\"\nconcurrency = {concurrency}\nrequests = {requests}\n\
         [assert]\nthat = [{rules}]\n"
    );
    Runner::with(&scenario).run().exit(1)
}

// fault: retries: every fifth GET is read and dropped -> sent again, counted, shown beside the errors, and a caveat
#[test]
fn a_server_that_drops_every_fifth_request_does_not_look_perfect() {
    let url = start(|_, number| (number % 5 != 0).then(|| page("ok")));
    let rules = r#""errors.count == 0", "retries.rate < 5%", "retries.count > 0""#;
    let outcome = judged(&url, 2, 200, rules).stdout_has("sent again");
    let variant = record(&outcome);
    let of_rules: Vec<&str> =
        variant["verdicts"].as_array().unwrap().iter().filter_map(|verdict| verdict["status"].as_str()).collect();
    assert_eq!(of_rules, ["passed", "failed", "passed"], "{}", variant["verdicts"]);
    // Four answers on a connection, and the fifth on the next.
    let retries = variant["trials"][0]["load"]["generator"]["retries"].as_u64().unwrap();
    assert!((30..=50).contains(&retries), "{retries}");
    assert!(caveats(&variant).contains("requests were sent again"), "{}", caveats(&variant));
    assert!(outcome.report("scenario").contains("sent again"));
}

// fault: pairing: a second answer comes that nobody asked for -> counted as `unsolicited`, never taken for the next request's
#[test]
fn what_came_unasked_is_told_of_and_can_be_judged() {
    let url = start(|_, _| Some([page("ok"), page("more")].concat()));
    let outcome = judged(&url, 1, 20, r#""unsolicited == 0""#);
    assert!(outcome.report("scenario").contains("20 (something came unasked on 20)"));
    let variant = record(&outcome);
    assert_eq!(variant["trials"][0]["load"]["unsolicited"], 20);
    assert!(caveats(&variant).contains("no request had asked for"), "{}", caveats(&variant));
}

fn checked(answer: fn(&str, usize) -> Option<String>) -> Value {
    let scenario = format!(
        r#"
        [server]
        url = "{}"
        [dirty]
        path = "/?u={{canary}}"
        skip = ["smuggle"]
        time = "3s"
        exposures = 100
        expect = "report"
        "#,
        start(answer)
    );
    record(&Runner::with(&scenario).run().exit(0))
}

/// A page that shows who asks.
fn own_page(heard: &str) -> Option<String> {
    heard.split("u=").nth(1)?.split(' ').next().map(page)
}

// fault: pairing: the same in a dirty check -> said, and nobody is accused by it
#[test]
fn the_dirty_check_says_what_came_unasked_and_takes_it_for_nobodys_answer() {
    let twice = checked(|heard, _| own_page(heard).map(|page| page.repeat(2)));
    let dirty = &twice["trials"][0]["dirty"];
    assert_eq!(dirty["evidence"][0]["place"], "a second response", "it is said for what it is");
    assert!(dirty["unsolicited"].as_u64().unwrap() > 0);
    assert!(caveats(&twice).contains("of the dirty check something came"), "{}", caveats(&twice));

    const ERROR: &str = "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n";
    let error = checked(|heard, _| own_page(heard).map(|page| page + ERROR));
    let dirty = &error["trials"][0]["dirty"];
    assert_eq!(dirty["leaks"], 0, "{}", dirty["evidence"]);
    assert!(dirty["unsolicited"].as_u64().unwrap() > 0);

    let lines = checked(|heard, _| own_page(heard).map(|page| page + "\r\n"));
    let dirty = &lines["trials"][0]["dirty"];
    assert_eq!((&dirty["leaks"], &dirty["unsolicited"]), (&0.into(), &0.into()), "empty lines are nothing: {dirty}");
}
