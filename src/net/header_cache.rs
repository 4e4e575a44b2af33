//! The head of a response, read once: a server that is asked the same answers with the same head for a second at a time,
//! until its `date` moves on. Comparing it with the last one takes a twentieth of parsing it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::sync::LazyLock;

use super::framing::{BodyFraming, Framing, Malformed};

/// A longer head is malformed, in bytes: browsers take 256 KiB, curl 300 kB.
pub(super) const LONGEST_HEAD: usize = 300 * 1024;
static TOO_LONG: LazyLock<String> =
    LazyLock::new(|| format!("the response's head is longer than {} KiB", LONGEST_HEAD >> 10));

/// So many headers are parsed at once; a head with more is parsed again, with room for all.
const USUAL_HEADERS: usize = 128;

/// A longer head is parsed each time, in bytes.
const LONGEST: usize = 2048;

/// What a head says, as far as loads need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ResponseHead {
    /// With the empty line, in bytes.
    pub length: usize,
    pub status: u16,
    pub framing: Framing,
}

#[derive(Debug)]
struct CachedHead {
    bytes: Vec<u8>,
    head: ResponseHead,
}

thread_local! {
    /// The last head that came on this thread, whatever connection it came on.
    static LAST: RefCell<Option<CachedHead>> = const { RefCell::new(None) };
}

/// The head at the start of `bytes` as `parse` reads it, which is not asked if it is the one that came before: the same
/// bytes mean the same.
pub(super) fn head(
    bytes: &[u8],
    parse: impl FnOnce(&[u8]) -> Result<Option<ResponseHead>, Malformed>,
) -> Result<Option<ResponseHead>, Malformed> {
    LAST.with_borrow_mut(|last| {
        if let Some(known) = last
            && bytes.starts_with(&known.bytes)
        {
            return Ok(Some(known.head));
        }
        let parsed = parse(bytes)?;
        if let Some(head) = parsed.filter(|head| head.length <= LONGEST) {
            let known = last.get_or_insert_with(|| CachedHead { bytes: Vec::new(), head });
            known.bytes.clear();
            known.bytes.extend_from_slice(&bytes[..head.length]);
            known.head = head;
        }
        Ok(parsed)
    })
}

/// The head at the start of `bytes`, or `None` if it has not come to its end yet. What is beyond the longest head is not
/// looked at, so that what comes of a head does not depend on how much has come with it.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<ResponseHead>, Malformed> {
    let bytes = &bytes[..bytes.len().min(LONGEST_HEAD)];
    let mut room = [const { MaybeUninit::uninit() }; USUAL_HEADERS];
    match read(bytes, &mut room).or_else(|why| read_unusual(bytes, why))? {
        None if bytes.len() == LONGEST_HEAD => Err(Malformed(&TOO_LONG)),
        head => Ok(head),
    }
}

/// Whether an empty line, as it ends a head, follows the first `seen` bytes, or begins in the last of them.
pub(super) fn ends_beyond(seen: usize, bytes: &[u8]) -> bool {
    let new = &bytes[seen.saturating_sub(3)..];
    memchr::memchr_iter(b'\n', new).any(|at| matches!(&new[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]))
}

/// Why a head was not read.
enum Unread {
    Parser(httparse::Error),
    Malformed(Malformed),
}

fn read<'a>(bytes: &'a [u8], room: &mut [MaybeUninit<httparse::Header<'a>>]) -> Result<Option<ResponseHead>, Unread> {
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .allow_obsolete_multiline_headers_in_responses(true)
        .parse_response_with_uninit_headers(&mut response, bytes, room)
        .map_err(Unread::Parser)?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let status = response.code.unwrap_or(0);
    let framing = match status {
        0..=99 => Err(Malformed("the status is below 100")),
        101 => Err(Malformed("the server switched protocols unasked")),
        // None of them has a body, whatever its headers say.
        100..=199 => Ok(Framing { body: BodyFraming::Length(0), close: false }),
        200.. => Framing::of(&response),
    };
    Ok(Some(ResponseHead { length, status, framing: framing.map_err(Unread::Malformed)? }))
}

/// A head that was not read at first: it may have more headers than most, or name a later version of HTTP/1, which is to
/// be read as the one that is known (RFC 9110, section 2.5).
#[cold]
fn read_unusual(bytes: &[u8], why: Unread) -> Result<Option<ResponseHead>, Malformed> {
    let bytes = match why {
        Unread::Malformed(why) => return Err(why),
        Unread::Parser(httparse::Error::TooManyHeaders) => Cow::from(bytes),
        Unread::Parser(httparse::Error::Version) => as_1_1(bytes),
        Unread::Parser(_) => return Err(NOT_HTTP),
    };
    // A header takes a line.
    let lines = memchr::memchr_iter(b'\n', &bytes).count();
    read(&bytes, &mut vec![MaybeUninit::uninit(); lines + 1]).map_err(|why| match why {
        Unread::Malformed(why) => why,
        Unread::Parser(_) => NOT_HTTP,
    })
}

const NOT_HTTP: Malformed = Malformed("the response is not HTTP/1.1");

/// The same head in HTTP/1.1, if it is one of HTTP/1.2 to HTTP/1.9.
fn as_1_1(bytes: &[u8]) -> Cow<'_, [u8]> {
    const NAME: &[u8] = b"HTTP/1.";
    // Empty lines before a response are skipped.
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let minor = start + NAME.len();
    let mut bytes = Cow::from(bytes);
    if bytes[start..].starts_with(NAME) && matches!(bytes.get(minor), Some(b'2'..=b'9')) {
        bytes.to_mut()[minor] = b'1';
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(length: usize) -> ResponseHead {
        ResponseHead { length, status: 200, framing: Framing { body: BodyFraming::Length(0), close: false } }
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

    // fault: http: thousands of headers -> read; a head of more than 300 KiB is refused
    #[test]
    fn a_head_has_as_many_headers_as_its_length_allows() {
        let text = |headers| format!("HTTP/1.1 204 No Content\r\n{}\r\n", "a: b\r\n".repeat(headers));
        for headers in [USUAL_HEADERS, USUAL_HEADERS + 1, 5000] {
            let text = text(headers);
            assert_eq!(parse(text.as_bytes()).unwrap().unwrap().length, text.len());
            assert_eq!(parse(&text.as_bytes()[..text.len() - 1]), Ok(None));
        }
        assert_eq!(parse(text(100_000).as_bytes()), Err(Malformed("the response's head is longer than 300 KiB")));
        assert_eq!(parse(b"what?\r\n\r\n"), Err(NOT_HTTP));
        let spoiled = [&text(200).as_bytes()[..1000], b"a\0b: c\r\n\r\n"].concat();
        assert_eq!(parse(&spoiled), Err(NOT_HTTP));
    }

    // fault: http: HTTP/1.2 -> read as HTTP/1.1
    #[test]
    fn a_later_minor_version_is_read_as_1_1_and_a_later_major_one_is_not() {
        let status = |text: &str| parse(text.as_bytes()).map(|head| head.map(|head| (head.status, head.framing.close)));
        for minor in 1..=9 {
            let text = format!("HTTP/1.{minor} 200 OK\r\ncontent-length: 0\r\n\r\n");
            assert_eq!(status(&text), Ok(Some((200, false))), "{text}");
            (0..text.len()).for_each(|cut| assert_eq!(status(&text[..cut]), Ok(None), "{cut}"));
        }
        let many = format!("\r\n\nHTTP/1.2 200 OK\r\n{}content-length: 0\r\n\r\n", "a: b\r\n".repeat(200));
        assert_eq!(status(&many), Ok(Some((200, false))));
        for other in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.12", "HTTP/1.x", "HTTP/3.1", "http/1.2"] {
            assert_eq!(status(&format!("{other} 200 OK\r\n\r\n")), Err(NOT_HTTP), "{other}");
        }
    }

    #[test]
    fn every_status_of_three_digits_from_100_on_is_one() {
        for status in (100..=999).filter(|status| *status != 101) {
            let head = parse(format!("HTTP/1.1 {status} X\r\n\r\n").as_bytes()).unwrap().unwrap();
            assert_eq!(head.status, status);
        }
        for none in ["099", "000", "101", "20", "2000", "2x0", ""] {
            assert!(parse(format!("HTTP/1.1 {none} X\r\n\r\n").as_bytes()).is_err(), "{none}");
        }
    }

    #[test]
    fn the_end_of_a_head_is_found_wherever_it_is_cut() {
        for end in ["\r\n\r\n", "\n\n", "\n\r\n"] {
            let text = format!("HTTP/1.1 200 OK\r\na: b{end}");
            for seen in 0..text.len() {
                assert!(ends_beyond(seen, text.as_bytes()), "{seen} {text:?}");
                assert!(!ends_beyond(seen, &text.as_bytes()[..text.len() - 1]) || end == "\n\n", "{seen} {text:?}");
            }
        }
    }
}
