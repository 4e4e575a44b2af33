//! What tells that a response holds another request's data.

use serde::{Deserialize, Serialize};

/// What tells that a response holds another request's data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakOracle {
    /// The whole canary of another request.
    #[default]
    Canary,
    /// A part of another request's canary, too long for chance.
    Fragment,
    /// The response is the one that another gets when it asks alone.
    Swap,
    /// The response holds what only another identity's has when it asks alone.
    Learned,
    /// The response holds a value that the scenario gives to another alone, and none of its own.
    Value,
    /// A response that nobody asked for.
    Number,
}

impl LeakOracle {
    /// It is told by what personas get when they ask alone.
    pub const fn is_of_personas(self) -> bool {
        matches!(self, LeakOracle::Swap | LeakOracle::Learned | LeakOracle::Value)
    }
}
