//! The built-in servers: one file a mode.
//!
//! A mode decides which thread a handler runs on and what its `sleep()` does; everything else is the same for all.

use std::net::TcpListener;
use std::sync::Arc;

use tokio::sync::watch;

use crate::scenario::Mode;

pub(super) mod app;
mod async_blocking;
mod async_pool;
mod asynchronous;
mod call_limit;
mod connection;
mod drive;
mod fetch;
pub(super) mod gauges;
pub(super) mod log;
mod pool;
mod responses;
mod sync;
mod threaded;
pub(super) mod watchdog;

use app::App;

/// Told once that the server is to finish what it is at.
type Stop = watch::Receiver<bool>;

/// Serves until told to stop, then until what is in flight is answered.
pub(super) async fn serve(mode: Mode, listener: TcpListener, app: Arc<App>, stop: Stop) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    match mode {
        Mode::Sync => sync::serve(listener, app, stop).await,
        Mode::Threaded { threads } => threaded::serve(listener, app, threads, stop).await?,
        Mode::Async => asynchronous::serve(listener, app, stop).await,
        Mode::AsyncPool { threads } => async_pool::serve(listener, app, threads, stop).await?,
        Mode::AsyncBlocking => async_blocking::serve(listener, app, stop).await,
    }
    Ok(())
}
