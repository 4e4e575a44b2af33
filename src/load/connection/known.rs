//! The head of a response, read once: a server that is asked the same answers with the same head for a second at a time,
//! until its `date` moves on. Comparing it with the last one takes a twentieth of parsing it.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::sync::LazyLock;

use super::framing::{Body, Framing};
use super::reply::Malformed;
use crate::exchange::HIGHEST_STATUS;

/// A response with more headers than this is malformed.
const MOST_HEADERS: usize = 128;
static TOO_MANY_HEADERS: LazyLock<String> =
    LazyLock::new(|| format!("the response has more than {MOST_HEADERS} headers"));

/// A longer head is parsed each time, in bytes.
const LONGEST: usize = 2048;

/// What a head says, as far as loads need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// With the empty line, in bytes.
    pub length: usize,
    pub status: u16,
    pub framing: Framing,
}

#[derive(Debug)]
struct Known {
    bytes: Vec<u8>,
    head: Head,
}

thread_local! {
    /// The last head that came on this thread, whatever connection it came on.
    static LAST: RefCell<Option<Known>> = const { RefCell::new(None) };
}

/// The head at the start of `bytes` as `parse` reads it, which is not asked if it is the one that came before: the same
/// bytes mean the same.
pub(super) fn head(
    bytes: &[u8],
    parse: impl FnOnce(&[u8]) -> Result<Option<Head>, Malformed>,
) -> Result<Option<Head>, Malformed> {
    LAST.with_borrow_mut(|last| {
        if let Some(known) = last
            && bytes.starts_with(&known.bytes)
        {
            return Ok(Some(known.head));
        }
        let parsed = parse(bytes)?;
        if let Some(head) = parsed.filter(|head| head.length <= LONGEST) {
            let known = last.get_or_insert_with(|| Known { bytes: Vec::new(), head });
            known.bytes.clear();
            known.bytes.extend_from_slice(&bytes[..head.length]);
            known.head = head;
        }
        Ok(parsed)
    })
}

/// The head at the start of `bytes`, or `None` if it has not come to its end yet.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
    let mut headers = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .allow_obsolete_multiline_headers_in_responses(true)
        .parse_response_with_uninit_headers(&mut response, bytes, &mut headers)
        .map_err(not_read)?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let status = response.code.unwrap_or(0);
    let framing = match status {
        101 => return Err(Malformed("the server switched protocols unasked")),
        // None of them has a body, whatever its headers say.
        100..=199 => Framing { body: Body::Length(0), close: false },
        200..=HIGHEST_STATUS => Framing::of(&response)?,
        _ => return Err(Malformed("the status is outside 100 to 599")),
    };
    Ok(Some(Head { length, status, framing }))
}

#[cold]
fn not_read(error: httparse::Error) -> Malformed {
    match error {
        httparse::Error::TooManyHeaders => Malformed(&TOO_MANY_HEADERS),
        _ => Malformed("the response is not HTTP/1.1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(length: usize) -> Head {
        Head { length, status: 200, framing: Framing { body: Body::Length(0), close: false } }
    }

    #[test]
    fn the_same_head_is_parsed_once_and_another_again() {
        assert_eq!(head(b"first\n\nbody", |_| Ok(Some(ok(7)))), Ok(Some(ok(7))));
        assert_eq!(head(b"first\n\nother", |_| panic!("it is known")), Ok(Some(ok(7))));
        let mut asked = 0;
        let mut count = |_: &[u8]| {
            asked += 1;
            Ok(None)
        };
        assert_eq!((head(b"first\n", &mut count), head(b"fourth\n\n", &mut count)), (Ok(None), Ok(None)));
        assert_eq!(asked, 2, "a part of it, and another, are not it");
    }

    #[test]
    fn more_headers_than_are_read_are_called_that() {
        let text = |headers| format!("HTTP/1.1 204 No Content\r\n{}\r\n", "a: b\r\n".repeat(headers));
        assert!(parse(text(MOST_HEADERS).as_bytes()).unwrap().is_some());
        let why = parse(text(MOST_HEADERS + 1).as_bytes()).unwrap_err();
        assert_eq!(why, Malformed("the response has more than 128 headers"));
        assert_eq!(parse(b"what?\r\n\r\n"), Err(Malformed("the response is not HTTP/1.1")));
    }
}
