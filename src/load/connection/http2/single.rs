//! One connection, for who says itself which request goes over it, and when.

use std::sync::Arc;

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use tokio_util::task::AbortOnDropHandle;

use super::super::answer::{Answer, Broken};
use super::super::dialer::{Dialer, NoConnection};
use super::super::reply::Sink;
use super::super::translated::Translated;
use super::strict::{self, Fault};
use super::{broken, drain, handshake, is_unseen};
use crate::load::clock::Clock;

/// An open connection; closed when the last who holds it drops it.
#[derive(Debug, Clone)]
pub struct Single {
    send: SendRequest<Bytes>,
    _driven: Arc<AbortOnDropHandle<()>>,
}

/// Leave to send one request.
pub struct Leave(SendRequest<Bytes>);

/// What of a request is held back at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    Nothing,
    /// The last byte of its body; of a request without a body, the word that none comes.
    LastByte,
    /// Likewise the half of its body.
    Half,
}

/// A request under way. Its stream is reset if this is dropped before its response has come.
pub struct Going {
    response: ResponseFuture,
    stream: SendStream<Bytes>,
    /// What is held back.
    rest: Option<Bytes>,
}

impl Single {
    /// Opens a connection, and has it driven as long as it is held.
    pub async fn open(dialer: &Dialer) -> Result<Self, NoConnection> {
        let (send, connection) = handshake(dialer.dial().await?).await?;
        let driven = tokio::spawn(async move {
            // What went wrong shows in the requests that were on it.
            let _ = connection.await;
        });
        Ok(Single { send, _driven: Arc::new(AbortOnDropHandle::new(driven)) })
    }

    /// Waits until the server takes another request. A connection that has ended has looked at none.
    pub async fn leave(&self) -> Result<Leave, Broken> {
        self.send.clone().ready().await.map(Leave).map_err(|_| Broken::Closed { untouched: true })
    }
}

impl Leave {
    /// Hands a request to the connection.
    pub fn begin(mut self, request: &Translated, hold: Hold) -> Result<Going, Broken> {
        let mut body = request.body();
        let ends = body.is_none() && hold == Hold::Nothing;
        let sent = self.0.send_request(request.head(), ends);
        let (response, mut stream) = sent.map_err(|_| Broken::Closed { untouched: true })?;
        let mut rest = None;
        if hold != Hold::Nothing {
            let mut first = body.take().unwrap_or_default();
            let kept = if hold == Hold::Half { first.len().div_ceil(2) } else { first.len().min(1) };
            rest = Some(first.split_off(first.len() - kept));
            body = Some(first).filter(|first| !first.is_empty());
        }
        if let Some(body) = body {
            stream.send_data(body, rest.is_none()).map_err(|error| broken(&error, true))?;
        }
        Ok(Going { response, stream, rest })
    }
}

impl Going {
    /// Hands over what was held back. A server that has answered without it does not want it.
    pub fn finish(&mut self) {
        if let Some(rest) = self.rest.take() {
            let _ = self.stream.send_data(rest, true);
        }
    }

    /// Reads the response into `sink`.
    pub async fn answer(self, clock: Clock, sink: &mut impl Sink) -> Result<Answer, Broken> {
        let Going { response, mut stream, .. } = self;
        let mut unread = |fault, untouched| match fault {
            Fault::Lost(error) if untouched && is_unseen(&error) => Broken::Closed { untouched },
            Fault::Lost(error) => broken(&error, untouched),
            Fault::Malformed(why) => strict::refuse(&mut stream, why),
        };
        let response = strict::head(response, sink).await.map_err(|fault| unread(fault, true))?;
        let first_byte = clock.now();
        let status = response.status().as_u16();
        let bytes = drain(response.into_body(), sink).await.map_err(|fault| unread(fault, false))?;
        drop(stream);
        Ok(Answer { status, first_byte, done: clock.now(), bytes, close: false })
    }
}
