//! The dirty check on every server of tests/corpus, once: dirty ones are found and named, clean ones are not accused.
//!
//! `scripts/measure-corpus` runs each several times and says how often, by which trigger and how soon. Of the set-ups of public
//! software in tests/corpus/real, which take what has to be installed, only the scenarios are looked at here.

#[path = "harness/mod.rs"]
#[expect(dead_code, reason = "each test binary uses a part of it")]
mod harness;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use serde_json::Value;

use harness::{Outcome, Runner, shipped};

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

/// Checks at once. A check waits nine tenths of its time; more of them, and the servers' pauses are no longer what they say.
const LANES: usize = 4;

/// Dirty servers that may need a second check: a narrow window may be missed on a busy machine. How many did is printed.
const SECOND_CHECKS: usize = 4;

/// How long a clean server is looked at here, of the 30 s that a check takes by itself: `scripts/measure-corpus` gives all.
const TIME_FOR_CLEAN: &str = "dirty.time=8s";

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

    /// The number of its class, from 1, if it says one.
    fn number(&self) -> Option<i64> {
        self.claims.get("class").and_then(toml::Value::as_integer)
    }

    fn class(&self) -> &'static str {
        CLASSES[usize::try_from(self.number().unwrap()).unwrap() - 1]
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
            (true, _) if !names(evidence, self.class()) => {
                Some(format!("taken for {}, not for {}", evidence["class"], self.class()))
            }
            (false, 1..) => Some(format!("accused of {}: {}", evidence["class"], shown(evidence))),
            _ => None,
        }
    }
}

/// Whether evidence names a class: as its own, or as one from which its own cannot be told.
fn names(evidence: &Value, class: &str) -> bool {
    let alternatives = evidence["alternatives"].as_array().into_iter().flatten();
    alternatives.chain([&evidence["class"]]).any(|named| named == class)
}

fn shown(evidence: &Value) -> String {
    format!("{} in {}: {}", evidence["trigger"], evidence["place"], evidence["excerpt"])
}

/// Those of a folder, and of none below it.
fn servers_in(folder: &str) -> Vec<Server> {
    let entries = fs::read_dir(shipped(folder)).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    paths.sort();
    paths.into_iter().map(Server::read).collect()
}

fn servers() -> Vec<Server> {
    servers_in("tests/corpus")
}

/// The first dirty server and the first clean one of each class. `CORPUS=all` checks all of them, as `make corpus` does.
fn one_of_each() -> Vec<Server> {
    let mut taken = Vec::new();
    let is_new = |server: &Server| {
        let kind = (server.number(), server.is_dirty());
        let new = !taken.contains(&kind);
        taken.push(kind);
        new
    };
    servers().into_iter().filter(is_new).collect()
}

/// What came of the check on a server: what was wrong the first time, and, of a dirty server, the second time.
struct Checked {
    server: Server,
    first: Option<String>,
    second: Option<String>,
}

impl Checked {
    /// A clean server gets no second chance.
    fn new(server: Server) -> Checked {
        let first = server.fault(&server.check());
        let again = first.is_some() && server.is_dirty();
        let second = if again { server.fault(&server.check()) } else { first.clone() };
        Checked { server, first, second }
    }

    /// The fault that stands in the end, or the one that a second check did not show.
    fn named(&self, fault: &Option<String>) -> Option<String> {
        fault.as_ref().map(|fault| format!("{}: {fault}", self.server.name()))
    }

    fn took_two(&self) -> bool {
        self.first.is_some() && self.second.is_none()
    }
}

/// Runs the check on each server, a few at a time.
fn check_all(servers: Vec<Server>) -> Vec<Checked> {
    let (waiting, done) = (Mutex::new(servers), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(server) = { waiting.lock().unwrap().pop() } {
                    let checked = Checked::new(server);
                    done.lock().unwrap().push(checked);
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by(|one, other| one.server.path.cmp(&other.server.path));
    done
}

#[test]
fn every_server_of_the_corpus_is_judged_as_what_it_is() {
    let checked = check_all(if std::env::var_os("CORPUS").is_some() { servers() } else { one_of_each() });
    let wrong: Vec<String> = checked.iter().filter_map(|one| one.named(&one.second)).collect();
    let twice: Vec<String> =
        checked.iter().filter(|one| one.took_two()).filter_map(|one| one.named(&one.first)).collect();
    // Written past the test's captured output, so that a passing run shows it too.
    let counted = format!("{} servers, {} of them checked a second time\n", checked.len(), twice.len());
    std::io::stderr().write_all((counted + &twice.join("\n") + "\n").as_bytes()).unwrap();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(twice.len() <= SECOND_CHECKS, "too many were missed the first time:\n{}", twice.join("\n"));
}

#[test]
fn the_corpus_has_a_dirty_server_and_a_clean_one_for_each_class() {
    let servers = servers();
    for (number, name) in (1..).zip(CLASSES) {
        for dirty in [true, false] {
            let of_class = |server: &&Server| server.number() == Some(number);
            let found = servers.iter().filter(of_class).any(|server| server.is_dirty() == dirty);
            assert!(found, "class {number}, {name}, dirty: {dirty}");
        }
    }
}

#[test]
fn each_set_up_of_public_software_is_a_valid_scenario_and_has_a_clean_twin_of_its_class() {
    let servers = servers_in("tests/corpus/real");
    let (dirty, clean): (Vec<_>, Vec<_>) = servers.iter().partition(|server| server.is_dirty());
    let classes: BTreeSet<&str> = dirty.iter().map(|server| server.class()).collect();
    assert!(dirty.len() >= 15 && classes.len() >= 8, "{} dirty set-ups, of {classes:?}", dirty.len());
    for server in &dirty {
        let twin = format!("{}_clean", server.name());
        assert!(clean.iter().any(|other| other.name() == twin && other.class() == server.class()), "no {twin}");
    }
    for server in &servers {
        let outcome = Runner::new(&["check", server.path.to_str().unwrap()]).run();
        assert_eq!(outcome.code, Some(0), "{}: {}", server.name(), outcome.stderr);
    }
}
