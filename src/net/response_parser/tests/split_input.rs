//! However the bytes of a response are cut on their way, what comes of it is the same.

use proptest::prelude::*;

use super::super::ResponseParser;
use crate::net::sink::BufferedResponse;

/// How a response's body ends.
#[derive(Debug, Clone)]
enum Framing {
    Length,
    /// With the sizes of the chunks, whether they have extensions, and how many trailers follow.
    Chunked(Vec<usize>, bool, usize),
    UntilClose,
    /// A status that has none.
    None(u16),
    /// It answers a HEAD, and says how long the body would be.
    Head,
}

/// A response, and what must come of it.
#[derive(Debug, Clone)]
struct Case {
    bytes: Vec<u8>,
    head_only: bool,
    status: u16,
    interim: u32,
    body: Vec<u8>,
    /// Bytes at the end that are not the response's.
    left: usize,
}

fn framings() -> impl Strategy<Value = Framing> {
    prop_oneof![
        Just(Framing::Length),
        (proptest::collection::vec(1..40_usize, 0..5), any::<bool>(), 0..3_usize)
            .prop_map(|(sizes, extended, trailers)| Framing::Chunked(sizes, extended, trailers)),
        Just(Framing::UntilClose),
        prop_oneof![Just(204), Just(304)].prop_map(Framing::None),
        Just(Framing::Head),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    let parts = (
        framings(),
        proptest::collection::vec(prop_oneof![Just(100_u16), Just(102), Just(103)], 0..3),
        proptest::collection::vec(any::<u8>(), 0..120),
        "[!-~]{0,20}",
        0..20_usize,
    );
    parts.prop_map(|(framing, interim, body, value, left)| make(&framing, &interim, &body, &value, left))
}

fn make(framing: &Framing, interim: &[u16], body: &[u8], value: &str, left: usize) -> Case {
    let mut text = Vec::new();
    for status in interim {
        text.extend_from_slice(format!("HTTP/1.1 {status} Wait\r\nlink: {value}\r\n\r\n").as_bytes());
    }
    let status = if let Framing::None(status) = framing { *status } else { 200 };
    text.extend_from_slice(format!("HTTP/1.1 {status} Fine\r\nx-value: {value}\r\n").as_bytes());
    let (mut kept, mut after) = (Vec::new(), left);
    match framing {
        Framing::Length => {
            text.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
            text.extend_from_slice(body);
            kept = body.to_vec();
        }
        Framing::Chunked(sizes, extended, trailers) => {
            text.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
            let mut rest = body;
            for size in sizes {
                let (chunk, more) = rest.split_at((*size).min(rest.len()));
                rest = more;
                if !chunk.is_empty() {
                    let extension = if *extended { ";a=b" } else { "" };
                    text.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
                    text.extend_from_slice(chunk);
                    text.extend_from_slice(b"\r\n");
                    kept.extend_from_slice(chunk);
                }
            }
            text.extend_from_slice(b"0\r\n");
            (0..*trailers).for_each(|n| text.extend_from_slice(format!("x-{n}: {value}\r\n").as_bytes()));
            text.extend_from_slice(b"\r\n");
        }
        Framing::UntilClose => {
            text.extend_from_slice(b"\r\n");
            text.extend_from_slice(body);
            (kept, after) = (body.to_vec(), 0);
        }
        Framing::None(_) | Framing::Head => {
            text.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        }
    }
    // What follows looks like the next response.
    text.extend_from_slice(&b"HTTP/1.1 200 OK\r\nx: y"[..after]);
    let head_only = matches!(framing, Framing::Head);
    Case { bytes: text, head_only, status, interim: interim.len() as u32, body: kept, left: after }
}

/// Feeds a response in pieces that end at `cuts`, in order, as a connection would: what is not taken comes again.
fn feed(case: &Case, cuts: impl Iterator<Item = usize>) -> (ResponseParser, BufferedResponse, usize) {
    let mut reply = ResponseParser::new(case.head_only);
    let mut kept = BufferedResponse::default();
    let mut start = 0;
    for end in cuts.chain([case.bytes.len()]) {
        start += reply.advance(&case.bytes[start..end.max(start)], &mut kept).unwrap();
    }
    if !reply.is_done() {
        reply.closed().unwrap();
    }
    (reply, kept, case.bytes.len() - start)
}

fn holds(case: &Case, (reply, kept, left): &(ResponseParser, BufferedResponse, usize)) -> Result<(), TestCaseError> {
    prop_assert!(reply.is_done());
    prop_assert_eq!((reply.status, reply.interim, *left), (case.status, case.interim, case.left));
    prop_assert_eq!(&kept.body, &case.body);
    Ok(())
}

proptest! {
    #[test]
    fn a_response_cut_once_anywhere_is_the_same(case in cases()) {
        let whole = feed(&case, std::iter::empty());
        holds(&case, &whole)?;
        for cut in 0..=case.bytes.len() {
            let cut = feed(&case, std::iter::once(cut));
            holds(&case, &cut)?;
            prop_assert_eq!(&cut.1.head, &whole.1.head);
        }
    }

    #[test]
    fn a_response_cut_into_any_pieces_and_byte_by_byte_is_the_same(
        case in cases(),
        mut cuts in proptest::collection::vec(0..600_usize, 0..30),
    ) {
        cuts.retain(|cut| *cut <= case.bytes.len());
        cuts.sort_unstable();
        holds(&case, &feed(&case, cuts.into_iter()))?;
        holds(&case, &feed(&case, 0..case.bytes.len()))?;
    }
}
