//! Runs a piece of work on a thread of its own and looks after the server, the user and the progress meanwhile.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::record::Aborted;
use crate::server::{Death, Server};

/// How often to look.
const LOOK: Duration = Duration::from_millis(100);

/// Why the work ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// By itself.
    Finished,
    /// By the user.
    Interrupted,
    /// A worker of the server died.
    Died(Death),
    /// A rule of `abort_when` held.
    Aborted(Aborted),
}

/// Runs `work`, which must end soon after its token is cancelled. `tick` shows progress and may ask for an early end. Fails
/// where the machine refuses a thread.
pub(super) fn watch<T: Send>(
    server: &mut Server,
    cancel: &CancellationToken,
    tick: &mut dyn FnMut(&Server) -> Option<Aborted>,
    work: impl FnOnce(&CancellationToken) -> T + Send,
) -> std::io::Result<(T, Ending)> {
    let stop = cancel.child_token();
    let span = tracing::Span::current();
    std::thread::scope(|scope| {
        let (done, is_done) = channel::<()>();
        let work = std::thread::Builder::new().name("work".to_owned()).spawn_scoped(scope, || {
            // Dropped at the end, also by a panic, and so a signal.
            let _done = done;
            let _within = span.enter();
            work(&stop)
        })?;
        // A panic in here ends the work too, rather than waiting for its end.
        let _stop_on_panic = stop.clone().drop_guard();
        let mut ending = Ending::Finished;
        while is_done.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            if stop.is_cancelled() {
                continue;
            }
            if let Some(death) = server.watch() {
                ending = Ending::Died(death);
            } else if let Some(aborted) = tick(server) {
                ending = Ending::Aborted(aborted);
            } else {
                continue;
            }
            stop.cancel();
        }
        let output = work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if cancel.is_cancelled() {
            ending = Ending::Interrupted;
        } else if let (Ending::Finished, Some(death)) = (&ending, server.watch()) {
            ending = Ending::Died(death);
        }
        Ok((output, ending))
    })
}
