//! One request and what came of it: a flat record in which failure is a field.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A whole response arrived, with this status.
    Answered(u16),
    /// No whole response came, and none will.
    Failed(Failure),
    /// Still waiting when the load ended.
    Unanswered,
}

/// Why no whole response came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The connection could not be made (refused, unreachable, out of ports or descriptors).
    Connect,
    /// A connection was made, but its TLS handshake failed.
    Tls,
    /// Not answered within the scenario's `timeout`, counted from the intended time.
    Timeout,
    /// The peer closed or reset the connection before the response was whole.
    Closed,
    /// The peer sent something that is not HTTP.
    Protocol,
    /// Nothing was sent: the scenario's own script failed to say what, or said what HTTP/2 does not have.
    Script,
}

impl Failure {
    /// Every kind, in the order in which reports list them.
    pub const ALL: [Failure; 6] =
        [Failure::Connect, Failure::Tls, Failure::Timeout, Failure::Closed, Failure::Protocol, Failure::Script];

    /// The name in records and rules (`errors.timeout`).
    pub const fn name(self) -> &'static str {
        match self {
            Failure::Connect => "connect",
            Failure::Tls => "tls",
            Failure::Timeout => "timeout",
            Failure::Closed => "closed",
            Failure::Protocol => "protocol",
            Failure::Script => "script",
        }
    }
}

/// The highest status of a response. Those beyond 599 are none of HTTP's, and count as errors of a server (RFC 9110,
/// section 15).
pub const HIGHEST_STATUS: u16 = 999;

/// One request and what came of it. All times count from one origin that the whole run shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// When the request was due: in a closed model when its user became free, in an open one when it was to arrive.
    pub intended: Duration,
    /// When its first byte was handed to the kernel; `None` if no connection could be made.
    pub sent: Option<Duration>,
    /// When the first byte of the response was read.
    pub first_byte: Option<Duration>,
    /// When the outcome was known: last byte read, failure seen, or the end of the load.
    pub done: Duration,
    pub outcome: Outcome,
}

impl Exchange {
    /// What the client waited, from the intended time: immune to coordinated omission.
    pub fn latency(&self) -> Duration {
        self.done.saturating_sub(self.intended)
    }

    /// What the server and the network took, from the send; zero if nothing was sent.
    pub fn service_time(&self) -> Duration {
        self.sent.map_or(Duration::ZERO, |sent| self.done.saturating_sub(sent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_counts_from_the_intended_time_and_service_time_from_the_send() {
        let ms = Duration::from_millis;
        let exchange = Exchange {
            intended: ms(10),
            sent: Some(ms(40)),
            first_byte: Some(ms(90)),
            done: ms(100),
            outcome: Outcome::Answered(200),
        };
        assert_eq!(exchange.latency(), ms(90));
        assert_eq!(exchange.service_time(), ms(60));
    }
}
