//! The slowest requests of a load, with the trace ids by which the server's own traces can be searched for them.

use std::cmp::Reverse;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exchange::{Exchange, Failure, Outcome};
use crate::traceparent;

/// How many are kept.
const KEPT: usize = 5;
/// Characters of a request's line that are kept.
const LONGEST_LINE: usize = 200;

/// A request that took long, and carried a `traceparent` header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowRequest {
    pub latency: Duration,
    /// When it was due, from the start of the measured part.
    pub at: Duration,
    /// `POST /checkout/`.
    pub line: String,
    /// The status of its response, or why there is none.
    pub outcome: Result<u16, Failure>,
    pub trace_id: String,
}

/// A fold over exchanges: keep, merge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowestRequests {
    /// The slowest first.
    kept: Vec<SlowRequest>,
}

impl SlowestRequests {
    /// Whether a request that took so long is among the slowest so far.
    pub fn wants(&self, latency: Duration) -> bool {
        self.kept.len() < KEPT || self.kept.last().is_some_and(|last| latency >= last.latency)
    }

    /// Keeps a request by the bytes that were sent, if it carried a trace id and is among the slowest so far; `begin` is the
    /// start of the measured part.
    pub fn keep(&mut self, exchange: &Exchange, begin: Duration, bytes: &[u8]) {
        let outcome = match exchange.outcome {
            Outcome::Answered(status) => Ok(status),
            Outcome::Failed(failure) => Err(failure),
            Outcome::Unanswered => return,
        };
        let (Some(at), Some(trace_id)) = (exchange.intended.checked_sub(begin), traceparent::trace_id_in(bytes)) else {
            return;
        };
        let (latency, line) = (exchange.latency(), line_of(bytes));
        self.add([SlowRequest { latency, at, line, outcome, trace_id }]);
    }

    /// The slowest of both: no order of merging makes a difference.
    pub fn merge(&mut self, other: &SlowestRequests) {
        self.add(other.kept.iter().cloned());
    }

    fn add(&mut self, more: impl IntoIterator<Item = SlowRequest>) {
        self.kept.extend(more);
        self.kept.sort_by(|a, b| {
            let key = |one: &SlowRequest| (Reverse(one.latency), one.at);
            key(a).cmp(&key(b)).then_with(|| a.trace_id.cmp(&b.trace_id))
        });
        self.kept.truncate(KEPT);
    }

    /// The slowest first.
    pub fn iter(&self) -> impl Iterator<Item = &SlowRequest> {
        self.kept.iter()
    }
}

/// Method and target of a request.
fn line_of(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    line.strip_suffix(" HTTP/1.1").unwrap_or(&line).chars().take(LONGEST_LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traceparent::{TraceContext, TraceOrigin};

    const BEGIN: Duration = Duration::from_secs(1);

    /// Requests that were due in one second after the other, and took so many milliseconds.
    fn slowest(millis: &[u64]) -> SlowestRequests {
        let mut slowest = SlowestRequests::default();
        for (number, millis) in (0..).zip(millis) {
            let trace = String::from_utf8(TraceContext::of(7, TraceOrigin::Load, *millis).header().to_vec()).unwrap();
            let bytes = format!("GET /{millis} HTTP/1.1\r\nhost: h\r\ntraceparent: {trace}\r\n\r\n");
            let intended = Duration::from_secs(number);
            let done = intended + Duration::from_millis(*millis);
            let outcome = Outcome::Answered(200);
            let exchange = Exchange { intended, sent: Some(intended), first_byte: None, done, outcome };
            if slowest.wants(exchange.latency()) {
                slowest.keep(&exchange, BEGIN, bytes.as_bytes());
            }
        }
        slowest
    }

    fn lines(slowest: &SlowestRequests) -> Vec<&str> {
        slowest.iter().map(|slow| slow.line.as_str()).collect()
    }

    #[test]
    fn the_slowest_are_kept_in_their_order_and_the_warm_up_is_left_out() {
        let slowest = slowest(&[900, 3, 1, 4, 15, 9, 2, 6]);
        assert_eq!(lines(&slowest), ["GET /15", "GET /9", "GET /6", "GET /4", "GET /3"]);
        let first = slowest.iter().next().unwrap();
        assert_eq!((first.at, first.outcome), (Duration::from_secs(3), Ok(200)));
        assert_eq!(first.trace_id, TraceContext::of(7, TraceOrigin::Load, 15).trace_id());
        assert!(!slowest.wants(Duration::from_millis(2)) && slowest.wants(Duration::from_millis(3)));
    }

    #[test]
    fn those_of_threads_are_merged_in_any_order() {
        let parts = [slowest(&[0, 1, 2, 3]), slowest(&[0, 20, 21, 22, 23, 24]), slowest(&[0, 22, 5])];
        let merged = |order: [usize; 3]| {
            let mut all = SlowestRequests::default();
            order.iter().for_each(|index| all.merge(&parts[*index]));
            all
        };
        let all = merged([0, 1, 2]);
        assert_eq!(lines(&all), ["GET /24", "GET /23", "GET /22", "GET /22", "GET /21"]);
        assert_eq!([merged([2, 1, 0]), merged([1, 2, 0])], [all.clone(), all]);
    }

    #[test]
    fn what_carried_no_trace_is_not_kept() {
        let mut slowest = SlowestRequests::default();
        let exchange =
            Exchange { intended: BEGIN, sent: None, first_byte: None, done: BEGIN, outcome: Outcome::Answered(200) };
        slowest.keep(&exchange, BEGIN, b"GET / HTTP/1.1\r\nhost: h\r\n\r\n");
        assert_eq!(slowest.iter().count(), 0);
    }
}
