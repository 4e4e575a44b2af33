//! What a handler's `fetch()` does: one HTTP/1.1 exchange over a connection of its own. Redirects are not followed.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::task::AbortOnDropHandle;

use super::super::allowed_hosts;
use crate::script::{FetchRequest, HandlerResponse};
use crate::units;

/// A response, or why there is none.
pub(super) type Fetched = Result<HandlerResponse, String>;

type Errand = (FetchRequest, SyncSender<Fetched>);

/// Fetches for the handlers of a worker.
#[derive(Debug)]
pub(super) struct Fetcher {
    /// Hosts that may be asked although they are not this machine.
    allowed: Arc<[String]>,
    /// A thread that fetches for handlers that block: theirs may be the one on which the event loop stands still. It is
    /// started for the first of them, and ends with this.
    thread: OnceLock<UnboundedSender<Errand>>,
}

impl Fetcher {
    pub fn new(allowed: Vec<String>) -> Fetcher {
        Fetcher { allowed: allowed.into(), thread: OnceLock::new() }
    }

    pub async fn fetch(&self, outgoing: FetchRequest) -> Fetched {
        fetch(outgoing, &self.allowed).await
    }

    /// As [`Fetcher::fetch`], blocking this thread.
    pub fn fetch_blocking(&self, outgoing: FetchRequest) -> Fetched {
        let (reply, answer) = sync_channel(1);
        let thread = self.thread.get_or_init(|| start(Arc::clone(&self.allowed)));
        let ended = || "the thread that fetches could not be started".to_owned();
        thread.send((outgoing, reply)).map_err(|_| ended())?;
        answer.recv().map_err(|_| ended())?
    }
}

fn start(allowed: Arc<[String]>) -> UnboundedSender<Errand> {
    let (sender, errands) = unbounded_channel();
    // One that does not start drops `errands`: those who send then learn of it.
    let _ = std::thread::Builder::new().name("fetch".to_owned()).spawn(move || work(errands, &allowed));
    sender
}

fn work(mut errands: UnboundedReceiver<Errand>, allowed: &Arc<[String]>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        while let Some((outgoing, reply)) = errands.recv().await {
            let allowed = Arc::clone(allowed);
            tokio::spawn(async move {
                // Whoever asked waits for as long as this takes.
                let _ = reply.send(fetch(outgoing, &allowed).await);
            });
        }
    });
}

async fn fetch(outgoing: FetchRequest, allowed: &[String]) -> Fetched {
    let timeout = outgoing.timeout;
    let within = tokio::time::timeout(timeout, exchange(outgoing, allowed)).await;
    within.unwrap_or_else(|_| Err(format!("no response within {}", units::show_duration(timeout))))
}

async fn exchange(outgoing: FetchRequest, allowed: &[String]) -> Fetched {
    let longest = outgoing.longest_body;
    let uri = target(&outgoing.url)?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(80);
    let found: Vec<_> = lookup_host((host, port)).await.map_err(|error| format!("no such host: {error}"))?.collect();
    allowed_hosts::check(host, port, &found, allowed).map_err(|refused| format!("{refused}; {}", refused.advice))?;
    let stream = TcpStream::connect(&found[..]).await.map_err(|error| format!("cannot connect: {error}"))?;
    let _ = stream.set_nodelay(true);
    let broken = |error: hyper::Error| format!("no response: {}", causes(&error));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let response = sender.send_request(request(outgoing, &uri)?).await.map_err(broken)?;
    read(response, longest).await
}

fn target(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|_| "it is not an address such as http://127.0.0.1:8000/path".to_owned())?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err("https is not supported: use an http:// address".to_owned()),
        _ => return Err("an address begins with http://".to_owned()),
    }
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err("an address holds no user: send it as a header, `authorization`".to_owned())
        }
        _ => Ok(uri),
    }
}

fn request(outgoing: FetchRequest, uri: &Uri) -> Result<Request<Full<Bytes>>, String> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder().method(outgoing.method.as_str()).uri(path);
    if !outgoing.headers.iter().any(|(name, _)| name == "host") {
        request = request.header(HOST, uri.authority().map_or("", |authority| authority.as_str()));
    }
    for (name, value) in &outgoing.headers {
        request = request.header(name, value);
    }
    request.body(Full::new(outgoing.body.into())).map_err(|error| error.to_string())
}

async fn read(response: hyper::Response<Incoming>, longest: usize) -> Fetched {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, longest).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            format!("the response's body is longer than {}", units::show_size(longest as u64))
        } else {
            format!("the response's body ended early: {error}")
        }
    })?;
    Ok(HandlerResponse {
        status: parts.status.as_u16(),
        headers: super::connection::texts(&parts.headers),
        body: body.to_bytes().to_vec(),
    })
}

/// hyper says what went wrong in an error's sources.
fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_addresses_are_asked() {
        assert!(target("http://127.0.0.1:8000/a?b=c").is_ok());
        for (url, why) in [
            ("https://127.0.0.1/", "https"),
            ("ftp://127.0.0.1/", "http://"),
            ("/path", "http://"),
            ("", "not an address"),
            ("http://ann:secret@127.0.0.1/", "user"),
            ("http://a b/", "not an address"),
        ] {
            let error = target(url).unwrap_err();
            assert!(error.contains(why), "{url}: {error}");
        }
    }
}
