//! What a dirty check found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::location::LocationRecord;
use super::sweep::SweepRecord;
use crate::dirty::recipe::Recipe;
pub use crate::dirty::{LeakClass, LeakOracle};

/// What a dirty check found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DirtyRecord {
    /// `clean`, `dirty` or `report`.
    pub expect: String,
    /// Chances to leak among the requests sent: handled while another was, or after it by the same worker.
    pub exposures: u64,
    /// Responses that held another request's canary.
    pub leaks: u64,
    /// At most this fraction of exposures leaks, at 95 % confidence.
    pub bound: f64,
    pub duration_s: f64,
    /// When the first leak was proven, from the start of the check; null if none was. The rest of the time went into its
    /// diagnosis.
    #[serde(default)]
    pub first_proof_s: Option<f64>,
    pub control: ControlRecord,
    /// Null if it did not take place.
    #[serde(default)]
    pub positive_control: Option<PositiveControlRecord>,
    pub triggers: BTreeMap<String, TriggerRecord>,
    /// Pairs of identities whose responses cannot be told apart: a leak from one to the other would not be seen.
    #[serde(default)]
    pub alike: Vec<(String, String)>,
    /// Responses that were too large to be kept whole: the end of them was not searched.
    #[serde(default)]
    pub cut: u64,
    /// Connections on which something came that no request had asked for; they were closed.
    #[serde(default)]
    pub unsolicited: u64,
    /// Null if all were decoded that said how they were encoded.
    #[serde(default)]
    pub undecoded: Option<Unread>,
    /// A bounded selection, one per distinct kind of leak first.
    pub evidence: Vec<LeakRecord>,
    /// Why nothing can be concluded, if so.
    pub inconclusive: Option<String>,
    /// What lone requests were answered with, and others that were redirected, refused or not answered: the first of each
    /// kind; bounded.
    #[serde(default)]
    pub samples: Vec<DirtySample>,
    /// The limit to the rate of requests that the server was seen to set, and the check kept to.
    #[serde(default)]
    pub limit: Option<RateLimit>,
    /// Of the server, for this check; null in records of earlier versions.
    #[serde(default)]
    pub starts: Option<StartsRecord>,
    /// Where a whole application was asked, and not one page of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepRecord>,
}

/// What requests of a kind were answered with: the first of them stands for all. What came from outside is escaped, and cut.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DirtySample {
    /// `login`, `control`, `solo` (alone, by one of the identities), `anonymous` or `trigger`.
    pub at: String,
    /// Who asked, where that is one who asks again.
    pub identity: Option<String>,
    pub line: String,
    /// Null if there was no response; why, is the `failure`.
    pub status: Option<u16>,
    pub failure: Option<String>,
    pub location: Option<String>,
    pub retry_after: Option<String>,
    pub body: String,
    /// How many were answered with this status.
    pub count: u64,
}

/// A limit to the rate of requests.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RateLimit {
    /// What requests beyond it are answered with.
    pub status: u16,
    /// What the server said, if it did.
    pub retry_after_s: Option<f64>,
    /// This many requests, as far as can be told, are answered in such a time.
    pub allowed: u64,
    pub window_s: f64,
    /// Requests that were refused for it.
    pub refused: u64,
}

/// Starts of the server for a check, which do not count as its time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StartsRecord {
    pub count: u64,
    /// All of them, with what was waited for a first good answer, and with the ends of the servers before them.
    pub took_s: f64,
    /// Parts of the check that went on with a server although they would rather have had one of their own.
    pub shared: u64,
}

/// Responses whose bodies could not be decoded, or not to their end.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Unread {
    pub responses: u64,
    /// Of the first of them: a fragment of a sentence.
    pub why: String,
}

/// Requests sent one at a time before the concurrent run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ControlRecord {
    pub requests: u64,
    /// Sentences; each makes the check inconclusive.
    pub problems: Vec<String>,
    /// Each of them that was answered well held its own canary; null in a record of an earlier version.
    #[serde(default)]
    pub echoes: Option<bool>,
}

/// Two requests whose responses a relay exchanged: a leak that must be seen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PositiveControlRecord {
    pub requests: u64,
    pub found: bool,
}

/// What one trigger did, and found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TriggerRecord {
    pub requests: u64,
    pub exposures: u64,
    pub leaks: u64,
    pub rounds: u64,
    /// Rounds in which at least one response leaked.
    pub rounds_with_leak: u64,
    /// Requests without a response, or with one of 400 and above.
    pub failed: u64,
    /// Answers below 400 that held no canary at all: nothing can be told from them.
    #[serde(default)]
    pub missing: u64,
    pub not_exercised: Option<String>,
}

/// One leaking response, with its witnesses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LeakRecord {
    /// The likeliest.
    pub class: LeakClass,
    /// Other classes that no experiment has ruled out; of `derived`, the class of the way in which it got about.
    #[serde(default)]
    pub alternatives: Vec<LeakClass>,
    #[serde(default)]
    pub oracle: LeakOracle,
    /// Both requests were being handled at one time.
    #[serde(default)]
    pub overlapped: bool,
    /// `overlap`, or `control` for a leak without any overlap.
    pub trigger: String,
    pub round: u64,
    /// The request whose response leaked.
    pub victim: Witness,
    /// The request whose canary it held; `None` if it only lacked its own.
    pub source: Option<Witness>,
    /// Where in the response: `body`, `header x-user`, `status line`.
    pub place: String,
    /// The text around the foreign canary.
    pub excerpt: String,
    /// Whether the victim's own canary was in its response as well.
    pub own_present: bool,
    /// How many requests the round had.
    #[serde(default)]
    pub round_requests: u64,
    /// The other requests of the round, for the picture; bounded.
    pub bystanders: Vec<Witness>,
    /// What was sent in that round.
    #[serde(default)]
    pub recipe: Recipe,
    /// The least that shows it, where that was found.
    #[serde(default)]
    pub shrunk: Option<ShrunkRecord>,
    /// Where in the server's code it happens; null if nobody looked.
    #[serde(default)]
    pub located: Option<LocationRecord>,
}

impl LeakRecord {
    /// What to send to provoke it again. `None` where that is not known: an earlier version wrote the record.
    pub fn replayable(&self) -> Option<&Recipe> {
        let recipe = self.shrunk.as_ref().map_or(&self.recipe, |shrunk| &shrunk.recipe);
        // What others get when they ask alone tells it only if it is known who asked.
        let judged = !self.oracle.is_of_personas() || recipe.last_persona().is_some();
        Some(recipe).filter(|recipe| judged && !recipe.lines.is_empty())
    }
}

/// The fewest requests and the simplest timing that still show a leak.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShrunkRecord {
    pub recipe: Recipe,
    /// It showed in this many of these tries.
    pub shown: u64,
    pub tries: u64,
    /// At least and at most this fraction of tries shows it, at 95 % confidence (Clopper-Pearson).
    pub rate_at_least: f64,
    pub rate_at_most: f64,
    /// Where in the response.
    pub place: String,
    /// The requests of a try that showed it, as they were sent; bounded.
    pub requests: Vec<RequestRecord>,
    /// How TLS was spoken with the server; null if it was not.
    #[serde(default)]
    pub tls: Option<TlsRecord>,
    /// Redirects were followed.
    #[serde(default)]
    pub follow: bool,
}

/// How TLS is spoken with a server, as far as another client must be told. Paths count from where runner was started.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TlsRecord {
    /// Its certificate is not looked at.
    pub insecure: bool,
    /// Whom to trust; null for those whom the machine trusts.
    pub ca: Option<String>,
    /// The client's own certificate, and its key if that is not in the same file.
    pub cert: Option<String>,
    pub key: Option<String>,
    /// Whom the certificate must be for; null for the host that is spoken with.
    pub name: Option<String>,
}

/// One request of a recipe as it was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Its line in the recipe and its place on that, from 0.
    pub line: usize,
    pub shot: usize,
    /// `victim`, `source`, or null.
    pub part: Option<String>,
    pub method: String,
    pub target: String,
    /// Name and value, in order; without those that every client sends for itself. What only an owner may know is replaced
    /// by the name of a shell variable, as in `$AUTHORIZATION`.
    pub headers: Vec<(String, String)>,
    /// Null if there is none, or none that is text of a moderate length.
    pub body: Option<String>,
    /// Not all of it is here: a body that is no text, or too long.
    #[serde(default)]
    pub cut: bool,
    /// With which it was answered; null if it was not, or in a record of an earlier version.
    #[serde(default)]
    pub status: Option<u16>,
}

/// One request of a dirty check. Times are milliseconds from the start of its round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Witness {
    /// Counted over the whole check.
    pub request: u64,
    pub canary: String,
    /// `long` or `short`, in `overlap`; `probe` in the control run.
    pub role: String,
    /// `GET /dirty/?sleep=0.7&email=...`.
    pub line: String,
    pub connection: u64,
    /// The process that answered, where it says so.
    pub worker: Option<String>,
    /// What the request asked its handler to sleep.
    pub sleep_ms: Option<f64>,
    pub sent_ms: f64,
    pub first_byte_ms: Option<f64>,
    pub done_ms: f64,
    pub status: Option<u16>,
    /// What was read of its response, head and body; null without one, and in a record of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_bytes: Option<u64>,
    /// In a sweep, the operation that it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// By which the server's own traces can be searched for it, where the scenario asks for `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}
