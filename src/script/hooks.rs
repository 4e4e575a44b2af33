//! The functions that runner calls by their names, all in one place.

/// Where a hook is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `[server] script`. Its other functions of one parameter are handlers of the paths that they are named after.
    Server,
    /// `[load] script`.
    Load,
    /// `[assert] script`, or that of the load.
    Assert,
}

/// A function that runner calls by its name, if a script has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    pub name: &'static str,
    /// As the documentation calls them; scripts may call them otherwise, but take as many.
    pub parameters: &'static [&'static str],
    pub side: Side,
}

/// Answers a request.
pub const HANDLE: Hook = Hook { name: "handle", parameters: &["request"], side: Side::Server };
/// Runs once, before the load.
pub const SETUP: Hook = Hook { name: "setup", parameters: &[], side: Side::Load };
/// Makes each request of a user.
pub const REQUEST: Hook = Hook { name: "request", parameters: &["user", "seq"], side: Side::Load };
/// Says what is wrong with a response.
pub const CHECK: Hook = Hook { name: "check", parameters: &["exchange"], side: Side::Load };
/// Runs once, after the load.
pub const TEARDOWN: Hook = Hook { name: "teardown", parameters: &[], side: Side::Load };
/// Judges the metrics.
pub const VERDICT: Hook = Hook { name: "verdict", parameters: &["metrics"], side: Side::Assert };

/// Every hook there is.
pub const ALL: [Hook; 6] = [HANDLE, SETUP, REQUEST, CHECK, TEARDOWN, VERDICT];

impl Hook {
    /// `request(user, seq)`.
    pub fn signature(&self) -> String {
        format!("{}({})", self.name, self.parameters.join(", "))
    }
}
