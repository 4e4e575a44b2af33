//! How requests travel.

use super::super::Protocol;
use super::super::file::{self, Http};
use super::super::problem::Problem;
use super::{Loading, value};

const MOST_STREAMS: i64 = 10_000;
const MOST_PIPELINED: i64 = 1000;

impl Loading<'_> {
    pub(super) fn protocol(&mut self, written: &file::RawLoad) -> Protocol {
        let streams = self.whole("streams", &written.streams, 1, MOST_STREAMS);
        let pipeline = self.whole("pipeline", &written.pipeline, 1, MOST_PIPELINED);
        let http = value(&written.http).unwrap_or(Http::One);
        let useless = match http {
            Http::One => ("streams", &written.streams, "needs http = \"2\"; with HTTP/1.1 there is `pipeline`"),
            Http::Two => ("pipeline", &written.pipeline, "is for HTTP/1.1; with http = \"2\" there is `streams`"),
        };
        // Where the versions are compared, each has what belongs to it.
        let compared = self.varied.iter().any(|key| key == "load.http");
        if let (key, Some(given), help) = useless
            && !compared
            && !self.spoilt.covers(&["load", "http"])
        {
            let version = if http == Http::One { "HTTP/1.1" } else { "HTTP/2" };
            let problem = Problem::new(format!("`{key}` with {version}")).at(&given.span, "has no effect here");
            self.problems.add(problem.help(format!("`{key}` {help}")));
        }
        match http {
            Http::One => Protocol::Http1 { pipeline: pipeline.unwrap_or(1) },
            Http::Two => Protocol::Http2 { streams: streams.unwrap_or(1) },
        }
    }
}
