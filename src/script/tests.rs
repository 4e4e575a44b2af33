//! Scripts run as a server would run them.

mod behaviour;
mod size_limits;
mod client;
mod errors;
mod limits;
mod many;
mod meter;
pub(super) mod native;
mod state;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;

/// As the default, but for debug builds, which take seconds for five million operations.
const LIMITS: Limits = Limits {
    operations: 200_000,
    call_depth: 64,
    string_bytes: 1_000_000,
    array_items: 10_000,
    map_items: 10_000,
    running: Duration::from_secs(30),
    memory_bytes: 256_000_000,
};

fn compile(source: &str) -> Result<Arc<Program>, ScriptError> {
    Program::compile(source, Path::new("/nowhere"), LIMITS)
}

fn program(source: &str) -> Arc<Program> {
    compile(source).unwrap_or_else(|error| panic!("{error}"))
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn with_query(query: &[(&str, &str)]) -> HandlerRequest {
    HandlerRequest { query: pairs(query), ..HandlerRequest::default() }
}

/// The steps of a call up to its end, and the end.
fn drive(call: &mut HandlerCall) -> (Vec<HandlerStep>, Result<HandlerResponse, ScriptError>) {
    let mut steps = Vec::new();
    loop {
        match call.resume() {
            HandlerStep::Done(result) => return (steps, result),
            step => steps.push(step),
        }
    }
}

fn respond_to(source: &str, request: HandlerRequest) -> Result<HandlerResponse, ScriptError> {
    let program = program(source);
    drive(&mut HandlerCall::new(&program, &Process::default(), "handle", request)).1
}

/// The response to `fn handle(request) { body }`.
fn response(body: &str) -> HandlerResponse {
    respond_to(&format!("fn handle(request) {{ {body} }}"), HandlerRequest::default())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn text(body: &str) -> String {
    String::from_utf8(response(body).body).unwrap()
}

/// How `fn handle(request) { body }` fails.
fn failure(body: &str) -> ScriptError {
    respond_to(&format!("fn handle(request) {{ {body} }}"), HandlerRequest::default()).unwrap_err()
}

fn body_of(step: HandlerStep) -> String {
    match step {
        HandlerStep::Done(Ok(response)) => String::from_utf8(response.body).unwrap(),
        step => panic!("not a response: {step:?}"),
    }
}
