//! rhai handlers: limits, functions, and the coroutine on which each call runs. Knows no HTTP server and no load.
//!
//! Every call, in every mode, is a [`HandlerCall`] that is driven step by step: the script runs until it sleeps, blocks, burns
//! or ends, and whoever drives it decides what that means (`sleep` suspends in `async`, blocks elsewhere).

mod call;
pub mod client;
mod current_call;
pub mod definitions;
mod engine;
mod error;
mod fetch;
pub mod function_uses;
mod functions;
pub mod heartbeat;
pub mod hooks;
mod import;
mod json;
mod limits;
mod meter;
pub mod probe;
mod process;
mod program;
pub mod reference;
mod request;
mod respond;
mod size_limits;
mod stack;
mod state;
mod type_names;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use call::HandlerCall;
pub use client::Hooks;
pub use error::ScriptError;
pub use limits::Limits;
pub use meter::Gauges;
pub use process::Process;
pub use program::Program;

/// A text without the byte order mark that may stand before it.
pub fn without_mark(mut text: String) -> String {
    const MARK: char = '\u{feff}';
    if text.starts_with(MARK) {
        text.drain(..MARK.len_utf8());
    }
    text
}

/// What a handler is called with.
#[derive(Debug, Clone, Default)]
pub struct HandlerRequest {
    pub method: String,
    pub path: String,
    /// Decoded, in order.
    pub query: Vec<(String, String)>,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What a handler returns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandlerResponse {
    pub status: u16,
    /// Names in lower case, in order. Never holds what the server writes: `content-length`, `connection` and the like.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A request that a script makes of another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRequest {
    pub method: String,
    /// As the script has it; not looked at yet.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// For all of it, from the first look-up to the last byte.
    pub timeout: Duration,
    /// Bytes of a body that the script can take.
    pub longest_body: usize,
}

/// What a script is resumed with.
#[derive(Debug)]
pub enum Resumed {
    /// After every step but a fetch.
    Nothing,
    /// What came of a fetch, or why nothing did.
    Fetched(Result<HandlerResponse, String>),
}

/// What a script does next.
#[derive(Debug)]
pub enum HandlerStep {
    /// `sleep(t)`: as the mode has it.
    Sleep(Duration),
    /// `block(t)`: blocks the thread in every mode.
    Block(Duration),
    /// `burn(t)`: keeps a core busy.
    Burn(Duration),
    /// `yield_now()`.
    Yield,
    /// `log(text)`, `print(value)` and `debug(value)`.
    Log(String),
    /// `fetch(url)`: to be resumed with [`Resumed::Fetched`].
    Fetch(Box<FetchRequest>),
    Done(Result<HandlerResponse, ScriptError>),
}
