//! Why requests failed, in words: the first failure of each kind stands for all.

use crate::exchange::Failure;

/// Characters of a reason that are kept.
const LONGEST: usize = 500;

/// A fold over failures: keep, merge.
#[derive(Debug, Clone, Default)]
pub struct Samples([Option<String>; Failure::ALL.len()]);

impl Samples {
    /// Keeps why a request failed, if it is the first of its kind.
    pub fn keep(&mut self, failure: Failure, why: impl FnOnce() -> String) {
        self.0[failure as usize].get_or_insert_with(|| why().chars().take(LONGEST).collect());
    }

    pub fn merge(&mut self, other: &Samples) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            if mine.is_none() {
                mine.clone_from(theirs);
            }
        }
    }

    /// Of a kind, if there is one.
    pub fn of(&self, failure: Failure) -> Option<&str> {
        self.0[failure as usize].as_deref()
    }
}
