//! What a probe tells, in the words of its protocol.

use serde::Serialize;

/// One thing that happened to canaries.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "e", rename_all = "lowercase")]
pub enum StateEvent {
    /// A request is handled from now on.
    Request {
        method: String,
        target: String,
        /// The canaries that it brought.
        own: Vec<String>,
        server: &'static str,
    },
    /// A value was written.
    Store(StateAccess),
    /// A value was read.
    Load(StateAccess),
    /// A call brought a canary that the request has not, or was handed one.
    Call {
        callee: String,
        c: Vec<String>,
        args_c: Vec<String>,
        #[serde(flatten)]
        place: ScriptPlace,
    },
    /// The response of the request.
    Response { status: u16, c: Vec<String> },
}

/// Which value was read or written, and where.
#[derive(Debug, Clone, Serialize)]
pub struct StateAccess {
    /// The canaries in the value.
    pub c: Vec<String>,
    /// The number of the container.
    pub obj: u64,
    /// What the container is: `process`, `thread`, `context`, `map`, `array`.
    #[serde(rename = "type")]
    pub of: &'static str,
    /// As in `process.ring[2]`.
    pub path: String,
    pub key: Option<String>,
    pub kind: AccessManner,
    /// Whether no other request sees the container.
    pub own_obj: bool,
    #[serde(flatten)]
    pub place: ScriptPlace,
}

/// How a script reached a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessManner {
    /// `process.email`.
    Attribute,
    /// `process["email"]`, `process.ring[2]`.
    Item,
    /// `process.items.push(x)`, `process.keys()`.
    Call,
    /// `process.text += x`.
    Augmented,
}

/// A place in a script. `line` and `column` count from 1; none in what is not scripted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ScriptPlace {
    pub file: String,
    pub line: Option<usize>,
    pub column: Option<usize>,
    pub function: Option<String>,
    /// The line, without the blanks around it.
    pub text: String,
}
