//! Where in the code: from the events of a probe to the line that wrote another request's value, the line that read it, and
//! the object between them.
//!
//! A probe is a piece of code inside the server's process. It writes down what happens to canaries in the application's own
//! code: `docs/locate.md` has the protocol. All of this is pure: events in, a [`Location`] out. Nothing is ever guessed
//! without its name: what is not beyond doubt is `probable` or `partly`, and what is not known is `not_located`, with the
//! reason.

use serde::{Deserialize, Serialize};

mod agreement;
pub mod event;
pub mod history;
mod object;
mod pair;
mod party;
mod scene;

pub use agreement::Agreement;
pub use event::CodePlace;
pub use history::History;
pub use object::{SharedKind, SharedObject};
pub use pair::locate;
pub use party::{Party, Showing};
pub use scene::is_complete;

/// How sure a location is, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Both lines, and the object between them.
    Located,
    /// Both lines; between them is code that is not the application's own, which handed both requests the same.
    SameCallee,
    /// Both lines; the object is the only one that still holds the value.
    Probable,
    /// Lines whose connection is not known, or one line.
    Partly,
    NotLocated,
}

impl Confidence {
    /// All, the surest first.
    pub const ALL: [Confidence; 5] =
        [Confidence::Located, Confidence::SameCallee, Confidence::Probable, Confidence::Partly, Confidence::NotLocated];

    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Confidence::Located => "located",
            Confidence::SameCallee => "same_callee",
            Confidence::Probable => "probable",
            Confidence::Partly => "partly",
            Confidence::NotLocated => "not_located",
        }
    }
}

/// Why nothing was located.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum NotLocated {
    /// The server was up before, and a probe is started together with it.
    Attached,
    /// There is no probe for what the command starts.
    NoProbe,
    /// No process of the server loaded the probe.
    ProbeNotLoaded,
    /// The leak did not show with the probe.
    NotShown,
    /// The user ended the run before the leak showed with the probe.
    Interrupted,
    /// The probe saw no request that is the victim's.
    RequestNotSeen,
    /// Whose value leaked is not known.
    NoSource,
    /// The probe found no module of the application to rewrite.
    NoModule,
    /// The value never passed the application's own code.
    NotInOwnCode,
    /// The probe threw events away, for there were too many.
    EventsLost,
    /// The server did not start with the probe, or ended.
    ServerFailed { message: String },
    /// What was sent cannot be sent again.
    NotRepeatable { message: String },
}

/// A moment at which a line of the application's code touched the value.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    pub place: CodePlace,
    /// The task, thread or greenlet.
    pub unit: String,
    /// The number of the request within its process; `None` outside any.
    pub request: Option<u64>,
    /// Milliseconds since the first of the two requests began.
    pub at_ms: f64,
    /// How far its request had come, from 0 to 1.
    pub within: Option<f64>,
}

/// What is known of where a leak happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Location {
    pub confidence: Confidence,
    /// Why it is not located.
    pub reason: Option<NotLocated>,
    /// `python`, `node`, `rhai`.
    pub language: Option<String>,
    pub object: Option<SharedObject>,
    /// The line that wrote the source's value.
    pub write: Option<Moment>,
    /// The line that had written the victim's own value there before.
    pub overwritten: Option<Moment>,
    /// The line by which the victim's request read it.
    pub read: Option<Moment>,
}

impl Location {
    /// Nothing is known, for this reason.
    pub const fn not_located(reason: NotLocated) -> Location {
        Location {
            confidence: Confidence::NotLocated,
            reason: Some(reason),
            language: None,
            object: None,
            write: None,
            overwritten: None,
            read: None,
        }
    }

    /// Whether both name the same lines.
    pub fn agrees_with(&self, other: &Location) -> bool {
        let line =
            |moment: &Option<Moment>| moment.as_ref().map(|moment| (moment.place.file.clone(), moment.place.line));
        self.confidence == other.confidence
            && (line(&self.write), line(&self.read)) == (line(&other.write), line(&other.read))
    }
}
