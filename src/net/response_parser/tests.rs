mod conformance;
mod split_input;

use proptest::prelude::*;

use super::*;
use crate::net::sink::{BufferedResponse, Discard};

/// Feeds `bytes` in pieces cut at `cuts`, as a socket would, then closes. Returns status, body and what was left.
fn feed(bytes: &[u8], cuts: &[usize], head_only: bool) -> Result<(u16, Vec<u8>, usize), Malformed> {
    let mut reply = ResponseParser::new(head_only);
    let mut kept = BufferedResponse::default();
    let (mut start, mut end) = (0, 0);
    for cut in cuts.iter().copied().chain([bytes.len()]) {
        end = cut.clamp(end, bytes.len());
        start += reply.advance(&bytes[start..end], &mut kept)?;
    }
    if !reply.is_done() {
        reply.end_early(&bytes[start..])?;
        reply.closed()?;
    }
    Ok((reply.status, kept.body, bytes.len() - start))
}

const CASES: &[(&str, &str)] = &[
    ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\ntrailer: t\r\n\r\n",
        "hello",
    ),
    ("HTTP/1.0 200 OK\r\n\r\nhello", "hello"),
    ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n", ""),
    ("HTTP/1.1 200 OK\r\nx-a: b\r\n c\r\ncontent-length: 5, 5\r\n\r\nhello", "hello"),
    ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0005\r\nhello\r\n0\r\n\r\n", "hello"),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
    ("HTTP/1.1 204 No Content\r\ncontent-length: 7\r\n\r\n", ""),
    ("HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n", ""),
];

#[test]
fn bodies_come_out_whole() {
    for (text, body) in CASES {
        let (_, kept, left) = feed(text.as_bytes(), &[], false).unwrap();
        assert_eq!((kept.as_slice(), left), (body.as_bytes(), 0), "{text}");
    }
}

#[test]
fn a_reply_to_head_has_no_body() {
    let (status, body, left) = feed(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", &[], true).unwrap();
    assert_eq!((status, body.len(), left), (200, 0, 0));
}

#[test]
fn what_follows_a_reply_is_left_alone() {
    let (_, body, left) = feed(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1", &[], false).unwrap();
    assert_eq!((body.as_slice(), left), (b"ok".as_slice(), 8));
}

#[test]
fn trailers_are_kept_with_the_headers() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut kept = BufferedResponse::default();
    let text = format!("{head}2\r\nok\r\n0\r\nx-user: eve\r\nx-b: c\r\n\r\n");
    ResponseParser::new(false).advance(text.as_bytes(), &mut kept).unwrap();
    assert_eq!(String::from_utf8(kept.head).unwrap(), format!("{head}x-user: eve\r\nx-b: c\r\n"));
    assert_eq!((kept.body.as_slice(), kept.cut), (b"ok".as_slice(), false));
}

#[test]
fn a_huge_response_is_read_to_its_end_but_not_kept_whole() {
    let mut kept = BufferedResponse::default();
    let mut reply = ResponseParser::new(false);
    reply.advance(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 6 << 20).as_bytes(), &mut kept).unwrap();
    for _ in 0..6 {
        assert!(!reply.is_done());
        reply.advance(&vec![b'x'; 1 << 20], &mut kept).unwrap();
    }
    assert_eq!((reply.is_done(), kept.body.len(), kept.cut), (true, 4 << 20, true));
}

#[test]
fn connections_that_will_close_are_known() {
    for (text, close) in [
        ("HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 0\r\n\r\n", false),
    ] {
        let mut reply = ResponseParser::new(false);
        reply.advance(text.as_bytes(), &mut Discard).unwrap();
        assert_eq!((reply.is_done(), reply.close), (true, close), "{text}");
    }
}

#[test]
fn garbage_is_malformed() {
    for text in [
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2 9\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 099 What\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
    ] {
        assert!(feed(text.as_bytes(), &[], false).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn cuts_change_nothing(case in 0..CASES.len(), mut cuts in proptest::collection::vec(0usize..200, 0..20)) {
        cuts.sort_unstable();
        let (text, _) = CASES[case];
        prop_assert_eq!(feed(text.as_bytes(), &cuts, false), feed(text.as_bytes(), &[], false));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), chunked in any::<bool>()) {
        let head: &[u8] = if chunked { b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" } else { b"" };
        let _ = feed(&[head, &bytes].concat(), &[], false);
    }
}

#[test]
fn a_folded_header_takes_one_line_of_what_is_kept() {
    for (sent, kept) in [
        ("a: b\r\n c", "a: b c"),
        ("a: b \r\n\t  c\r\n d", "a: b c d"),
        ("a:\r\n b", "a: b"),
        ("a: b\n c", "a: b c"),
        ("a: b\r\n \r\n c", "a: b  c"),
        ("a: b c", "a: b c"),
    ] {
        let text = format!("HTTP/1.1 204 No Content\r\n{sent}\r\nx: y\r\n\r\n");
        let mut reply = BufferedResponse::default();
        ResponseParser::new(false).advance(text.as_bytes(), &mut reply).unwrap();
        let expected = format!("HTTP/1.1 204 No Content\r\n{kept}\r\nx: y\r\n\r\n");
        assert_eq!(String::from_utf8(reply.head).unwrap(), expected, "{sent:?}");
    }
}

/// What comes of a response, whole, in pieces of this many bytes, and in two at any place.
#[track_caller]
fn is_the_same_however_it_is_cut(bytes: &[u8], pieces: &[usize]) -> Result<(u16, Vec<u8>, usize), Malformed> {
    let whole = feed(bytes, &[], false);
    for piece in pieces {
        let cuts: Vec<usize> = (0..bytes.len()).step_by(*piece).collect();
        assert_eq!(feed(bytes, &cuts, false), whole, "pieces of {piece}");
    }
    for cut in (0..bytes.len()).step_by(1 + bytes.len() / 50) {
        assert_eq!(feed(bytes, &[cut], false), whole, "cut at {cut}");
    }
    whole
}

#[test]
fn a_long_head_is_taken_or_refused_alike_however_it_is_cut() {
    let head = |length: usize| {
        let rest = "HTTP/1.1 204 No Content\r\nx: \r\n\r\n".len();
        format!("HTTP/1.1 204 No Content\r\nx: {}\r\n\r\n", "y".repeat(length - rest)).into_bytes()
    };
    for length in [LONG, LONG + 1, 65_536, 100_000, 131_073, LONGEST_HEAD] {
        let came = is_the_same_however_it_is_cut(&head(length), &[1, 1460, 65_536]);
        assert_eq!(came, Ok((204, Vec::new(), 0)), "{length}");
    }
    for length in [LONGEST_HEAD + 1, LONGEST_HEAD + 100, 2 * LONGEST_HEAD] {
        let came = is_the_same_however_it_is_cut(&head(length), &[1, 1460, 65_536]);
        assert_eq!(came, Err(Malformed("the response's head is longer than 300 KiB")), "{length}");
    }
    let spoiled = |end: &[u8]| [&head(10_000)[..9_000], b"\r\na\0b: c", end].concat();
    for end in [&b"\r\n\r\n"[..], b"\r\n"] {
        let bytes = spoiled(end);
        assert!(is_the_same_however_it_is_cut(&bytes, &[1, 1000]).is_err());
    }
    // Interim responses are heads of their own.
    let two = [&head(80_000), &b"HTTP/1.1 103 Early Hints\r\n"[..], &head(200_000)[25..], &head(LONGEST_HEAD)].concat();
    assert_eq!(is_the_same_however_it_is_cut(&two[80_000..], &[1460]), Ok((204, Vec::new(), 0)));
}

#[test]
fn a_long_line_of_a_chunked_body_is_taken_or_refused_alike_however_it_is_cut() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let extended = |line: usize| format!("{HEAD}2;{}\r\nok\r\n0\r\n\r\n", "x".repeat(line - 2));
    let trailed = |line: usize| format!("{HEAD}2\r\nok\r\n0\r\na: {}\r\n\r\n", "x".repeat(line - 3));
    for (line, pieces) in [(1000, &[1, 7][..]), (LONGEST_LINE, &[1460])] {
        for text in [extended(line), trailed(line)] {
            assert_eq!(is_the_same_however_it_is_cut(text.as_bytes(), pieces), Ok((200, b"ok".to_vec(), 0)), "{line}");
        }
    }
    for line in [LONGEST_LINE + 1, LONGEST_LINE + 2, 100_000] {
        for text in [extended(line), trailed(line)] {
            assert_eq!(is_the_same_however_it_is_cut(text.as_bytes(), &[1460]), Err(TOO_LONG), "{line}");
        }
    }
}
