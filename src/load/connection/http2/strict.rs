//! What HTTP/2 does not allow in a response, where `h2` lets it through.
//!
//! It lets pass, and shows to nobody, pseudo-headers among trailers: these go unseen.

use std::future::poll_fn;
use std::task::{Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response, StatusCode};

use super::super::answer::Broken;
use super::super::reply::Sink;
use super::each_line;
use crate::exchange::Failure;

/// Why a response could not be read to its end.
#[derive(Debug)]
pub(super) enum Fault {
    Lost(h2::Error),
    Malformed(&'static str),
}

impl From<h2::Error> for Fault {
    fn from(error: h2::Error) -> Self {
        Fault::Lost(error)
    }
}

/// Waits for the head of a response. It goes to the sink, and so do those of 1xx before it.
pub(super) async fn head(mut response: ResponseFuture, sink: &mut impl Sink) -> Result<Response<RecvStream>, Fault> {
    poll_fn(|context| {
        while let Some(interim) = ready!(response.poll_informational(context)) {
            let interim = interim?;
            if interim.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Poll::Ready(Err(Fault::Malformed("a switch of protocols (101), which HTTP/2 does not have")));
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
fn show<B>(response: &Response<B>, sink: &mut impl Sink) -> Result<(), Fault> {
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
pub(super) fn look_over(headers: &HeaderMap) -> Result<(), Fault> {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let mut values = headers.values().map(http::HeaderValue::as_bytes);
    match values.any(|value| is_blank(value.first()) || is_blank(value.last())) {
        true => Err(Fault::Malformed("a header's value with white space around it, which HTTP/2 does not allow")),
        false => Ok(()),
    }
}

/// Breaks the stream of a malformed response off (RFC 9113, section 8.1.1).
pub(super) fn refuse(stream: &mut SendStream<Bytes>, why: &'static str) -> Broken {
    stream.send_reset(Reason::PROTOCOL_ERROR);
    Broken::Told(Failure::Protocol, format!("the response is malformed: it has {why}"))
}
