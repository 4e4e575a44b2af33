//! Responses that do not end: what comes of one in a bounded time is its response.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::net::clock::Clock;
use crate::net::response::ResponseInfo;
use crate::net::sink::ResponseSink;

/// For how long a stream is read, where the scenario does not say so.
const READ_FOR: Duration = Duration::from_millis(500);
/// The content types of what goes on until somebody leaves.
const ENDLESS: [&str; 2] = ["text/event-stream", "multipart/x-mixed-replace"];

/// How streams are read.
#[derive(Debug, Clone, Copy)]
pub(in crate::dirty) struct Streams {
    pub clock: Clock,
    /// For how long a response without a known length is read, once it has begun; if the scenario says so.
    pub given: Option<Duration>,
}

/// A response of a length that is not known, which has begun.
#[derive(Debug, Clone, Copy)]
pub(in crate::dirty) struct Begun {
    status: u16,
    at: Duration,
    /// For how long it is read; as long as any other if there is nothing.
    read_for: Option<Duration>,
}

/// Passes a response on, and notes whether it need not end.
pub(in crate::dirty) struct Watched<'a, S> {
    pub sink: &'a mut S,
    pub begun: &'a Cell<Option<Begun>>,
    pub streams: Streams,
}

impl<S: ResponseSink> ResponseSink for Watched<'_, S> {
    fn looks(&self) -> bool {
        self.sink.looks()
    }

    fn head(&mut self, bytes: &[u8]) {
        self.sink.head(bytes);
        self.begun.set(self.streams.begun(bytes));
    }

    fn body(&mut self, bytes: &[u8]) {
        self.sink.body(bytes);
    }

    fn trailer(&mut self, bytes: &[u8]) {
        self.sink.trailer(bytes);
    }
}

impl Streams {
    /// What a head says of a response of unknown length; `None` for any other.
    fn begun(&self, head: &[u8]) -> Option<Begun> {
        let head = String::from_utf8_lossy(head);
        let status: u16 = head.split_whitespace().nth(1)?.parse().ok()?;
        let value = |name: &str| {
            let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            headers.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).last()
        };
        if status < 200 || value("content-length").is_some() {
            return None;
        }
        let kind = value("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let endless = ENDLESS.iter().any(|known| kind.eq_ignore_ascii_case(known));
        Some(Begun { status, at: self.clock.now(), read_for: self.given.or(endless.then_some(READ_FOR)) })
    }

    /// Waits until a response that has `begun` has been read for as long as it is to be, or until `last`. Never ends for one
    /// of a known length.
    pub async fn up(self, begun: &Cell<Option<Begun>>, last: Option<Instant>) -> ResponseInfo {
        let mut sleep: Option<Pin<Box<Sleep>>> = None;
        let up = poll_fn(|context| {
            let Some(begun) = begun.get() else { return Poll::Pending };
            let own = begun.read_for.map(|read_for| Instant::now() + read_for);
            let Some(until) = own.into_iter().chain(last).min() else { return Poll::Pending };
            sleep.get_or_insert_with(|| Box::pin(sleep_until(until))).as_mut().poll(context).map(|()| begun)
        });
        let Begun { status, at, .. } = up.await;
        ResponseInfo { status, first_byte: at, done: self.clock.now(), bytes: 0, close: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_need_not_end_is_told_by_its_head() {
        let read_for = |given: Option<u64>, head: &str| {
            let streams = Streams { clock: Clock::start(), given: given.map(Duration::from_millis) };
            streams.begun(head.as_bytes()).map(|begun| begun.read_for)
        };
        let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n";
        assert_eq!(read_for(None, events), Some(Some(READ_FOR)));
        assert_eq!(read_for(Some(50), events), Some(Some(Duration::from_millis(50))));
        let chunked = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!((read_for(None, chunked), read_for(Some(50), chunked).flatten().is_some()), (Some(None), true));
        assert_eq!(read_for(None, "HTTP/2 500\r\ncontent-type: Text/Event-Stream\r\n\r\n"), Some(Some(READ_FOR)));
        let whole = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nContent-Length: 5\r\n\r\n";
        assert_eq!((read_for(Some(50), whole), read_for(None, "HTTP/1.1 100 Continue\r\n\r\n")), (None, None));
    }
}
