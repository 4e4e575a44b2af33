//! Feeds the parser of HTTP/1.1 responses any bytes, whole and in pieces: it never panics, and pieces change nothing.
//!
//! The parser's files are taken as they stand, so that not all of runner is built for it. The first byte of the input says
//! whether a HEAD is answered, the second how the rest is cut.

#![no_main]

#[path = "../../src/net/decoding.rs"]
#[allow(dead_code, reason = "what is parsed is not decoded here")]
mod decoding;
#[path = "../../src/net/framing.rs"]
mod framing;
#[path = "../../src/net/header_cache.rs"]
mod header_cache;
#[path = "../../src/net/response_parser.rs"]
#[allow(dead_code, reason = "only a part of the parser's uses is here")]
mod response_parser;
#[path = "../../src/net/sink.rs"]
#[allow(dead_code, reason = "only a part of the sinks is used here")]
mod sink;

use framing::Malformed;
use libfuzzer_sys::fuzz_target;
use response_parser::ResponseParser;
use sink::BufferedResponse;

/// Status, interim responses, whether the connection closes, head, body, and how much was left.
type Came = (u16, u32, bool, Vec<u8>, Vec<u8>, usize);

/// Feeds `bytes` in pieces whose lengths `next` gives, then closes.
fn feed(bytes: &[u8], head_only: bool, mut next: impl FnMut() -> usize) -> Result<Came, Malformed> {
    let mut parser = ResponseParser::new(head_only);
    let mut kept = BufferedResponse::default();
    let (mut start, mut end) = (0, 0);
    while end < bytes.len() {
        end = bytes.len().min(end + next().max(1));
        start += parser.advance(&bytes[start..end], &mut kept)?;
    }
    if !parser.is_done() {
        parser.closed()?;
    }
    Ok((parser.status, parser.interim, parser.close, kept.head, kept.body, bytes.len() - start))
}

fuzz_target!(|input: &[u8]| {
    let [head_only, cuts, bytes @ ..] = input else { return };
    let head_only = head_only % 2 == 1;
    let whole = feed(bytes, head_only, || usize::MAX >> 1);
    let mut state = u32::from(*cuts);
    let cut = feed(bytes, head_only, || {
        // A linear congruential generator: short pieces and long ones.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        1 + (state >> 16) as usize % if cuts % 2 == 0 { 5 } else { 64 }
    });
    let each = feed(bytes, head_only, || 1);
    match (whole, cut, each) {
        (Ok(whole), Ok(cut), Ok(each)) => assert!(whole == cut && whole == each, "pieces change what comes of it"),
        (Err(_), Err(_), Err(_)) => {}
        (whole, cut, each) => panic!("{} {} {}", whole.is_ok(), cut.is_ok(), each.is_ok()),
    }
});
