//! Runs a job step by step: what a handler's `sleep()` means is decided here.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::task::AbortOnDropHandle;

use super::app::{App, Job};
use super::{log, responses};
use crate::scenario::OnDisconnect;
use crate::script::{HandlerRequest, HandlerResponse, HandlerStep, Resumed};

/// A sleep blocks the thread. A panic ends the request, not the thread.
pub(super) fn blocking(app: &App, request: HandlerRequest) -> HandlerResponse {
    let answered = std::panic::catch_unwind(AssertUnwindSafe(|| run(app, app.job(request))));
    answered.unwrap_or_else(|_| responses::broken("the handler panicked"))
}

fn run(app: &App, mut job: Job) -> HandlerResponse {
    let mut answer = Resumed::Nothing;
    loop {
        match job.resume(std::mem::replace(&mut answer, Resumed::Nothing)) {
            HandlerStep::Sleep(time) => std::thread::sleep(time),
            HandlerStep::Yield => std::thread::yield_now(),
            HandlerStep::Fetch(outgoing) => answer = Resumed::Fetched(app.fetcher().fetch_blocking(*outgoing)),
            step => {
                if let Some(response) = common(app, &job, step) {
                    return response;
                }
            }
        }
    }
}

/// A sleep suspends the handler. When the client of one that is suspended has left, it goes on as under uvicorn and
/// Node, or ends where it stands.
pub(super) async fn suspending(app: &Arc<App>, request: HandlerRequest) -> HandlerResponse {
    let mut job = app.job(request);
    let first = loop {
        match job.resume(Resumed::Nothing) {
            step @ (HandlerStep::Sleep(_) | HandlerStep::Yield | HandlerStep::Fetch(_)) => break step,
            step => {
                if let Some(response) = common(app, &job, step) {
                    return response;
                }
            }
        }
    };
    let rest = tokio::task::spawn_local(suspended(Arc::clone(app), job, first));
    // The connection drops this future when its client leaves: it takes the rest along, or not.
    let ended = match app.on_disconnect() {
        OnDisconnect::Continue => rest.await,
        OnDisconnect::Cancel => AbortOnDropHandle::new(rest).await,
    };
    ended.unwrap_or_else(|_| responses::broken("the handler panicked"))
}

async fn suspended(app: Arc<App>, mut job: Job, first: HandlerStep) -> HandlerResponse {
    let mut step = first;
    loop {
        let mut answer = Resumed::Nothing;
        match step {
            // As at `asyncio.sleep(0)`: others get their turn, and no timer is asked.
            HandlerStep::Sleep(Duration::ZERO) => tokio::task::yield_now().await,
            HandlerStep::Sleep(time) => tokio::time::sleep(time).await,
            HandlerStep::Yield => tokio::task::yield_now().await,
            HandlerStep::Fetch(outgoing) => answer = Resumed::Fetched(app.fetcher().fetch(*outgoing).await),
            step => {
                if let Some(response) = common(&app, &job, step) {
                    return response;
                }
            }
        }
        step = job.resume(answer);
    }
}

/// What a step means in every mode; the response if it is the last.
fn common(app: &App, job: &Job, step: HandlerStep) -> Option<HandlerResponse> {
    match step {
        HandlerStep::Sleep(time) | HandlerStep::Block(time) => std::thread::sleep(time),
        HandlerStep::Burn(time) => burn(time),
        // The drivers above carry these out themselves.
        HandlerStep::Yield | HandlerStep::Fetch(_) => {}
        HandlerStep::Log(text) => log::line(&format!("{}: {text}", job.request_line())),
        HandlerStep::Done(Ok(response)) => {
            job.responds(&response);
            return Some(response);
        }
        HandlerStep::Done(Err(error)) => {
            let why = app.explain(&error);
            log::line(&format!("{}: 500: {why}", job.request_line()));
            let response = responses::broken(&why);
            job.responds(&response);
            return Some(response);
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
