//! HTTP/1.1 towards clients, by hyper.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::{Stop, log, responses};
use crate::script::{HandlerRequest, HandlerResponse};

/// A longer body gets a 413.
const LONGEST_BODY: usize = 16 * 1024 * 1024;
/// A client that does not finish its head in this time is dropped.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long to wait after an accept that failed for want of descriptors or memory.
const AFTER_REFUSAL: Duration = Duration::from_millis(10);

/// Whether a connection carries more than one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reuse {
    KeepAlive,
    Never,
}

/// The next connection. Failures are the client's (gone already) or pass (no descriptors left): neither ends a server.
pub(super) async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                log::line(&format!("cannot accept a connection: {error}"));
                tokio::time::sleep(AFTER_REFUSAL).await;
            }
        }
    }
}

/// Serves every connection at once, kept alive, until told to stop; then until all are done.
pub(super) async fn serve_each<H>(listener: TcpListener, handle: Rc<H>, mut stop: Stop)
where
    H: AsyncFn(HandlerRequest) -> HandlerResponse + 'static,
{
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = stop.changed() => break,
            Some(_) = connections.join_next() => {}
            stream = accept(&listener) => {
                let (handle, stop) = (Rc::clone(&handle), stop.clone());
                connections.spawn_local(async move { serve(stream, Reuse::KeepAlive, &*handle, stop).await });
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Serves one connection to its end.
pub(super) async fn serve(
    stream: TcpStream,
    reuse: Reuse,
    handle: impl AsyncFn(HandlerRequest) -> HandlerResponse,
    mut stop: Stop,
) {
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(async |request: hyper::Request<Incoming>| {
        let entry = log::Entry::begin(&request);
        let response = match read(request).await {
            Ok(request) => handle(request).await,
            Err(response) => response,
        };
        if let Some(entry) = entry {
            entry.answered(response.status);
        }
        Ok::<_, Infallible>(write(response, reuse))
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).keep_alive(reuse == Reuse::KeepAlive);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // Whatever a client does wrong ends its connection and nothing else; hyper has answered it where it could.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// The request as handlers see it, or the response that refuses it.
async fn read(request: hyper::Request<Incoming>) -> Result<HandlerRequest, HandlerResponse> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, LONGEST_BODY).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(_) => return Err(responses::plain(413, "the body is longer than 16 MiB, or ended early")),
    };
    let query = parts.uri.query().unwrap_or_default();
    Ok(HandlerRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: texts(&parts.headers),
        body,
    })
}

/// What is not UTF-8 is replaced.
pub(super) fn texts(headers: &hyper::HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// Headers that HTTP does not allow are left out; scripts cannot make any.
fn write(response: HandlerResponse, reuse: Reuse) -> hyper::Response<Full<Bytes>> {
    let mut built = hyper::Response::new(Full::new(Bytes::from(response.body)));
    *built.status_mut() =
        hyper::StatusCode::from_u16(response.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &response.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
            built.headers_mut().append(name, value);
        }
    }
    built.headers_mut().insert(responses::WORKER_HEADER, HeaderValue::from(std::process::id()));
    if reuse == Reuse::Never {
        built.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    built
}
