//! Why requests failed, in words: the first failure of each kind stands for all.

use std::time::Duration;

use crate::exchange::Failure;

/// Characters of a reason that are kept.
const LONGEST: usize = 500;

/// A fold over failures: keep, merge. In the order of [`Failure::ALL`]: when the first of a kind was seen, and why.
#[derive(Debug, Clone, Default)]
pub struct Samples([Option<(Duration, String)>; Failure::ALL.len()]);

impl Samples {
    /// Keeps why a request failed, seen at `at`, if it is the first of its kind.
    pub fn keep(&mut self, failure: Failure, at: Duration, why: impl FnOnce() -> String) {
        self.0[failure as usize].get_or_insert_with(|| (at, why().chars().take(LONGEST).collect()));
    }

    /// The earlier of both, of each kind.
    pub fn merge(&mut self, other: &Samples) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            if let Some((at, _)) = theirs
                && mine.as_ref().is_none_or(|(before, _)| at < before)
            {
                mine.clone_from(theirs);
            }
        }
    }

    /// Of a kind, if there is one.
    pub fn of(&self, failure: Failure) -> Option<&str> {
        self.0[failure as usize].as_ref().map(|(_, why)| why.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_all_threads_is_kept() {
        let of = |at, why: &str| {
            let mut samples = Samples::default();
            samples.keep(Failure::Closed, Duration::from_secs(at), || why.to_owned());
            samples.keep(Failure::Closed, Duration::from_secs(at + 1), || "later".to_owned());
            samples
        };
        for (one, other) in [(of(1, "first"), of(2, "second")), (of(2, "second"), of(1, "first"))] {
            let mut merged = Samples::default();
            merged.merge(&one);
            merged.merge(&other);
            assert_eq!((merged.of(Failure::Closed), merged.of(Failure::Timeout)), (Some("first"), None));
        }
    }
}
