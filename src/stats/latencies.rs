//! Waiting times of all started requests, whatever came of them.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use serde::{Deserialize, Serialize};

use super::curve::Step;
use super::distribution::Distribution;
use crate::measured_value::MeasuredValue;

/// The longest wait that histograms tell apart; a longer one counts as this.
const LONGEST_NANOS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// The half of what is measured in which a request was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    First,
    Second,
}

/// Waiting times in nanoseconds, three significant digits, up to a day. A fold: `answered`, `cut` and `failed` observe,
/// `merge` joins, `distribution` concludes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// By [`Half`]: an estimate needs to know whether the waits changed while they were measured.
    halves: [Waits; 2],
    failed: Waited,
}

/// Waits that ended in a response, and those that were cut off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Waits {
    answered: Waited,
    cut: Waited,
}

/// Histograms in HdrHistogram's V2 encoding, base64, nanoseconds. An empty text stands for no waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded<T = String> {
    pub answered: T,
    /// Cut off or failed.
    pub unanswered: T,
    /// Of these, the failed.
    pub failed: T,
    /// Of the answered and of the cut, those that were due in the second half; told only where any were cut.
    pub late_answered: T,
    pub late_cut: T,
}

impl Latencies {
    /// A whole response came after this wait, in nanoseconds, to a request of that half.
    pub fn answered(&mut self, half: Half, wait: u64) {
        self.halves[half as usize].answered.record(wait);
    }

    /// Nobody waited any longer than this for a response that might still have come.
    pub fn cut(&mut self, half: Half, wait: u64) {
        self.halves[half as usize].cut.record(wait);
    }

    /// After this wait it was known that no response would come.
    pub fn failed(&mut self, wait: u64) {
        self.failed.record(wait);
    }

    /// Adds the waits of another.
    pub fn merge(&mut self, other: &Latencies) {
        for (mine, theirs) in self.halves.iter_mut().zip(&other.halves) {
            mine.answered.add(&theirs.answered);
            mine.cut.add(&theirs.cut);
        }
        self.failed.add(&other.failed);
    }

    /// All started requests.
    pub fn len(&self) -> u64 {
        self.answered_len() + self.cut_len() + self.failed.len()
    }

    /// Whether no request was started.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were answered.
    pub fn answered_len(&self) -> u64 {
        self.halves.iter().map(|half| half.answered.len()).sum()
    }

    /// How many were cut off.
    pub fn cut_len(&self) -> u64 {
        self.halves.iter().map(|half| half.cut.len()).sum()
    }

    /// What is known of the waits of all started requests.
    pub fn distribution(&self) -> Distribution {
        let [first, second] = &self.halves;
        let halves = || [first, second].map(|half| steps(&[half], &Waited::default()));
        Distribution::of(&steps(&[first, second], &self.failed), (self.cut_len() > 0).then(halves))
    }

    /// The value at `q` (0 to 1) over all started requests, or `None` without any.
    pub fn quantile(&self, q: f64) -> Option<MeasuredValue> {
        self.distribution().quantile(q)
    }

    /// The mean over all started requests; a lower bound if some were never answered.
    pub fn mean(&self) -> Option<MeasuredValue> {
        let all: Vec<&Waited> =
            self.halves.iter().flat_map(|half| [&half.answered, &half.cut]).chain([&self.failed]).collect();
        let sum: f64 = all.iter().map(|waited| waited.mean() * waited.len() as f64).sum();
        // Of a bucket the mean takes the middle, and others the upper edge: a mean is never outside of what it is of.
        let least = all.iter().filter_map(|waited| waited.shortest()).min()?;
        let most = all.iter().filter_map(|waited| waited.longest()).max()?;
        let mean = ((sum / self.len() as f64).round() as u64).clamp(least, most);
        Some(if self.answered_len() == self.len() {
            MeasuredValue::Exactly(mean as f64)
        } else {
            MeasuredValue::MoreThan(mean as f64)
        })
    }

    /// All of it as text.
    pub fn encode(&self) -> Encoded {
        let [first, second] = &self.halves;
        let mut answered = first.answered.clone();
        answered.add(&second.answered);
        let mut unanswered = first.cut.clone();
        unanswered.add(&second.cut);
        unanswered.add(&self.failed);
        let told = |told: bool, waited: &Waited| if told { waited.encode() } else { String::new() };
        let cut = self.cut_len() > 0;
        Encoded {
            answered: answered.encode(),
            unanswered: unanswered.encode(),
            failed: told(self.failed.len() > 0, &self.failed),
            late_answered: told(cut && second.answered.len() > 0, &second.answered),
            late_cut: told(cut && second.cut.len() > 0, &second.cut),
        }
    }

    /// Reads what [`Latencies::encode`] wrote; `None` if it is anything else.
    pub fn decode<T: AsRef<str>>(text: &Encoded<T>) -> Option<Self> {
        let optional =
            |text: &T| if text.as_ref().is_empty() { Some(Waited::default()) } else { Waited::decode(text.as_ref()) };
        let second = Waits { answered: optional(&text.late_answered)?, cut: optional(&text.late_cut)? };
        let failed = optional(&text.failed)?;
        let answered = Waited::decode(text.answered.as_ref())?.without(&second.answered)?;
        let cut = Waited::decode(text.unanswered.as_ref())?.without(&failed)?.without(&second.cut)?;
        Some(Latencies { halves: [Waits { answered, cut }, second], failed })
    }
}

/// What came of some requests, in the order of how long they had waited.
fn steps(halves: &[&Waits], failed: &Waited) -> Vec<Step> {
    let mut steps: BTreeMap<u64, Step> = BTreeMap::new();
    let mut add = |waited: &Waited, count: fn(&mut Step) -> &mut u64| {
        for (at, some) in waited.counts() {
            *count(steps.entry(at).or_insert(Step { at, ..Step::default() })) += some;
        }
    };
    for half in halves {
        add(&half.answered, |step| &mut step.answered);
        add(&half.cut, |step| &mut step.cut);
    }
    add(failed, |step| &mut step.failed);
    steps.into_values().collect()
}

/// A time in nanoseconds; 584 years if it is longer.
pub fn nanos(wait: Duration) -> u64 {
    wait.as_secs().saturating_mul(1_000_000_000).saturating_add(wait.subsec_nanos().into())
}

/// A histogram that grows with what it is given, so that many of them, of which most see little, take little room.
///
/// Of a bucket it tells the upper edge, as HdrHistogram does everywhere: at most 0.1 % above the value itself, and never below
/// a limit that the value has reached.
#[derive(Debug, Clone)]
struct Waited(Histogram<u64>);

impl Default for Waited {
    fn default() -> Self {
        Waited(Histogram::new(3).expect("three digits are among those that there are"))
    }
}

impl Waited {
    fn record(&mut self, nanos: u64) {
        self.0.record(nanos.min(LONGEST_NANOS)).expect("it grows as far as a day, and far beyond");
    }

    fn add(&mut self, other: &Waited) {
        self.0.add(&other.0).expect("histograms of one shape add up");
    }

    /// What is left without a part of it; `None` if that is none.
    fn without(mut self, part: &Waited) -> Option<Waited> {
        self.0.subtract(&part.0).ok()?;
        Some(self)
    }

    fn len(&self) -> u64 {
        self.0.len()
    }

    fn mean(&self) -> f64 {
        self.0.mean()
    }

    fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter_recorded().map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
    }

    fn shortest(&self) -> Option<u64> {
        (self.len() > 0).then(|| self.0.highest_equivalent(self.0.min()))
    }

    fn longest(&self) -> Option<u64> {
        (self.len() > 0).then(|| self.0.max())
    }

    /// The same waits are the same text, however far the histogram has grown to hold them.
    fn encode(&self) -> String {
        let mut bytes = Vec::new();
        let fitting = self.fitting();
        V2Serializer::new().serialize(fitting.as_ref().unwrap_or(&self.0), &mut bytes).expect("a Vec takes every byte");
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }

    /// One that is as large as its longest wait asks for.
    fn fitting(&self) -> Option<Histogram<u64>> {
        let mut fitting = Histogram::new_with_bounds(1, self.0.max().max(2), self.0.sigfig()).ok()?;
        fitting.add(&self.0).ok()?;
        Some(fitting)
    }

    fn decode(text: &str) -> Option<Waited> {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
        let mut waited = Waited::default();
        waited.0.add(&read).ok()?;
        Some(waited)
    }
}

/// The same waits, however far either has grown.
impl PartialEq for Waited {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.counts().eq(other.counts())
    }
}

/// In HdrHistogram's V2 encoding, base64; an empty text stands for no waits.
impl Serialize for Waited {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&if self.len() == 0 { String::new() } else { self.encode() })
    }
}

impl<'de> Deserialize<'de> for Waited {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let waited = if text.is_empty() { Some(Waited::default()) } else { Waited::decode(&text) };
        waited.ok_or_else(|| serde::de::Error::custom("expected a histogram in HdrHistogram's V2 encoding, in base64"))
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod simulated;
