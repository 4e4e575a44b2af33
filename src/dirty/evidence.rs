//! Leaks, and what is kept as evidence of them.

use super::class::LeakClass;
use super::observation::{RecipePlace, Seen};
use super::oracle::LeakOracle;
use super::recipe::Recipe;
use super::sweep_order::SweepOrder;
use crate::session::Captured;
use crate::trigger::Trigger;

/// What was being carried out when a leak showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoundBy {
    /// Requests that follow each other, one at a time: the control run, and what else is asked alone.
    Control,
    Trigger(Trigger),
    /// A round of a sweep.
    Sweep(SweepOrder),
}

impl FoundBy {
    /// The name in records and reports.
    pub const fn name(self) -> &'static str {
        match self {
            FoundBy::Control => "control",
            FoundBy::Trigger(trigger) => trigger.name(),
            FoundBy::Sweep(order) => order.name(),
        }
    }

    /// The trigger, if it was one.
    pub const fn trigger(self) -> Option<Trigger> {
        match self {
            FoundBy::Control | FoundBy::Sweep(_) => None,
            FoundBy::Trigger(trigger) => Some(trigger),
        }
    }
}

/// One leaking response.
#[derive(Debug, Clone)]
pub struct Leak {
    pub oracle: LeakOracle,
    pub victim: Seen,
    /// Whose canary it held; `None` if that was too long ago to be remembered, or cannot be told.
    pub source: Option<Seen>,
    /// Both were being handled at one time.
    pub overlapped: bool,
    /// `body`, `status line`, `header x-user`.
    pub place: String,
    /// The text around the other request's data.
    pub excerpt: String,
    pub own_present: bool,
    /// It holds the other request's value itself, not what was made from it.
    pub verbatim: bool,
}

/// A leak, the round it happened in, and who else was there.
#[derive(Debug, Clone)]
pub struct Evidence {
    pub class: LeakClass,
    /// Other classes that nothing has ruled out.
    pub alternatives: Vec<LeakClass>,
    /// The class is told by what was found, not only likely from what it took.
    pub(super) firm: bool,
    pub found_by: FoundBy,
    pub round: u64,
    pub leak: Leak,
    pub round_requests: u64,
    pub bystanders: Vec<Seen>,
    /// What was sent.
    pub recipe: Recipe,
    /// The least that shows it, where that was found.
    pub shrunk: Option<Reduction>,
}

/// The least that shows a leak.
#[derive(Debug, Clone)]
pub struct Reduction {
    pub recipe: Recipe,
    /// In how many of these tries a response held another request's data.
    pub shown: u64,
    pub tries: u64,
    /// Where the victim and the source stand in it.
    pub victim: RecipePlace,
    pub source: Option<RecipePlace>,
    /// `body`, `header x-user`.
    pub place: String,
    /// What was sent in a try that showed it.
    pub requests: Vec<SentRequest>,
}

/// One request as it was sent.
#[derive(Debug, Clone)]
pub struct SentRequest {
    pub place: RecipePlace,
    /// Empty for an anonymous one.
    pub canary: String,
    /// What a login gave for it.
    pub captured: Captured,
    pub bytes: Vec<u8>,
    /// Of its response.
    pub status: Option<u16>,
}
