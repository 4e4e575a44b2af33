//! The beginning of a user's first response of 4xx, and of its first of 5xx: all else is discarded.

use crate::load::error_samples::class;
use crate::net::body_excerpt;
use crate::net::sink::ResponseSink;

/// Discards responses, but for the beginning of an error's body if it is the first of its class.
#[derive(Debug, Default)]
pub(in crate::load) struct FirstErrors {
    taking: bool,
    had: [bool; 2],
    body: Vec<u8>,
}

impl FirstErrors {
    /// What was kept of the last response, if it was an error and the first of its class.
    pub fn take(&mut self) -> Option<&[u8]> {
        std::mem::take(&mut self.taking).then_some(&self.body)
    }

    #[cold]
    fn begin(&mut self, status: u16) -> bool {
        self.body.clear();
        class(status).is_some_and(|class| !std::mem::replace(&mut self.had[class], true))
    }

    #[cold]
    fn keep(&mut self, bytes: &[u8]) {
        let room = body_excerpt::LONGEST.saturating_sub(self.body.len());
        self.body.extend_from_slice(&bytes[..room.min(bytes.len())]);
    }
}

impl ResponseSink for FirstErrors {
    fn looks(&self) -> bool {
        false
    }

    #[inline]
    fn status(&mut self, status: u16) {
        self.taking = status >= 400 && self.begin(status);
    }

    fn head(&mut self, _bytes: &[u8]) {}

    #[inline]
    fn body(&mut self, bytes: &[u8]) {
        if self.taking {
            self.keep(bytes);
        }
    }

    fn trailer(&mut self, _bytes: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_class_of_errors_the_first_is_kept_and_no_more_than_its_beginning() {
        let mut sink = FirstErrors::default();
        let mut came = |status: u16, body: &str| {
            sink.status(status);
            body.as_bytes().chunks(150).for_each(|part| sink.body(part));
            sink.take().map(|body| String::from_utf8_lossy(body).into_owned())
        };
        assert_eq!(came(200, "fine"), None);
        assert_eq!(came(404, "first").as_deref(), Some("first"));
        assert_eq!(came(429, "second"), None);
        assert_eq!(came(503, &"x".repeat(1000)).map(|body| body.len()), Some(body_excerpt::LONGEST));
        assert_eq!(came(500, "later"), None);
    }
}
