//! `runner load URL`: a load without a file.

use serde_json::Value;

use crate::harness::{Outcome, Runner, shipped, wait_for};
use crate::serve::Served;

fn served() -> Served {
    Served::start(&[shipped("scenarios/async_sleep.toml").to_str().unwrap()])
}

/// A run with its record on standard output.
#[track_caller]
fn record(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.stdout))
}

/// What is printed, with `#` for every quantity.
fn redacted(text: &str) -> String {
    let quantity = regex::Regex::new(r"(> )?[0-9][0-9.,]*( (µs|us|ms|s|B|kB|MB|GB|%)\b)?").unwrap();
    let spaces = regex::Regex::new(r" {3,}").unwrap();
    spaces.replace_all(&quantity.replace_all(text, "#"), "   ").into_owned()
}

#[test]
fn a_url_is_loaded_and_what_came_of_it_is_printed_and_nothing_is_written() {
    let server = served();
    let url = format!("{}/health?x={{user}}", server.origin());
    let outcome = Runner::new(&["load", "-c", "4", "-t", "1", "-d", "300ms", &url]).run().exit(0);
    // A short run has caveats, which are others on a slower machine.
    let printed = redacted(outcome.stdout.split("\n  caveat").next().unwrap());
    // The service times stand there only if they are others than the latencies.
    let printed = printed.replace("   service time", "").replace("   #   #\n", "   #\n");
    snapbox::assert_data_eq!(printed, snapbox::file!["../golden/load_url.txt"].raw());
    assert_eq!(outcome.folder.path().read_dir().unwrap().count(), 0, "something was written");
}

#[test]
fn what_the_options_say_is_what_is_sent_and_recorded() {
    let server = served();
    let url = format!("{}/nowhere/", server.origin());
    let options = ["load", "--connections", "3", "--duration", "300ms", "--json", "-q", "--latency", "--timeout", "2"];
    let request = ["-X", "PUT", "-H", "x-a: b", "--body", r#"{"user": "${HOME}"}"#, &url];
    let outcome = Runner::new(&options).arguments(&request).run().exit(4);
    let outcome = outcome.stderr_has("has a status below 400: 404");
    let record = record(&outcome);
    let load = &record["variants"][0]["trials"][0]["load"];
    assert_eq!((&load["concurrency"], &load["request"]), (&3.into(), &"PUT /nowhere/".into()));
    assert_eq!((&load["timeout_s"], &load["errors"]["status"]), (&2.0.into(), &load["completed"]));
    assert!(load["status"]["404"].as_u64().unwrap() > 0);
}

#[test]
fn a_rate_is_kept_and_a_number_of_requests_ends_the_load() {
    let server = served();
    let url = format!("{}/health", server.origin());
    let outcome = Runner::new(&["load", "-R", "200", "-n", "60", "-c", "8", &url]).run().exit(0);
    assert!(outcome.stdout.contains("\n200/s by at most 8 users on 1 thread, "), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("60 started, all answered"), "{}", outcome.stdout);
    Runner::new(&["load", "-n", "60", "-d", "1", &url]).run().exit(2).stderr_has("--requests");
}

#[test]
fn a_report_is_written_where_one_is_asked_for() {
    let server = served();
    let url = format!("{}/health", server.origin());
    let outcome = Runner::new(&["load", "-d", "300ms", "--reports", "reports", "--latency", &url]).run().exit(0);
    assert!(outcome.report("load").contains("/health"));
    let outcome = outcome.stdout_has("report: reports/load/").stderr_has("`--latency` changes nothing");
    // The folder holds the file that means the same.
    let file = outcome.latest("load").join("effective.toml");
    Runner::new(&["check", file.to_str().unwrap()]).run().exit(0).stdout_has("10 users for 300ms");
}

#[test]
fn what_is_not_answered_ranks_as_longer_and_is_shown_as_more_than() {
    let server = served();
    let url = format!("{}/async_sleep/?sleep=30", server.origin());
    let outcome = Runner::new(&["load", "-c2", "-d", "300ms", "--timeout", "100ms", &url]).run().exit(3);
    let outcome = outcome.stderr_has("no request was answered");
    let printed = redacted(&outcome.stdout);
    assert!(outcome.stdout.contains("p50") && outcome.stdout.contains("> 1"), "{}", outcome.stdout);
    assert!(printed.contains("# timed out after #ms") && printed.contains("no response"), "{printed}");
}

#[test]
fn connections_cannot_come_from_elsewhere() {
    let server = served();
    let url = format!("{}/health", server.origin());
    let outcome = Runner::new(&["load", "-n", "2", "--source", "192.0.2.7", &url]).run().exit(3);
    outcome.stderr_has("no connection can come from 192.0.2.7").stderr_has("`ip address` lists them");
}

#[test]
fn whom_is_asked_for_can_be_named_and_http_2_is_not_asked_of_those_who_do_not_speak_it() {
    let server = served();
    let url = format!("{}/health", server.origin());
    Runner::new(&["load", "-n", "2", "-H", "Host: shop.test", &url])
        .run()
        .exit(0)
        .stdout_has("2 started, all answered");
    let outcome = Runner::new(&["load", "-n", "2", "-c", "1", "--http2", &url]).run().exit(3);
    outcome.stdout_has("perhaps it speaks HTTP/1.1 only");
    let secure = url.replace("http://", "https://");
    Runner::new(&["load", "-n", "2", &secure]).run().exit(3).stderr_has("does it speak plain HTTP? then write http://");
}

#[test]
fn ctrl_c_prints_what_was_measured() {
    let server = served();
    let url = format!("{}/health", server.origin());
    let running = Runner::new(&["load", "-c2", "-d", "10m", &url]).start();
    running.wait_for_requests();
    running.signal("INT");
    let outcome = running.wait().exit(130).stdout_has(", interrupted").stdout_has("p99.9").no_report();
    assert!(outcome.stderr.contains("interrupted: the load ends"), "{}", outcome.stderr);
}

#[test]
fn what_cannot_be_loaded_is_said_with_its_remedy() {
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    wait_for("the port", || std::net::TcpListener::bind(refused).ok());
    let url = format!("http://{refused}/");
    let outcome = Runner::new(&["load", &url]).run().exit(3).stderr_has("nothing answers on").no_report();
    assert!(outcome.stderr.contains("help: "), "{}", outcome.stderr);
    Runner::new(&["load", "http://192.0.2.1/"]).run().exit(3).stderr_has("--allow-host 192.0.2.1");
    for (arguments, message) in [
        (&["127.0.0.1:8000/x"][..], "write as in http://127.0.0.1:8000/path?query"),
        (&["ftp://127.0.0.1/"], "is not the address of a server"),
        (&["http://127.0.0.1:99999/"], "is not the address of a server"),
        (&["http://ann:pw@127.0.0.1/"], "-H \"authorization: Basic ...\""),
        (&["-d", "0", "http://127.0.0.1/"], "no time at all"),
        (&["-d", "soon", "http://127.0.0.1/"], "is not a duration"),
        (&["-d", "100000", "http://127.0.0.1/"], "at most 86400"),
        (&["-d", "-1", "http://127.0.0.1/"], "`-1` is not a duration"),
        (&["-n", "-3", "http://127.0.0.1/"], "-3 is not in 1..=1000000000"),
        (&["-R", "-5", "http://127.0.0.1/"], "-5"),
        (&["-R", "5000000", "http://127.0.0.1/"], "help: write a rate above zero, up to 1,000,000/s\n"),
        (&["--source", "abc", "http://127.0.0.1/"], "--source holds something that is no address"),
        (&["-c", "0", "http://127.0.0.1/"], "0 is not in 1..=100000"),
        (&["-H", "accept", "http://127.0.0.1/"], "no colon in it"),
        (&["-H", "a: b", "-H", "A: c", "http://127.0.0.1/"], "join the values with a comma"),
        (&["-H", "content-length: 1", "http://127.0.0.1/"], "`content-length` cannot be set"),
        (&["--body-file", "nowhere", "http://127.0.0.1/"], "cannot read `nowhere`"),
        (&["-X", "G T", "http://127.0.0.1/"], "method"),
    ] {
        Runner::new(&["load"]).arguments(arguments).run().exit(2).stderr_has(message);
    }
}
