//! What happens after a leak is seen: the least that shows it, lines to paste, a replay; and the planted leak.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Outcome, Runner, Running, wait_for};
use crate::secure::{Manners, Secure};

/// Ways to leak.
const LEAKY: &str = r#"
    fn slot(request) {
        process.email = request.query.email;
        sleep("60ms");
        `mail goes to ${process.email}`
    }
    fn stale(request) {
        let shown = process.last ?? "nobody";
        process.last = request.headers["x-user"];
        `you are ${request.headers["x-user"]}, before you came ${shown}`
    }
    fn slots(request) {
        let n = ((process.next ?? 0) + 1) % 4;
        process.next = n;
        process[`slot ${n}`] = request.query.email;
        sleep("60ms");
        let email = process[`slot ${n}`];
        `receipt for ${email}`
    }
    fn first(request) {
        process.owner = process.owner ?? request.query.email;
        `This page belongs to ${process.owner}, and you are ${request.query.email}`
    }
    fn late(request) {
        let email = request.query.email;
        if request.query.wait == "0.4" {
            process.late = email;
            process.due = now() + 0.4;
            sleep("100ms");
            return respond(504, "too slow");
        }
        let shown = if process.due != () && now() >= process.due { process.late } else { email };
        if shown != email { process.due = (); }
        `row of ${shown}`
    }
    fn greeting(request) {
        process.lang = request.query.lang;
        sleep("40ms");
        if process.lang == "es" { "Hola" } else { "Hello" }
    }
"#;

fn scenario(dirty: &str) -> String {
    format!(
        "[server]\nmode = \"async\"\nscript = \"leaky.rhai\"\n[dirty]\nexpect = \"dirty\"\ntime = \"60s\"\n{dirty}\n"
    )
}

fn find(dirty: &str) -> Outcome {
    Runner::with(&scenario(dirty)).file("leaky.rhai", LEAKY).run().exit(0)
}

/// The leaks of a record.
fn evidence(outcome: &Outcome) -> Vec<Value> {
    outcome.record("scenario")["variants"][0]["trials"][0]["dirty"]["evidence"].as_array().unwrap().clone()
}

fn shots(shrunk: &Value) -> usize {
    shrunk["recipe"]["lines"].as_array().unwrap().iter().map(|line| line["shots"].as_array().unwrap().len()).sum()
}

#[test]
fn a_leak_of_many_requests_is_narrowed_down_to_two() {
    let outcome = find("path = \"/slot/?email={canary}\"");
    let leak = &evidence(&outcome)[0];
    let shrunk = &leak["shrunk"];
    assert_eq!((&leak["class"], shots(shrunk)), (&"shared_slot".into(), 2), "{leak}");
    assert_eq!(shrunk["tries"], 10);
    assert!(shrunk["shown"].as_u64().unwrap() >= 5 && shrunk["rate_at_least"].as_f64().unwrap() > 0.15, "{shrunk}");
    assert!(outcome.report("scenario").contains("The least that shows it: 2 requests"));
}

#[test]
fn a_ring_of_four_slots_takes_five_requests_at_once() {
    let outcome = find("path = \"/slots/?email={canary}\"");
    let leak = &evidence(&outcome)[0];
    assert_eq!((&leak["class"], shots(&leak["shrunk"])), (&"capacity".into(), 5), "{leak}");
}

#[test]
fn what_the_first_request_brought_takes_a_fresh_server() {
    let outcome = find("path = \"/first/?email={canary}\"");
    let leak = &evidence(&outcome)[0];
    assert_eq!((&leak["class"], shots(&leak["shrunk"])), (&"sticky_first".into(), 2), "{leak}");
    assert_eq!(leak["shrunk"]["recipe"]["fresh_server"], true);
}

#[test]
fn what_comes_too_late_for_a_slow_request_goes_to_one_that_comes_after_it() {
    let outcome = find("path = \"/late/?email={canary}&wait={sleep}\"\nsleep = { long = \"400ms\", short = \"10ms\" }");
    let shrunk = &evidence(&outcome)[0]["shrunk"];
    let line = &shrunk["recipe"]["lines"][0]["shots"];
    assert_eq!((shots(shrunk), &line[0]["nap"], &line[1]["pause_ms"]), (2, &"long".into(), &400.0.into()), "{shrunk}");
    assert!(shrunk["shown"].as_u64().unwrap() * 2 > shrunk["tries"].as_u64().unwrap(), "{shrunk}");
}

/// The lines for a shell below the least that shows a leak.
fn by_hand(outcome: &Outcome) -> String {
    let report = outcome.report("scenario");
    let (_, after) = report.split_once("By hand").unwrap_or_else(|| panic!("nothing to paste in:\n{report}"));
    let (_, block) = after.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// A server with the leaky script that stays up, at a port of its own.
fn serve() -> (Running, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        "[server]\nmode = \"async\"\nscript = \"leaky.rhai\"\nport = {port}\n\
         [load]\npath = \"/health\"\nconcurrency = 1\nduration = \"10m\"\n"
    );
    let running = Runner::with(&text).file("leaky.rhai", LEAKY).start();
    running.wait_for_requests();
    wait_for("the port", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    (running, port)
}

#[test]
fn the_lines_to_paste_show_the_leak_when_they_are_pasted() {
    let (server, port) = serve();
    let scenarios = ["path = \"/slot/?email={canary}\"", "path = \"/stale/\"\nheaders = { x-user = \"{canary}\" }"];
    for dirty in scenarios {
        let outcome = find(dirty);
        let shrunk = evidence(&outcome).into_iter().map(|leak| leak["shrunk"].clone()).find(|s| !s.is_null()).unwrap();
        let lines = by_hand(&outcome).replace("http://127.0.0.1:8000", &format!("http://127.0.0.1:{port}"));
        let source = shrunk["requests"].as_array().unwrap().iter().find(|asked| asked["part"] == "source").unwrap();
        let canary = canary_of(source);
        // A hand may have to try more than once.
        let printed: Vec<String> = (0..5).map(|_| bash(&lines)).collect();
        assert!(printed.iter().any(|text| text.contains(&canary)), "{lines}\n{printed:?}");
        // Known good: the victim alone does not get it once others have been there since.
        let alone: String = lines.lines().filter(|line| !line.contains(&canary)).collect::<Vec<_>>().join("\n");
        let after = (0..2).map(|_| bash(&alone)).next_back().unwrap();
        assert!(!after.contains(&canary), "{alone}\n{after}");
    }
    server.signal("INT");
    server.wait();
}

#[test]
fn the_lines_to_paste_speak_tls_as_the_scenario_does() {
    let server = Secure::start(Manners { closes: true, asks: true, leaks: true });
    let of = |name: &str| server.certificates.path(name);
    let scenario = format!(
        "[server]\nurl = \"{}\"\ntls = {{ ca = \"{}\", cert = \"{}\", key = \"{}\" }}\n\
         [dirty]\npath = \"/?q={{canary}}\"\nexpect = \"dirty\"\ntime = \"10s\"\n",
        server.origin(),
        of("ca.pem"),
        of("client.pem"),
        of("client-key.pem")
    );
    let outcome = Runner::with(&scenario).run().exit(0);
    let shrunk = evidence(&outcome).into_iter().map(|leak| leak["shrunk"].clone()).find(|s| !s.is_null()).unwrap();
    let source = shrunk["requests"].as_array().unwrap().iter().find(|asked| asked["part"] == "source").unwrap();
    let lines = by_hand(&outcome).replace("127.0.0.1:8000", &server.address.to_string());
    let printed = bash(&lines);
    assert!(printed.contains(&canary_of(source)), "{lines}\n{printed}");
}

fn canary_of(asked: &Value) -> String {
    let text = asked.to_string();
    let start = text.find("zq").unwrap();
    text[start..].chars().take_while(char::is_ascii_alphanumeric).collect()
}

fn bash(lines: &str) -> String {
    let output = Command::new("bash").args(["-c", lines]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_replay_shows_the_leak_again_and_no_more_once_it_is_mended() {
    let plan = scenario("path = \"/slot/?email={canary}\"");
    let outcome = Runner::with(&plan).file("leaky.rhai", LEAKY).arguments(&["--reports", "my reports"]).run().exit(0);
    // As the report says, from where the run was started.
    let latest = outcome.folder.path().join("my reports/scenario/latest");
    let home = format!("my reports/scenario/{}", fs::read_link(&latest).unwrap().display());
    let report = fs::read_to_string(latest.join("report.md")).unwrap();
    assert!(report.contains(&format!("`runner replay '{home}' 1`")), "{report}");
    let again = ["replay", home.as_str(), "1", "--times", "4"];
    let outcome =
        outcome.then(&again).run().exit(0).stdout_has("leak 1 (shared_slot): 2 requests").stdout_has("try 4: ");
    fs::write(outcome.folder.path().join("leaky.rhai"), "fn slot(request) { `mail goes to ${request.query.email}` }")
        .unwrap();
    let by_class = ["replay", "my reports/scenario/latest/record.json", "shared_slot", "--times", "3"];
    outcome.then(&by_class).run().exit(4).stdout_has("try 3: no leak").stdout_has("0 of 3 showed it");
}

#[test]
fn a_leak_of_what_follows_from_who_asks_is_narrowed_down_and_replayed() {
    let outcome =
        find("path = \"/greeting/?lang={identity.lang}\"\nidentities = [{ lang = \"en\" }, { lang = \"es\" }]");
    let leak = &evidence(&outcome)[0];
    assert_eq!((&leak["class"], shots(&leak["shrunk"])), (&"derived".into(), 2), "{leak}");
    let who = &leak["shrunk"]["recipe"]["lines"][0]["shots"][0]["who"];
    assert!(who["persona"].is_u64(), "{who}");
    let again = ["replay", "reports/scenario/latest", "1", "--times", "4"];
    let outcome = outcome.then(&again).run().exit(0).stdout_has("with the response of request");
    let mended = "fn greeting(request) { if request.query.lang == \"es\" { \"Hola\" } else { \"Hello\" } }";
    fs::write(outcome.folder.path().join("leaky.rhai"), mended).unwrap();
    outcome.then(&again).run().exit(4).stdout_has("0 of 4 showed it");
}

#[test]
fn a_replay_of_what_is_not_there_says_what_is() {
    let golden = |outcome: Outcome, expected: &str| {
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(2), expected), "{}", outcome.stdout);
        outcome
    };
    let outcome = find("path = \"/first/?email={canary}\"");
    let latest = "reports/scenario/latest";
    let outcome = golden(
        outcome.then(&["replay", latest, "7"]).run(),
        "error: this record holds no leak `7`\nhelp: it holds 1 (sticky_first)\n",
    );
    let outcome = golden(
        outcome.then(&["replay", latest, "stickyfirst"]).run(),
        "error: this record holds no leak `stickyfirst`\nhelp: it holds 1 (sticky_first)\n",
    );
    let outcome = golden(
        outcome.then(&["replay", "nowhere", "1"]).run(),
        "error: cannot read nowhere: No such file or directory (os error 2)\n\
         help: name the record.json of a run, or the folder that holds it, as in reports/dirty/latest\n",
    );
    fs::remove_file(outcome.folder.path().join("leaky.rhai")).unwrap();
    let outcome = outcome.then(&["replay", latest, "1"]).run().exit(2).stderr_has("leaky.rhai");
    outcome.stderr_has("help: run it where the run was started");
}

#[test]
fn a_planted_leak_is_seen_where_one_would_be_and_missed_by_a_check_that_is_blind() {
    let check = |public: &str| {
        let text = "[server]\nmode = \"async\"\nscript = \"echo.rhai\"\n\
                    [dirty]\npath = \"/echo/?email={canary}\"\ntriggers = [\"pair\"]\nexposures = 50\ntime = \"60s\"\n";
        Runner::with(&(text.to_owned() + public)).file("echo.rhai", "fn echo(request) { request.query.email }").run()
    };
    let seeing = check("").exit(0).record("scenario");
    let planted = |record: &Value| record["variants"][0]["trials"][0]["dirty"]["positive_control"].clone();
    assert_eq!(planted(&seeing), serde_json::json!({ "requests": 2, "found": true }));
    // Whatever looks like a canary is declared public: no leak could be seen.
    let blind =
        check("public = [\"zq[a-z0-9]+\"]\n").exit(4).stdout_has("a planted leak was not seen").record("scenario");
    assert_eq!(planted(&blind), serde_json::json!({ "requests": 6, "found": false }));
}
