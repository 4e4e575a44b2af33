//! One event loop that hands handlers to blocking threads. As a plain `def` view under Starlette or Django ASGI.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::Stop;
use super::app::App;
use super::pool;

pub(super) async fn serve(listener: TcpListener, app: Arc<App>, threads: u32, stop: Stop) -> std::io::Result<()> {
    pool::serve(listener, app, "pool", threads, stop).await
}
