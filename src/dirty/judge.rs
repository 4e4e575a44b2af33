//! Judges a response: whose canaries does it hold?

use super::client::Client;
use super::observation::{Observation, Seen};

/// How a leak came about, as far as the times tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The canary of a request that was under way at the same time.
    Overlap,
    /// The canary of a request that had ended before.
    Stale,
    /// Its own canary is missing, and there is no other.
    Missing,
}

/// One leaking response.
#[derive(Debug, Clone)]
pub struct Leak {
    pub class: Class,
    pub victim: Seen,
    /// Whose canary it held; `None` if it only lacked its own.
    pub source: Option<Seen>,
    /// `body`, `status line`, `header x-user`.
    pub place: String,
    /// The text around the foreign canary.
    pub excerpt: String,
    pub own_present: bool,
}

/// How much text stands on each side of a canary in an excerpt, in bytes.
const AROUND: usize = 60;

/// Whether a response holds the canary of its own request.
pub fn holds_own(observation: &Observation) -> bool {
    let canary = observation.seen.canary.as_bytes();
    let holds = |text: &[u8]| memchr::memmem::find(text, canary).is_some();
    holds(&observation.reply.body) || holds(&observation.reply.head)
}

/// The leak in a response, if there is one. `remembered` finds an earlier or concurrent request by its number.
///
/// A response of 400 or above that holds no foreign canary is a failure, not a leak: a flaky server is not a dirty one.
pub(super) fn judge(
    observation: &Observation,
    client: &Client,
    remembered: impl Fn(u64) -> Option<Seen>,
) -> Option<Leak> {
    let victim = &observation.seen;
    let status = victim.status()?;
    let own_present = holds_own(observation);
    let leak = |class, source, place: String, excerpt| {
        Some(Leak { class, victim: victim.clone(), source, place, excerpt, own_present })
    };
    for (in_head, text) in [(false, &observation.reply.body), (true, &observation.reply.head)] {
        let foreign = client.canaries_in(text).into_iter().find(|found| found.owner != victim.request);
        if let Some(found) = foreign {
            let source = remembered(found.owner);
            let class = match &source {
                Some(source) if source.coincided_with(victim) => Class::Overlap,
                _ => Class::Stale,
            };
            let place = if in_head { header_at(text, found.range.start) } else { "body".to_owned() };
            return leak(class, source, place, excerpt(text, found.range));
        }
    }
    if status < 400 && !own_present {
        let start = &observation.reply.body[..observation.reply.body.len().min(2 * AROUND)];
        return leak(Class::Missing, None, "body".to_owned(), String::from_utf8_lossy(start).into_owned());
    }
    None
}

/// Names the header in which `at` stands.
fn header_at(head: &[u8], at: usize) -> String {
    let start = head[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    if start == 0 {
        return "status line".to_owned();
    }
    let name = head[start..].split(|byte| *byte == b':').next().unwrap_or_default();
    format!("header {}", String::from_utf8_lossy(name).to_lowercase())
}

fn excerpt(text: &[u8], range: std::ops::Range<usize>) -> String {
    let (start, end) = (range.start.saturating_sub(AROUND), (range.end + AROUND).min(text.len()));
    String::from_utf8_lossy(&text[start..end]).into_owned()
}
