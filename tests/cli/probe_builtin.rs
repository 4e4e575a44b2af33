//! The probe of built-in servers: which line of a script wrote another request's value, and which line read it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use runner::mode::Mode;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::shipped;
use crate::serve::Served;

/// What a canary looks like here.
const CANARY: &str = "zq[0-9a-z]{19,195}";

/// After so long a request has written and sleeps.
const UNDER_WAY: Duration = Duration::from_millis(500);

/// A server whose workers are probed.
pub struct Probed {
    served: Served,
    folder: TempDir,
}

/// A write, and the read of what it wrote by another request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    pub object: String,
    pub write: String,
    pub read: String,
}

/// What the workers told.
pub struct Told {
    lines: Vec<Value>,
}

pub fn canary(number: usize, filler: usize) -> String {
    format!("zq{number:06}{}", "k".repeat(filler))
}

impl Probed {
    pub fn start(scenario: &Path, arguments: &[&str]) -> Probed {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("RUNNER_PROBE_DIR", folder.path().to_str().unwrap()), ("RUNNER_PROBE_CANARY", CANARY)];
        let arguments = [&[scenario.to_str().unwrap()], arguments].concat();
        let served = Served::with_environment(&arguments, &variables);
        Probed { served, folder }
    }

    /// All at once, each answered before this returns.
    pub fn ask_all(&self, requests: &[Request]) {
        let streams: Vec<_> = requests.iter().map(|request| self.served.send(&request.text())).collect();
        streams.into_iter().for_each(|stream| drop(crate::serving::read(stream)));
    }

    /// A quick request while a slow one sleeps.
    fn ask_during(&self, slow: &Request, quick: &Request) {
        let response = self.served.send(&slow.text());
        std::thread::sleep(UNDER_WAY);
        self.ask_all(std::slice::from_ref(quick));
        drop(crate::serving::read(response));
    }

    pub fn told(&self) -> Told {
        let files = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let text: String = files.map(|path| fs::read_to_string(path).unwrap()).collect();
        Told { lines: text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() }
    }
}

#[derive(Debug, Clone)]
pub struct Request {
    pub target: String,
    pub headers: Vec<(String, String)>,
}

impl Request {
    pub fn get(target: impl Into<String>) -> Request {
        Request { target: target.into(), headers: Vec::new() }
    }

    fn text(&self) -> String {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("GET {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n", self.target)
    }
}

fn texts(value: &Value) -> BTreeSet<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// `slot.rhai:12`, or what stands for a line.
fn place(event: &Value) -> String {
    let file = event["file"].as_str().unwrap();
    let file = file.rsplit_once('/').filter(|_| event["line"].is_u64()).map_or(file, |(_, name)| name);
    event["line"].as_u64().map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
}

impl Told {
    fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(move |line| line["e"] == kind)
    }

    /// Every read of a canary that its request did not bring, with the last write of that into the same place by another.
    pub fn pairs(&self) -> BTreeSet<Pair> {
        let mut own: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
        let mut pairs = BTreeSet::new();
        let mut stores: Vec<&Value> = Vec::new();
        let mut part: Option<&Value> = None;
        for line in &self.lines {
            match line["e"].as_str().unwrap() {
                "request" => drop(own.insert(line["r"].as_u64().unwrap(), texts(&line["own"]))),
                "store" => stores.push(line),
                // What holds the part that was read is told after it.
                "load" if part.take().is_some_and(|part| place(part) == place(line) && part["r"] == line["r"]) => {}
                "load" => {
                    for canary in texts(&line["c"]).difference(&own[&line["r"].as_u64().unwrap()]) {
                        let same = |store: &&&Value| {
                            store["obj"] == line["obj"] && store["key"] == line["key"] && store["r"] != line["r"]
                        };
                        let store = stores.iter().rev().filter(same).find(|store| texts(&store["c"]).contains(canary));
                        // Of a part that was not written by itself, what holds it has been.
                        let of_part = matches!(line["type"].as_str(), Some("map" | "array"));
                        let Some(store) = store else {
                            assert!(of_part, "nobody wrote what was read: {line}");
                            continue;
                        };
                        part = Some(line).filter(|_| of_part);
                        let object = line["path"].as_str().unwrap().to_owned();
                        pairs.insert(Pair { object, write: place(store), read: place(line) });
                    }
                }
                _ => {}
            }
        }
        pairs
    }
}

const LEAKY: &str = r#"// One kind of state a handler.
fn slot_process(r) {
    if r.query.me != () { process.slot = r.query.me; }
    sleep(r.query.sleep);
    `${process.slot}`
}
fn slot_thread(r) {
    if r.query.me != () { thread.slot = r.query.me; }
    sleep(r.query.sleep);
    `${thread.slot}`
}
fn named(r) {
    if r.query.me != () { process["a name"] = r.query.me; }
    sleep(r.query.sleep);
    `${process["a name"]}`
}
fn ring(r) {
    let n = 1;
    if process.ring == () { process.ring = ["", "", ""]; }
    if r.query.me != () { process.ring[n] = r.query.me; }
    sleep(r.query.sleep);
    process.ring[n]
}
fn map(r) {
    if process.user == () { process.user = #{ name: "" }; }
    if r.query.me != () { process.user.name = r.query.me; }
    sleep(r.query.sleep);
    process.user.name
}
fn list(r) {
    if process.list == () { process.list = []; }
    if r.query.me != () { process.list.push(r.query.me); }
    sleep(r.query.sleep);
    `${process.list}`
}
fn buffer(r) {
    if r.query.me != () { process.buffer = r.query.me.to_blob(); }
    sleep(r.query.sleep);
    process.buffer
}
fn clean(r) {
    let me = r.query.me ?? "";
    context.me = me;
    sleep(r.query.sleep);
    `${me} ${context.me}`
}
fn lines(r) {
    keep(r.query.me);
    sleep(r.query.sleep);
    kept()
}
fn keep(me) {
    if me != () { process.lines = me; }
}
fn kept() {
    `${process.lines}`
}
"#;

/// The handlers of [`LEAKY`] that leak, with the object, the line that writes and the line that reads.
const LEAKS: [(&str, &str, u32, u32); 8] = [
    ("slot_process", "process.slot", 3, 5),
    ("slot_thread", "thread.slot", 8, 10),
    ("named", "process[\"a name\"]", 13, 15),
    ("ring", "process.ring[1]", 20, 22),
    ("map", "process.user.name", 26, 28),
    ("list", "process.list", 32, 34),
    ("buffer", "process.buffer", 37, 39),
    ("lines", "process.lines", 53, 56),
];

/// A scenario of its own in a mode.
fn leaky(mode: Mode) -> (TempDir, Probed) {
    let folder = tempfile::tempdir().unwrap();
    let threads = if mode.threads(None).is_some() { "threads = 2\n" } else { "" };
    let mode = mode.name();
    let scenario = format!(
        "[server]\nmode = \"{mode}\"\n{threads}script = \"leaky.rhai\"\n\
         [load]\npath = \"/health\"\nconcurrency = 1\nduration = \"1s\"\n"
    );
    fs::write(folder.path().join("leaky.toml"), scenario).unwrap();
    fs::write(folder.path().join("leaky.rhai"), LEAKY).unwrap();
    let probed = Probed::start(&folder.path().join("leaky.toml"), &[]);
    (folder, probed)
}

#[test]
fn in_every_mode_the_lines_that_wrote_and_read_each_kind_of_state_are_told() {
    for mode in Mode::ALL {
        let (_folder, probed) = leaky(*mode);
        let mut expected = BTreeSet::new();
        for (number, (handler, object, write, read)) in LEAKS.into_iter().enumerate() {
            let place = |line| format!("leaky.rhai:{line}");
            expected.insert(Pair { object: object.to_owned(), write: place(write), read: place(read) });
            let me = canary(number, 20);
            probed.ask_all(&[Request::get(format!("/{handler}?me={me}&sleep=0"))]);
            // As many as there are threads, and more: one of them runs on the thread of the first.
            probed.ask_all(&vec![Request::get(format!("/{handler}?sleep=0.05")); 4]);
        }
        let told = probed.told();
        assert_eq!(told.pairs(), expected, "{mode:?}");
        assert_eq!(told.of("hello").count(), 1, "{mode:?}");
        let task = told.of("load").all(|load| load["u"].as_str().unwrap().starts_with("task "));
        assert_eq!(task, mode.suspends(), "{mode:?}");
        let times: Vec<u64> = told.lines.iter().map(|line| line["t"].as_u64().unwrap()).collect();
        assert!(times.is_sorted(), "{mode:?}");
        let answered = told.of("response").filter(|line| line["status"] == 200).count();
        assert_eq!(answered, LEAKS.len() * 5, "{mode:?}");
    }
}

#[test]
fn where_requests_overlap_the_victims_own_write_is_told_before_the_one_over_it() {
    for (mode, object) in
        [(Mode::Threaded, "process"), (Mode::Async, "process"), (Mode::Async, "thread"), (Mode::AsyncPool, "process")]
    {
        let (_folder, probed) = leaky(mode);
        let (victim, source) = (canary(1, 20), canary(2, 20));
        let request = |me: &str, sleep| Request::get(format!("/slot_{object}?me={me}&sleep={sleep}"));
        probed.ask_during(&request(&victim, "1.5"), &request(&source, "0"));
        let told = probed.told();
        let seen = |kind: &str, canary: &str| told.of(kind).any(|line| texts(&line["c"]).contains(canary));
        assert!(seen("store", &victim) && seen("store", &source), "{mode:?} {object}");
        let of_victim: Vec<&Value> =
            told.lines.iter().filter(|line| texts(&line["own"]).contains(victim.as_str())).collect();
        let number = &of_victim[0]["r"];
        let load = told.of("load").find(|line| line["r"] == *number).unwrap();
        assert_eq!(texts(&load["c"]), BTreeSet::from([source.as_str()]), "{mode:?} {object}");
        let response = told.of("response").find(|line| line["r"] == *number).unwrap();
        assert_eq!(texts(&response["c"]), BTreeSet::from([source.as_str()]), "{mode:?} {object}");
        assert_eq!(told.pairs().len(), 1, "{mode:?} {object}");
    }
}

#[test]
fn a_clean_handler_reads_nothing_of_others_in_any_mode() {
    for mode in Mode::ALL {
        let (_folder, probed) = leaky(*mode);
        let requests: Vec<Request> =
            (0..6).map(|number| Request::get(format!("/clean?me={}&sleep=0.05", canary(number, 20)))).collect();
        probed.ask_all(&requests);
        let told = probed.told();
        assert_eq!(told.pairs(), BTreeSet::new(), "{mode:?}");
        assert_eq!(told.of("response").count(), 6, "{mode:?}");
        assert!(told.of("store").all(|line| line["own_obj"] == true && line["type"] == "context"), "{mode:?}");
    }
}

#[test]
fn the_built_in_dirty_handler_is_named_where_there_is_no_line() {
    let (_folder, probed) = leaky(Mode::Async);
    let request = |number, sleep| Request::get(format!("/dirty/?sleep={sleep}&email={}", canary(number, 20)));
    probed.ask_during(&request(1, "1.5"), &request(2, "0"));
    let place = "built-in handler /dirty/".to_owned();
    let pair = Pair { object: "dirty.email".to_owned(), write: place.clone(), read: place };
    assert_eq!(probed.told().pairs(), BTreeSet::from([pair]));
}

#[test]
fn without_a_probe_nothing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = shipped("scenarios/dirty.toml");
    let served = Served::with_environment(
        &[scenario.to_str().unwrap()],
        &[("RUNNER_PROBE_DIR", folder.path().to_str().unwrap())],
    );
    drop(crate::serving::read(served.send(&Request::get(format!("/dirty/?sleep=0&email={}", canary(1, 20))).text())));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
