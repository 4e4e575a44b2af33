//! Why requests failed, in words, and what errors said: the first of each kind stands for all.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exchange::Failure;
use crate::net::body_excerpt::body_excerpt;

/// Characters of a reason that are kept.
const LONGEST: usize = 500;

/// A fold over failures and errors: keep, merge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorSamples {
    /// In the order of [`Failure::ALL`]: when the first of a kind was seen, and why.
    failures: [Option<(Duration, String)>; Failure::ALL.len()],
    /// Of 4xx and of 5xx: when the first was seen, its status, and the beginning of its body.
    errors: [Option<(Duration, u16, String)>; 2],
}

/// Says why a request failed; once for each kind and thread, as there may be thousands a second.
#[cold]
fn tell(failure: Failure, at: Duration, why: &str) {
    let at_s = (at.as_secs_f64() * 1e3).round() / 1e3;
    tracing::warn!(kind = failure.name(), at_s, why, "a request failed: the first of its kind on this thread");
}

/// What an error said; once for each class and thread.
#[cold]
fn tell_error(status: u16, at: Duration, body: &str) {
    let at_s = (at.as_secs_f64() * 1e3).round() / 1e3;
    tracing::warn!(status, at_s, body, "a response was an error: the first of its class on this thread");
}

/// The class of an error's status: 0 for 4xx, 1 for 5xx.
pub(super) fn class(status: u16) -> Option<usize> {
    match status {
        400..500 => Some(0),
        // Those that HTTP does not have count as errors of the server (RFC 9110, section 15).
        500.. => Some(1),
        _ => None,
    }
}

impl ErrorSamples {
    /// Keeps why a request failed, seen at `at`, if it is the first of its kind.
    pub fn keep(&mut self, failure: Failure, at: Duration, why: impl FnOnce() -> String) {
        self.failures[failure as usize].get_or_insert_with(|| {
            let why: String = why().chars().take(LONGEST).collect();
            tell(failure, at, &why);
            (at, why)
        });
    }

    /// Keeps what an error said, seen at `at`, if it is the first of its class.
    pub fn keep_error(&mut self, status: u16, at: Duration, body: &[u8]) {
        if let Some(class) = class(status) {
            self.errors[class].get_or_insert_with(|| {
                let said = body_excerpt(body);
                tell_error(status, at, &said);
                (at, status, said)
            });
        }
    }

    /// The earlier of both, of each kind.
    pub fn merge(&mut self, other: &ErrorSamples) {
        for (mine, theirs) in self.failures.iter_mut().zip(&other.failures) {
            keep_earlier(mine, theirs);
        }
        for (mine, theirs) in self.errors.iter_mut().zip(&other.errors) {
            keep_earlier(mine, theirs);
        }
    }

    /// What the first error of each class said, with its status.
    pub fn errors(&self) -> impl Iterator<Item = (u16, &str)> {
        self.errors.iter().flatten().map(|(_, status, body)| (*status, body.as_str()))
    }

    /// Of a kind, if there is one.
    pub fn of(&self, failure: Failure) -> Option<&str> {
        self.failures[failure as usize].as_ref().map(|(_, why)| why.as_str())
    }
}

/// The earlier of two samples, and the lesser of two that came at once: no order of merging makes a difference.
fn keep_earlier<T: Clone + Ord>(mine: &mut Option<T>, theirs: &Option<T>) {
    if let Some(their) = theirs
        && mine.as_ref().is_none_or(|mine| their < mine)
    {
        mine.clone_from(theirs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_all_threads_is_kept() {
        let of = |at, why: &str| {
            let mut samples = ErrorSamples::default();
            samples.keep(Failure::Closed, Duration::from_secs(at), || why.to_owned());
            samples.keep(Failure::Closed, Duration::from_secs(at + 1), || "later".to_owned());
            samples
        };
        for (one, other) in [(of(1, "first"), of(2, "second")), (of(2, "second"), of(1, "first"))] {
            let mut merged = ErrorSamples::default();
            merged.merge(&one);
            merged.merge(&other);
            assert_eq!((merged.of(Failure::Closed), merged.of(Failure::Timeout)), (Some("first"), None));
        }
    }

    #[test]
    fn the_first_error_of_each_class_is_kept() {
        let of = |at, status: u16| {
            let mut samples = ErrorSamples::default();
            samples.keep_error(status, Duration::from_secs(at), format!("at {at}").as_bytes());
            samples
        };
        let mut merged = of(2, 404);
        [of(1, 429), of(3, 503), of(4, 500), of(0, 302)].iter().for_each(|other| merged.merge(other));
        assert_eq!(merged.errors().collect::<Vec<_>>(), [(429, "at 1"), (503, "at 3")]);
    }
}
