//! What a request does to the application's data, and whether it does harm.

use std::fmt;

/// What a method does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// GET, HEAD, OPTIONS.
    Read,
    /// POST, PUT, PATCH.
    Write,
    Delete,
}

/// What makes a request dangerous, whatever its method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Danger {
    /// As it stands in the path or the operation's id: `logout`, `DELETE .../me`.
    pub word: String,
}

impl Effect {
    /// That of a method, in upper case.
    pub fn of(method: &str) -> Effect {
        match method {
            "GET" | "HEAD" | "OPTIONS" => Effect::Read,
            "DELETE" => Effect::Delete,
            _ => Effect::Write,
        }
    }
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its name has `{}`, which may do harm", self.word)
    }
}
