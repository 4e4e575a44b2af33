//! One request at a time; the connection closes after each response. As gunicorn's sync worker.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::app::App;
use super::connection::{self, Reuse};
use super::{Stop, drive};

pub(super) async fn serve(listener: TcpListener, app: Arc<App>, _threads: u32, mut stop: Stop) -> std::io::Result<()> {
    loop {
        let stream = tokio::select! {
            biased;
            _ = stop.changed() => return Ok(()),
            stream = connection::accept(&listener) => stream,
        };
        let handle = async |request| drive::blocking(&app, request);
        connection::serve(stream, Reuse::Never, handle, stop.clone()).await;
    }
}
