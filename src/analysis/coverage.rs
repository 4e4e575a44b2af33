//! What a dirty check without a leak says nothing of: triggers that were not exercised.

use std::fmt;

use crate::record::{DirtyRecord, VariantRecord};

/// The triggers that were not exercised, by the reason why; reasons in the order of their first trigger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotExercised {
    by_reason: Vec<(String, Vec<String>)>,
}

/// Which triggers of a check were not exercised; `None` if all were.
pub fn not_exercised(check: &DirtyRecord) -> Option<NotExercised> {
    let mut by_reason: Vec<(String, Vec<String>)> = Vec::new();
    for (name, why) in check.triggers.iter().filter_map(|(name, t)| Some((name, t.not_exercised.as_deref()?))) {
        match by_reason.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, names)) => names.push(name.clone()),
            None => by_reason.push((why.to_owned(), vec![name.clone()])),
        }
    }
    (!by_reason.is_empty()).then_some(NotExercised { by_reason })
}

/// What the first check of a variant's trials that saw no leak says nothing of, if there is such a one.
pub fn uncovered(variant: &VariantRecord) -> Option<NotExercised> {
    let checks = variant.trials.iter().filter_map(|trial| trial.dirty.as_ref());
    checks.filter(|check| check.leaks == 0).find_map(not_exercised)
}

/// `not exercised: gate, pair (the server handles one request at a time)`.
impl fmt::Display for NotExercised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not exercised: ")?;
        for (index, (why, names)) in self.by_reason.iter().enumerate() {
            let between = if index > 0 { "; " } else { "" };
            write!(f, "{between}{} ({why})", names.join(", "))?;
        }
        Ok(())
    }
}
