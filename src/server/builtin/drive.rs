//! Runs a job step by step: what a handler's `sleep()` means is decided here.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::task::AbortOnDropHandle;

use super::app::{App, Job};
use super::log;
use crate::scenario::OnDisconnect;
use crate::script::{Answer, Request, Response, Step};

/// A sleep blocks the thread. A panic ends the request, not the thread.
pub(super) fn blocking(app: &App, request: Request) -> Response {
    let answered = std::panic::catch_unwind(AssertUnwindSafe(|| run(app, app.job(request))));
    answered.unwrap_or_else(|_| App::broken("the handler panicked"))
}

fn run(app: &App, mut job: Job) -> Response {
    let mut answer = Answer::Nothing;
    loop {
        match job.resume(std::mem::replace(&mut answer, Answer::Nothing)) {
            Step::Sleep(time) => std::thread::sleep(time),
            Step::Yield => std::thread::yield_now(),
            Step::Fetch(outgoing) => answer = Answer::Fetched(app.fetcher().fetch_blocking(*outgoing)),
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
pub(super) async fn suspending(app: &Arc<App>, request: Request) -> Response {
    let mut job = app.job(request);
    let first = loop {
        match job.resume(Answer::Nothing) {
            step @ (Step::Sleep(_) | Step::Yield | Step::Fetch(_)) => break step,
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
    ended.unwrap_or_else(|_| App::broken("the handler panicked"))
}

async fn suspended(app: Arc<App>, mut job: Job, first: Step) -> Response {
    let mut step = first;
    loop {
        let mut answer = Answer::Nothing;
        match step {
            // As at `asyncio.sleep(0)`: others get their turn, and no timer is asked.
            Step::Sleep(Duration::ZERO) => tokio::task::yield_now().await,
            Step::Sleep(time) => tokio::time::sleep(time).await,
            Step::Yield => tokio::task::yield_now().await,
            Step::Fetch(outgoing) => answer = Answer::Fetched(app.fetcher().fetch(*outgoing).await),
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
fn common(app: &App, job: &Job, step: Step) -> Option<Response> {
    match step {
        Step::Sleep(time) | Step::Block(time) => std::thread::sleep(time),
        Step::Burn(time) => burn(time),
        // The drivers above carry these out themselves.
        Step::Yield | Step::Fetch(_) => {}
        Step::Log(text) => log::line(&format!("{}: {text}", job.request_line())),
        Step::Done(Ok(response)) => return Some(response),
        Step::Done(Err(error)) => {
            let why = app.explain(&error);
            log::line(&format!("{}: 500: {why}", job.request_line()));
            return Some(App::broken(&why));
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
