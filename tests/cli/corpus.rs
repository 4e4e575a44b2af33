//! The dirty check on every server of tests/corpus, once: dirty ones are found and named, clean ones are not accused.
//!
//! `scripts/measure-corpus` runs each several times and says how often, by which trigger and how soon.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use serde_json::Value;

use crate::harness::{Outcome, Runner, shipped, walk};

/// What cannot be found yet, or not be told apart, with the reason. One that can must be taken off.
const AWAITS: [(&str, &str); 11] = [
    ("cache_page", "what is cached for a second is taken for what the first request left for good"),
    ("cache_single_flight", "a call that is shared is taken for a slot that is shared"),
    ("derived_language", "a language that only shows in anonymous replies is taken for a page that tells nobody apart"),
    ("derived_language_clean", "the language of a request without one is somebody's, and taken for theirs"),
    ("desync_slow_client", "a second reply to one request is taken for a pool off by one"),
    ("pool_query", "the long sleep ends in a 504, after which nothing is found"),
    ("pool_timeout", "a control run with a 504 in it goes no further"),
    ("race_narrow", "found by plain overlap, and taken for a wide one"),
    ("race_workers", "found by plain overlap, and taken for a wide one"),
    ("ring_arena", "found by the gate, and taken for a narrow race"),
    ("ring_slots", "found by the gate, and taken for a narrow race"),
];

/// Found in every run, and given the right class in some of them only: nothing is asserted until it is in all.
const UNSTEADY: [&str; 3] = ["desync_late_reply", "residue_buffer", "residue_record"];

/// The names of the classes in a record, in the order of their numbers.
const CLASSES: [&str; 12] = [
    "shared_slot",
    "narrow_race",
    "capacity",
    "stale_state",
    "sticky_first",
    "cache",
    "pool",
    "error_path",
    "connection",
    "desync",
    "residue",
    "derived",
];

/// Checks at once. More, and the servers' pauses are no longer what they say.
const LANES: usize = 4;

/// How long a clean server is looked at here, of the 30 s that a check takes by itself: `scripts/measure-corpus` gives all.
const TIME_FOR_CLEAN: &str = "dirty.time=10s";

/// A scenario, and what its first line says of its server.
struct Server {
    path: PathBuf,
    claims: toml::Table,
}

impl Server {
    fn read(path: PathBuf) -> Server {
        let text = fs::read_to_string(&path).unwrap();
        let claims = text.lines().next().and_then(|line| line.strip_prefix("#:")).expect("claims in the first line");
        let table: toml::Table = toml::from_str(&format!("claims = {{{claims}}}")).unwrap();
        Server { path, claims: table["claims"].as_table().unwrap().clone() }
    }

    fn name(&self) -> &str {
        self.path.file_stem().unwrap().to_str().unwrap()
    }

    fn is_dirty(&self) -> bool {
        self.claims["expect"].as_str() == Some("dirty")
    }

    fn class(&self) -> &'static str {
        CLASSES[usize::try_from(self.claims["class"].as_integer().unwrap()).unwrap() - 1]
    }

    fn awaits(&self) -> Option<&'static str> {
        AWAITS.iter().find(|(name, _)| *name == self.name()).map(|(_, reason)| *reason)
    }

    fn check(&self) -> Outcome {
        let runner = Runner::new(&[self.path.to_str().unwrap()]);
        if self.is_dirty() { runner.run() } else { runner.set(TIME_FOR_CLEAN).run() }
    }

    /// What is wrong with a run of the check.
    fn fault(&self, outcome: &Outcome) -> Option<String> {
        if outcome.code == Some(2) || outcome.code == Some(3) {
            return Some(format!("could not run: {}", outcome.stderr));
        }
        let record = outcome.record(self.name());
        let dirty = &record["variants"][0]["trials"][0]["dirty"];
        let leaks = dirty["leaks"].as_u64().unwrap();
        let evidence = &dirty["evidence"][0];
        match (self.is_dirty(), leaks) {
            (true, 0) => Some(format!("not found; inconclusive: {}", dirty["inconclusive"])),
            (true, _) if evidence["class"] != self.class() => {
                Some(format!("taken for {}, not for {}", evidence["class"], self.class()))
            }
            (false, 1..) => Some(format!("accused of {}: {}", evidence["class"], shown(evidence))),
            _ => None,
        }
    }
}

fn shown(evidence: &Value) -> String {
    format!("{} in {}: {}", evidence["trigger"], evidence["place"], evidence["excerpt"])
}

fn servers() -> Vec<Server> {
    let scenarios = walk(&shipped("tests/corpus")).into_iter();
    let mut paths: Vec<PathBuf> = scenarios.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    paths.sort();
    paths.into_iter().map(Server::read).collect()
}

/// Runs the check on each server, a few at a time, and collects what is wrong.
fn faults(servers: Vec<Server>) -> Vec<(Server, Option<String>)> {
    let (waiting, done) = (Mutex::new(servers), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(server) = { waiting.lock().unwrap().pop() } {
                    let fault = server.fault(&server.check());
                    done.lock().unwrap().push((server, fault));
                }
            });
        }
    });
    done.into_inner().unwrap()
}

#[test]
fn every_server_of_the_corpus_is_judged_as_what_it_is() {
    let mut wrong = Vec::new();
    for (server, fault) in faults(servers()).into_iter().filter(|(server, _)| !UNSTEADY.contains(&server.name())) {
        match (fault, server.awaits()) {
            (Some(fault), None) => wrong.push(format!("{}: {fault}", server.name())),
            (None, Some(reason)) => {
                wrong.push(format!("{}: take it off AWAITS, it is judged rightly now ({reason})", server.name()));
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
    wrong.sort();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_corpus_has_a_dirty_server_and_a_clean_one_for_each_class() {
    let servers = servers();
    for (number, name) in (1..).zip(CLASSES) {
        for dirty in [true, false] {
            let of_class =
                |server: &&Server| server.claims.get("class").and_then(toml::Value::as_integer) == Some(number);
            let found = servers.iter().filter(of_class).any(|server| server.is_dirty() == dirty);
            assert!(found, "class {number}, {name}, dirty: {dirty}");
        }
    }
    for (name, _) in AWAITS {
        assert!(servers.iter().any(|server| server.name() == name), "{name} awaits something and does not exist");
    }
}
