//! Connections to the server under test.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod cuts;
pub mod answer;
pub mod decoding;
pub mod dialer;
mod framing;
pub mod http1;
pub mod http2;
mod known;
pub mod reply;
pub mod stream;
mod tcp;
pub mod translated;
