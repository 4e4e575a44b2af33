//! Ctrl-C and its kin: the first asks for an orderly end, the second ends at once.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Exit, print};
use crate::server::inherited_signals;

/// What follows the first this soon is the same wish: whoever stops a job sends several signals, or one by several ways.
const ONE_WISH: Duration = Duration::from_millis(500);

/// As [`cancellation`]; `None` once it was said that signals cannot be watched for.
pub(super) fn or_print(notice: &'static str, say: impl Fn(&str) + Send + 'static) -> Option<CancellationToken> {
    cancellation(notice, say).map_err(|error| print::error(&format!("cannot watch for signals: {error}"), None)).ok()
}

/// A token that the first INT, TERM, HUP or QUIT cancels, which is said with `notice`. The second ends the process; the
/// workers follow by themselves. A signal that whoever started runner has ignored (`nohup`) stays ignored.
fn cancellation(notice: &'static str, say: impl Fn(&str) + Send + 'static) -> std::io::Result<CancellationToken> {
    inherited_signals::mend()?;
    let token = CancellationToken::new();
    let cancel = token.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Registered before anything is started, so that no signal falls between.
    let mut signals = {
        let _inside = runtime.enter();
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()]
            .into_iter()
            .filter(|kind| !inherited_signals::is_ignored(*kind))
            .map(signal)
            .collect::<std::io::Result<Vec<_>>>()?
    };
    if signals.is_empty() {
        return Ok(token);
    }
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            next(&mut signals).await;
            cancel.cancel();
            say(notice);
            let until = tokio::time::Instant::now() + ONE_WISH;
            while tokio::time::timeout_at(until, next(&mut signals)).await.is_ok() {}
            next(&mut signals).await;
            std::process::exit(i32::from(Exit::Interrupted.code()));
        });
    })?;
    Ok(token)
}

async fn next(signals: &mut [Signal]) {
    let each = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
    futures::future::select_all(each).await;
}
