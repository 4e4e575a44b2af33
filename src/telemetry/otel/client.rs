//! The HTTP client of the exporter: one request a connection, blocking, never longer than [`LONGEST`]. Nothing more is
//! needed for a batch every few seconds.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

use crate::net::single_request::send_single;

/// A collector that takes longer has not taken it.
const LONGEST: Duration = Duration::from_secs(5);

/// Sends requests from the exporter's own thread.
#[derive(Debug)]
pub(super) struct OtlpClient;

#[async_trait]
impl HttpClient for OtlpClient {
    /// Blocks: nothing else runs on that thread.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let uri = request.uri().clone();
        let told = |error: io::Error| -> HttpError { format!("{uri}: {error}").into() };
        let status = send_single(&request, LONGEST).map_err(told)?;
        Ok(Response::builder().status(status).body(Bytes::new())?)
    }
}
