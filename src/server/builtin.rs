//! The built-in servers: one file a mode.
//!
//! A mode decides which thread a handler runs on and what its `sleep()` does; everything else is the same for all. A new
//! mode is a file here, and a row in the table in `mode.rs`.

use std::net::TcpListener;
use std::sync::Arc;

use tokio::sync::watch;

use crate::mode::{Mode, for_each_mode};

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
pub(super) mod probe;
mod responses;
mod sync;
mod threaded;
pub(super) mod watchdog;

use app::App;

/// Told once that the server is to finish what it is at.
type Stop = watch::Receiver<bool>;

/// Each row of the table has a file here, whose `serve` serves until told to stop, then until what is in flight is answered.
macro_rules! modes {
    ($($variant:ident $file:ident $name:literal $kind:ident::$handlers:ident $(($threads:literal))? $suspends:literal
        $doc:literal $sleep:literal $connection:literal;)*) => {
        /// Serves in a mode, with as many threads for handlers as it has.
        pub(super) async fn serve(
            mode: Mode,
            threads: Option<u32>,
            listener: TcpListener,
            app: Arc<App>,
            stop: Stop,
        ) -> std::io::Result<()> {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let threads = threads.unwrap_or(1);
            match mode {
                $(Mode::$variant => $file::serve(listener, app, threads, stop).await,)*
            }
        }
    };
}
for_each_mode!(modes);
