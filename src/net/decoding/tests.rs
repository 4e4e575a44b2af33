use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::{any, prop_assert, proptest};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;
use crate::net::sink::BufferedResponse;

const LINE: &str = "<p>Hello, anna</p>";

fn page() -> Vec<u8> {
    LINE.repeat(20).into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// What brotli 1.2 makes of [`page`].
fn brotli_page() -> Vec<u8> {
    bytes_of("1b6701f88dd325b4153ba6e6097383532f3eb5096f15824cf8a706618903")
}

fn kept(head: &str, body: Vec<u8>) -> BufferedResponse {
    let mut kept = BufferedResponse {
        head: format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").into_bytes(),
        body,
        ..BufferedResponse::default()
    };
    kept.decode();
    kept
}

fn is_page(head: &str, body: Vec<u8>) {
    let kept = kept(head, body);
    assert_eq!(kept.undecoded, None, "{head}");
    assert_eq!((String::from_utf8_lossy(&kept.body), kept.cut), (LINE.repeat(20).into(), false), "{head}");
}

#[test]
fn each_encoding_is_undone() {
    is_page("content-type: text/html", page());
    is_page("Content-Encoding: gzip", gzip(&page()));
    is_page("content-encoding:X-GZIP", gzip(&page()));
    is_page("content-encoding: deflate", zlib(&page()));
    is_page("content-encoding: deflate", raw_deflate(&page()));
    is_page("content-encoding: br", brotli_page());
    is_page("content-encoding: zstd", zstd(&page()));
    is_page("content-encoding: identity", page());
    is_page("content-encoding:", page());
}

#[test]
fn one_in_another_is_undone_in_reverse_however_the_header_is_written() {
    let both = zstd(&gzip(&page()));
    is_page("content-encoding: gzip, zstd", both.clone());
    is_page("content-encoding: gzip\r\nvary: *\r\nContent-Encoding: ,zstd", both.clone());
    is_page("content-encoding: gzip,\r\n zstd", both);
    is_page("content-encoding: br, identity, gzip", gzip(&brotli_page()));
}

#[test]
fn files_of_several_parts_and_padding_are_undone() {
    let page = page();
    let (one, other) = page.split_at(100);
    is_page("content-encoding: gzip", [gzip(one), gzip(other)].concat());
    is_page("content-encoding: gzip", [gzip(&page), vec![0; 50]].concat());
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    is_page("content-encoding: zstd", [skipped, zstd(one), zstd(other)].concat());
}

#[test]
fn only_the_last_head_counts_and_no_trailer() {
    let decoded = |head: &str| {
        let mut kept =
            BufferedResponse { head: head.as_bytes().to_vec(), body: gzip(&page()), ..BufferedResponse::default() };
        kept.decode();
        kept.body == page()
    };
    assert!(decoded("HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\nHTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n"));
    assert!(!decoded("HTTP/1.1 103 Early Hints\r\ncontent-encoding: gzip\r\n\r\nHTTP/1.1 200 OK\r\nx: y\r\n\r\n"));
    assert!(!decoded("HTTP/1.1 200 OK\r\nx: y\r\n\r\ncontent-encoding: gzip\r\n"));
    assert!(decoded("HTTP/2 200\r\ncontent-encoding: gzip\r\n\r\nx-trailer: 1\r\n"));
}

#[test]
fn a_part_is_decoded_as_far_as_it_goes() {
    let text: Vec<u8> =
        (0..60_000_u32).flat_map(|n| format!("{} ", n.wrapping_mul(2_654_435_761)).into_bytes()).collect();
    for (name, whole) in [("gzip", gzip(&text)), ("deflate", zlib(&text)), ("zstd", zstd(&text))] {
        for is_kept_whole in [true, false] {
            let body = whole[..whole.len() / 2].to_vec();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {name}\r\n\r\n").into_bytes();
            let mut kept = BufferedResponse { head, body, cut: !is_kept_whole, ..BufferedResponse::default() };
            kept.decode();
            assert!(kept.body.len() > text.len() / 10 && text.starts_with(&kept.body), "{name}: {}", kept.body.len());
            assert!(kept.undecoded.is_none() || is_kept_whole, "{name}");
        }
    }
    let part = kept("content-encoding: br", brotli_page()[..28].to_vec());
    assert!(page().starts_with(&part.body) || part.undecoded.is_some());
}

// fault: http: a body that is not encoded as its header says -> looked at as it came, and counted
#[test]
fn what_is_not_encoded_as_it_says_stays_as_it_came_and_says_so() {
    for name in ["gzip", "deflate", "br", "zstd"] {
        let kept = kept(&format!("content-encoding: {name}"), page());
        assert_eq!(kept.body, page(), "{name}");
        let said = kept.undecoded.unwrap().to_string();
        assert_eq!(said, format!("its content-encoding says {name}, and it is none or damaged"));
    }
}

#[test]
fn unknown_encodings_and_too_many_are_said() {
    let said = |value: &str| kept(&format!("content-encoding: {value}"), page()).undecoded.unwrap().to_string();
    assert_eq!(said("compress"), "its content-encoding `compress` is none of gzip, deflate, br and zstd");
    assert_eq!(said("LZMA, identity"), "its content-encoding `lzma` is none of gzip, deflate, br and zstd");
    assert_eq!(said("gzip,gzip,gzip,gzip,gzip,gzip"), "it was encoded more than 5 times over");
    let half = kept("content-encoding: compress, gzip", gzip(&page()));
    assert_eq!((half.body, half.undecoded), (page(), Some(Undecoded::Unknown("compress".to_owned()))));
}

#[test]
fn a_fault_behind_readable_text_leaves_that_text() {
    let mut bytes = gzip(&page());
    let end = bytes.len();
    bytes[end - 8] ^= 1;
    let kept = kept("content-encoding: gzip", bytes);
    assert_eq!((kept.body, kept.undecoded), (page(), Some(Undecoded::Damaged("gzip"))));
}

// fault: http: a body that unpacks to gigabytes -> left off in time, and counted
#[test]
fn a_body_that_grows_beyond_measure_is_left_off_in_time() {
    // 40 MiB of zeros.
    let brotli = "cbffff3ff82700e2b14020f7fe8fffff7ff04f00c4611180eefd1fffffffe09f0088c30200ddfb3ffeffffc13f0110870500baf7\
                  7ffcffff837f02200e0b0074efff06";
    let zeros = vec![0; 40 << 20];
    let once = gzip(&zeros);
    let bombs = [
        ("gzip", once.clone()),
        ("gzip, gzip", gzip(&once)),
        ("deflate", zlib(&zeros)),
        ("zstd", zstd(&zeros)),
        ("br", bytes_of(brotli)),
    ];
    for (name, bomb) in bombs {
        assert!(bomb.len() < 50_000, "{name}: {}", bomb.len());
        let kept = kept(&format!("content-encoding: {name}"), bomb);
        assert_eq!((kept.body.len(), kept.cut), (MOST_KEPT, true), "{name}");
        assert!(kept.body.capacity() <= 4 * MOST_KEPT, "{name}");
        assert_eq!(kept.undecoded.unwrap().to_string(), "decoded it is larger than 4 MiB", "{name}");
    }
}

#[test]
fn a_window_of_gigabytes_is_refused() {
    // A frame that asks for a window of 2 GiB, and holds nothing.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
    assert_eq!(kept("content-encoding: zstd", frame.to_vec()).undecoded, Some(Undecoded::Damaged("zstd")));
}

proptest! {
    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..300), coding in 0..4_usize, cut: bool) {
        let name = ["gzip", "deflate", "br", "zstd"][coding];
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {name}\r\n\r\n").into_bytes();
        let mut kept = BufferedResponse { head, body: bytes, cut, ..BufferedResponse::default() };
        kept.decode();
        prop_assert!(kept.body.len() <= MOST_KEPT);
    }
}
