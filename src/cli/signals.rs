//! Ctrl-C and its kin: the first asks for an orderly end, the second ends at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Exit;

/// A token that the first INT, TERM or HUP cancels, which is said with `notice`. The second ends the process; the workers
/// follow by themselves.
pub(super) fn cancellation(
    notice: &'static str,
    say: impl Fn(&str) + Send + 'static,
) -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let cancel = token.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Registered before anything is started, so that no signal falls between.
    let mut signals = {
        let _inside = runtime.enter();
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
            .map(signal)
            .into_iter()
            .collect::<std::io::Result<Vec<_>>>()?
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            next(&mut signals).await;
            cancel.cancel();
            say(notice);
            next(&mut signals).await;
            std::process::exit(i32::from(Exit::Interrupted.code()));
        });
    })?;
    Ok(token)
}

async fn next(signals: &mut [tokio::signal::unix::Signal]) {
    let each = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
    futures::future::select_all(each).await;
}
