//! Judges a response: whose canaries does it hold?

use super::Premises;
use super::client::Client;
use super::observation::{Observation, Seen};

/// How a leak came about, as far as the times tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The canary of a request that was handled at the same time.
    Overlap,
    /// The canary of a request that had ended before.
    Stale,
}

/// One leaking response.
#[derive(Debug, Clone)]
pub struct Leak {
    pub class: Class,
    pub victim: Seen,
    /// Whose canary it held; `None` if that was too long ago to be remembered.
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
/// A response without any canary is no leak: an error page, a redirect or a notice that the server is busy hold none
/// either. They are counted apart, as nothing can be told from them.
pub(super) fn judge(
    observation: &Observation,
    client: &Client,
    premises: Premises,
    remembered: impl Fn(u64) -> Option<Seen>,
) -> Option<Leak> {
    let victim = &observation.seen;
    victim.status()?;
    let own_present = holds_own(observation);
    [(false, &observation.reply.body), (true, &observation.reply.head)].into_iter().find_map(|(in_head, text)| {
        let found = client.canaries_in(text).into_iter().find(|found| found.owner != victim.request)?;
        let source = remembered(found.owner);
        let together = source.as_ref().is_some_and(|source| source.coincided_with(victim));
        let class = if together && !premises.one_at_a_time() { Class::Overlap } else { Class::Stale };
        let place = if in_head { header_at(text, found.range.start) } else { "body".to_owned() };
        let excerpt = excerpt(text, found.range);
        Some(Leak { class, victim: victim.clone(), source, place, excerpt, own_present })
    })
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
