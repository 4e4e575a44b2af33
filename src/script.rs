//! rhai handlers: limits, functions, and the coroutine on which each call runs. Knows no HTTP server and no load.
//!
//! Every call, in every mode, is a [`Call`] that is driven step by step: the script runs until it sleeps, blocks, burns
//! or ends, and whoever drives it decides what that means (`sleep` suspends in `async`, blocks elsewhere).

use std::sync::Arc;
use std::time::Duration;

/// What a script may use up. The same in debug and release builds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub operations: u64,
    pub call_depth: usize,
    pub string_bytes: usize,
    pub array_items: usize,
    pub map_items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { operations: 5_000_000, call_depth: 64, string_bytes: 1 << 20, array_items: 100_000, map_items: 10_000 }
    }
}

/// A compiled script. Shared by all threads of a worker.
#[derive(Debug)]
pub struct Program {}

/// Where a script is wrong. `line` and `column` count from 1; 0 where unknown.
#[derive(Debug, Clone)]
pub struct ScriptError {
    pub message: String,
    pub function: Option<String>,
    pub line: usize,
    pub column: usize,
}

impl std::fmt::Display for ScriptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// What a handler is called with.
#[derive(Debug, Clone, Default)]
pub struct Request {
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
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What a script does next.
#[derive(Debug)]
pub enum Step {
    /// `sleep(t)`: as the mode has it.
    Sleep(Duration),
    /// `block(t)`: blocks the thread in every mode.
    Block(Duration),
    /// `burn(t)`: keeps a core busy.
    Burn(Duration),
    /// `yield_now()`.
    Yield,
    /// `log(text)`.
    Log(String),
    Done(Result<Response, ScriptError>),
}

/// The state that requests of one worker can share.
#[derive(Debug, Clone, Default)]
pub struct Process {}

impl Program {
    /// Compiles a script; `folder` is where its imports are found.
    pub fn compile(_source: &str, _folder: &std::path::Path, _limits: Limits) -> Result<Arc<Program>, ScriptError> {
        todo!()
    }

    /// The function that handles a path: `dirty` for `/dirty/`, `a_b` for `/a/b/`, else `handle`; `None` without either.
    pub fn handler_for(&self, _path: &str) -> Option<&str> {
        todo!()
    }
}

/// One call of a handler, suspended between steps.
pub struct Call {}

impl Call {
    /// Nothing runs until the first [`Call::resume`].
    pub fn new(_program: &Arc<Program>, _process: &Process, _handler: &str, _request: Request) -> Call {
        todo!()
    }

    /// Runs the script up to its next step. After `Done` it must not be called again.
    pub fn resume(&mut self) -> Step {
        todo!()
    }
}
