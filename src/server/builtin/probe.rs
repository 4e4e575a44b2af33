//! What a worker's probe tells, in a file for each worker: one JSON object a line, in the order in which it happened.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use serde_json::json;

use super::super::worker_channel::{WorkerPlan, WorkerProbe};
use crate::mode::Mode;
use crate::script::Program;
use crate::script::probe::{ScriptPlace, Sites, StateEvent, StateProbe};

/// The version of the protocol.
const PROTOCOL: u32 = 1;
/// Events that a worker writes at most.
const MOST_EVENTS: u64 = 200_000;
/// Bytes that it writes at most.
const MOST_BYTES: usize = 64 << 20;
/// Bytes that wait to be written at most; the end of a request writes them too.
const WAITING: usize = 64 << 10;

/// What the built-in `/dirty/` keeps.
pub(super) const EMAIL: &str = "dirty.email";
/// How it writes that, and how it reads it.
pub(super) const WRITES_EMAIL: &str = "email = request.query.email";
pub(super) const READS_EMAIL: &str = "Hello, ${email}";

/// The place of the built-in `/dirty/`, which no script has.
pub(super) fn dirty(text: &str) -> ScriptPlace {
    ScriptPlace {
        file: "built-in handler /dirty/".to_owned(),
        line: None,
        column: None,
        function: Some("dirty".to_owned()),
        text: text.to_owned(),
    }
}

/// What handles a request, as events call it.
#[derive(Debug, Clone, Copy)]
pub(super) enum HandlingUnit {
    /// A coroutine of its own.
    Task,
    Thread,
}

impl HandlingUnit {
    pub fn of(mode: Mode) -> HandlingUnit {
        if mode.suspends() { HandlingUnit::Task } else { HandlingUnit::Thread }
    }

    /// The name of the unit that handles request `number` on this thread.
    pub fn name(self, number: u64) -> String {
        match self {
            HandlingUnit::Task => format!("task {number}"),
            HandlingUnit::Thread => format!("thread {}", std::thread::current().name().unwrap_or("unnamed")),
        }
    }
}

/// The file of events.
struct Events {
    file: File,
    waiting: Vec<u8>,
    /// Lines and bytes so far.
    count: u64,
    bytes: usize,
    dropped: u64,
    /// How many were dropped when that was told last.
    told: u64,
}

#[derive(Serialize)]
struct Line<'a, T> {
    t: u64,
    /// None outside of any request.
    r: Option<u64>,
    u: &'a str,
    n: u64,
    #[serde(flatten)]
    event: T,
}

/// Begins the file of this worker, and makes the probe that fills it.
pub(in crate::server) fn start(
    wanted: &WorkerProbe,
    plan: &WorkerPlan,
    program: Option<&Program>,
) -> Result<Arc<StateProbe>, String> {
    let path = wanted.folder.join(format!("events-{}.jsonl", std::process::id()));
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let file = file.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let mut events = Events { file, waiting: Vec::new(), count: 0, bytes: 0, dropped: 0, told: 0 };
    let script = plan.script.as_ref();
    events.add(None, "worker", hello(script.map(|script| script.folder.display().to_string())));
    let sites = script.zip(program).map_or_else(Sites::default, |(script, program)| program.sites(&script.name));
    for file in sites.files() {
        events.add(None, "worker", json!({ "e": "module", "file": file, "ms": 0 }));
    }
    events.write();
    let events = Mutex::new(events);
    let tell = move |request, unit: &str, event| {
        let mut events = events.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = matches!(event, StateEvent::Response { .. });
        events.add(Some(request), unit, event);
        if ends {
            events.tell_dropped();
        }
        if ends || events.waiting.len() > WAITING {
            events.write();
        }
    };
    StateProbe::new(&wanted.canary, wanted.marks.clone(), sites, Box::new(tell))
        .map_err(|error| format!("the probe cannot look for canaries: {error}"))
}

fn hello(folder: Option<String>) -> serde_json::Value {
    json!({
        "e": "hello",
        "pid": std::process::id(),
        "language": "rhai",
        "version": env!("CARGO_PKG_VERSION"),
        "probe": PROTOCOL,
        "app": folder,
        "argv": std::env::args().take(5).collect::<Vec<_>>(),
    })
}

impl Events {
    fn add(&mut self, request: Option<u64>, unit: &str, event: impl Serialize) {
        if self.count >= MOST_EVENTS || self.bytes >= MOST_BYTES {
            self.dropped += 1;
            return;
        }
        let line = Line { t: now(), r: request, u: unit, n: self.count, event };
        let before = self.waiting.len();
        if serde_json::to_writer(&mut self.waiting, &line).is_ok() {
            self.waiting.push(b'\n');
            self.count += 1;
            self.bytes += self.waiting.len() - before;
        } else {
            self.waiting.truncate(before);
        }
    }

    /// Says how many are not there, each time that they have doubled.
    fn tell_dropped(&mut self) {
        if self.dropped > 2 * self.told {
            self.told = self.dropped;
            let event = json!({ "e": "dropped", "count": self.dropped });
            let line = Line { t: now(), r: None, u: "worker", n: self.count, event };
            if let Ok(line) = serde_json::to_vec(&line) {
                self.waiting.extend(line);
                self.waiting.push(b'\n');
                self.count += 1;
            }
        }
    }

    /// Whole lines, in one piece. A folder that cannot be written has nobody to tell.
    fn write(&mut self) {
        let _ = self.file.write_all(&self.waiting);
        self.waiting.clear();
    }
}

/// Microseconds of the clock that all processes of this machine share.
fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    1_000_000 * seconds + u64::try_from(now.tv_nsec).unwrap_or_default() / 1_000
}
