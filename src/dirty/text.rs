//! Is a body text? What is none is searched for canaries as bytes, and never compared by what seem to be words in it: two
//! bytes of a picture equal two bytes of another one every now and then.

use crate::net::sink::BufferedResponse;

/// Kinds that are none, whatever their bytes look like; as they begin.
const NO_TEXT: [&str; 22] = [
    "image/",
    "audio/",
    "video/",
    "font/",
    "application/octet-stream",
    "application/zip",
    "application/gzip",
    "application/x-gzip",
    "application/zstd",
    "application/x-tar",
    "application/x-7z",
    "application/x-bzip",
    "application/pdf",
    "application/wasm",
    "application/grpc",
    "application/protobuf",
    "application/x-protobuf",
    "application/vnd.google.protobuf",
    "application/msgpack",
    "application/x-msgpack",
    "application/vnd.msgpack",
    "application/cbor",
];
const TEXT_ALL_THE_SAME: &str = "image/svg";

/// One byte in this many may be a control character, or no UTF-8, in what counts as text. Of random bytes one in nine is
/// the first, and about half are the second.
const MOST_CONTROLS: usize = 50;
const MOST_INVALID: usize = 10;

/// Whether words can be made out in the body.
pub(super) fn is_text(reply: &BufferedResponse) -> bool {
    if reply.body.is_empty() {
        return true;
    }
    let kind = content_type(&reply.head);
    let is_none = NO_TEXT.iter().any(|none| kind.starts_with(none)) && !kind.starts_with(TEXT_ALL_THE_SAME);
    if reply.undecoded.is_some() || is_none || reply.body.contains(&0) {
        return false;
    }
    let controls = reply.body.iter().filter(|byte| is_control(**byte)).count();
    controls * MOST_CONTROLS <= reply.body.len() && (is_of_another_charset(&kind) || is_utf8(&reply.body))
}

fn is_control(byte: u8) -> bool {
    // Escape and form feed stand in logs and listings.
    byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b)
}

/// But for a few bytes: a part of a page, or a name of another age.
fn is_utf8(body: &[u8]) -> bool {
    let invalid: usize = body.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    invalid * MOST_INVALID <= body.len()
}

fn is_of_another_charset(kind: &str) -> bool {
    kind.split_once("charset=").is_some_and(|(_, charset)| !charset.trim_start_matches('"').starts_with("utf-8"))
}

/// The value of the last such header, in lower case; empty without one.
fn content_type(head: &[u8]) -> String {
    crate::session::headers(head, "content-type").last().map(|kind| kind.to_lowercase()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::decoding::Undecoded;

    fn reply(kind: &str, body: &[u8]) -> BufferedResponse {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n").into_bytes();
        BufferedResponse { head, body: body.to_vec(), ..BufferedResponse::default() }
    }

    #[test]
    fn pages_in_any_script_are_text() {
        for (kind, body) in [
            ("text/html; charset=utf-8", "<p>Grüße, Жанна, 你好</p>".as_bytes()),
            ("application/json", b"{\"a\": [1, 2]}"),
            ("", b"plain"),
            ("text/plain", b""),
            ("text/plain", b"\x1b[32mok\x1b[0m\tdone\r\n"),
            ("text/html; charset=koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4, \xf6\xc1\xce\xce\xc1"),
            ("text/html", b"Cr\xe8me br\xfbl\xe9e for two, and more text in which few bytes are of another age"),
            ("image/svg+xml", b"<svg><text>ann</text></svg>"),
        ] {
            assert!(is_text(&reply(kind, body)), "{kind} {body:?}");
        }
    }

    #[test]
    fn pictures_archives_and_compressed_bytes_are_none() {
        let random: Vec<u8> = (1..400_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8 | 1).collect();
        for (kind, body) in [
            ("image/png", &b"looks like text"[..]),
            ("application/octet-stream", b"looks like text"),
            ("application/grpc-web+proto", b"looks like text"),
            ("application/pdf", b"%PDF-1.7 looks like text"),
            ("text/html", b"text and \0 no text"),
            ("text/html", &random),
            ("text/html; charset=latin1", &random),
            ("", &random[..40]),
        ] {
            assert!(!is_text(&reply(kind, body)), "{kind} {body:?}");
        }
        let undecoded =
            BufferedResponse { undecoded: Some(Undecoded::TooLarge), ..reply("text/html", b"the beginning of a page") };
        assert!(!is_text(&undecoded));
    }
}
