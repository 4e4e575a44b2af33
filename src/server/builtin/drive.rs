//! Runs a job step by step: what a handler's `sleep()` means is decided here.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use super::app::{App, Job};
use super::log;
use crate::script::{Response, Step};

/// A sleep blocks the thread. A panic ends the request, not the thread.
pub(super) fn blocking(job: Job) -> Response {
    let answered = std::panic::catch_unwind(AssertUnwindSafe(|| run(job)));
    answered.unwrap_or_else(|_| App::broken("the handler panicked"))
}

fn run(mut job: Job) -> Response {
    loop {
        match job.resume() {
            Step::Sleep(time) => std::thread::sleep(time),
            Step::Yield => std::thread::yield_now(),
            step => {
                if let Some(response) = common(&job, step) {
                    return response;
                }
            }
        }
    }
}

/// A sleep suspends the handler. One that sleeps goes on when its client has left, as under uvicorn and Node.
pub(super) async fn suspending(mut job: Job) -> Response {
    let first = loop {
        match job.resume() {
            step @ (Step::Sleep(_) | Step::Yield) => break step,
            step => {
                if let Some(response) = common(&job, step) {
                    return response;
                }
            }
        }
    };
    let rest = tokio::task::spawn_local(suspended(job, first));
    rest.await.unwrap_or_else(|_| App::broken("the handler panicked"))
}

async fn suspended(mut job: Job, first: Step) -> Response {
    let mut step = first;
    loop {
        match step {
            // As at `asyncio.sleep(0)`: others get their turn, and no timer is asked.
            Step::Sleep(Duration::ZERO) => tokio::task::yield_now().await,
            Step::Sleep(time) => tokio::time::sleep(time).await,
            Step::Yield => tokio::task::yield_now().await,
            step => {
                if let Some(response) = common(&job, step) {
                    return response;
                }
            }
        }
        step = job.resume();
    }
}

/// What a step means in every mode; the response if it is the last.
fn common(job: &Job, step: Step) -> Option<Response> {
    match step {
        Step::Sleep(time) | Step::Block(time) => std::thread::sleep(time),
        Step::Burn(time) => burn(time),
        Step::Yield => {}
        Step::Log(text) => log::line(&format!("{}: {text}", job.request_line())),
        Step::Done(Ok(response)) => return Some(response),
        Step::Done(Err(error)) => {
            log::line(&format!("{}: 500: {error}", job.request_line()));
            return Some(App::broken(&error.to_string()));
        }
    }
    None
}

/// Keeps a core busy.
fn burn(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}
