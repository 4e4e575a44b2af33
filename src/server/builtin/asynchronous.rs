//! One event loop; a sleep suspends the handler, and others run meanwhile. As uvicorn with `async def`, or Node.

use std::rc::Rc;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::app::App;
use super::connection;
use super::{Stop, drive};

pub(super) async fn serve(listener: TcpListener, app: Arc<App>, _threads: u32, stop: Stop) -> std::io::Result<()> {
    let handle = Rc::new(async move |request| drive::suspending(&app, request).await);
    connection::serve_each(listener, handle, stop).await;
    Ok(())
}
