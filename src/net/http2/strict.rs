//! What HTTP/2 does not allow in a response, where `h2` lets it through.

use std::future::poll_fn;
use std::task::{Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response, StatusCode};

use super::super::response::ExchangeError;
use super::super::sink::ResponseSink;
use crate::exchange::Failure;

/// Why a response could not be read to its end.
#[derive(Debug)]
pub(super) enum StreamError {
    Failed(h2::Error),
    Malformed(&'static str),
}

impl From<h2::Error> for StreamError {
    fn from(error: h2::Error) -> Self {
        StreamError::Failed(error)
    }
}

/// Waits for the head of a response. It goes to the sink, and so do those of 1xx before it.
pub(super) async fn head(
    mut response: ResponseFuture,
    sink: &mut impl ResponseSink,
) -> Result<Response<RecvStream>, StreamError> {
    poll_fn(|context| {
        while let Some(interim) = ready!(response.poll_informational(context)) {
            let interim = interim?;
            if interim.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Poll::Ready(Err(StreamError::Malformed(
                    "a switch of protocols (101), which HTTP/2 does not have",
                )));
            }
            show(&interim, sink)?;
        }
        Poll::Ready(Ok(()))
    })
    .await?;
    let response = response.await?;
    show(&response, sink)?;
    Ok(response)
}

/// Gives the sink a head as the text that HTTP/1.1 would have it in.
fn show<B>(response: &Response<B>, sink: &mut impl ResponseSink) -> Result<(), StreamError> {
    look_over(response.headers())?;
    if sink.looks() {
        let mut head = format!("HTTP/2 {}\r\n", response.status().as_u16()).into_bytes();
        each_line(response.headers(), |line| head.extend_from_slice(line));
        head.extend_from_slice(b"\r\n");
        sink.head(&head);
    }
    Ok(())
}

/// No value begins or ends with white space (RFC 9113, section 8.2.1).
pub(super) fn look_over(headers: &HeaderMap) -> Result<(), StreamError> {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let mut values = headers.values().map(http::HeaderValue::as_bytes);
    match values.any(|value| is_blank(value.first()) || is_blank(value.last())) {
        true => Err(StreamError::Malformed("a header's value with white space around it, which HTTP/2 does not allow")),
        false => Ok(()),
    }
}

/// Each header as a line of HTTP/1.1.
pub(super) fn each_line(headers: &HeaderMap, mut take: impl FnMut(&[u8])) {
    for (name, value) in headers {
        take(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
}

/// Breaks the stream of a malformed response off (RFC 9113, section 8.1.1).
pub(super) fn refuse(stream: &mut SendStream<Bytes>, why: &'static str) -> ExchangeError {
    stream.send_reset(Reason::PROTOCOL_ERROR);
    ExchangeError::Told(Failure::Protocol, format!("the response is malformed: it has {why}"))
}
