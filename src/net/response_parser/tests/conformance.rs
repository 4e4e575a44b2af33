//! Raw responses and what an independent reader makes of each: `tests/conformance`, without the sockets.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::ResponseParser;
use crate::net::sink::BufferedResponse;

/// A response, as characters of Latin-1, and what is to come of it.
#[derive(Deserialize)]
struct Case {
    name: String,
    method: String,
    raw: String,
    expected: Expected,
}

/// `null` if it is none.
type Expected = Option<Answer>;

#[derive(Deserialize)]
struct Answer {
    status: u16,
    body: String,
    /// Not compared where the reader read none.
    headers: Option<BTreeMap<String, String>>,
}

/// What came of a response: its status, its body and its headers, trailers included.
type Came = Option<(u16, String, BTreeMap<String, String>)>;

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn headers(head: &[u8]) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        if line.starts_with(b"HTTP/") {
            all.clear();
            continue;
        }
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (latin_1(&line[..colon]).to_lowercase(), latin_1(line[colon + 1..].trim_ascii()));
        all.entry(name).and_modify(|known| *known += &format!(", {value}")).or_insert(value);
    }
    all
}

/// Feeds a response in pieces that end at `cuts`, then closes, as the replaying server does.
fn feed(bytes: &[u8], head_only: bool, cuts: impl Iterator<Item = usize>) -> Came {
    let (mut reply, mut kept, mut start) = (ResponseParser::new(head_only), BufferedResponse::default(), 0);
    for end in cuts.chain([bytes.len()]) {
        start += reply.advance(&bytes[start..end.max(start)], &mut kept).ok()?;
    }
    if !reply.is_done() {
        reply.closed().ok()?;
    }
    Some((reply.status, latin_1(&kept.body), headers(&kept.head)))
}

fn is(expected: &Expected, came: &Came) -> bool {
    match (expected, came) {
        (None, None) => true,
        (Some(Answer { status, body, headers }), Some(came)) => {
            (*status, body) == (came.0, &came.1) && headers.as_ref().is_none_or(|headers| *headers == came.2)
        }
        _ => false,
    }
}

// fault: http: 401 raw responses, whole, byte by byte and cut at every place -> read as h11 reads them
#[test]
fn responses_are_read_as_an_independent_reader_reads_them_however_they_are_cut() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/readings.json");
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() >= 300, "{}", cases.len());
    let mut wrong = Vec::new();
    for Case { name, method, raw, expected } in &cases {
        let bytes: Vec<u8> = raw.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let feed = |cuts: &mut dyn Iterator<Item = usize>| feed(&bytes, method == "HEAD", cuts);
        let whole = feed(&mut std::iter::empty());
        if !is(expected, &whole) {
            wrong.push(format!("{name}: {whole:?}"));
        }
        let every = 1 + bytes.len() / 500;
        let cut = (0..bytes.len()).step_by(every).find(|cut| feed(&mut std::iter::once(*cut)) != whole);
        let each = feed(&mut (0..bytes.len()).step_by(every)) == whole;
        if cut.is_some() || !each {
            wrong.push(format!("{name}: another thing comes of it in pieces (cut at {cut:?})"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
