//! Requests whose body waits for the server's leave: `expect: 100-continue` (RFC 9110, section 10.1.1).

use std::future::poll_fn;
use std::time::Duration;

use super::super::header_cache::{self, LONGEST_HEAD, ResponseHead};
use super::super::response::{ExchangeError, ResponseInfo};
use super::super::sink::ResponseSink;
use super::Connection;
use crate::net::clock::Clock;

/// A server that has heard of `expect` says 100 at once; one that has not waits for the body. As curl has it.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

impl Connection {
    /// As [`Connection::exchange`], of a request whose body waits until the server says 100, or has said nothing for a
    /// second. A final response that comes before is what it gets.
    pub async fn exchange_with_leave(
        &mut self,
        request: &[u8],
        head_only: bool,
        clock: Clock,
        sink: &mut impl ResponseSink,
    ) -> Result<ResponseInfo, ExchangeError> {
        let head = memchr::memmem::find(request, b"\r\n\r\n").map_or(request.len(), |at| at + 4);
        let (head, body) = request.split_at(head);
        let cut_off = self.send(head, clock).await.is_err();
        let given = tokio::time::timeout(LEAVE_WITHIN, self.leave(clock)).await.unwrap_or(true);
        let mut answer = if given {
            self.exchange(body, head_only, clock, sink).await?
        } else {
            self.answer(head_only, clock, sink).await?
        };
        // A server that did not get the body would take the next request for it.
        answer.close |= !given || cut_off;
        Ok(answer)
    }

    /// Whether a 100 comes, and not a final response, or the end; what comes stays to be received.
    async fn leave(&mut self, clock: Clock) -> bool {
        loop {
            let mut rest = self.ahead.rest();
            loop {
                match header_cache::parse(rest) {
                    Ok(Some(ResponseHead { status: 100, .. })) => return true,
                    Ok(Some(ResponseHead { status: 101..=199, length, .. })) => rest = &rest[length..],
                    Ok(Some(_)) | Err(_) => return false,
                    Ok(None) => break,
                }
            }
            let read = poll_fn(|context| self.poll_ahead(clock, context)).await;
            if read.is_err() || self.ahead.len() > LONGEST_HEAD {
                return false;
            }
        }
    }
}
