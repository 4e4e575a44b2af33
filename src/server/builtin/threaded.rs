//! Threads that block. As gunicorn's gthread worker, Puma or Tomcat: a connection that waits for its next request costs
//! no thread, one that is handled costs one until its response is ready.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::Stop;
use super::app::App;
use super::pool;

pub(super) async fn serve(listener: TcpListener, app: Arc<App>, threads: u32, stop: Stop) -> std::io::Result<()> {
    pool::serve(listener, app, "thread", threads, stop).await
}
