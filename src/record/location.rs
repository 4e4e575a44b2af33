//! Where in the server's code a leak happens, as far as that is known.

use serde::{Deserialize, Serialize};

pub use crate::locate::{Confidence, NotLocated, SharedKind};

/// Which line wrote another request's value, which line read it, and the object between them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LocationRecord {
    pub confidence: Confidence,
    /// Why it is not located; null if it is.
    pub reason: Option<NotLocated>,
    /// `python`, `node` or `rhai`.
    pub language: Option<String>,
    /// How the object is reached: `app.shared.email`.
    pub object: Option<String>,
    /// The name of its type.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    pub kind: Option<SharedKind>,
    /// The line that wrote the source's value.
    pub write: Option<PlaceRecord>,
    /// The line that had written the victim's own value to the same place before.
    pub overwritten: Option<PlaceRecord>,
    /// The line by which the victim's request read the source's value.
    pub read: Option<PlaceRecord>,
    /// In how many tries the leak showed with the probe, and without it.
    pub shown_with: ShownRecord,
    pub shown_without: Option<ShownRecord>,
}

/// A line of code, and the moment at which it ran.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PlaceRecord {
    /// Relative to the application's folder, where it is below that.
    pub file: String,
    /// From 1; null where there is no source.
    pub line: Option<u32>,
    pub column: Option<u32>,
    pub function: String,
    /// The line itself, without the spaces around it.
    pub text: String,
    /// The task, thread or greenlet.
    pub unit: String,
    /// The number of the request within its process; null outside any.
    pub request: Option<u64>,
    /// Since the first of the two requests began.
    pub at_ms: f64,
    /// How far its request had come, from 0 to 1.
    pub within: Option<f64>,
    /// The lines around it, read when the record was made.
    pub source: Option<SourceRecord>,
}

/// Some lines of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// The number of the first.
    pub first: u32,
    pub lines: Vec<String>,
}

/// How often a leak showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownRecord {
    pub shown: u64,
    pub tries: u64,
}
