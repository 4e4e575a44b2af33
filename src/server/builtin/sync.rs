//! One request at a time; the connection closes after each response. As gunicorn's sync worker.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::app::App;
use super::connection::{self, Reuse};
use super::{Stop, drive};

pub(super) async fn serve(listener: TcpListener, app: Arc<App>, mut stop: Stop) {
    loop {
        let stream = tokio::select! {
            biased;
            _ = stop.changed() => return,
            stream = connection::accept(&listener) => stream,
        };
        let handle = async |request| drive::blocking(&app, request);
        connection::serve(stream, Reuse::Never, handle, stop.clone()).await;
    }
}
