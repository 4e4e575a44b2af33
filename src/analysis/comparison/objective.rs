//! By which metric one alternative is better than another.

use crate::record::{Better, VariantRecord};
use crate::rule::Metric;

/// A metric, and which of its values are the better ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    pub metric: Metric,
    pub better: Better,
}

impl Objective {
    /// The highest rate that keeps the promise, where that was searched for; else what the loads of these variants are about: how
    /// much users who wait for their responses got done, or how long requests took that came at a given rate. `None` without any.
    pub fn of(variants: &[VariantRecord]) -> Option<Objective> {
        if variants.iter().flat_map(|variant| &variant.trials).any(|trial| trial.capacity.is_some()) {
            return Some(Objective { metric: Metric::CapacityRate, better: Better::Higher });
        }
        let mut models = variants
            .iter()
            .flat_map(|variant| &variant.trials)
            .filter_map(|trial| trial.load.as_ref())
            .map(|load| &load.model);
        let first = models.next()?;
        let is_open = first == "open" && models.all(|model| model == "open");
        Some(match is_open {
            false => Objective { metric: Metric::Throughput, better: Better::Higher },
            true => Objective { metric: Metric::parse("latency.p99")?, better: Better::Lower },
        })
    }

    /// How many times as good the first is, from what both came to.
    pub fn ratio(self, one: f64, other: f64) -> f64 {
        match self.better {
            Better::Higher => one / other,
            Better::Lower => other / one,
        }
    }
}
