//! What a coordinator knows of a generator.

use std::collections::BTreeMap;
use std::time::Instant;

use super::super::message::PartReport;
use crate::load::LoadProgress;
use crate::record::LostGenerator;

/// What is known of a generator.
pub(super) struct GeneratorState {
    /// When it was heard last.
    pub heard: Instant,
    /// By tick, until all have come so far.
    pub progress: BTreeMap<u64, LoadProgress>,
    pub last_progress: LoadProgress,
    pub part: Option<PartReport>,
    pub lost: Option<LostGenerator>,
}

impl GeneratorState {
    pub fn is_over(&self) -> bool {
        self.lost.is_some() || self.part.as_ref().is_some_and(|part| part.last)
    }
}
