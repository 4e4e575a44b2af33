//! Tells which request wrote and read which canaries in `process`, `thread` and `context`, and on which lines of the script.
//!
//! It is there only while a leak that is proven is located: without it a read or a write asks once whether it is there.

mod call;
mod chain;
mod change;
mod event;
mod search;
mod sites;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{HandlerRequest, HandlerResponse, request};
use search::CanarySearch;

pub(super) use call::{CallProbe, ScriptAccess, Sharing};
pub use event::{AccessManner, ScriptPlace, StateAccess, StateEvent};
pub use sites::Sites;

/// What an event is told with: the request's number and the unit that handles it.
pub type Tell = Box<dyn Fn(u64, &str, StateEvent) + Send + Sync>;

/// The number of the `process` object. The numbers of the others follow.
const PROCESS: u64 = 1;

/// The probe of one worker.
pub struct StateProbe {
    search: CanarySearch,
    sites: Sites,
    tell: Tell,
    requests: AtomicU64,
    objects: AtomicU64,
    /// The numbers of arrays and maps within the objects, by the object's number and the path.
    nested: Mutex<HashMap<(u64, String), u64>>,
}

/// One request, as the probe knows it.
pub struct RequestProbe {
    probe: Arc<StateProbe>,
    number: u64,
    unit: String,
    own: BTreeSet<String>,
}

impl fmt::Debug for StateProbe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StateProbe").finish_non_exhaustive()
    }
}

impl StateProbe {
    /// `canary` is a regular expression; `marks` a file of texts that count as canaries, one a line.
    pub fn new(canary: &str, marks: Option<PathBuf>, sites: Sites, tell: Tell) -> Result<Arc<StateProbe>, String> {
        Ok(Arc::new(StateProbe {
            search: CanarySearch::new(canary, marks)?,
            sites,
            tell,
            requests: AtomicU64::new(0),
            objects: AtomicU64::new(PROCESS),
            nested: Mutex::default(),
        }))
    }

    /// A request is handled from now on, by the unit that `unit` makes of its number.
    pub fn request(self: &Arc<Self>, request: &HandlerRequest, unit: impl FnOnce(u64) -> String) -> Arc<RequestProbe> {
        self.search.refresh();
        let number = 1 + self.requests.fetch_add(1, Ordering::Relaxed);
        let own = self.brought(request);
        self.search.learn(&own);
        let probe = RequestProbe { probe: Arc::clone(self), number, unit: unit(number), own };
        probe.tell(StateEvent::Request {
            method: request.method.clone(),
            target: target(request),
            own: probe.own.iter().cloned().collect(),
            server: "built-in",
        });
        Arc::new(probe)
    }

    /// The canaries of a request, as its parts are written and as they are meant.
    fn brought(&self, brought: &HandlerRequest) -> BTreeSet<String> {
        let mut own = BTreeSet::new();
        let mut look = |text: &str| self.search.in_text(text, &mut own);
        look(&brought.path);
        look(&request::form_text(brought.path.as_bytes()));
        for (name, value) in brought.query.iter().chain(&brought.headers) {
            look(name);
            look(value);
            look(&request::form_text(value.as_bytes()));
        }
        look(&String::from_utf8_lossy(&brought.body));
        look(&request::form_text(&brought.body));
        own
    }

    fn new_object(&self) -> u64 {
        1 + self.objects.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of the array or map at a path within an object.
    fn nested(&self, object: u64, path: &str) -> u64 {
        let mut nested = self.nested.lock().unwrap_or_else(PoisonError::into_inner);
        *nested.entry((object, path.to_owned())).or_insert_with(|| self.new_object())
    }
}

impl RequestProbe {
    fn tell(&self, event: StateEvent) {
        (self.probe.tell)(self.number, &self.unit, event);
    }

    /// The response is ready.
    pub fn respond(&self, response: &HandlerResponse) {
        let mut found = BTreeSet::new();
        response.headers.iter().for_each(|(_, value)| self.probe.search.in_text(value, &mut found));
        self.probe.search.in_bytes(&response.body, &mut found);
        self.tell(StateEvent::Response { status: response.status, c: found.into_iter().collect() });
    }

    /// A handler that is not scripted has written a text that every request of the worker can reach.
    pub fn native_store(&self, text: &str, path: &str, place: &ScriptPlace) {
        self.native(text, path, place, StateEvent::Store);
    }

    /// A handler that is not scripted has read one.
    pub fn native_load(&self, text: &str, path: &str, place: &ScriptPlace) {
        self.native(text, path, place, StateEvent::Load);
    }

    fn native(&self, text: &str, path: &str, place: &ScriptPlace, event: fn(StateAccess) -> StateEvent) {
        let mut found = BTreeSet::new();
        self.probe.search.in_text(text, &mut found);
        if found.is_empty() {
            return;
        }
        self.tell(event(StateAccess {
            c: found.into_iter().collect(),
            obj: self.probe.nested(PROCESS, path),
            of: "process",
            path: path.to_owned(),
            key: path.rsplit('.').next().map(str::to_owned),
            kind: AccessManner::Attribute,
            own_obj: false,
            place: place.clone(),
        }));
    }
}

/// The path and the query, as it may have been sent.
fn target(request: &HandlerRequest) -> String {
    if request.query.is_empty() {
        return request.path.clone();
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&request.query).finish();
    format!("{}?{query}", request.path)
}
