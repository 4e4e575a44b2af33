//! How requests travel.

/// How requests travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1; a user of the closed model sends `pipeline` requests at once.
    Http1 { pipeline: u32 },
    /// HTTP/2; a connection carries this many requests at once.
    Http2 { streams: u32 },
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    One,
    Two,
}

impl Protocol {
    /// Requests that a user sends at once.
    pub fn pipeline(self) -> u32 {
        match self {
            Protocol::Http1 { pipeline } => pipeline,
            Protocol::Http2 { .. } => 1,
        }
    }

    /// Requests that a connection carries at once.
    pub fn streams(self) -> u32 {
        match self {
            Protocol::Http1 { .. } => 1,
            Protocol::Http2 { streams } => streams,
        }
    }
}
