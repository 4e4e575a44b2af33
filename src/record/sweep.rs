//! What a sweep of a whole application found, beside what every dirty check says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::LeakClass;

/// A sweep.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SweepRecord {
    /// Where the operations came from: `scenario`, a file as it was named, or a path on the server.
    pub from: String,
    /// What its paths begin with on this server, in place of what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// In the order in which recipes number them, from 0.
    pub operations: Vec<SweptOperation>,
    /// What was not asked, and why.
    pub omitted: Vec<OmittedRecord>,
    /// One a cause, the widest first.
    pub findings: Vec<FindingRecord>,
    /// Where operations show what others have stored: nothing there counts as a leak.
    pub stored: Vec<StoredRecord>,
    /// Where it cannot be told whether something was stored or leaked.
    pub unsettled: Vec<StoredRecord>,
    /// Responses that showed what the scenario says everybody may see.
    pub shared: u64,
    /// The share of operations that were answered with a status below 400 at least once.
    pub exercised: f64,
    /// The share of ordered pairs of these of which both were handled at one time.
    pub pairs: f64,
    /// At most this fraction of exposures leaks of any operation, at 95 % confidence, all at once (Bonferroni).
    pub bound_worst: f64,
    /// For how many it was asked.
    pub principals: u64,
    /// Things that were created, and that were removed again.
    pub created: u64,
    pub removed: u64,
    /// What is still there: by which operation, and how much.
    pub left_behind: BTreeMap<String, u64>,
    /// Writes of which no operation is known that removes what they may have stored, and how many were answered well.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unremovable: BTreeMap<String, u64>,
}

/// An operation that was asked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SweptOperation {
    /// `GET /items/{id}`.
    pub name: String,
    pub requests: u64,
    pub exposures: u64,
    /// Responses by their status.
    pub status: BTreeMap<String, u64>,
    /// It was answered well at least once.
    pub exercised: bool,
    /// Why it was not, if so: a fragment of a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_exercised: Option<String>,
    /// It is sent only to remove what was created.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cleanup: bool,
    /// It could not be asked, and stands among those that were left out, too: the document does not say that a response has the
    /// id that it needs, and none had.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_out: bool,
    /// Its responses show a value of the request, or of who asks.
    pub reflects: bool,
    /// The places in which the server takes no canary, as words; by their index among the carriers too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plain: Vec<PlainPlace>,
    /// Its first and its last requests have no answer that could show a leak: no text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
}

impl SweptOperation {
    /// Whether it is one of those that the sweep is about.
    pub fn is_asked(&self) -> bool {
        !self.cleanup && !self.left_out
    }
}

/// A place in which a server takes no canary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainPlace {
    pub carrier: usize,
    /// `the JSON's `user.email``.
    pub place: String,
}

/// An operation that was not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OmittedRecord {
    pub name: String,
    /// A fragment of a sentence.
    pub reason: String,
    /// How to take it in; null where nothing would.
    pub remedy: Option<String>,
    /// The scenario wants it so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub chosen: bool,
}

/// One cause of leaks.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FindingRecord {
    pub class: Option<LeakClass>,
    /// The pair that was narrowed down: names of operations. The source is null where it is not known.
    pub source: Option<String>,
    pub victim: String,
    /// The source is the likeliest of those that come into question, and not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub source_likely: bool,
    /// All operations that brought what was shown, and all that showed it.
    pub sources: Vec<String>,
    pub victims: Vec<String>,
    /// From which operation to which values got, by their indices, and in how many responses.
    pub pairs: Vec<SweptPair>,
    /// What all requests of an identity carry got about, not what one request brought.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_identity: bool,
    /// How many requests had been sent when it was first seen.
    #[serde(default)]
    pub after_requests: u64,
    /// Its place among the evidence of the check.
    pub evidence: Option<usize>,
}

/// Values that got from one operation to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweptPair {
    pub source: Option<usize>,
    pub victim: usize,
    pub responses: u64,
    /// The source is the likeliest of those that come into question, and not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub likely: bool,
}

/// A place in which an operation shows values of others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRecord {
    pub sources: Vec<String>,
    pub victim: String,
    /// `body, at items.*.title`.
    pub place: String,
    /// What to write into the scenario's `shared`, if that is how it is meant.
    pub line: String,
}
