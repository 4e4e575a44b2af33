//! Several machines, as processes of this one: a load that generators share, and blocks that agents take.

use std::fs;

use serde_json::Value;

use crate::harness::nats::{Agent, Nats};
use crate::harness::raw_server::{RawServer, Response};
use crate::harness::{Outcome, Runner, wait_for};

/// A load of the open model on a server that is up.
fn open_load(server: &RawServer, rest: &str) -> String {
    format!(
        "seed = 7\n[server]\nurl = 'http://{}'\n[load]\nrate = '400/s'\nduration = '1500ms'\nmax_concurrency = 64\nthreads = 4\npath = '/'\n{rest}",
        server.address
    )
}

/// A scenario of a built-in server.
fn short(rest: &str) -> String {
    format!("[server]\nmode = 'async'\n[load]\npath = '/health'\nconcurrency = 2\nduration = '200ms'\n{rest}")
}

fn on<'a>(nats: &'a Nats, generators: &'a str) -> [&'a str; 5] {
    ["--on", &nats.url, "--generators", generators, "--wait=20s"]
}

fn generators(record: &Value) -> Vec<Value> {
    record["variants"][0]["trials"][0]["load"]["generators"].as_array().unwrap().clone()
}

#[test]
fn generators_start_exactly_what_one_process_would_and_their_parts_merge_to_the_record() {
    let (nats, server) = (Nats::start(), RawServer::start(|_| Response::ok("")));
    let agents: Vec<_> = ["one", "two"].iter().map(|name| nats.agent(name, &[])).collect();
    let scenario = open_load(&server, "");
    let outcome =
        Runner::with(&scenario).arguments(&on(&nats, "2")).arguments(&["--keep-parts", "parts"]).run().exit(0);
    agents.into_iter().for_each(|agent| drop(agent.end().exit(130)));
    let record = outcome.record("scenario");
    let load = &record["variants"][0]["trials"][0]["load"];
    assert_eq!((load["started"].as_u64(), server.requests()), (Some(600), 600), "{load:#}");
    let names: Vec<_> = generators(&record).iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["one", "two"]);
    let parts = ["parts/scenario-1-one.json", "parts/scenario-1-two.json"];
    let report = outcome.report("scenario");
    assert!(report.contains("| one ") && report.contains(" 0 to 1 |"), "{report}");
    let merged = outcome.then(&["merge", "--json", parts[0], parts[1]]).run().exit(0);
    let merged: Value = serde_json::from_str(&merged.stdout).unwrap();
    let whole = &merged["part"]["measured"]["whole"];
    assert_eq!(whole["completed"].as_u64(), load["completed"].as_u64());
    assert_eq!(merged["histogram"], load["histogram"], "byte for byte");
}

#[test]
fn a_generator_that_is_killed_ends_the_load_which_is_inconclusive_and_what_it_had_measured_stays() {
    let (nats, server) = (Nats::start(), RawServer::start(|_| Response::ok("")));
    let (_stays, goes) = (nats.agent("stays", &[]), nats.agent("goes", &[]));
    let scenario = open_load(&server, "").replace("1500ms", "30s");
    let running = Runner::with(&scenario).arguments(&on(&nats, "2")).start();
    // Its first part is there after 2 s.
    wait_for("two seconds of load", || (server.requests() > 1_200).then_some(()));
    goes.kill();
    let outcome = running.wait().exit(4);
    let record = outcome.record("scenario");
    let lost: Vec<_> = generators(&record).into_iter().filter(|one| !one["lost"].is_null()).collect();
    assert_eq!(
        (lost.len(), lost[0]["name"].as_str(), lost[0]["lost"]["ended_load"].as_bool()),
        (1, Some("goes"), Some(true))
    );
    assert!(
        lost[0]["started"].as_u64().unwrap() > 0 && lost[0]["lost"]["measured_s"].as_f64().unwrap() > 0.0,
        "{lost:?}"
    );
    outcome.stdout_has("generator goes was lost");
}

#[test]
fn secrets_come_from_the_agents_and_are_nowhere_in_what_they_send() {
    let key = "s3cret-of-the-agents";
    let echoes = RawServer::start(|request| {
        let said =
            request.head.lines().find(|line| line.to_ascii_lowercase().starts_with("x-api-key")).unwrap_or("none");
        Response::raw(format!("HTTP/1.1 500 Oops\r\ncontent-length: {}\r\n\r\n{said}", said.len()))
    });
    let nats = Nats::start();
    let variables = [("API_KEY", key)];
    let agents: Vec<_> = ["one", "two"].iter().map(|name| nats.agent_with(name, &[], &variables)).collect();
    let scenario = open_load(&echoes, "headers = { 'x-api-key' = '${API_KEY}' }\n");
    let run = |key: &str| {
        let runner = Runner::with(&scenario).env("API_KEY", key).arguments(&on(&nats, "2"));
        runner.arguments(&["--keep-parts", "parts"]).run()
    };
    let outcome = run("another-one-here-1");
    let part = fs::read_to_string(outcome.folder.path().join("parts/scenario-1-one.json")).unwrap();
    assert!(part.contains("${API_KEY}") && !part.contains(key), "the server was asked with the agent's key: {part}");
    drop(agents);
    assert!(!nats.stored().windows(key.len()).any(|window| window == key.as_bytes()));
    let _without = nats.agent("without", &[]);
    let refused = Runner::with(&scenario).env("API_KEY", key).arguments(&on(&nats, "1")).run().exit(3);
    refused.stderr_has("generator without: it cannot load scenario.toml").stderr_has("API_KEY").no_report();
}

fn submitted(nats: &Nats, scenarios: &[(&str, String)]) -> Outcome {
    let runner = Runner::new(&["submit", "scn", "--on", &nats.url]);
    let runner = scenarios.iter().fold(runner, |runner, (name, text)| runner.file(&format!("scn/{name}.toml"), text));
    runner.run().exit(0)
}

#[test]
fn agents_share_the_rounds_of_a_night_and_whoever_waits_gets_one_folder_of_reports() {
    let nats = Nats::start();
    let agents: Vec<_> = ["one", "two"].iter().map(|name| nats.agent(name, &[])).collect();
    let rounds = "[matrix]\n'server.mode' = ['async', 'threaded']\nrepeats = 2\n";
    let fails = "[assert]\nthat = ['latency.p50 < 1us']\n";
    let scenarios = [("compared", short(rounds)), ("fails", short(fails)), ("passes", short(""))];
    let outcome = submitted(&nats, &scenarios);
    let run = outcome.stdout.trim().to_owned();
    let outcome = outcome.then(&["wait", &run, "--on", &nats.url]).run().exit(1);
    let outcome = outcome.stdout_has("fails: failed").stdout_has("compared: passed, merged from 2 records");
    let record = outcome.record("compared");
    let trials: Vec<_> =
        record["variants"].as_array().unwrap().iter().map(|one| one["trials"].as_array().unwrap().len()).collect();
    assert_eq!(trials, [2, 2]);
    assert!(outcome.folder.path().join("reports/index.html").is_file());
    let agents: Vec<Outcome> = agents.into_iter().map(Agent::end).collect();
    let taken: usize = agents.iter().map(|agent| agent.stderr.matches(&format!("run {run}: ")).count()).sum();
    assert_eq!(taken, 4, "each block once: {:?}", agents.iter().map(|agent| &agent.stderr).collect::<Vec<_>>());
}

#[test]
fn the_block_of_an_agent_that_is_killed_is_taken_by_another() {
    let nats = Nats::start();
    let goes = nats.agent("goes", &[]);
    let outcome = submitted(&nats, &[("long", short("").replace("200ms", "3s"))]);
    let run = outcome.stdout.trim().to_owned();
    wait_for("the block to be taken", || goes.said().contains("long").then_some(()));
    goes.kill();
    let stays = nats.agent("stays", &[]);
    outcome.then(&["wait", &run, "--on", &nats.url]).run().exit(0).stdout_has("long: passed");
    assert!(stays.end().stderr.contains("long"));
}

#[test]
fn what_cannot_be_done_is_said_with_what_to_do() {
    let nats = Nats::start();
    let wait = on(&nats, "2");
    let wait = [wait[0], wait[1], wait[2], wait[3], "--wait=300ms"];
    let told = Runner::with(&short("")).arguments(&wait).run().exit(3).no_report();
    told.stderr_has("2 generators are wanted, and 0 agents were free within 300ms")
        .stderr_has("runner agent --nats URL");
    let told =
        Runner::with(&short("[capacity]\nrules = ['latency.p99 < 1s']\n")).arguments(&wait).run().exit(2).no_report();
    told.stderr_has("scenario.toml has [capacity]").stderr_has("runner submit");
    let told = Runner::with(&short("")).arguments(&["--on", "http://127.0.0.1:1"]).run().exit(2).no_report();
    told.stderr_has("is no address of a NATS server");
    let told = Runner::with(&short("")).arguments(&["--on", "nats://127.0.0.1:1"]).run().exit(3).no_report();
    told.stderr_has("no NATS server answers on nats://127.0.0.1:1").stderr_has("nats-server -js");
    let told = Runner::new(&["wait", "nothing", "--on", &nats.url]).run().exit(2);
    told.stderr_has("there is no run nothing on this server").stderr_has("runner submit");
    let secret = short("headers = { authorization = 'Bearer 1234567890abcdef' }\n");
    let told = Runner::with(&secret).arguments(&wait).run().exit(2).no_report();
    told.stderr_has("holds a secret itself");
    let commands = "[server]\ncommand = ['python3', '-m', 'http.server', '{port}']\n[load]\npath = '/'\nconcurrency = 1\nduration = '100ms'\n";
    let agent = nats.agent("careful", &[]);
    let told =
        Runner::new(&["submit", "scenario.toml", "--on", &nats.url]).file("scenario.toml", commands).run().exit(2);
    told.stderr_has("starts a server by a command line").stderr_has("--allow-commands");
    let told = Runner::new(&["submit", "scenario.toml", "--on", &nats.url, "--allow-host", "shop.internal"]);
    told.file("scenario.toml", &short(""))
        .run()
        .exit(2)
        .stderr_has("may load shop.internal")
        .stderr_has("--allow-host shop.internal");
    let told = Runner::new(&["agents", "--nats", &nats.url]).run().exit(0).stdout_has("careful");
    assert!(told.stdout.contains("its own machine") && told.stdout.contains("nothing"), "{}", told.stdout);
    drop(agent);
    Runner::new(&["agents", "--nats", &nats.url]).run().exit(3).stderr_has("no agent answers");
}
