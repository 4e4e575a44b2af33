//! One connection, for who says itself which request goes over it, and when.

use std::sync::Arc;

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use tokio_util::task::AbortOnDropHandle;

use super::super::dialer::{DialError, Dialer};
use super::super::response::{ExchangeError, ResponseInfo};
use super::super::sink::ResponseSink;
use super::strict::{self, StreamError};
use super::trailers::MalformedTrailers;
use super::{Opened, broken, drain, handshake, is_unseen};
use crate::net::clock::Clock;
use crate::net::http2::request::Http2Request;

/// An open connection; closed when the last who holds it drops it.
#[derive(Debug, Clone)]
pub struct Http2Connection {
    send: SendRequest<Bytes>,
    malformed: MalformedTrailers,
    _driven: Arc<AbortOnDropHandle<()>>,
}

/// Leave to send one request.
pub struct SendPermit {
    send: SendRequest<Bytes>,
    malformed: MalformedTrailers,
}

/// What of a request is held back at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldBack {
    Nothing,
    /// The last byte of its body; of a request without a body, the word that none comes.
    LastByte,
    /// Likewise the half of its body.
    Half,
}

/// A request under way. Its stream is reset if this is dropped before its response has come.
pub struct PendingExchange {
    response: ResponseFuture,
    stream: SendStream<Bytes>,
    /// What is held back.
    rest: Option<Bytes>,
    malformed: MalformedTrailers,
}

impl Http2Connection {
    /// Opens a connection, and has it driven as long as it is held.
    pub async fn open(dialer: &Dialer) -> Result<Self, DialError> {
        let (Opened { send, malformed }, connection) = handshake(dialer.dial().await?).await?;
        let driven = tokio::spawn(async move {
            // What went wrong shows in the requests that were on it.
            let _ = connection.await;
        });
        Ok(Http2Connection { send, malformed, _driven: Arc::new(AbortOnDropHandle::new(driven)) })
    }

    /// Waits until the server takes another request. A connection that has ended has looked at none.
    pub async fn permit(&self) -> Result<SendPermit, ExchangeError> {
        let ready = self.send.clone().ready().await;
        let send = ready.map_err(|_| ExchangeError::Closed { untouched: true })?;
        Ok(SendPermit { send, malformed: self.malformed.clone() })
    }
}

impl SendPermit {
    /// Hands a request to the connection.
    pub fn begin(mut self, request: &Http2Request, hold: HoldBack) -> Result<PendingExchange, ExchangeError> {
        let mut body = request.body();
        let ends = body.is_none() && hold == HoldBack::Nothing;
        let sent = self.send.send_request(request.head(), ends);
        let (response, mut stream) = sent.map_err(|_| ExchangeError::Closed { untouched: true })?;
        let mut rest = None;
        if hold != HoldBack::Nothing {
            let mut first = body.take().unwrap_or_default();
            let kept = if hold == HoldBack::Half { first.len().div_ceil(2) } else { first.len().min(1) };
            rest = Some(first.split_off(first.len() - kept));
            body = Some(first).filter(|first| !first.is_empty());
        }
        if let Some(body) = body {
            stream.send_data(body, rest.is_none()).map_err(|error| broken(&error, true))?;
        }
        Ok(PendingExchange { response, stream, rest, malformed: self.malformed })
    }
}

impl PendingExchange {
    /// Hands over what was held back. A server that has answered without it does not want it.
    pub fn finish(&mut self) {
        if let Some(rest) = self.rest.take() {
            let _ = self.stream.send_data(rest, true);
        }
    }

    /// Reads the response into `sink`.
    pub async fn answer(self, clock: Clock, sink: &mut impl ResponseSink) -> Result<ResponseInfo, ExchangeError> {
        let PendingExchange { response, mut stream, malformed, .. } = self;
        let mut unread = |fault, untouched| match fault {
            StreamError::Failed(error) if untouched && is_unseen(&error) => ExchangeError::Closed { untouched },
            StreamError::Failed(error) => broken(&error, untouched),
            StreamError::Malformed(why) => strict::refuse(&mut stream, why),
        };
        let response = strict::head(response, sink).await.map_err(|fault| unread(fault, true))?;
        let first_byte = clock.now();
        let status = response.status().as_u16();
        let read = drain(response.into_body(), sink, |stream| malformed.take(stream)).await;
        let bytes = read.map_err(|fault| unread(fault, false))?;
        drop(stream);
        Ok(ResponseInfo { status, first_byte, done: clock.now(), bytes, close: false })
    }
}
