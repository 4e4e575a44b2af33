//! HTTP as a client speaks it: dialling, TLS, HTTP/1.1, HTTP/2, decoding, and the clock that times it.
//!
//! The load, the dirty check, the ready check, `fetch` and the relay all go through here.

pub mod body_excerpt;
pub mod clock;
pub mod decoding;
pub mod dialer;
pub mod endpoint;
mod framing;
mod header_cache;
pub mod http1;
pub mod http2;
pub mod local_ports;
pub mod request;
pub mod response;
pub mod response_parser;
pub mod single_request;
pub mod sink;
mod socket;
pub mod stream;
pub mod target;
mod tcp;
pub mod tcp_table;
pub mod tls;
