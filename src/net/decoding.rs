//! Bodies as they were before the server encoded them for the way: gzip, deflate, br and zstd, also one in another.
//!
//! Bounded: no more is decoded than [`MOST_KEPT`], whatever a body would grow to.

use std::fmt;
use std::io::{self, Read};

/// What is kept of the heads, and of the body, of one response.
pub(super) const MOST_KEPT: usize = 4 << 20;
/// More encodings, one in another, are an attack (curl refuses as many).
const MOST_CODINGS: usize = 5;
/// The largest window of zstd in HTTP, in bytes (RFC 9659).
const ZSTD_WINDOW: u64 = 8 << 20;
const STEP: usize = 16 * 1024;

/// Why a body is not what the server had encoded, or not all of it. As a fragment of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undecoded {
    /// An encoding that is not known here.
    Unknown(String),
    TooMany,
    /// Not what this encoding makes.
    Damaged(&'static str),
    /// It grows beyond what is kept of a body.
    TooLarge,
}

impl fmt::Display for Undecoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undecoded::Unknown(name) => {
                write!(f, "its content-encoding `{name}` is none of gzip, deflate, br and zstd")
            }
            Undecoded::TooMany => write!(f, "it was encoded more than {MOST_CODINGS} times over"),
            Undecoded::Damaged(name) => write!(f, "its content-encoding says {name}, and it is none or damaged"),
            Undecoded::TooLarge => write!(f, "decoded it is larger than {} MiB", MOST_KEPT >> 20),
        }
    }
}

/// An encoding of bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    fn of(name: &str) -> Option<Self> {
        match name {
            "gzip" | "x-gzip" => Some(Coding::Gzip),
            "deflate" => Some(Coding::Deflate),
            "br" => Some(Coding::Brotli),
            "zstd" => Some(Coding::Zstd),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }
}

/// Replaces a body by what the server had encoded, as far as that can be told from the head. What cannot be decoded stays
/// as it came, and the result says why. `cut` says whether something of the body was dropped, before and after.
pub(super) fn decode(head: &[u8], body: &mut Vec<u8>, cut: &mut bool) -> Option<Undecoded> {
    if body.is_empty() {
        return None;
    }
    let names = codings(head);
    if names.len() > MOST_CODINGS {
        return Some(Undecoded::TooMany);
    }
    let mut undecoded = None;
    // The last one named was applied last.
    for name in names.iter().rev() {
        let Some(coding) = Coding::of(name) else { return Some(Undecoded::Unknown(name.clone())) };
        let (goes_on, why) = undo(coding, body, cut);
        undecoded = why.or(undecoded);
        if !goes_on {
            break;
        }
    }
    undecoded
}

/// Undoes one encoding. False if there is no more to be had.
fn undo(coding: Coding, body: &mut Vec<u8>, cut: &mut bool) -> (bool, Option<Undecoded>) {
    let (decoded, end) = decoded(coding, body);
    // These begin with a mark of their own: what came before a fault is what was encoded. The others take anything.
    let is_marked = matches!(coding, Coding::Gzip | Coding::Zstd);
    let is_of_use = end != End::Fault || (is_marked && !decoded.is_empty());
    if is_of_use {
        *body = decoded;
    }
    let why = match end {
        End::Whole => None,
        End::TooLarge => {
            *cut = true;
            Some(Undecoded::TooLarge)
        }
        // Of a body that was not kept whole the end must be missing.
        End::Fault if is_of_use && *cut => None,
        End::Fault => Some(Undecoded::Damaged(coding.name())),
    };
    (is_of_use, why)
}

/// The encodings that the last head names, in the order in which they were applied; `identity` is none.
fn codings(head: &[u8]) -> Vec<String> {
    let mut lists: Vec<Vec<u8>> = Vec::new();
    let (mut in_head, mut continues) = (true, false);
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b"HTTP/") {
            lists.clear();
            (in_head, continues) = (true, false);
        } else if line.is_empty() {
            in_head = false;
        } else if line.starts_with(b" ") || line.starts_with(b"\t") {
            lists.last_mut().filter(|_| continues).into_iter().for_each(|list| list.extend_from_slice(line));
        } else {
            let colon = memchr::memchr(b':', line).unwrap_or(line.len());
            // What comes behind a body says nothing of how it is encoded.
            continues = in_head && line[..colon].eq_ignore_ascii_case(b"content-encoding");
            if continues {
                lists.push(line.get(colon + 1..).unwrap_or_default().to_vec());
            }
        }
    }
    let names = lists.iter().flat_map(|list| list.split(|byte| *byte == b','));
    let names = names.map(|name| String::from_utf8_lossy(name).trim().to_lowercase());
    names.filter(|name| !name.is_empty() && name != "identity").collect()
}

/// How decoding ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With all that came: a server may have left off in the middle.
    Whole,
    Fault,
    TooLarge,
}

fn decoded(coding: Coding, bytes: &[u8]) -> (Vec<u8>, End) {
    let mut out = Vec::new();
    let end = match coding {
        Coding::Gzip => gunzip(bytes, &mut out),
        Coding::Deflate => inflate(bytes, &mut out),
        Coding::Brotli => drain(brotli_decompressor::Decompressor::new(bytes, STEP), &mut out),
        Coding::Zstd => unzstd(bytes, &mut out),
    };
    (out, end)
}

/// All members of a gzip file. What follows the last is padding.
fn gunzip(mut bytes: &[u8], out: &mut Vec<u8>) -> End {
    const MAGIC: &[u8] = &[0x1f, 0x8b];
    loop {
        let end = drain(flate2::bufread::GzDecoder::new(&mut bytes), out);
        if end != End::Whole || !bytes.starts_with(MAGIC) {
            return end;
        }
    }
}

/// With the wrapping that RFC 9110 asks for, or without it, as some servers have it.
fn inflate(bytes: &[u8], out: &mut Vec<u8>) -> End {
    let end = drain(flate2::bufread::ZlibDecoder::new(bytes), out);
    if end != End::Fault || !out.is_empty() {
        return end;
    }
    drain(flate2::bufread::DeflateDecoder::new(bytes), out)
}

/// All frames, also those that are only to be skipped.
fn unzstd(mut bytes: &[u8], out: &mut Vec<u8>) -> End {
    use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
    use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
    loop {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(ZSTD_WINDOW);
        let end = match StreamingDecoder::new_with_decoder(&mut bytes, frame) {
            Ok(reader) => drain(reader, out),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                bytes = bytes.get(length as usize..).unwrap_or_default();
                End::Whole
            }
            Err(_) => End::Fault,
        };
        if end != End::Whole || bytes.is_empty() {
            return end;
        }
    }
}

/// Reads as much as is kept of a body.
fn drain(mut reader: impl Read, out: &mut Vec<u8>) -> End {
    let mut buffer = [0; STEP];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return End::Whole,
            Ok(length) => out.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !out.is_empty() => return End::Whole,
            Err(_) => return End::Fault,
        }
        if out.len() > MOST_KEPT {
            out.truncate(MOST_KEPT);
            return End::TooLarge;
        }
    }
}

#[cfg(test)]
mod tests;
