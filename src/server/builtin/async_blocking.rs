//! One event loop that every handler blocks while it sleeps. As `time.sleep` inside `async def`.

use std::rc::Rc;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::app::App;
use super::connection;
use super::{Stop, drive};

pub(super) async fn serve(listener: TcpListener, app: Arc<App>, _threads: u32, stop: Stop) -> std::io::Result<()> {
    let handle = Rc::new(async move |request| drive::blocking(&app, request));
    connection::serve_each(listener, handle, stop).await;
    Ok(())
}
